//! The predictor of a band: two poles and six zeros that follow the signal sign by sign (ITU-T G.722 §3.6, §6.2 block 4).

use super::{saturate, scaled};

/// Leakage of the coefficients in 2^-15 (§3.6.3, §3.6.4): 1 - 2^-7 of the second pole, 1 - 2^-8 of the others.
const SECOND_POLE_KEEPS: i32 = 32_512;
const OTHERS_KEEP: i32 = 32_640;
/// Steps of the coefficients.
const SECOND_POLE_STEP: i32 = 128;
const FIRST_POLE_STEP: i32 = 192;
const ZERO_STEP: i32 = 128;
/// The second pole stays within ±0.75, the first within 15/16 less the second (§3.6.3).
const SECOND_POLE_LIMIT: i32 = 12_288;
const FIRST_POLE_LIMIT: i32 = 15_360;

#[derive(Debug, Default)]
pub(super) struct Predictor {
    /// Coefficients of the poles, and the last two reconstructed samples.
    poles: [i32; 2],
    reconstructed: [i32; 2],
    /// The last two sums of difference and zero section.
    partial: [i32; 2],
    /// Coefficients of the zeros, and the last six differences.
    zeros: [i32; 6],
    differences: [i32; 6],
    /// What the zeros predict.
    from_zeros: i32,
    estimate: i32,
}

impl Predictor {
    /// What the next sample is expected to be.
    pub(super) fn estimate(&self) -> i32 {
        self.estimate
    }

    /// Whether a sample is below what is expected, and how far away; a negative distance is counted from -1.
    pub(super) fn difference(&self, sample: i32) -> (bool, i32) {
        let difference = saturate(sample - self.estimate);
        (
            difference < 0,
            if difference < 0 { !difference } else { difference },
        )
    }

    /// Takes the quantised difference between the sample and its estimate.
    pub(super) fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.from_zeros + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);

        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];

        let products = |coefficients: &[i32], values: &[i32]| {
            let terms = coefficients
                .iter()
                .zip(values)
                .map(|(coefficient, value)| scaled(saturate(2 * value), *coefficient));
            terms.fold(0, |sum, term| saturate(sum + term))
        };
        let from_poles = products(&self.poles, &self.reconstructed);
        self.from_zeros = products(&self.zeros, &self.differences);
        self.estimate = saturate(from_poles + self.from_zeros);
    }

    fn adapt_poles(&mut self, partial: i32) {
        let [last, before] = self.partial;
        let first = saturate(4 * self.poles[0]);
        // The negative of -32,768 is kept in 16 bits.
        let against = match same_sign(partial, last) {
            true => saturate(-first),
            false => first,
        };
        let step = signed(SECOND_POLE_STEP, same_sign(partial, before));
        let second = (against >> 7) + step + scaled(self.poles[1], SECOND_POLE_KEEPS);
        self.poles[1] = second.clamp(-SECOND_POLE_LIMIT, SECOND_POLE_LIMIT);

        let step = signed(FIRST_POLE_STEP, same_sign(partial, last));
        let first = step + scaled(self.poles[0], OTHERS_KEEP);
        let limit = FIRST_POLE_LIMIT - self.poles[1];
        self.poles[0] = first.clamp(-limit, limit);
    }

    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { ZERO_STEP };
        for (zero, earlier) in self.zeros.iter_mut().zip(self.differences) {
            *zero = saturate(signed(step, same_sign(difference, earlier)) + scaled(*zero, OTHERS_KEEP));
        }
    }
}

/// Zero has the sign of what is above it.
fn same_sign(a: i32, b: i32) -> bool {
    (a < 0) == (b < 0)
}

fn signed(step: i32, positive: bool) -> i32 {
    if positive { step } else { -step }
}
