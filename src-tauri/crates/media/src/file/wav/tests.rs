use super::*;
use std::time::Duration;

/// A file of the test's own that goes away with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ahoy-media-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The file is absent when the test failed before making it.
        std::fs::remove_file(&self.0).ok();
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn make(file: &Scratch, spec: WavSpec, write: impl FnOnce(&mut WavWriter<BufWriter<File>>)) {
    let mut writer = WavWriter::create(&file.0, spec).expect("temporary file");
    write(&mut writer);
    writer.finalize().expect("temporary file");
}

fn read(source: &mut WavSource, time: Duration) -> Vec<f32> {
    let start = Instant::now();
    let mut out = Vec::new();
    let mut at = ms(0);
    while at <= time {
        source.read(start + at, &mut out).expect("readable");
        at += ms(5);
    }
    out
}

#[test]
fn stereo_pcm_is_read_and_looped() {
    let file = Scratch::new("loop.wav");
    let spec = WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    make(&file, spec, |writer| {
        for sample in [0_i16, 16_384, -16_384, i16::MIN, 8_192, 0] {
            writer.write_sample(sample).expect("written");
        }
    });
    let mut source = WavSource::open(&file.0).expect("a wav file");
    assert_eq!(
        source.format(),
        AudioFormat {
            rate: SampleRate::from_hz(8_000),
            channels: 2
        }
    );
    let out = read(&mut source, ms(100));
    assert_eq!(out.len(), 1_600);
    for (n, sample) in out.iter().enumerate() {
        assert_eq!(*sample, [0.0, 0.5, -0.5, -1.0, 0.25, 0.0][n % 6], "sample {n}");
    }
}

#[test]
fn float_and_other_widths_are_read() {
    let file = Scratch::new("widths.wav");
    let float = WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    make(&file, float, |writer| {
        for sample in [0.25_f32, 3.0, f32::NAN] {
            writer.write_sample(sample).expect("written");
        }
    });
    let out = read(&mut WavSource::open(&file.0).expect("a wav file"), ms(5));
    assert_eq!(out[..3], [0.25, 1.0, 0.0]);
    for (bits, half) in [(8_u16, 64), (24, 1 << 22), (32, 1 << 30)] {
        let spec = WavSpec {
            bits_per_sample: bits,
            sample_format: SampleFormat::Int,
            ..float
        };
        make(&file, spec, |writer| writer.write_sample(half).expect("written"));
        let out = read(&mut WavSource::open(&file.0).expect("a wav file"), ms(5));
        assert_eq!(out[0], 0.5, "{bits} bits");
    }
}

#[test]
fn errors_name_the_file_and_the_fault() {
    let file = Scratch::new("broken.wav");
    let why = |path: &Path| WavSource::open(path).err().expect("refused").to_string();
    let missing = why(&file.0);
    assert!(missing.contains("broken.wav: "), "{missing}");
    std::fs::write(&file.0, b"not a wave at all").expect("temporary file");
    let garbage = why(&file.0);
    assert!(
        garbage.starts_with("the microphone cannot be used: ") && garbage.contains("broken.wav: "),
        "{garbage}"
    );
    make(&file, WRITTEN, |_| {});
    let empty = why(&file.0);
    assert!(empty.ends_with("it holds no samples"), "{empty}");
    let nowhere = WavSink::create(Path::new("/nonexistent-directory/a.wav"))
        .err()
        .expect("refused");
    assert!(matches!(
        nowhere,
        DeviceError::Unusable {
            kind: DeviceKind::Speaker,
            ..
        }
    ));
}

#[test]
fn what_is_written_is_read_back_with_the_pauses_between() {
    let file = Scratch::new("written.wav");
    let start = Instant::now();
    let mut sink = WavSink::create(&file.0).expect("temporary file");
    sink.write(start, &[0.5; 960]).expect("written");
    sink.write(start + ms(30), &[-0.5; 960]).expect("written");
    assert_eq!(sink.underruns(), 1);
    drop(sink);
    let samples: Vec<i16> = WavReader::open(&file.0)
        .expect("a wav file")
        .into_samples()
        .map(|s| s.expect("whole"))
        .collect();
    assert_eq!(samples.len(), 960 + 480 + 960);
    assert_eq!((samples[0], samples[1_000], samples[1_500]), (16_384, 0, -16_384));
}

#[test]
fn a_file_whose_writer_never_ended_is_readable() {
    let file = Scratch::new("killed.wav");
    let start = Instant::now();
    let mut sink = WavSink::create(&file.0).expect("temporary file");
    for step in 0..100 {
        sink.write(start + ms(20) * step, &[0.5; 960]).expect("written");
    }
    // Nothing of the sink runs any more, as when the process is killed.
    std::mem::forget(sink);
    let duration = WavReader::open(&file.0).expect("a wav file").duration();
    assert!(duration >= 48_000, "{duration}");
}
