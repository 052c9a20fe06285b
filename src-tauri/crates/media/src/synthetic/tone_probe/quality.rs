//! How pure a tone of known frequency is, and where it is missing.

use std::f64::consts::TAU;

/// Samples: half of the shortest hole that counts, 10 ms.
const SHORTEST_WINDOW: usize = 240;

/// Samples of a hole before it counts.
const HOLE: u64 = 480;

/// Fraction of the usual amplitude below which the tone is missing: -12 dB.
const MISSING: f64 = 0.25;

/// Weight of one window in the usual amplitude: a second, longer than a concealed tone takes to fade.
const FOLLOW: f64 = 0.005;

/// Samples without the tone, but with sound, after which it is taken for another one: a second.
const ANOTHER: u64 = 48_000;

/// Mean square (full scale = 1) above which there is sound: -50 dBFS.
const SOUND: f64 = 1e-5;

/// What one window says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Judgement {
    /// A hole has just become long enough to count.
    pub(super) gap_began: bool,
    /// Samples to add to the length of holes.
    pub(super) gap_samples: u64,
    /// Sums of squares, zero for a window with a click.
    pub(super) tone_power: f64,
    pub(super) other_power: f64,
}

/// Follows one tone, window by window.
#[derive(Debug)]
pub(super) struct ToneQuality {
    hz: f64,
    window: usize,
    usual: f64,
    missing: u64,
    /// Samples in a row that had sound without the tone.
    foreign: u64,
}

impl ToneQuality {
    pub(super) fn new(hz: u32) -> Self {
        let period = 48_000_usize.div_ceil(hz.max(1) as usize);
        let window = SHORTEST_WINDOW.max(period);
        Self {
            hz: f64::from(hz),
            window,
            usual: 0.0,
            missing: 0,
            foreign: 0,
        }
    }

    /// Samples per window: at least one period.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// Judges the next window; one `with_click` says nothing of purity.
    pub(super) fn judge(&mut self, samples: &[f32], with_click: bool) -> Judgement {
        let Fit {
            amplitude,
            tone_power,
            other_power,
        } = self.fit(samples);
        let length = samples.len() as u64;
        let mut judgement = Judgement::default();
        if self.usual == 0.0 {
            self.usual = amplitude;
        }
        let is_missing = amplitude < self.usual * MISSING;
        if is_missing {
            let before = self.missing;
            self.missing += length;
            if self.missing >= HOLE {
                judgement.gap_began = before < HOLE;
                judgement.gap_samples = if before < HOLE { self.missing } else { length };
            }
        } else {
            self.missing = 0;
            self.usual += (amplitude - self.usual) * FOLLOW;
        }
        let has_sound = (tone_power + other_power) / length as f64 > SOUND;
        if !with_click {
            let is_foreign = has_sound && other_power > tone_power;
            self.foreign = if is_foreign { self.foreign + length } else { 0 };
        }
        if !with_click {
            judgement.tone_power = tone_power;
            judgement.other_power = other_power;
        }
        judgement
    }

    pub(super) fn is_another_tone(&self) -> bool {
        self.foreign >= ANOTHER
    }

    /// Least squares of sine, cosine and constant: exact for any part of a period, unlike a correlation.
    fn fit(&self, samples: &[f32]) -> Fit {
        let (mut ss, mut cc, mut sc, mut s1, mut c1) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut xs, mut xc, mut x1, mut power) = (0.0, 0.0, 0.0, 0.0);
        for (n, &x) in samples.iter().enumerate() {
            let (sin, cos) = (TAU * self.hz * n as f64 / 48_000.0).sin_cos();
            let x = f64::from(x);
            ss += sin * sin;
            cc += cos * cos;
            sc += sin * cos;
            s1 += sin;
            c1 += cos;
            xs += x * sin;
            xc += x * cos;
            x1 += x;
            power += x * x;
        }
        // Without the means the constant drops out, which leaves two equations.
        let count = samples.len() as f64;
        let (dss, dcc, dsc) = (ss - s1 * s1 / count, cc - c1 * c1 / count, sc - s1 * c1 / count);
        let (dxs, dxc) = (xs - x1 * s1 / count, xc - x1 * c1 / count);
        let determinant = dss * dcc - dsc * dsc;
        if determinant.abs() < 1e-9 {
            return Fit {
                amplitude: 0.0,
                tone_power: 0.0,
                other_power: power,
            };
        }
        let a = (dxs * dcc - dxc * dsc) / determinant;
        let b = (dxc * dss - dxs * dsc) / determinant;
        let tone_power = a * a * ss + b * b * cc + 2.0 * a * b * sc;
        // What is not the tone: x less the tone, squared and summed.
        let other_power = (power - 2.0 * (a * xs + b * xc) + tone_power).max(0.0);
        Fit {
            amplitude: a.hypot(b),
            tone_power,
            other_power,
        }
    }
}

struct Fit {
    amplitude: f64,
    tone_power: f64,
    other_power: f64,
}
