//! `null`: a microphone that hears nothing and a speaker that nobody hears, both at the pace of the clock.

use crate::audio::pace::{CapturePace, PlaybackPace};
use crate::device::{AudioFormat, AudioSink, AudioSource, DeviceError};
use crate::units::SampleRate;
use std::time::Instant;

const FORMAT: AudioFormat = AudioFormat {
    rate: SampleRate::HZ_48000,
    channels: 1,
};

/// Gives silence.
#[derive(Debug)]
pub struct SilentMicrophone {
    pace: CapturePace,
}

impl SilentMicrophone {
    pub fn new() -> Self {
        Self {
            pace: CapturePace::new(FORMAT.rate),
        }
    }
}

impl Default for SilentMicrophone {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioSource for SilentMicrophone {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pace.take(now).count;
        out.resize(out.len() + due, 0.0);
        Ok(())
    }
}

/// Takes sound and drops it when it would have been played.
#[derive(Debug)]
pub struct SilentSpeaker {
    pace: PlaybackPace,
}

impl SilentSpeaker {
    pub fn new() -> Self {
        Self {
            pace: PlaybackPace::new(FORMAT.rate),
        }
    }
}

impl Default for SilentSpeaker {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioSink for SilentSpeaker {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        Ok(self.pace.queued(now))
    }

    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        self.pace.place(now, samples.len());
        Ok(())
    }

    fn underruns(&self) -> u64 {
        self.pace.underruns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn silence_comes_at_the_rate_of_the_clock() {
        let start = Instant::now();
        let mut microphone = SilentMicrophone::new();
        let mut out = Vec::new();
        microphone.read(start, &mut out).expect("never fails");
        assert!(out.is_empty());
        microphone
            .read(start + Duration::from_millis(30), &mut out)
            .expect("never fails");
        assert_eq!(out, vec![0.0; 1440]);
    }

    #[test]
    fn the_null_speaker_empties_at_the_rate_of_the_clock() {
        let start = Instant::now();
        let mut speaker = SilentSpeaker::new();
        speaker.write(start, &[0.5; 960]).expect("never fails");
        assert_eq!(speaker.queued(start + Duration::from_millis(15)), Ok(240));
        assert_eq!(speaker.queued(start + Duration::from_millis(25)), Ok(0));
        speaker
            .write(start + Duration::from_millis(25), &[0.5; 960])
            .expect("never fails");
        assert_eq!(speaker.underruns(), 1);
    }
}
