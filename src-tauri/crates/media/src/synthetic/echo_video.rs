//! A peer that shows the caller their own pictures: what its screen gets, its camera delivers.

use super::pattern::PatternSource;
use crate::device::{DeviceError, VideoSink, VideoSource};
use crate::units::Resolution;
use crate::video::VideoFrame;
use crate::video::latest::Latest;
use std::time::{Duration, Instant};

/// Without a picture for this long the echo shows its own pattern again (chosen: longer than a freeze that is repaired).
const SILENCE: Duration = Duration::from_secs(2);

/// Makes a screen and the camera that repeats it, newest first. Until pictures come, and 2 s after the last one, the camera
/// delivers a pattern as near to what is asked for as can be drawn.
pub fn video_echo(resolution: Resolution, frame_rate: u32) -> (EchoScreen, EchoCamera) {
    let newest = Latest::new();
    let pattern = PatternSource::nearest(resolution, frame_rate);
    let camera = EchoCamera {
        newest: newest.clone(),
        pattern,
        last_shown: None,
    };
    (EchoScreen { newest }, camera)
}

/// The screen of an echo.
#[derive(Debug)]
pub struct EchoScreen {
    newest: Latest<VideoFrame>,
}

/// The camera of an echo.
#[derive(Debug)]
pub struct EchoCamera {
    newest: Latest<VideoFrame>,
    pattern: PatternSource,
    last_shown: Option<Instant>,
}

impl VideoSink for EchoScreen {
    fn show(&mut self, _now: Instant, frame: VideoFrame) {
        self.newest.put(frame);
    }
}

impl VideoSource for EchoCamera {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        if self.last_shown.is_some_and(|last| last.elapsed() < SILENCE) {
            let frame = self.newest.wait(timeout);
            if frame.is_some() {
                self.last_shown = Some(Instant::now());
            }
            return Ok(frame);
        }
        if let Some(frame) = self.newest.take() {
            self.last_shown = Some(Instant::now());
            return Ok(Some(frame));
        }
        self.pattern.next_frame(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::pattern;
    use crate::video::I420;
    use std::sync::Arc;

    const SIZE: Resolution = Resolution::new(160, 90);
    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn the_camera_shows_a_pattern_and_then_what_the_screen_got() {
        let (mut screen, mut camera) = video_echo(SIZE, 100);
        let own = camera.next_frame(LONG).expect("works").expect("in time");
        assert!(pattern::read(&own.picture).is_some());
        let sent = VideoFrame {
            picture: Arc::new(I420::black(SIZE)),
            captured_at: Instant::now(),
        };
        screen.show(Instant::now(), sent.clone());
        let echoed = camera.next_frame(LONG).expect("works").expect("in time");
        assert!(Arc::ptr_eq(&echoed.picture, &sent.picture));
        let soon = camera.next_frame(Duration::from_millis(20)).expect("works");
        assert!(soon.is_none(), "no pattern between two echoed pictures");
    }

    #[test]
    fn the_pattern_returns_when_nothing_comes_any_more() {
        let (mut screen, mut camera) = video_echo(SIZE, 100);
        screen.show(
            Instant::now(),
            VideoFrame {
                picture: Arc::new(I420::black(SIZE)),
                captured_at: Instant::now(),
            },
        );
        assert!(camera.next_frame(LONG).expect("works").is_some());
        camera.last_shown = Instant::now().checked_sub(SILENCE);
        let own = camera.next_frame(LONG).expect("works").expect("in time");
        assert!(pattern::read(&own.picture).is_some());
    }
}
