//! How many frames to wait so that lost ones can still be rebuilt from packets after them.

/// Frames of distance told apart; farther ones count as the last.
const FARTHEST: usize = 51;
/// Weight of 20 ms against those after them: 10 s. The loss of a network changes slowly, and each change of
/// the delay is heard as a stretch: measured at 20 % loss, following it in a second costs 0.2 of PESQ.
const FORGET: f64 = 0.998;
/// Share of frames that may stay out of reach before the wait becomes longer, and at which it becomes shorter.
const LONGER_AT: f64 = 0.03;
const SHORTER_AT: f64 = 0.015;
/// Weight of units of 20 ms before anything is believed: half a second.
const WARM_UP: f64 = 25.0;

/// The distances between lost frames and the packets that rebuild them.
#[derive(Debug)]
pub(super) struct LossReach {
    /// By distance in frames; 0 = it came itself.
    weights: [f64; FARTHEST],
    wait: usize,
}

impl LossReach {
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; FARTHEST],
            wait: 0,
        }
    }

    /// Takes one frame of so many units of 20 ms: 0 when it came, else how many frames later a packet came that can
    /// rebuild it.
    pub(super) fn observe(&mut self, distance: usize, units: f64) {
        let forget = FORGET.powf(units);
        for weight in &mut self.weights {
            *weight *= forget;
        }
        self.weights[distance.min(FARTHEST - 1)] += units;
        let total: f64 = self.weights.iter().sum();
        if total < WARM_UP {
            return;
        }
        let beyond = |wait: usize| self.weights[wait + 1..].iter().sum::<f64>() / total;
        while self.wait + 1 < FARTHEST && beyond(self.wait) > LONGER_AT {
            self.wait += 1;
        }
        while self.wait > 0 && beyond(self.wait - 1) < SHORTER_AT {
            self.wait -= 1;
        }
    }

    /// Frames to wait beyond the one that is always waited for.
    pub(super) fn frames(&self) -> u32 {
        self.wait as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tenth frame begins a loss of so many.
    fn bursts(reach: &mut LossReach, tens: usize, lost: usize) {
        for _ in 0..tens {
            for frame in 0..10 {
                reach.observe(lost.saturating_sub(frame), 1.0);
            }
        }
    }

    #[test]
    fn the_wait_is_as_long_as_usual_losses() {
        let mut reach = LossReach::new();
        bursts(&mut reach, 20, 0);
        assert_eq!(reach.frames(), 0);
        bursts(&mut reach, 50, 3);
        assert_eq!(reach.frames(), 3);
        bursts(&mut reach, 200, 1);
        assert_eq!(reach.frames(), 1);
        bursts(&mut reach, 400, 0);
        assert_eq!(reach.frames(), 0);
    }

    #[test]
    fn rare_losses_are_not_worth_the_delay() {
        let mut reach = LossReach::new();
        for n in 0..5_000 {
            reach.observe(usize::from(n % 100 == 0), 1.0);
        }
        assert_eq!(reach.frames(), 0);
    }
}
