//! The devices of the built-in Echo contact: what its speaker is given, its microphone plays back later.

use super::echo_recorder::{RATE, Recorder};
use crate::audio::pace::{CapturePace, PlaybackPace};
use crate::device::{AudioFormat, AudioSink, AudioSource, DeviceError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const FORMAT: AudioFormat = AudioFormat {
    rate: RATE,
    channels: 1,
};

/// Makes the two ends.
pub fn audio_echo() -> (EchoSpeaker, EchoMicrophone) {
    let recorder = Arc::new(Mutex::new(Recorder::new()));
    let speaker = EchoSpeaker {
        recorder: Arc::clone(&recorder),
        pace: PlaybackPace::new(FORMAT.rate),
    };
    let microphone = EchoMicrophone {
        recorder,
        pace: CapturePace::new(FORMAT.rate),
    };
    (speaker, microphone)
}

/// The end that is played to.
#[derive(Debug)]
pub struct EchoSpeaker {
    recorder: Arc<Mutex<Recorder>>,
    pace: PlaybackPace,
}

/// The end that is recorded from.
#[derive(Debug)]
pub struct EchoMicrophone {
    recorder: Arc<Mutex<Recorder>>,
    pace: CapturePace,
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
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.hear(&samples[..taken]);
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
        let due = self.pace.take(now).count;
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.say(due, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::Level;
    use std::time::Duration;

    #[test]
    fn what_the_speaker_is_given_for_a_second_comes_from_the_microphone_after_the_pause() {
        const STEP: Duration = Duration::from_millis(20);
        let start = Instant::now();
        let (mut speaker, mut microphone) = audio_echo();
        microphone.read(start, &mut Vec::new()).expect("never fails");
        let mut heard = Vec::new();
        for step in 0..250 {
            let now = start + STEP * step;
            let loudness = if (50..100).contains(&step) { 0.5 } else { 0.0 };
            speaker.write(now, &[loudness; 960]).expect("never fails");
            microphone.read(now + STEP, &mut heard).expect("never fails");
        }
        assert_eq!(heard.len(), 250 * 960);
        let replayed = heard.iter().filter(|sample| **sample == 0.5).count();
        assert_eq!(replayed, 50 * 960);
        assert_eq!(Level::of(&heard[20 * 960..150 * 960]).peak, 0.0);
    }
}
