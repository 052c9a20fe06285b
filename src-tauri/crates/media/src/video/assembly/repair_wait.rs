//! How long a missing packet is waited for: as many retransmissions as the loss makes likely to be needed. Pure.
//!
//! Whoever gives up asks for a keyframe, which takes a round trip too, is ten times as large as any repair, and may lose
//! packets itself. So on a short path repairs are waited for; on a long one a second repair would come too late.

use std::time::Duration;

/// Between a gap and its request, and between two requests, at most: the interval of the NACK generator.
const REQUEST_INTERVAL: Duration = Duration::from_millis(25);
/// Of a thousand packets one may still be missing after the wait.
const STILL_MISSING: f64 = 0.001;
/// Loss is an average over about so many packets: a second or two of a picture.
const PACKETS: f64 = 200.0;
/// A gap of more counts as this many: what is behind it is an outage, and says nothing of the next repair.
const LONGEST_GAP: i64 = 30;

#[derive(Debug)]
pub(super) struct RepairWait {
    rtt: Duration,
    highest: Option<i64>,
    /// Of packets as they come first, before repairs.
    loss: f64,
}

impl RepairWait {
    /// The shortest wait, and the longest: later the picture stands still for longer than a keyframe takes to come.
    pub(super) const SHORTEST: Duration = Duration::from_millis(100);
    pub(super) const LONGEST: Duration = Duration::from_millis(500);

    pub(super) fn new() -> Self {
        Self {
            rtt: Duration::ZERO,
            highest: None,
            loss: 0.0,
        }
    }

    pub(super) fn set_round_trip(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// Takes note of a packet that came for the first time, by its unwrapped sequence number.
    pub(super) fn handle_packet(&mut self, number: i64) {
        let Some(highest) = self.highest else {
            self.highest = Some(number);
            return;
        };
        if number <= highest {
            return;
        }
        for _ in 0..(number - highest - 1).min(LONGEST_GAP) {
            self.loss += (1.0 - self.loss) / PACKETS;
        }
        self.loss -= self.loss / PACKETS;
        self.highest = Some(number);
    }

    /// A stream that begins anew has numbers of its own.
    pub(super) fn start_anew(&mut self) {
        self.highest = None;
    }

    pub(super) fn patience(&self) -> Duration {
        let round = self.rtt + REQUEST_INTERVAL;
        if round > Self::LONGEST {
            return Self::SHORTEST;
        }
        let mut rounds = 1;
        let mut missing = self.loss * self.loss;
        while missing > STILL_MISSING && rounds < 10 {
            missing *= self.loss;
            rounds += 1;
        }
        (round * rounds + REQUEST_INTERVAL).clamp(Self::SHORTEST, Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wait on a path of this round trip that loses every `one_in`th packet.
    fn patience(rtt: u64, one_in: i64) -> u128 {
        let mut wait = RepairWait::new();
        wait.set_round_trip(Duration::from_millis(rtt));
        for number in (0..2000).filter(|number| number % one_in != 1) {
            wait.handle_packet(number);
        }
        wait.patience().as_millis()
    }

    #[test]
    fn the_wait_grows_with_the_round_trip_and_the_loss() {
        assert_eq!(patience(0, 10_000), 100);
        assert_eq!(patience(40, 50), 100);
        assert_eq!(patience(40, 10), 155);
        assert_eq!(patience(40, 5), 285);
        assert_eq!(patience(100, 5), 500);
    }

    #[test]
    fn a_path_too_long_for_repairs_is_left_to_keyframes() {
        assert_eq!(patience(600, 10), 100);
    }

    #[test]
    fn an_outage_is_not_the_loss_of_a_path() {
        let mut wait = RepairWait::new();
        (0..1000).for_each(|number| wait.handle_packet(number));
        (60_000..60_400).for_each(|number| wait.handle_packet(number));
        assert!(wait.loss < 0.03, "{}", wait.loss);
    }
}
