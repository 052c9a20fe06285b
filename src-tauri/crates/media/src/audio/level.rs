//! Loudness of a stretch of samples.

/// Peak and root mean square, as fractions of full scale (0..1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    pub peak: f32,
    pub rms: f32,
}

impl Level {
    /// Measures a stretch; nothing is as loud as silence.
    pub fn of(samples: &[f32]) -> Self {
        if samples.is_empty() {
            return Self::default();
        }
        let mut peak = 0.0_f32;
        let mut energy = 0.0_f64;
        for &sample in samples {
            peak = peak.max(sample.abs());
            energy += f64::from(sample) * f64::from(sample);
        }
        Self {
            peak,
            rms: (energy / samples.len() as f64).sqrt() as f32,
        }
    }

    /// Whether a listener would call it silence: nothing above -60 dBFS.
    pub fn is_silent(self) -> bool {
        self.peak < SILENT_PEAK
    }
}

/// Fraction of full scale: -60 dBFS. Below the noise floor of a quiet room at a normal gain (chosen, not measured).
const SILENT_PEAK: f32 = 0.001;

/// Converts an amplitude (1 = full scale) to dBFS; silence is negative infinity.
pub fn to_dbfs(amplitude: f32) -> f32 {
    20.0 * amplitude.log10()
}

/// Converts dBFS to an amplitude (0 dBFS = 1).
pub fn from_dbfs(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_three_decibels_below_its_peak() {
        let sine: Vec<f32> = (0..4800)
            .map(|n| 0.5 * (n as f32 * std::f32::consts::TAU / 48.0).sin())
            .collect();
        let level = Level::of(&sine);
        assert!((level.peak - 0.5).abs() < 1e-4);
        assert!((to_dbfs(level.rms) - (to_dbfs(0.5) - 3.01)).abs() < 0.01);
    }

    #[test]
    fn silence_is_silent_and_a_whisper_is_not() {
        assert!(Level::of(&[0.0; 960]).is_silent());
        assert!(Level::of(&[]).is_silent());
        assert!(!Level::of(&[from_dbfs(-50.0); 960]).is_silent());
    }

    #[test]
    fn decibels_go_both_ways() {
        assert!((from_dbfs(-20.0) - 0.1).abs() < 1e-6);
        assert_eq!(to_dbfs(0.0), f32::NEG_INFINITY);
    }
}
