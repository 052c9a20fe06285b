use super::*;
use crate::synthetic::pattern::{self, PatternMark};
use std::sync::atomic::{AtomicU32, Ordering};

const LONG: Duration = Duration::from_secs(5);

/// A file of its own in the system's place for them, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("ahoy-y4m-{}-{number}.y4m", std::process::id())))
    }

    fn holding(bytes: &[u8]) -> Self {
        let scratch = Self::new();
        std::fs::write(&scratch.0, bytes).expect("a file can be written");
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that made no file has none to remove.
        std::fs::remove_file(&self.0).ok();
    }
}

fn numbered(number: u32, size: Resolution) -> VideoFrame {
    let mut picture = I420::black(size);
    pattern::draw(PatternMark { number, wall_ms: 0 }, &mut picture);
    VideoFrame {
        picture: Arc::new(picture),
        captured_at: Instant::now(),
    }
}

#[test]
fn what_was_recorded_is_played_again_and_again() {
    let scratch = Scratch::new();
    let size = Resolution::new(161, 91);
    let mut sink = Y4mSink::create(&scratch.0).expect("a file can be written");
    sink.show(Instant::now(), numbered(0, size));
    sink.show(Instant::now(), numbered(1, size));
    sink.show(Instant::now(), numbered(2, Resolution::new(320, 180)));
    drop(sink);
    let mut source = Y4mSource::open(&scratch.0).expect("a camera");
    assert_eq!(source.resolution(), size);
    for expected in [0, 1, 2, 0, 1] {
        let frame = source.next_frame(LONG).expect("works").expect("in time");
        assert_eq!(
            pattern::read(&frame.picture).map(|mark| mark.number),
            Some(expected)
        );
    }
}

#[test]
fn a_cut_off_last_picture_is_left_out() {
    let scratch = Scratch::holding(
        &[
            &b"YUV4MPEG2 W4 H2 F100:1 C420mpeg2 XYSCSS=420\nFRAME\n"[..],
            &[9; 12],
            b"FRAME\n123",
        ]
        .concat(),
    );
    let mut source = Y4mSource::open(&scratch.0).expect("a camera");
    for _ in 0..3 {
        let frame = source.next_frame(LONG).expect("works").expect("in time");
        assert_eq!(frame.picture.as_bytes(), [9; 12]);
    }
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_named_with_the_reason() {
    let cases: [(&[u8], &str); 8] = [
        (b"RIFF....WAVE\n", "it does not begin with YUV4MPEG2"),
        (
            b"YUV4MPEG2 W4 H2 F30:1 C444\nFRAME\n",
            "colour format C444 is not supported, only 8-bit C420",
        ),
        (
            b"YUV4MPEG2 W4 H2 F30:1 C420p10\nFRAME\n",
            "colour format C420p10 is not supported, only 8-bit C420",
        ),
        (b"YUV4MPEG2 W4 F30:1\nFRAME\n", "its header lacks width or height"),
        (
            b"YUV4MPEG2 W99999 H2\nFRAME\n",
            "width 99999 is not from 1 to 16383",
        ),
        (
            b"YUV4MPEG2 W4 H2 It\nFRAME\n",
            "interlaced pictures (It) are not supported",
        ),
        (
            b"YUV4MPEG2 W4 H2 F30\nFRAME\n",
            "frame rate 30 is not a ratio such as 30:1",
        ),
        (b"YUV4MPEG2 W4 H2 F30:1\nFRAME\n123", "it has no whole picture"),
    ];
    for (bytes, why) in cases {
        let scratch = Scratch::holding(bytes);
        let error = Y4mSource::open(&scratch.0).map(|_| ()).expect_err(why);
        let expected = format!("the camera cannot be used: {}: {why}", scratch.0.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_missing_file_is_not_found() {
    let error = Y4mSource::open(Path::new("/nowhere/clip.y4m"))
        .map(|_| ())
        .expect_err("no file");
    assert_eq!(error.to_string(), "no camera named /nowhere/clip.y4m");
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let error = Y4mSink::create(Path::new("/nowhere/out.y4m"))
        .map(|_| ())
        .expect_err("no folder");
    assert!(
        error
            .to_string()
            .starts_with("the screen cannot be used: /nowhere/out.y4m: "),
        "{error}"
    );
}
