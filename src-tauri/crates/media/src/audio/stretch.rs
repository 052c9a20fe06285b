//! Plays a frame a little faster or slower without changing its pitch: one or more pitch periods are left out or
//! repeated where the sound is periodic or quiet (overlap-add at the best match, as in WSOLA).
//!
//! Pure; allocates nothing once its buffers have met the longest frame.

use super::frame::mix_to_mono;
use super::level::Level;

/// Samples: 2.5 ms, a pitch of 400 Hz. Higher voices are matched at a multiple of their period.
const SHORTEST_PERIOD: usize = 120;
/// Samples: 12.5 ms, a pitch of 80 Hz.
const LONGEST_PERIOD: usize = 600;
/// Samples looked at: 20 ms.
const LONGEST_LOOK: usize = 960;
/// Samples averaged into one for the first search; 12 kHz keep everything that makes a pitch.
const COARSE: usize = 4;
/// Normalised correlation from which a match is unheard (FIGURES: as the reference does).
const ALIKE: f32 = 0.9;
/// As above in a hurry.
const ALIKE_ENOUGH: f32 = 0.5;
/// Share of the best correlation that a longer match may have to be preferred in a hurry.
const NEARLY_BEST: f32 = 0.95;
/// Full scale = 1: -40 dBFS, below which any match is unheard (chosen, not measured).
const QUIET_PEAK: f32 = 0.01;
/// A louder peak in one of the matched parts or between them is an onset or a click, which is neither left out nor
/// said twice.
const ONSET: f32 = 1.5;

/// Stretches frames of 48 kHz.
#[derive(Debug)]
pub struct Stretcher {
    /// Of the interleaved samples.
    channels: u16,
    /// What is searched: the mean of the channels.
    mono: Vec<f32>,
    coarse: Vec<f32>,
    out: Vec<f32>,
}

impl Default for Stretcher {
    fn default() -> Self {
        Self::new()
    }
}

/// Two parts of a frame that are alike: its beginning, and the same length `period` samples later.
#[derive(Debug, Clone, Copy)]
struct Match {
    period: usize,
    length: usize,
    correlation: f32,
}

impl Stretcher {
    /// Of mono.
    pub fn new() -> Self {
        Self::with_channels(1)
    }

    pub fn with_channels(channels: u16) -> Self {
        Self {
            channels,
            mono: Vec::with_capacity(LONGEST_LOOK),
            coarse: Vec::with_capacity(LONGEST_LOOK / COARSE),
            out: Vec::with_capacity(6 * LONGEST_LOOK * usize::from(channels)),
        }
    }

    /// Leaves out what can be; returns how many samples per channel, possibly none. `hurried` puts up with what may be
    /// heard.
    pub fn shorten(&mut self, frame: &mut Vec<f32>, hurried: bool) -> usize {
        let least = if hurried { ALIKE_ENOUGH } else { ALIKE };
        let Some(Match { period, length, .. }) = self.find(frame, least, hurried) else {
            return 0;
        };
        let channels = usize::from(self.channels);
        fade(frame, period, length, channels);
        frame.drain(length * channels..(length + period) * channels);
        period
    }

    /// Repeats what can be; returns how many samples per channel, possibly none.
    pub fn lengthen(&mut self, frame: &mut Vec<f32>) -> usize {
        let Some(Match { period, length, .. }) = self.find(frame, ALIKE, false) else {
            return 0;
        };
        let channels = usize::from(self.channels);
        self.out.clear();
        self.out.extend_from_slice(&frame[..period * channels]);
        for n in 0..length * channels {
            let share = (n / channels) as f32 / length as f32;
            self.out
                .push(frame[period * channels + n] * (1.0 - share) + frame[n] * share);
        }
        self.out.extend_from_slice(&frame[length * channels..]);
        std::mem::swap(frame, &mut self.out);
        period
    }

    fn find(&mut self, frame: &[f32], least: f32, longest: bool) -> Option<Match> {
        let looked_at = frame.len().min(LONGEST_LOOK * usize::from(self.channels));
        self.mono.clear();
        mix_to_mono(&frame[..looked_at], self.channels, &mut self.mono);
        let look = &self.mono[..];
        let longest_period = LONGEST_PERIOD * look.len() / LONGEST_LOOK;
        let length = look.len() - longest_period;
        if longest_period < 2 * SHORTEST_PERIOD {
            return None;
        }
        self.coarse.clear();
        let mean = |four: &[f32]| four.iter().sum::<f32>() / COARSE as f32;
        self.coarse.extend(look.chunks_exact(COARSE).map(mean));
        let coarse = best(
            &self.coarse,
            length / COARSE,
            SHORTEST_PERIOD / COARSE..longest_period / COARSE + 1,
            longest,
        );
        let around = coarse.period * COARSE;
        let near =
            around.saturating_sub(COARSE).max(SHORTEST_PERIOD)..(around + COARSE + 1).min(longest_period + 1);
        let found = best(look, length, near, false);
        let peak = |part: &[f32]| Level::of(part).peak;
        let whole = peak(&look[..found.period + length]);
        if whole < QUIET_PEAK {
            return Some(found);
        }
        let alike = peak(&look[..length]).min(peak(&look[found.period..found.period + length]));
        (found.correlation >= least && whole <= alike * ONSET).then_some(found)
    }
}

/// The period at which the beginning of the sound is most like what follows; the longest of nearly equal ones if asked.
fn best(sound: &[f32], length: usize, periods: std::ops::Range<usize>, longest: bool) -> Match {
    let start = &sound[..length];
    let start_energy = energy(start);
    let mut found = Match {
        period: periods.start,
        length,
        correlation: -1.0,
    };
    for period in periods {
        let later = &sound[period..period + length];
        let product: f32 = start.iter().zip(later).map(|(a, b)| a * b).sum();
        let correlation = product / (start_energy * energy(later)).sqrt().max(f32::MIN_POSITIVE);
        let enough = if longest && found.correlation > 0.0 {
            found.correlation * NEARLY_BEST
        } else {
            found.correlation
        };
        if correlation > enough {
            found.period = period;
            found.correlation = found.correlation.max(correlation);
        }
    }
    found
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}

/// Fades the beginning of a frame into what follows `period` later; then `length..length + period` can go.
fn fade(frame: &mut [f32], period: usize, length: usize, channels: usize) {
    for n in 0..length * channels {
        let share = (n / channels) as f32 / length as f32;
        frame[n] = frame[n] * (1.0 - share) + frame[n + period * channels] * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hz: f32, from: usize, count: usize) -> Vec<f32> {
        (from..from + count)
            .map(|n| 0.3 * (TAU * hz * n as f32 / 48_000.0).sin())
            .collect()
    }

    /// Largest step between neighbouring samples.
    fn roughness(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    /// Upward zero crossings per second.
    fn pitch(sound: &[f32]) -> f32 {
        let ups = sound.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        ups as f32 * 48_000.0 / sound.len() as f32
    }

    #[test]
    fn a_voice_is_shortened_and_lengthened_by_whole_periods_at_the_same_pitch() {
        for hz in [90.0, 150.0, 220.0, 330.0, 440.0, 1_000.0] {
            let mut stretcher = Stretcher::new();
            let original = tone(hz, 0, 48_000);
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            for frame in original.chunks(960) {
                let mut shorter = frame.to_vec();
                let removed = stretcher.shorten(&mut shorter, false);
                assert!(removed > 0 && shorter.len() == 960 - removed, "{hz}: {removed}");
                fast.extend(shorter);
                let mut longer = frame.to_vec();
                let inserted = stretcher.lengthen(&mut longer);
                assert!(inserted > 0 && longer.len() == 960 + inserted, "{hz}: {inserted}");
                slow.extend(longer);
            }
            let smooth = roughness(&original) * 1.3;
            assert!(
                roughness(&fast) < smooth && roughness(&slow) < smooth,
                "{hz}: no seam"
            );
            for stretched in [&fast, &slow] {
                assert!(
                    (pitch(stretched) / hz - 1.0).abs() < 0.04,
                    "{hz}: {}",
                    pitch(stretched)
                );
            }
        }
    }

    #[test]
    fn both_channels_are_stretched_at_the_same_place() {
        let mut stretcher = Stretcher::with_channels(2);
        let mono = tone(150.0, 0, 960);
        let mut both: Vec<f32> = mono.iter().flat_map(|s| [*s, -0.5 * *s]).collect();
        let removed = stretcher.shorten(&mut both, false);
        assert!(removed > 0);
        let mut expected = mono.clone();
        assert_eq!(Stretcher::new().shorten(&mut expected, false), removed);
        let channel = |n: usize| both.iter().skip(n).step_by(2).copied();
        for ((left, right), expected) in channel(0).zip(channel(1)).zip(expected) {
            assert!((left - expected).abs() < 1e-6 && (right + 0.5 * expected).abs() < 1e-6);
        }
        let inserted = stretcher.lengthen(&mut both);
        assert!(inserted > 0 && both.len() == 2 * (960 - removed + inserted));
    }

    #[test]
    fn a_hurry_removes_more_of_a_high_voice() {
        let mut stretcher = Stretcher::new();
        let mut hurried = tone(330.0, 0, 960);
        assert!(stretcher.shorten(&mut hurried, true) >= 400);
    }

    #[test]
    fn noise_and_onsets_are_left_alone_and_quiet_is_not() {
        let mut state = 1_u32;
        let mut noise = |peak: f32| -> Vec<f32> {
            (0..960)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * peak
                })
                .collect()
        };
        let mut stretcher = Stretcher::new();
        assert_eq!(stretcher.shorten(&mut noise(0.3), true), 0);
        assert_eq!(stretcher.lengthen(&mut noise(0.3)), 0);
        assert!(stretcher.shorten(&mut noise(0.005), false) > 0);
        assert!(stretcher.lengthen(&mut noise(0.005)) > 0);
        for place in [10, 300, 450, 700, 900] {
            let mut click = tone(200.0, 0, 960);
            click[place] = 0.95;
            stretcher.shorten(&mut click, true);
            assert_eq!(Level::of(&click).peak, 0.95, "click at {place}");
            stretcher.lengthen(&mut click);
            let clicks = click.iter().filter(|s| **s > 0.5).count();
            assert_eq!(clicks, 1, "click at {place}");
        }
    }

    #[test]
    fn short_and_long_frames_are_stretched_where_they_can_be() {
        let mut stretcher = Stretcher::new();
        for samples in [0, 100, 239] {
            assert_eq!(stretcher.shorten(&mut vec![0.0; samples], true), 0, "{samples}");
        }
        assert!(stretcher.shorten(&mut tone(300.0, 0, 480), false) > 0);
        let mut long = tone(150.0, 0, 2_880);
        let removed = stretcher.shorten(&mut long, false);
        assert_eq!(long.len(), 2_880 - removed);
    }
}
