//! Which whole number of Hz a stretch of sound is.

use std::f64::consts::TAU;

/// Samples needed: half a second.
pub(super) const SEARCH: usize = 24_000;

/// Every so many samples become one: 6 kHz holds all tones of the grammar and makes the search cheap.
const DECIMATION: usize = 8;
const RATE: f64 = 48_000.0 / DECIMATION as f64;

/// Hz of the grammar.
const LOWEST: f64 = 50.0;
const HIGHEST: f64 = 2_000.0;

/// Share of the power that must be in the tone.
const TONAL: f64 = 0.5;

/// Finds the tone that holds most of the power; `None` when none does.
pub(super) fn find(samples: &[f32]) -> Option<u32> {
    let slow: Vec<f64> = samples
        .chunks_exact(DECIMATION)
        .map(|chunk| chunk.iter().map(|s| f64::from(*s)).sum::<f64>() / DECIMATION as f64)
        .collect();
    // A tenth of a second tells tones 20 Hz apart: enough to know where to look closely.
    let glance = &slow[..slow.len() / 5];
    let coarse = strongest(glance, LOWEST, HIGHEST, 5.0);
    let fine = strongest(&slow, coarse - 12.0, coarse + 12.0, 1.0);
    let power: f64 = slow.iter().map(|s| s * s).sum();
    let share = windowed_power(&slow, fine) / power;
    (share > TONAL).then_some(fine.round() as u32)
}

fn strongest(samples: &[f64], from: f64, to: f64, step: f64) -> f64 {
    let mut best = (from, 0.0);
    let mut hz = from;
    while hz <= to {
        let power = windowed_power(samples, hz);
        if power > best.1 {
            best = (hz, power);
        }
        hz += step;
    }
    best.0
}

/// Power at a frequency under a Hann window, scaled so that a pure tone gives the sum of its squares.
fn windowed_power(samples: &[f64], hz: f64) -> f64 {
    let length = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * n as f64 / length).cos();
        let phase = TAU * hz * n as f64 / RATE;
        re += sample * window * phase.cos();
        im += sample * window * phase.sin();
    }
    8.0 * (re * re + im * im) / length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64) -> Vec<f32> {
        (0..SEARCH)
            .map(|n| (0.25 * (TAU * hz * n as f64 / 48_000.0).sin()) as f32)
            .collect()
    }

    #[test]
    fn every_tone_of_the_grammar_is_found_to_the_hertz() {
        for hz in [50, 51, 60, 137, 440, 441, 997, 1_000, 1_999, 2_000] {
            assert_eq!(find(&tone(f64::from(hz))), Some(hz));
        }
    }

    #[test]
    fn noise_and_chords_are_no_tone() {
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..SEARCH)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        assert_eq!(find(&noise), None);
        let chord: Vec<f32> = tone(300.0)
            .iter()
            .zip(tone(500.0))
            .zip(tone(700.0))
            .map(|((a, b), c)| a + b + c)
            .collect();
        assert_eq!(find(&chord), None);
    }
}
