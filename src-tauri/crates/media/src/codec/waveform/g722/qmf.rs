//! The two mirror filters: between 16 kHz and the two bands of 8 kHz (ITU-T G.722 §3.1, §4.4).

use super::limited;

/// Half of the 24 coefficients, which are the same from either end, in 2^-13.
const COEFFICIENTS: [i32; 12] = [3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3_876];
/// Pairs of samples that the filter spans.
const PAIRS: usize = 12;

/// The last pairs, the newest first.
#[derive(Debug, Default)]
struct Line([[i32; 2]; PAIRS]);

impl Line {
    fn push(&mut self, pair: [i32; 2]) {
        self.0.rotate_right(1);
        self.0[0] = pair;
    }

    /// The sums over the second of each pair and over the first of each; together they are the filter.
    fn sums(&self) -> [i32; 2] {
        let mut sums = [0; 2];
        for (at, [first, second]) in self.0.iter().enumerate() {
            sums[0] += second * coefficient(2 * at);
            sums[1] += first * coefficient(2 * at + 1);
        }
        sums
    }
}

fn coefficient(at: usize) -> i32 {
    COEFFICIENTS[at.min(2 * PAIRS - 1 - at)]
}

#[derive(Debug, Default)]
pub(super) struct Analysis(Line);

impl Analysis {
    /// Takes two samples and gives one of each band, the lower first.
    pub(super) fn split(&mut self, [first, second]: [i16; 2]) -> (i32, i32) {
        self.0.push([first.into(), second.into()]);
        let [of_second, of_first] = self.0.sums();
        (
            limited((of_second + of_first) >> 14),
            limited((of_second - of_first) >> 14),
        )
    }
}

#[derive(Debug, Default)]
pub(super) struct Synthesis(Line);

impl Synthesis {
    /// Takes a sample of each band and gives two.
    pub(super) fn join(&mut self, low: i32, high: i32) -> [i16; 2] {
        self.0.push([low + high, low - high]);
        let [of_differences, of_sums] = self.0.sums();
        let sample = |sum: i32| super::saturate(sum >> 11) as i16;
        [sample(of_differences), sample(of_sums)]
    }
}
