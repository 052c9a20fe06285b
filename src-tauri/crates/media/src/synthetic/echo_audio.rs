//! The sound of the built-in Echo contact: what its speaker is given, its microphone hears a moment later.

use super::clock::WallClock;
use super::tone::ToneSource;
use crate::audio::level::Level;
use crate::audio::pace::{CapturePace, PlaybackPace};
use crate::device::{AudioFormat, AudioSink, AudioSource, DeviceError};
use crate::units::SampleRate;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const FORMAT: AudioFormat = AudioFormat {
    rate: SampleRate::HZ_48000,
    channels: 1,
};

/// Samples: 60 ms between being given and being heard.
const DELAY: usize = 2_880;

/// Samples: 200 ms kept at most between speaker and microphone. Overflow: the oldest are dropped.
const CAPACITY: usize = 9_600;

/// Silence of the other side after which Echo shows its own tone again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Hz of that tone.
const OWN_TONE: u32 = 440;

/// Full scale = 1: -80 dBFS. A decoded mute stays below, the noise floor of any open microphone does not.
const HEARD: f32 = 1e-4;

/// Makes the two ends; one second's worth of neither is ever held.
pub fn audio_echo() -> (EchoSpeaker, EchoMicrophone) {
    let air = Arc::new(Mutex::new(Air {
        samples: VecDeque::with_capacity(2 * CAPACITY),
        heard_at: None,
    }));
    let speaker = EchoSpeaker {
        air: Arc::clone(&air),
        pace: PlaybackPace::new(FORMAT.rate),
    };
    let microphone = EchoMicrophone {
        air,
        pace: CapturePace::new(FORMAT.rate),
        own: ToneSource::new(OWN_TONE, WallClock::of_system()),
        flowing: false,
    };
    (speaker, microphone)
}

/// What is between the two.
#[derive(Debug)]
struct Air {
    samples: VecDeque<f32>,
    heard_at: Option<Instant>,
}

/// The end that is played to.
#[derive(Debug)]
pub struct EchoSpeaker {
    air: Arc<Mutex<Air>>,
    pace: PlaybackPace,
}

/// The end that is recorded from.
#[derive(Debug)]
pub struct EchoMicrophone {
    air: Arc<Mutex<Air>>,
    pace: CapturePace,
    own: ToneSource,
    /// The delay is filled and samples are being passed on.
    flowing: bool,
}

impl AudioSink for EchoSpeaker {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        Ok(self.pace.queued(now))
    }

    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        let taken = self.pace.place(now, samples.len()).taken;
        let mut air = self.air.lock().unwrap_or_else(PoisonError::into_inner);
        if Level::of(samples).peak > HEARD {
            air.heard_at = Some(now);
        }
        air.samples.extend(&samples[..taken]);
        let excess = air.samples.len().saturating_sub(CAPACITY);
        air.samples.drain(..excess);
        Ok(())
    }

    fn underruns(&self) -> u64 {
        self.pace.underruns()
    }
}

impl AudioSource for EchoMicrophone {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let start = out.len();
        // The tone is read in any case, so that its clock and the echo's stay the same.
        self.own.read(now, out)?;
        let due = self.pace.take(now).count;
        let mut air = self.air.lock().unwrap_or_else(PoisonError::into_inner);
        let is_heard = air
            .heard_at
            .is_some_and(|at| now.saturating_duration_since(at) < PATIENCE);
        if !is_heard {
            self.flowing = false;
            return Ok(());
        }
        out.truncate(start);
        if !self.flowing && air.samples.len() >= DELAY {
            let excess = air.samples.len() - DELAY;
            air.samples.drain(..excess);
            self.flowing = true;
        }
        let available = if self.flowing {
            due.min(air.samples.len())
        } else {
            0
        };
        out.extend(air.samples.drain(..available));
        // Dry: the delay is filled again before anything follows, a hole is better than many.
        self.flowing &= available == due;
        out.resize(start + due, 0.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(20);

    /// Writes `sound` for each step and reads what comes back.
    fn converse(sound: impl Fn(u32) -> Vec<f32>, steps: u32) -> Vec<Vec<f32>> {
        let start = Instant::now();
        let (mut speaker, mut microphone) = audio_echo();
        microphone.read(start, &mut Vec::new()).expect("never fails");
        (0..steps)
            .map(|step| {
                let now = start + STEP * step;
                speaker.write(now, &sound(step)).expect("never fails");
                let mut heard = Vec::new();
                microphone.read(now + STEP, &mut heard).expect("never fails");
                heard
            })
            .collect()
    }

    #[test]
    fn what_is_said_comes_back_sixty_milliseconds_later() {
        let heard = converse(|step| vec![0.01 + step as f32 * 0.01; 960], 40).concat();
        assert_eq!(heard.len(), 40 * 960);
        let first = heard.iter().position(|s| *s != 0.0).expect("it comes back");
        let said_at = 0;
        let delay = first - said_at;
        assert!((1_920..=3_840).contains(&delay), "{delay} samples");
        let echoed = &heard[first..];
        assert!(
            echoed.windows(2).all(|pair| pair[1] >= pair[0]),
            "in order and without a hole"
        );
    }

    #[test]
    fn echo_has_its_own_tone_until_somebody_speaks_and_after_two_seconds_of_silence() {
        let heard = converse(
            |step| vec![if (50..100).contains(&step) { 0.5 } else { 0.0 }; 960],
            300,
        );
        let tone = |step: &Vec<f32>| (Level::of(step).rms - 0.178).abs() < 0.02;
        assert!(tone(&heard[10]));
        assert_eq!(heard[80], vec![0.5; 960]);
        assert_eq!(Level::of(&heard[150]).peak, 0.0);
        assert!(
            tone(&heard[250]) || tone(&heard[251]),
            "one of two steps is without a click"
        );
    }

    #[test]
    fn a_speaker_that_nobody_listens_to_is_bounded() {
        let start = Instant::now();
        let (mut speaker, microphone) = audio_echo();
        for step in 0..500 {
            speaker
                .write(start + STEP * step, &[0.5; 960])
                .expect("never fails");
        }
        assert_eq!(
            microphone.air.lock().expect("not poisoned").samples.len(),
            CAPACITY
        );
    }
}
