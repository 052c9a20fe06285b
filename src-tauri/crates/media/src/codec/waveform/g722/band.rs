//! The quantisers of the two bands, whose step follows the signal (ITU-T G.722 §3.2 to §3.5, §6.2 blocks 1 to 3).

use super::limited;
use super::predictor::Predictor;

/// Where one interval of the lower band ends and the next begins, in 2^-12 of the step.
const LOWER_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// What an interval stands for, likewise.
const LOWER_VALUES: [i32; 30] = [
    17, 54, 91, 130, 170, 211, 254, 300, 347, 396, 447, 501, 558, 618, 682, 750, 822, 899, 982, 1_072, 1_170,
    1_279, 1_399, 1_535, 1_689, 1_873, 2_088, 2_376, 2_738, 3_101,
];
/// What the four higher bits of a code stand for by themselves, from the innermost out: the predictor goes by them, so
/// that a path may take the two lower ones away. And how the logarithm of the step follows.
const COARSE_VALUES: [i32; 8] = [0, 150, 323, 530, 786, 1_121, 1_612, 2_557];
const LOWER_STEPS: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
const LOWER_MOST: i32 = 18_432;

/// The same of the higher band: inner and outer.
const HIGHER_LEVEL: i32 = 564;
const HIGHER_VALUES: [i32; 2] = [202, 926];
const HIGHER_STEPS: [i32; 2] = [-214, 798];
const HIGHER_MOST: i32 = 22_528;

/// 2^11 times the powers of 2 from 0 on in steps of 1/32.
const POWERS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

#[derive(Debug, Default)]
pub(super) struct LowerBand {
    predictor: Predictor,
    step: Step,
}

impl LowerBand {
    /// Takes a sample and gives its code of six bits.
    pub(super) fn encode(&mut self, sample: i32) -> u8 {
        let step = self.step.size(8);
        let (negative, size) = self.predictor.difference(sample);
        let interval = LOWER_LEVELS.partition_point(|level| size >= share(*level, step)) as u8;
        let code = match (negative, interval) {
            (false, _) => 61 - interval,
            (true, 0 | 1) => 63 - interval,
            (true, _) => 33 - interval,
        };
        self.adapt(code, step);
        code
    }

    /// Takes a code of six bits and gives its sample.
    pub(super) fn decode(&mut self, code: u8) -> i32 {
        let step = self.step.size(8);
        let (negative, interval) = match code {
            // Never sent, so that no code is all zeros; heard as the innermost one.
            0..=3 => (true, 0),
            4..=31 => (true, 33 - code),
            32..=61 => (false, 61 - code),
            _ => (true, 63 - code),
        };
        let value = signed_share(negative, LOWER_VALUES[usize::from(interval)], step);
        let sample = limited(self.predictor.estimate() + value);
        self.adapt(code, step);
        sample
    }

    fn adapt(&mut self, code: u8, step: i32) {
        let (negative, coarse) = match code >> 2 {
            0 => (true, 0),
            coarse @ 1..=7 => (true, 8 - coarse),
            coarse => (false, 15 - coarse),
        };
        let coarse = usize::from(coarse);
        let value = signed_share(negative, COARSE_VALUES[coarse], step);
        self.step.follow(LOWER_STEPS[coarse], LOWER_MOST);
        self.predictor.adapt(value);
    }
}

#[derive(Debug, Default)]
pub(super) struct HigherBand {
    predictor: Predictor,
    step: Step,
}

impl HigherBand {
    /// Takes a sample and gives its code of two bits.
    pub(super) fn encode(&mut self, sample: i32) -> u8 {
        let step = self.step.size(10);
        let (negative, size) = self.predictor.difference(sample);
        let outer = size >= share(HIGHER_LEVEL, step);
        let code = (u8::from(!negative) << 1) | u8::from(!outer);
        self.adapt(code, step);
        code
    }

    /// Takes a code of two bits and gives its sample.
    pub(super) fn decode(&mut self, code: u8) -> i32 {
        let step = self.step.size(10);
        let estimate = self.predictor.estimate();
        let value = self.adapt(code, step);
        limited(estimate + value)
    }

    /// Returns what the code stands for.
    fn adapt(&mut self, code: u8, step: i32) -> i32 {
        let outer = usize::from(code & 1 == 0);
        let value = signed_share(code & 2 == 0, HIGHER_VALUES[outer], step);
        self.step.follow(HIGHER_STEPS[outer], HIGHER_MOST);
        self.predictor.adapt(value);
        value
    }
}

/// The size of a quantiser's steps, by its logarithm.
#[derive(Debug, Default)]
struct Step {
    /// In 2^-11 of a doubling.
    logarithm: i32,
}

impl Step {
    /// `rest`: the doublings from 2^11 down to the size of the smallest step.
    fn size(&self, rest: i32) -> i32 {
        let power = POWERS[((self.logarithm >> 6) & 31) as usize];
        let size = match rest - (self.logarithm >> 11) {
            down @ 0.. => power >> down,
            up => power << -up,
        };
        size << 2
    }

    /// Forgets a 128th and takes what the last code says.
    fn follow(&mut self, change: i32, most: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + change).clamp(0, most);
    }
}

/// So many 2^-12 of a step.
fn share(parts: i32, step: i32) -> i32 {
    (parts * step) >> 12
}

/// Rounds down, whatever the sign.
fn signed_share(negative: bool, parts: i32, step: i32) -> i32 {
    share(if negative { -parts } else { parts }, step)
}
