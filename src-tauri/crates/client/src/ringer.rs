//! What is heard around a call: ringing, ringback, and how it ended. Never part of the sent signal.
//!
//! A thread `ringer` owns the speaker for as long as there is something to hear and stops within a tick of being told.

use ahoy_media::audio::resample::ToDevice;
use ahoy_media::device::{AudioSink, DeviceError, DeviceKind, Devices};
use ahoy_media::sounds::{Repeats, Sound};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::units::SampleRate;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often the thread looks after the speaker.
const TICK: Duration = Duration::from_millis(20);

/// Kept in the speaker's queue; with the tick it is how late a sound stops (promised: 100 ms).
const AHEAD: Duration = Duration::from_millis(60);

/// What is heard, where, and how loudly.
#[derive(Debug, Clone, PartialEq)]
pub struct Playing {
    pub sound: Sound,
    pub device: DeviceSpec,
    /// Amplitude 0..1 of the sound as it was made.
    pub volume: f32,
}

/// One thread that plays; dropping it stops the sound.
pub struct Ringer {
    _stop: Sender<()>,
}

impl Ringer {
    /// Plays a sound as often as it is meant to be. `opened` is told on the thread whether there is a speaker.
    pub fn start(
        devices: Arc<dyn Devices>,
        playing: Playing,
        opened: impl FnOnce(Result<(), DeviceError>) + Send + 'static,
    ) -> Self {
        let (stop_tx, stop_rx) = channel();
        spawn(move || match open(&*devices, &playing) {
            Ok(speaker) => {
                opened(Ok(()));
                play(speaker, &playing, &stop_rx)
            }
            Err(error) => {
                opened(Err(error.clone()));
                Err(error)
            }
        });
        Self { _stop: stop_tx }
    }

    /// Plays a sound to its end, with nobody to stop it.
    pub(crate) fn play_out(devices: Arc<dyn Devices>, playing: Playing) {
        spawn(move || {
            let (_stop_tx, stop_rx) = channel();
            play(open(&*devices, &playing)?, &playing, &stop_rx)
        });
    }
}

fn spawn(play: impl FnOnce() -> Result<(), DeviceError> + Send + 'static) {
    let thread = std::thread::Builder::new()
        .name("ringer".to_owned())
        .spawn(move || {
            if let Err(error) = play() {
                tracing::debug!(%error, "a sound is not heard");
            }
        });
    if let Err(error) = thread {
        tracing::warn!(%error, "no thread for a sound");
    }
}

/// Nobody misses a call because a speaker was unplugged: the ring goes to what the system uses.
fn open(devices: &dyn Devices, playing: &Playing) -> Result<Box<dyn AudioSink>, DeviceError> {
    match devices.speaker(&playing.device) {
        Err(error) if playing.sound == Sound::Ring && playing.device != DeviceSpec::Default => {
            tracing::info!(%error, "the system's speaker rings in place of the chosen one");
            devices.speaker(&DeviceSpec::Default)
        }
        opened => opened,
    }
}

fn play(mut speaker: Box<dyn AudioSink>, playing: &Playing, stop: &Receiver<()>) -> Result<(), DeviceError> {
    let sound = playing.sound;
    let format = speaker.format();
    let unusable = |why: String| DeviceError::Unusable {
        kind: DeviceKind::Speaker,
        why,
    };
    let mut convert = ToDevice::new(format).map_err(|error| unusable(error.to_string()))?;
    let ahead = format.rate.samples_in(AHEAD);
    let chunk = SampleRate::HZ_48000.samples_in(TICK);
    let begun = Instant::now();
    let mut interleaved = Vec::new();
    for round in 0.. {
        let over = match sound.repeats() {
            Repeats::Times(times) => round >= times,
            Repeats::For(limit) => begun.elapsed() >= limit,
            Repeats::UntilStopped => false,
        };
        if over {
            break;
        }
        let mut samples = sound.samples(round);
        for sample in &mut samples {
            *sample *= playing.volume;
        }
        for part in samples.chunks(chunk) {
            while speaker.queued(Instant::now())? > ahead {
                if told_to_stop(stop) {
                    return Ok(());
                }
            }
            interleaved.clear();
            convert.convert(part, &mut interleaved);
            speaker.write(Instant::now(), &interleaved)?;
        }
    }
    // The last samples are let out.
    while speaker.queued(Instant::now())? > 0 && !told_to_stop(stop) {}
    Ok(())
}

/// Waits a tick, which is how this thread is paced, or for the word to stop.
fn told_to_stop(stop: &Receiver<()>) -> bool {
    !matches!(stop.recv_timeout(TICK), Err(RecvTimeoutError::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_media::device::{AudioFormat, AudioSource, VideoRequest, VideoSink, VideoSource};
    use std::sync::mpsc::Receiver;
    use std::sync::{Mutex, PoisonError};

    const LIMIT: Duration = Duration::from_secs(5);

    /// A speaker that plays by the clock and tells every sample.
    struct Listened {
        heard: Sender<Vec<f32>>,
        until: Instant,
    }

    impl AudioSink for Listened {
        fn format(&self) -> AudioFormat {
            AudioFormat {
                rate: SampleRate::HZ_48000,
                channels: 1,
            }
        }

        fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
            Ok(SampleRate::HZ_48000.samples_in(self.until.saturating_duration_since(now)))
        }

        fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
            self.until = self.until.max(now) + SampleRate::HZ_48000.time_of(samples.len());
            self.heard
                .send(samples.to_vec())
                .map_err(|_| DeviceError::Lost(DeviceKind::Speaker))
        }

        fn underruns(&self) -> u64 {
            0
        }
    }

    /// One speaker and nothing else.
    struct OneSpeaker(Mutex<Option<Listened>>);

    impl OneSpeaker {
        fn new() -> (Arc<Self>, Receiver<Vec<f32>>) {
            let (heard, listener) = channel();
            (
                Arc::new(Self(Mutex::new(Some(Listened {
                    heard,
                    until: Instant::now(),
                })))),
                listener,
            )
        }
    }

    fn none<T>(kind: DeviceKind) -> Result<T, DeviceError> {
        Err(DeviceError::NotFound {
            kind,
            name: "any".to_owned(),
        })
    }

    impl Devices for OneSpeaker {
        fn microphone(&self, _: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
            none(DeviceKind::Microphone)
        }

        fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
            if *spec != DeviceSpec::Default {
                return none(DeviceKind::Speaker);
            }
            let speaker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            match speaker {
                Some(speaker) => Ok(Box::new(speaker)),
                None => none(DeviceKind::Speaker),
            }
        }

        fn camera(&self, _: &DeviceSpec, _: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
            none(DeviceKind::Camera)
        }

        fn screen(&self, _: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
            none(DeviceKind::Screen)
        }
    }

    fn at_full(sound: Sound) -> Playing {
        Playing {
            sound,
            device: DeviceSpec::Default,
            volume: 1.0,
        }
    }

    fn loudest(heard: &Receiver<Vec<f32>>) -> f32 {
        let mut loudest = 0.0_f32;
        while let Ok(part) = heard.recv_timeout(LIMIT) {
            loudest = part
                .iter()
                .fold(loudest, |loudest, sample| loudest.max(sample.abs()));
        }
        loudest
    }

    #[test]
    fn the_volume_is_that_of_the_choice() {
        let mut peaks = [1.0, 0.25].map(|volume| {
            let (devices, heard) = OneSpeaker::new();
            let playing = Playing {
                volume,
                ..at_full(Sound::End)
            };
            Ringer::play_out(devices, playing);
            loudest(&heard)
        });
        peaks[1] *= 4.0;
        assert!((peaks[0] - peaks[1]).abs() < 1e-4, "{peaks:?}");
    }

    #[test]
    fn a_call_rings_on_the_systems_speaker_when_the_chosen_one_is_away_and_a_test_says_so() {
        let away = DeviceSpec::Speaker("away".into());
        let on = |sound| {
            let (devices, heard) = OneSpeaker::new();
            let (told, opened) = channel();
            let playing = Playing {
                device: away.clone(),
                ..at_full(sound)
            };
            let ringer = Ringer::start(devices, playing, move |result| {
                told.send(result).expect("the test waits for it");
            });
            let opened = opened.recv_timeout(LIMIT).expect("it is told");
            if opened.is_ok() {
                heard.recv_timeout(LIMIT).expect("the ring is heard");
            }
            drop(ringer);
            opened.is_ok()
        };
        assert!(on(Sound::Ring));
        assert!(!on(Sound::RingTest));
    }

    #[test]
    fn a_ring_is_heard_until_it_is_dropped_and_the_speaker_is_free_soon_after() {
        let (devices, heard) = OneSpeaker::new();
        let ringer = Ringer::start(devices, at_full(Sound::Ring), |_| {});
        let mut loudest = 0.0_f32;
        while loudest < 0.05 {
            let samples = heard.recv_timeout(LIMIT).expect("the ring is heard");
            loudest = samples
                .iter()
                .fold(loudest, |loudest, sample| loudest.max(sample.abs()));
        }
        let stopped_at = Instant::now();
        drop(ringer);
        while heard.recv_timeout(LIMIT).is_ok() {}
        let took = stopped_at.elapsed();
        assert!(
            took < Duration::from_secs(1),
            "the speaker was free after {took:?}"
        );
    }

    #[test]
    fn a_short_sound_is_played_to_its_end() {
        let (devices, heard) = OneSpeaker::new();
        Ringer::play_out(devices, at_full(Sound::End));
        let mut samples = 0;
        while let Ok(part) = heard.recv_timeout(LIMIT) {
            samples += part.len();
        }
        assert_eq!(samples, Sound::End.samples(0).len());
    }
}
