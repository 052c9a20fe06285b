//! `tone:HZ`: a sine with a click at every whole second of the wall clock.
//!
//! The click makes loss and delay measurable at the far end: it starts within one sample of the second, so the time of
//! day at which it is heard, less the second, is the delay.

use super::clock::WallClock;
use crate::audio::level::from_dbfs;
use crate::audio::pace::CapturePace;
use crate::device::{AudioFormat, AudioSource, DeviceError};
use crate::units::SampleRate;
use std::f32::consts::TAU;
use std::time::{Duration, Instant};

/// dBFS.
const TONE_LEVEL: f32 = -12.0;
/// dBFS at its peak; with the tone it stays below full scale.
const CLICK_LEVEL: f32 = -3.5;
/// Hz: above every tone and within what Opus keeps even as wide-band speech.
pub(super) const CLICK_HZ: u32 = 3_000;
/// Samples: 5 ms, under a raised cosine so that its spectrum stays within 400 Hz of [`CLICK_HZ`].
pub(super) const CLICK_SAMPLES: usize = 240;
/// Full scale = 1.
pub(super) fn click_peak() -> f32 {
    from_dbfs(CLICK_LEVEL)
}

/// Samples.
const SECOND: u64 = 48_000;

/// A source of mono 48 kHz.
#[derive(Debug)]
pub struct ToneSource {
    hz: u32,
    clock: WallClock,
    pace: CapturePace,
    /// Number, since 1970, of the first sample; set by the first read.
    origin: Option<u64>,
}

impl ToneSource {
    /// Makes a tone of `hz` whole Hz whose clicks follow `clock`.
    pub fn new(hz: u32, clock: WallClock) -> Self {
        Self {
            hz,
            clock,
            pace: CapturePace::new(SampleRate::HZ_48000),
            origin: None,
        }
    }

    /// The sample that belongs to a moment, counted in 48000ths of a second since 1970.
    fn sample(&self, number: u64) -> f32 {
        // Whole Hz repeat each second, so the phase stays exact however large the number is.
        let in_second = number % SECOND;
        let phase = (in_second * u64::from(self.hz) % SECOND) as f32 / SECOND as f32;
        from_dbfs(TONE_LEVEL) * (TAU * phase).sin() + click(in_second as usize)
    }
}

/// The click's sample at a place within the second.
fn click(in_second: usize) -> f32 {
    if in_second >= CLICK_SAMPLES {
        return 0.0;
    }
    let phase = (in_second * CLICK_HZ as usize % SECOND as usize) as f32 / SECOND as f32;
    click_peak() * raised_cosine(in_second) * (TAU * phase).sin()
}

/// The envelope of the click, 0..1.
pub(super) fn raised_cosine(n: usize) -> f32 {
    0.5 - 0.5 * (TAU * n as f32 / CLICK_SAMPLES as f32).cos()
}

impl AudioSource for ToneSource {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::HZ_48000,
            channels: 1,
        }
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pace.take(now);
        let origin = *self
            .origin
            .get_or_insert_with(|| samples_since_1970(self.clock.unix_at(now)));
        let first = origin + due.first;
        out.extend((first..first + due.count as u64).map(|number| self.sample(number)));
        Ok(())
    }
}

fn samples_since_1970(unix: Duration) -> u64 {
    unix.as_secs() * SECOND + u64::from(unix.subsec_nanos()) * SECOND / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::{Level, to_dbfs};

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn record(hz: u32, unix: Duration, time: Duration) -> Vec<f32> {
        let start = Instant::now();
        let mut tone = ToneSource::new(hz, WallClock::new(start, unix));
        let mut samples = Vec::new();
        let mut at = ms(0);
        while at <= time {
            tone.read(start + at, &mut samples).expect("a tone does not fail");
            at += ms(5);
        }
        samples
    }

    #[test]
    fn the_tone_has_its_level_and_the_click_does_not_clip() {
        let samples = record(440, ms(1_000_100), ms(1_000));
        assert_eq!(samples.len(), 48_000);
        let tone = Level::of(&samples[..40_000]);
        assert!((to_dbfs(tone.peak) + 12.0).abs() < 0.1, "{tone:?}");
        let all = Level::of(&samples);
        assert!(all.peak < 1.0 && all.peak > 0.7, "{all:?}");
    }

    #[test]
    fn the_click_stands_at_the_whole_second_of_the_wall_clock() {
        let samples = record(440, Duration::from_micros(1_700_000_000_123_456), ms(1_000));
        let loudest = (0..samples.len())
            .max_by(|a, b| samples[*a].total_cmp(&samples[*b]))
            .expect("samples");
        let second = samples_since_1970(Duration::from_micros(1_000_000 - 123_456)) as usize;
        let centre = second + CLICK_SAMPLES / 2;
        assert!(loudest.abs_diff(centre) < 24, "{loudest} for {centre}");
    }

    #[test]
    fn the_phase_is_the_same_each_second() {
        let samples = record(441, ms(0), ms(2_500));
        for n in (1_000..40_000).step_by(777) {
            assert!((samples[n] - samples[n + 48_000]).abs() < 1e-6);
        }
    }
}
