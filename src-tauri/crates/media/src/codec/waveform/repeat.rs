//! Makes up lost sound by repeating the last pitch period, fading, and joins it to what comes next.

/// Samples kept: the longest period and the stretch that is matched, 22.5 ms.
const KEPT: usize = LONGEST_PERIOD + MATCHED;
/// Samples of 12.5 ms, a pitch of 80 Hz, and of 2.5 ms.
const LONGEST_PERIOD: usize = 600;
const SHORTEST_PERIOD: usize = 120;
/// Samples of 10 ms that must be alike.
const MATCHED: usize = 480;
/// Samples of 10 ms played at full loudness, and of 50 ms over which it goes (ITU-T G.711 appendix I).
const FULL: usize = 480;
const FADE: usize = 2_400;
/// Samples of 5 ms over which the repetition goes over into decoded sound.
const JOIN: usize = 240;

/// Remembers the end of what was decoded.
pub(super) struct Repeater {
    kept: Vec<f32>,
    period: usize,
    /// Samples repeated in a row.
    repeated: usize,
}

impl Repeater {
    pub(super) fn new() -> Self {
        Self {
            kept: vec![0.0; KEPT],
            period: SHORTEST_PERIOD,
            repeated: 0,
        }
    }

    /// Takes decoded sound, and fades into it what was being repeated.
    pub(super) fn join(&mut self, decoded: &mut [f32]) {
        if self.repeated > 0 {
            let length = JOIN.min(decoded.len());
            for (n, sample) in decoded[..length].iter_mut().enumerate() {
                let share = n as f32 / length as f32;
                *sample = *sample * share + self.next() * (1.0 - share);
            }
            self.repeated = 0;
        }
        let new = decoded.len().min(KEPT);
        self.kept.drain(..new);
        self.kept.extend_from_slice(&decoded[decoded.len() - new..]);
    }

    /// Appends so many made-up samples.
    pub(super) fn repeat(&mut self, samples: usize, out: &mut Vec<f32>) {
        if self.repeated == 0 {
            self.period = self.find_period();
        }
        for _ in 0..samples {
            let sample = self.next();
            out.push(sample);
        }
    }

    fn next(&mut self) -> f32 {
        let place = KEPT - self.period + self.repeated % self.period;
        let faded = self.repeated.saturating_sub(FULL) as f32 / FADE as f32;
        self.repeated += 1;
        self.kept[place] * (1.0 - faded).max(0.0)
    }

    fn find_period(&self) -> usize {
        let end = &self.kept[LONGEST_PERIOD..];
        let alike = |period: usize| {
            let earlier = &self.kept[LONGEST_PERIOD - period..KEPT - period];
            let product: f32 = end.iter().zip(earlier).map(|(a, b)| a * b).sum();
            let energy: f32 = earlier.iter().map(|s| s * s).sum();
            product / energy.sqrt().max(f32::MIN_POSITIVE)
        };
        let best = (SHORTEST_PERIOD..=LONGEST_PERIOD).max_by(|a, b| alike(*a).total_cmp(&alike(*b)));
        best.unwrap_or(SHORTEST_PERIOD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_on_without_a_seam_and_fades() {
        let tone = |n: usize| 0.5 * (std::f32::consts::TAU * 200.0 * n as f32 / 48_000.0).sin();
        let mut repeater = Repeater::new();
        let mut sound: Vec<f32> = (0..960).map(tone).collect();
        repeater.join(&mut sound);
        repeater.repeat(480, &mut sound);
        let mut after: Vec<f32> = (1_440..2_400).map(tone).collect();
        repeater.join(&mut after);
        sound.extend(after);
        for (n, sample) in sound.iter().enumerate() {
            assert!((sample - tone(n)).abs() < 0.03, "{n}: {sample} for {}", tone(n));
        }
        let mut long = Vec::new();
        repeater.repeat(4_800, &mut long);
        assert!(long[3_000..].iter().all(|s| *s == 0.0));
    }
}
