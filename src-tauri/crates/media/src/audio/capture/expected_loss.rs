//! From the loss that the far side reports now and then to the loss that the encoder protects against. Pure.
//!
//! A report covers some fifty packets, so at 5 % loss it says anything from 0 to 12 %. Protection that came and went
//! with it would be heard.

use crate::codec::Loss;
use std::time::{Duration, Instant};

/// Share of the way up that one report goes.
const RISE: f32 = 0.5;
/// Loss falls by half in this time (chosen, not measured).
const HALF_LIFE: Duration = Duration::from_secs(5);
/// Fraction below which there is none.
const NONE: f32 = 0.004;

/// The smoothed loss of one direction.
#[derive(Debug, Default)]
pub(super) struct ExpectedLoss {
    pre_repair: Smoothed,
    post_repair: Smoothed,
}

impl ExpectedLoss {
    /// Takes what is reported; answers with what to expect.
    pub(super) fn report(&mut self, loss: Loss, now: Instant) -> Loss {
        Loss {
            pre_repair: self.pre_repair.report(loss.pre_repair, now),
            post_repair: self.post_repair.report(loss.post_repair, now),
        }
    }
}

#[derive(Debug, Default)]
struct Smoothed {
    last: Option<(f32, Instant)>,
}

impl Smoothed {
    /// Takes a reported fraction; answers with what to expect.
    fn report(&mut self, fraction: f32, now: Instant) -> f32 {
        let expected = match self.last {
            None => fraction,
            Some((last, _)) if fraction > last => last + (fraction - last) * RISE,
            Some((last, at)) => {
                let halves = now.saturating_duration_since(at).as_secs_f32() / HALF_LIFE.as_secs_f32();
                fraction + (last - fraction) * 0.5_f32.powf(halves)
            }
        };
        let expected = if expected < NONE { 0.0 } else { expected };
        self.last = Some((expected, now));
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uneven_reports_of_the_same_loss_give_a_steady_expectation() {
        let start = Instant::now();
        let mut loss = Smoothed::default();
        let reports = [0.10, 0.02, 0.06, 0.0, 0.12, 0.04, 0.02, 0.08, 0.0, 0.06];
        let expected: Vec<f32> = (0_u32..)
            .zip(reports)
            .map(|(n, report)| loss.report(report, start + Duration::from_secs(1) * n))
            .collect();
        assert!(expected.iter().all(|e| (0.05..=0.10).contains(e)), "{expected:?}");
    }

    #[test]
    fn loss_is_met_soon_and_forgotten_in_half_a_minute() {
        let start = Instant::now();
        let mut loss = Smoothed::default();
        loss.report(0.0, start);
        for n in 1..=3_u32 {
            loss.report(0.3, start + Duration::from_secs(1) * n);
        }
        assert!(loss.report(0.3, start + Duration::from_secs(4)) > 0.25);
        let mut last = 1.0;
        for n in 5..40_u32 {
            last = loss.report(0.0, start + Duration::from_secs(1) * n);
        }
        assert_eq!(last, 0.0);
    }
}
