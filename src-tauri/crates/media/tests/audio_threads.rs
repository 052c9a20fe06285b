//! The two threads of a call's sound: they carry it in real time, survive their devices, and end when dropped.

mod audio_support;

use ahoy_media::audio::{AudioCapture, AudioPlayout, CaptureSettings};
use ahoy_media::codec::opus::OpusEncoder;
use ahoy_media::codec::{Loss, SoundCodec};
use ahoy_media::device::{AudioFormat, AudioSink, AudioSource, DeviceError, DeviceKind};
use ahoy_media::jitter_buffer::JitterBufferSettings;
use ahoy_media::packet::EncodedFrame;
use ahoy_media::synthetic::clock::WallClock;
use ahoy_media::synthetic::silence::{SilentMicrophone, SilentSpeaker};
use ahoy_media::synthetic::tone::ToneSource;
use ahoy_media::synthetic::tone_probe::AudioProbe;
use ahoy_media::units::{Bitrate, RtpTime, SampleRate};
use audio_support::packet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(10);

fn settings() -> CaptureSettings {
    CaptureSettings {
        first_rtp_time: RtpTime::new(9),
        bitrate: Bitrate::from_kbps(32),
        muted: false,
    }
}

fn encoder() -> Box<OpusEncoder> {
    Box::new(OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder"))
}

fn capture(source: Box<dyn AudioSource>) -> (AudioCapture, Receiver<EncodedFrame>, Receiver<DeviceError>) {
    let (frames_tx, frames) = channel();
    let (failed_tx, failed) = channel();
    let capture = AudioCapture::start(
        source,
        encoder(),
        settings(),
        move |_, frame| frames_tx.send(frame).is_ok(),
        move |error| {
            // The receiver is gone when the test does not ask for failures.
            failed_tx.send(error).ok();
        },
    )
    .expect("starts");
    (capture, frames, failed)
}

/// Waits for a condition that the threads bring about.
fn await_true(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_true() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

/// A device that stops.
struct Unplugged;

impl AudioSource for Unplugged {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::from_hz(44_100),
            channels: 2,
        }
    }

    fn read(&mut self, _: Instant, _: &mut Vec<f32>) -> Result<(), DeviceError> {
        Err(DeviceError::Lost(DeviceKind::Microphone))
    }
}

impl AudioSink for Unplugged {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::from_hz(44_100),
            channels: 2,
        }
    }

    fn queued(&mut self, _: Instant) -> Result<usize, DeviceError> {
        Err(DeviceError::Lost(DeviceKind::Speaker))
    }

    fn write(&mut self, _: Instant, _: &[f32]) -> Result<(), DeviceError> {
        Err(DeviceError::Lost(DeviceKind::Speaker))
    }

    fn underruns(&self) -> u64 {
        0
    }
}

#[test]
fn a_tone_goes_through_both_threads_in_real_time() {
    let clock = WallClock::of_system();
    let (probe, reader) = AudioProbe::new(clock);
    let playout = AudioPlayout::start(
        Box::new(probe),
        SoundCodec::Opus,
        1,
        JitterBufferSettings::default(),
        |_| {},
    )
    .expect("starts");
    let inlet = playout.inlet();
    let mut number = 0;
    let capture = AudioCapture::start(
        Box::new(ToneSource::new(440, clock)),
        encoder(),
        settings(),
        move |_, frame| {
            number += 1;
            inlet.push(packet(number, &frame, Instant::now()))
        },
        |_| {},
    )
    .expect("starts");
    await_true("five clicks", || reader.total().clicks >= 5);
    let heard = reader.total();
    let (sent, received) = (capture.stats(), playout.stats());
    assert_eq!(heard.frequency, Some(440));
    assert!(heard.tone_db.is_some_and(|db| db > 15.0), "{heard:?}");
    assert!(
        heard.latency_ms.is_some_and(|latency| latency.p50 < 300.0),
        "{heard:?}"
    );
    assert!(sent.first_sent_at.is_some() && received.first_played_at.is_some());
    assert!(
        sent.packets_sent >= 200 && received.buffer.packets_received >= 190,
        "{sent:?} {received:?}"
    );
    assert!((received.audio_level - 0.17).abs() < 0.1, "{received:?}");
    assert!(sent.bytes_sent > sent.packets_sent * 20);
}

#[test]
fn a_muted_capture_sends_silence_and_keeps_its_time() {
    let (capture, frames, _failed) = capture(Box::new(ToneSource::new(440, WallClock::of_system())));
    let first = frames.recv_timeout(DEADLINE).expect("a frame");
    assert_eq!(first.rtp_time, RtpTime::new(9));
    capture.set_muted(true);
    await_true("silence is sent", || {
        capture.stats().audio_level == 0.0 && capture.stats().muted
    });
    assert!(capture.stats().captured_level > 0.1, "the microphone still hears");
    capture.set_muted(false);
    await_true("sound is sent", || capture.stats().audio_level > 0.1);
    let times: Vec<u32> = frames.try_iter().map(|frame| frame.rtp_time.as_u32()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 960), "{times:?}");
}

#[test]
fn bitrate_and_expected_loss_change_while_running() {
    let (capture, frames, _failed) = capture(Box::new(ToneSource::new(440, WallClock::of_system())));
    frames.recv_timeout(DEADLINE).expect("a frame");
    capture.set_bitrate(Bitrate::from_kbps(16));
    capture.set_expected_loss(Loss::unrepaired(0.1));
    await_true("both are taken", || {
        let stats = capture.stats();
        stats.target_bitrate == Bitrate::from_kbps(16) && stats.expected_loss == Loss::unrepaired(0.1)
    });
    capture.set_bitrate(Bitrate::from_kbps(1));
    capture.set_bitrate(Bitrate::from_kbps(24));
    await_true("a refused one does no harm", || {
        capture.stats().target_bitrate == Bitrate::from_kbps(24)
    });
}

#[test]
fn a_lost_microphone_is_reported_once_and_silence_goes_on_until_another_comes() {
    let (capture, frames, failed) = capture(Box::new(Unplugged));
    assert_eq!(
        failed.recv_timeout(DEADLINE),
        Ok(DeviceError::Lost(DeviceKind::Microphone))
    );
    frames.recv_timeout(DEADLINE).expect("silence is sent");
    assert_eq!(capture.stats().audio_level, 0.0);
    capture.replace_source(Box::new(ToneSource::new(440, WallClock::of_system())));
    await_true("the new one is heard", || capture.stats().audio_level > 0.1);
    assert!(failed.try_recv().is_err(), "one report");
}

#[test]
fn a_lost_speaker_is_reported_once_and_another_takes_over() {
    let clock = WallClock::of_system();
    let (failed_tx, failed) = channel();
    let playout = AudioPlayout::start(
        Box::new(Unplugged),
        SoundCodec::Opus,
        1,
        JitterBufferSettings::default(),
        move |error| {
            failed_tx.send(error).ok();
        },
    )
    .expect("starts");
    assert_eq!(
        failed.recv_timeout(DEADLINE),
        Ok(DeviceError::Lost(DeviceKind::Speaker))
    );
    let inlet = playout.inlet();
    let mut number = 0;
    let _capture = AudioCapture::start(
        Box::new(ToneSource::new(440, clock)),
        encoder(),
        settings(),
        move |_, frame| {
            number += 1;
            inlet.push(packet(number, &frame, Instant::now()))
        },
        |_| {},
    )
    .expect("starts");
    await_true("sound is played to nobody", || {
        playout.stats().first_played_at.is_some()
    });
    let (probe, reader) = AudioProbe::new(clock);
    playout.replace_sink(Box::new(probe));
    await_true("the new one plays", || reader.total().frequency == Some(440));
    assert!(failed.try_recv().is_err(), "one report");
}

#[test]
fn packets_beyond_the_queue_are_dropped_and_counted_after_the_end() {
    let playout = AudioPlayout::start(
        Box::new(SilentSpeaker::new()),
        SoundCodec::Opus,
        1,
        JitterBufferSettings::default(),
        |_| {},
    )
    .expect("starts");
    let inlet = playout.inlet();
    drop(playout);
    let (_capture, frames, _failed) = capture(Box::new(SilentMicrophone::new()));
    let frame = frames.recv_timeout(DEADLINE).expect("a frame");
    assert!(!inlet.push(packet(0, &frame, Instant::now())), "nobody takes it");
}

#[test]
fn dropping_ends_both_threads_and_closes_their_devices_within_half_a_second() {
    struct Closing(SilentMicrophone, std::sync::mpsc::Sender<()>);
    impl AudioSource for Closing {
        fn format(&self) -> AudioFormat {
            self.0.format()
        }
        fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
            self.0.read(now, out)
        }
    }
    impl Drop for Closing {
        fn drop(&mut self) {
            // The receiver outlives the device in this test.
            self.1.send(()).ok();
        }
    }
    let (tx, closed) = channel();
    let (capture, frames, _failed) = capture(Box::new(Closing(SilentMicrophone::new(), tx)));
    frames.recv_timeout(DEADLINE).expect("it runs");
    let before = Instant::now();
    drop(capture);
    assert_eq!(
        closed.try_recv(),
        Ok(()),
        "the device is closed when drop returns"
    );
    assert!(
        before.elapsed() < Duration::from_millis(500),
        "{:?}",
        before.elapsed()
    );
}

#[test]
fn an_impossible_format_is_refused_at_the_start() {
    struct NoChannels;
    impl AudioSource for NoChannels {
        fn format(&self) -> AudioFormat {
            AudioFormat {
                rate: SampleRate::HZ_48000,
                channels: 0,
            }
        }
        fn read(&mut self, _: Instant, _: &mut Vec<f32>) -> Result<(), DeviceError> {
            Ok(())
        }
    }
    let refused = AudioCapture::start(Box::new(NoChannels), encoder(), settings(), |_, _| true, |_| {});
    let error = refused.expect_err("refused").to_string();
    assert_eq!(
        error,
        "the microphone cannot be used: cannot convert 0 channels at 48000 Hz: there are no channels"
    );
}
