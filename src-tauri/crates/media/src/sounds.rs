//! The sounds of a call that are not the call: ring, ringback, and the short signs of what happened.
//!
//! Synthesised, so that nothing has to be shipped or licensed. Pure; who plays them on which device is not known here.

use crate::audio::level::from_dbfs;
use crate::units::SampleRate;
use std::f32::consts::TAU;
use std::time::Duration;

/// One sound, by its occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sound {
    /// "A-hoy": somebody calls. For the ring devices.
    Ring,
    /// A call comes during a call: one quiet round in the talk device.
    SecondCall,
    /// The other side rings.
    Ringback,
    /// Both sides have sound.
    Answered,
    Busy,
    Declined,
    End,
    /// The call ended because the connection did.
    Lost,
    Reconnecting,
    /// The connection is back.
    Back,
    /// Three notes to find out whether a speaker works.
    SpeakerTest,
    /// One round of the ring at its loudest.
    RingTest,
}

/// How often the cycle of a sound is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    Times(u32),
    /// Round after round, cut off after so long.
    For(Duration),
    UntilStopped,
}

/// Hz.
const C4: f32 = 261.63;
const E4: f32 = 329.63;
const G4: f32 = 392.0;
const A4: f32 = 440.0;
const C5: f32 = 523.25;
const BUSY: f32 = 425.0;

/// dB of the second and third partial below the first.
const PARTIALS: [f32; 3] = [0.0, -14.0, -22.0];

/// Milliseconds.
const ATTACK: usize = 8;
/// Milliseconds; a note that ends above silence would click.
const RELEASE: usize = 8;

impl Sound {
    /// Makes one cycle, mono at 48 kHz. Rounds count from 0; the ring gets louder until the third.
    pub fn samples(self, round: u32) -> Vec<f32> {
        let mut cycle = Vec::new();
        match self {
            Sound::Ring | Sound::SecondCall => {
                hail(&mut cycle);
                rest(&mut cycle, 200);
                hail(&mut cycle);
                rest(&mut cycle, 2200);
            }
            Sound::Ringback => {
                chord(&mut cycle, &[G4, A4], 1000, 40);
                rest(&mut cycle, 4000);
            }
            Sound::Answered => notes(&mut cycle, &[G4, C5], 60),
            Sound::Busy => {
                for _ in 0..4 {
                    note(&mut cycle, BUSY, 350, 350);
                    rest(&mut cycle, 350);
                }
            }
            Sound::Declined => notes(&mut cycle, &[C5, G4, E4], 140),
            Sound::End => notes(&mut cycle, &[C5, G4], 120),
            Sound::Lost => notes(&mut cycle, &[C5, G4, C4], 180),
            Sound::Reconnecting => {
                note(&mut cycle, E4, 80, 80);
                rest(&mut cycle, 2920);
            }
            Sound::Back => notes(&mut cycle, &[E4, G4], 80),
            Sound::SpeakerTest => notes(&mut cycle, &[G4, C5, G4], 240),
            Sound::RingTest => {
                hail(&mut cycle);
                rest(&mut cycle, 200);
                hail(&mut cycle);
            }
        }
        set_peak(&mut cycle, from_dbfs(self.level(round)));
        cycle
    }

    pub fn repeats(self) -> Repeats {
        match self {
            Sound::Ring => Repeats::For(Duration::from_secs(45)),
            Sound::Ringback => Repeats::UntilStopped,
            Sound::Reconnecting => Repeats::Times(5),
            Sound::SecondCall
            | Sound::Answered
            | Sound::Busy
            | Sound::Declined
            | Sound::End
            | Sound::Lost
            | Sound::Back
            | Sound::SpeakerTest
            | Sound::RingTest => Repeats::Times(1),
        }
    }

    /// Peak in dBFS.
    fn level(self, round: u32) -> f32 {
        match self {
            Sound::Ring => match round {
                0 => -20.0,
                1 => -14.0,
                _ => -8.0,
            },
            Sound::RingTest => -8.0,
            // About as loud as a voice.
            Sound::SpeakerTest => -18.0,
            Sound::Busy | Sound::Declined => -22.0,
            Sound::Ringback | Sound::End | Sound::Lost => -24.0,
            Sound::Answered => -26.0,
            Sound::SecondCall | Sound::Reconnecting | Sound::Back => -30.0,
        }
    }
}

fn hail(cycle: &mut Vec<f32>) {
    note(cycle, G4, 180, 180);
    note(cycle, C5, 420, 220);
}

fn notes(cycle: &mut Vec<f32>, hz: &[f32], ms: usize) {
    for &hz in hz {
        note(cycle, hz, ms, ms);
    }
}

/// A note of `ms` whose loudness falls by 1/e in `decay_ms`.
fn note(cycle: &mut Vec<f32>, hz: f32, ms: usize, decay_ms: usize) {
    let (count, decay) = (samples_of(ms), samples_of(decay_ms) as f32);
    cycle.extend((0..count).map(|n| {
        let fade = fade(n, samples_of(ATTACK)) * fade(count - 1 - n, samples_of(RELEASE));
        voice(hz, n) * fade * (-(n as f32) / decay).exp()
    }));
}

/// Several tones together, with the same fade at both ends.
fn chord(cycle: &mut Vec<f32>, hz: &[f32], ms: usize, fade_ms: usize) {
    let (count, edge) = (samples_of(ms), samples_of(fade_ms));
    cycle.extend(
        (0..count).map(|n| {
            hz.iter().map(|&hz| voice(hz, n)).sum::<f32>() * fade(n, edge) * fade(count - 1 - n, edge)
        }),
    );
}

fn rest(cycle: &mut Vec<f32>, ms: usize) {
    cycle.resize(cycle.len() + samples_of(ms), 0.0);
}

fn voice(hz: f32, n: usize) -> f32 {
    let phase = n as f32 * hz / SampleRate::HZ_48000.as_hz() as f32;
    (1_u8..)
        .zip(PARTIALS)
        .map(|(k, db)| from_dbfs(db) * (TAU * f32::from(k) * phase.fract()).sin())
        .sum()
}

/// Rises from 0 to 1 over `length` samples.
fn fade(n: usize, length: usize) -> f32 {
    (n as f32 / length as f32).min(1.0)
}

fn set_peak(samples: &mut [f32], peak: f32) {
    let loudest = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    for sample in samples {
        *sample *= peak / loudest;
    }
}

fn samples_of(ms: usize) -> usize {
    SampleRate::HZ_48000.samples_in(Duration::from_millis(ms as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::{Level, to_dbfs};

    const ALL: [Sound; 12] = [
        Sound::Ring,
        Sound::SecondCall,
        Sound::Ringback,
        Sound::Answered,
        Sound::Busy,
        Sound::Declined,
        Sound::End,
        Sound::Lost,
        Sound::Reconnecting,
        Sound::Back,
        Sound::SpeakerTest,
        Sound::RingTest,
    ];

    /// The strongest frequency of a stretch, by scanning in steps of 1 Hz; every eighth sample holds all partials.
    fn strongest(samples: &[f32]) -> f32 {
        let power = |hz: f64| {
            let (mut re, mut im) = (0.0_f64, 0.0_f64);
            for (n, &s) in samples.iter().enumerate().step_by(8) {
                let (sin, cos) = (std::f64::consts::TAU * hz * n as f64 / 48_000.0).sin_cos();
                re += f64::from(s) * cos;
                im += f64::from(s) * sin;
            }
            re * re + im * im
        };
        let scanned = (200..1_700_u16).map(|hz| (power(f64::from(hz)), hz));
        let (_, hz) = scanned.max_by(|a, b| a.0.total_cmp(&b.0)).expect("not empty");
        f32::from(hz)
    }

    fn assert_notes(sound: Sound, ms: usize, expected: &[f32]) {
        let samples = sound.samples(0);
        for (note, hz) in samples.chunks(samples_of(ms)).zip(expected) {
            let found = strongest(note);
            assert!((found - hz).abs() <= 3.0, "{sound:?}: {found} for {hz}");
        }
        assert_eq!(samples.len(), samples_of(ms) * expected.len(), "{sound:?}");
    }

    #[test]
    fn short_signs_have_their_notes() {
        assert_notes(Sound::Answered, 60, &[G4, C5]);
        assert_notes(Sound::Declined, 140, &[C5, G4, E4]);
        assert_notes(Sound::End, 120, &[C5, G4]);
        assert_notes(Sound::Lost, 180, &[C5, G4, C4]);
        assert_notes(Sound::Back, 80, &[E4, G4]);
    }

    #[test]
    fn the_ring_says_a_hoy_twice_and_rests() {
        let ring = Sound::Ring.samples(0);
        assert_eq!(ring.len(), samples_of(180 + 420 + 200 + 180 + 420 + 2200));
        assert!((strongest(&ring[..samples_of(180)]) - G4).abs() <= 2.0);
        assert!((strongest(&ring[samples_of(180)..samples_of(600)]) - C5).abs() <= 2.0);
        assert_eq!(Level::of(&ring[samples_of(600)..samples_of(800)]).peak, 0.0);
        assert_eq!(ring[..samples_of(600)], ring[samples_of(800)..samples_of(1400)]);
        assert_eq!(Level::of(&ring[samples_of(1400)..]).peak, 0.0);
    }

    #[test]
    fn the_ring_rises_over_three_rounds_and_stays() {
        let levels: Vec<f32> = (0..4)
            .map(|round| to_dbfs(Level::of(&Sound::Ring.samples(round)).peak).round())
            .collect();
        assert_eq!(levels, [-20.0, -14.0, -8.0, -8.0]);
    }

    #[test]
    fn ringback_is_two_tones_for_one_second_of_five() {
        let ringback = Sound::Ringback.samples(0);
        assert_eq!(ringback.len(), samples_of(5000));
        let on = &ringback[..samples_of(1000)];
        let strongest = strongest(on);
        assert!(
            (strongest - G4).abs() <= 2.0 || (strongest - A4).abs() <= 2.0,
            "{strongest}"
        );
        // Two tones 48 Hz apart beat: silent between two maxima.
        let beat = samples_of(1000) / 48;
        let levels: Vec<f32> = on[beat * 10..beat * 11]
            .chunks(beat / 10)
            .map(|part| Level::of(part).rms)
            .collect();
        let (low, high) = levels
            .iter()
            .fold((1.0_f32, 0.0_f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(high > 2.0 * low, "{low} {high}");
        assert_eq!(Level::of(&ringback[samples_of(1000)..]).peak, 0.0);
    }

    #[test]
    fn busy_beeps_four_times_at_425_hz() {
        let busy = Sound::Busy.samples(0);
        assert_eq!(busy.len(), 4 * samples_of(700));
        for beep in busy.chunks(samples_of(700)) {
            assert!((strongest(&beep[..samples_of(350)]) - BUSY).abs() <= 2.0);
            assert_eq!(Level::of(&beep[samples_of(350)..]).peak, 0.0);
        }
    }

    #[test]
    fn every_sound_keeps_its_level_and_starts_and_ends_at_rest() {
        for sound in ALL {
            let samples = sound.samples(0);
            let peak = to_dbfs(Level::of(&samples).peak);
            assert!((peak - sound.level(0)).abs() < 0.1, "{sound:?}: {peak}");
            assert!(
                samples[0].abs() < 1e-4 && samples[samples.len() - 1].abs() < 1e-4,
                "{sound:?}"
            );
        }
    }

    #[test]
    fn partials_stand_at_their_decibels() {
        let note: Vec<f32> = (0..48_000).map(|n| voice(400.0, n)).collect();
        let amplitude = |hz: f32| {
            let (mut re, mut im) = (0.0_f64, 0.0_f64);
            for (n, &s) in note.iter().enumerate() {
                let phase = f64::from(TAU) * f64::from(hz) * n as f64 / 48_000.0;
                re += f64::from(s) * phase.cos();
                im += f64::from(s) * phase.sin();
            }
            (re * re + im * im).sqrt()
        };
        let below = |hz| 20.0 * (amplitude(hz) / amplitude(400.0)).log10();
        assert!((below(800.0) + 14.0).abs() < 0.1);
        assert!((below(1200.0) + 22.0).abs() < 0.1);
    }
}
