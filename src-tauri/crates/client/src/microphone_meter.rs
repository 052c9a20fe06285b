//! How loud a microphone is while no call runs: for the person who chooses one.
//!
//! A thread `mic-meter` holds the microphone, publishes the newest reading and nothing else; no sample leaves it. It lets
//! go within a tick of being dropped.

use ahoy_media::audio::level::{Level, to_dbfs};
use ahoy_media::device::{AudioSource, DeviceError, Devices};
use ahoy_media::spec::DeviceSpec;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A needle moves smoothly at this pace (chosen), and the microphone is free so soon after the end.
const TICK: Duration = Duration::from_millis(60);

/// dBFS that count as nothing: below the noise of a quiet room.
const FLOOR: f32 = -60.0;

/// How fast the needle falls, dB a second: a syllable can be seen (chosen, as meters of studios do).
const FALL: f32 = 40.0;

/// What there is to show of a microphone.
#[derive(Debug, Clone, PartialEq)]
pub enum MicrophoneReading {
    Opening,
    /// dBFS from -60 to 0.
    Level(f32),
    /// It could not be opened, or is gone; it is closed.
    Failed(DeviceError),
}

/// An open microphone; dropping it closes it.
pub struct MicrophoneMeter {
    readings: watch::Receiver<MicrophoneReading>,
    _stop: Sender<()>,
}

impl MicrophoneMeter {
    /// Opens the microphone on a thread of its own.
    pub fn start(devices: Arc<dyn Devices>, spec: DeviceSpec) -> Self {
        let (told, readings) = watch::channel(MicrophoneReading::Opening);
        let (stop_tx, stop_rx) = channel();
        let thread = std::thread::Builder::new()
            .name("mic-meter".to_owned())
            .spawn(move || {
                let failed = devices
                    .microphone(&spec)
                    .and_then(|source| listen(source, &told, &stop_rx));
                if let Err(error) = failed {
                    tracing::info!(%error, "no meter for the microphone");
                    told.send_replace(MicrophoneReading::Failed(error));
                }
            });
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread for the meter of a microphone");
        }
        Self {
            readings,
            _stop: stop_tx,
        }
    }

    /// The newest reading.
    pub fn reading(&self) -> MicrophoneReading {
        self.readings.borrow().clone()
    }

    /// Waits for another reading; for ever once there is none any more.
    pub async fn changed(&mut self) {
        if self.readings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn listen(
    mut source: Box<dyn AudioSource>,
    told: &watch::Sender<MicrophoneReading>,
    stop: &Receiver<()>,
) -> Result<(), DeviceError> {
    let mut needle = Needle::new(Instant::now());
    let mut samples = Vec::new();
    loop {
        let now = Instant::now();
        samples.clear();
        source.read(now, &mut samples)?;
        told.send_replace(MicrophoneReading::Level(needle.handle(now, &samples)));
        // Waits a tick, which is how this thread is paced, or for the word to stop.
        if !matches!(stop.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
            return Ok(());
        }
    }
}

/// Jumps up and falls slowly. Pure.
struct Needle {
    db: f32,
    at: Instant,
}

impl Needle {
    fn new(now: Instant) -> Self {
        Self { db: FLOOR, at: now }
    }

    /// Takes the samples since the last time, interleaved or not; returns dBFS.
    fn handle(&mut self, now: Instant, samples: &[f32]) -> f32 {
        let fallen = self.db - FALL * now.saturating_duration_since(self.at).as_secs_f32();
        let heard = to_dbfs(Level::of(samples).rms);
        self.at = now;
        // A sample that is no number is no sound.
        self.db = if heard.is_nan() { fallen } else { fallen.max(heard) };
        self.db = self.db.clamp(FLOOR, 0.0);
        self.db
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_media::device::{AudioFormat, AudioSink, DeviceKind, VideoRequest, VideoSink, VideoSource};
    use ahoy_media::synthetic::devices::SyntheticDevices;
    use ahoy_media::units::SampleRate;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn the_needle_jumps_up_falls_slowly_and_stays_on_the_scale() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut needle = Needle::new(start);
        assert_eq!(needle.handle(at(0), &[]), FLOOR);
        assert!((needle.handle(at(60), &[0.1; 480]) + 20.0).abs() < 0.01);
        assert!((needle.handle(at(560), &[0.0; 480]) + 40.0).abs() < 0.01);
        assert_eq!(needle.handle(at(9000), &[0.0; 480]), FLOOR);
        assert_eq!(needle.handle(at(9060), &[8.0; 480]), 0.0);
        assert!(needle.handle(at(9120), &[f32::NAN; 480]).is_finite());
    }

    #[tokio::test]
    async fn a_tone_is_seen_and_a_microphone_that_is_not_there_is_said() {
        let devices: Arc<dyn Devices> = Arc::new(SyntheticDevices::new());
        let mut meter = MicrophoneMeter::start(devices.clone(), DeviceSpec::Tone { hz: 440 });
        let heard = async {
            loop {
                meter.changed().await;
                match meter.reading() {
                    MicrophoneReading::Level(db) if db > -30.0 => return,
                    MicrophoneReading::Level(_) | MicrophoneReading::Opening => {}
                    MicrophoneReading::Failed(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(LIMIT, heard)
            .await
            .expect("the tone is seen");

        let mut none = MicrophoneMeter::start(devices, DeviceSpec::Microphone("none".into()));
        let failed = async {
            while !matches!(none.reading(), MicrophoneReading::Failed(_)) {
                none.changed().await;
            }
        };
        tokio::time::timeout(LIMIT, failed).await.expect("it is said");
    }

    /// Tells when its only microphone is let go.
    struct Watched(std::sync::Mutex<Option<Sender<()>>>);

    struct OpenMicrophone(Sender<()>);

    impl Drop for OpenMicrophone {
        fn drop(&mut self) {
            self.0.send(()).expect("the test waits for it");
        }
    }

    impl AudioSource for OpenMicrophone {
        fn format(&self) -> AudioFormat {
            AudioFormat {
                rate: SampleRate::HZ_48000,
                channels: 1,
            }
        }

        fn read(&mut self, _: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
            out.push(0.5);
            Ok(())
        }
    }

    fn none<T>(kind: DeviceKind) -> Result<T, DeviceError> {
        Err(DeviceError::NotFound {
            kind,
            name: "any".to_owned(),
        })
    }

    impl Devices for Watched {
        fn microphone(&self, _: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
            match self.0.lock().expect("nobody panicked").take() {
                Some(told) => Ok(Box::new(OpenMicrophone(told))),
                None => none(DeviceKind::Microphone),
            }
        }

        fn speaker(&self, _: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
            none(DeviceKind::Speaker)
        }

        fn camera(&self, _: &DeviceSpec, _: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
            none(DeviceKind::Camera)
        }

        fn screen(&self, _: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
            none(DeviceKind::Screen)
        }
    }

    #[tokio::test]
    async fn the_microphone_is_free_soon_after_the_meter_is_dropped() {
        let (told, let_go) = channel();
        let devices = Arc::new(Watched(std::sync::Mutex::new(Some(told))));
        let mut meter = MicrophoneMeter::start(devices, DeviceSpec::Default);
        tokio::time::timeout(LIMIT, meter.changed())
            .await
            .expect("it opens");
        let dropped_at = Instant::now();
        drop(meter);
        let_go.recv_timeout(LIMIT).expect("it is let go");
        let took = dropped_at.elapsed();
        assert!(took < Duration::from_millis(500), "let go after {took:?}");
    }
}
