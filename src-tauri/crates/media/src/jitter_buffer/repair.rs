//! How long to wait so that lost packets that were asked for again still come in time.

use std::time::Duration;

/// Lateness is told apart in steps of this.
const STEP: Duration = Duration::from_millis(10);
/// Steps: the most that is waited. Measured at 40 % loss and 20 ms one way: PESQ 2.7 with 100 ms, 3.1 with 160; what is
/// beyond is felt in a conversation (ITU-T G.114: 150 ms from mouth to ear).
const LONGEST: usize = 13;
/// Weight of 20 ms against those after them: 10 s, as for losses.
const FORGET: f64 = 0.998;
/// Share of frames that may come later than is waited for before the wait becomes longer, and at which it becomes shorter:
/// what is not waited for is rebuilt from the packets after it, nearly as well.
const LONGER_AT: f64 = 0.08;
const SHORTER_AT: f64 = 0.05;
/// Weight of units of 20 ms before anything is believed: half a second.
const WARM_UP: f64 = 25.0;

/// How much later than the least delayed packet the repaired ones came.
#[derive(Debug)]
pub(super) struct RepairReach {
    /// By whole steps; 0 = it came by itself.
    weights: [f64; LONGEST + 2],
    wait: usize,
}

impl RepairReach {
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; LONGEST + 2],
            wait: 0,
        }
    }

    /// Takes one frame of so many units of 20 ms that came by itself.
    pub(super) fn observe_in_time(&mut self, units: f64) {
        self.observe(0, units);
    }

    /// Takes one that was repaired, so many seconds later than the least delayed one.
    pub(super) fn observe_repaired(&mut self, late: f64, units: f64) {
        let steps = (late / STEP.as_secs_f64()).ceil().max(1.0) as usize;
        self.observe(steps.min(LONGEST + 1), units);
    }

    fn observe(&mut self, step: usize, units: f64) {
        let forget = FORGET.powf(units);
        for weight in &mut self.weights {
            *weight *= forget;
        }
        self.weights[step] += units;
        let total: f64 = self.weights.iter().sum();
        if total < WARM_UP {
            return;
        }
        // Those that no wait is long enough for count for none.
        let beyond = |wait: usize| self.weights[wait + 1..=LONGEST].iter().sum::<f64>() / total;
        while self.wait < LONGEST && beyond(self.wait) > LONGER_AT {
            self.wait += 1;
        }
        while self.wait > 0 && beyond(self.wait - 1) < SHORTER_AT {
            self.wait -= 1;
        }
    }

    /// How much later than the least delayed packet the repaired ones are waited for; zero where none are.
    pub(super) fn wait(&self) -> Duration {
        STEP * self.wait as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One frame in `one_in` is repaired, so many milliseconds late, for so many frames.
    fn repaired(reach: &mut RepairReach, frames: usize, one_in: usize, late: f64) {
        for frame in 0..frames {
            if frame % one_in == 0 {
                reach.observe_repaired(late / 1000.0, 1.0);
            } else {
                reach.observe_in_time(1.0);
            }
        }
    }

    #[test]
    fn the_wait_is_as_long_as_usual_repairs_take() {
        let mut reach = RepairReach::new();
        repaired(&mut reach, 200, 5, 57.0);
        assert_eq!(reach.wait(), Duration::from_millis(60));
        repaired(&mut reach, 3_000, usize::MAX, 0.0);
        assert_eq!(reach.wait(), Duration::ZERO);
    }

    #[test]
    fn rare_repairs_and_those_of_a_long_path_are_not_worth_the_delay() {
        let mut reach = RepairReach::new();
        repaired(&mut reach, 3_000, 50, 60.0);
        assert_eq!(reach.wait(), Duration::ZERO);
        repaired(&mut reach, 3_000, 3, 180.0);
        assert_eq!(reach.wait(), Duration::ZERO);
    }
}
