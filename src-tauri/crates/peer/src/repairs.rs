//! Which retransmissions are worth their bytes. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Repairs may take this part of the estimate: a fifth lost and lost again is a quarter. More is a path that carries less
/// than is sent, where repairs only feed the queue.
const SHARE: f64 = 0.5;
/// Saved up at most: a lost picture at once.
const SAVED: Duration = Duration::from_millis(500);
/// Repairs that are remembered.
const REMEMBERED: usize = 256;
/// A repair of a packet that was repaired this long ago was lost itself, whatever the round trip.
const LONGEST_FLIGHT: Duration = Duration::from_millis(300);

#[derive(Debug, Default)]
pub(crate) struct Repairs {
    sent: VecDeque<(u16, Instant)>,
    /// Bits that may be spent.
    credit: f64,
    since: Option<Instant>,
}

impl Repairs {
    /// Whether the packet is to be sent again: not while the last repair of it may still be under way, and not above the
    /// share. `target` in bits per second.
    pub(crate) fn allows(
        &mut self,
        now: Instant,
        sequence: u16,
        bytes: usize,
        target: f64,
        rtt: Duration,
    ) -> bool {
        let share = target * SHARE;
        let most = share * SAVED.as_secs_f64();
        let passed = self
            .since
            .replace(now)
            .map_or(SAVED, |since| now.saturating_duration_since(since));
        self.credit = (self.credit + share * passed.as_secs_f64()).min(most);
        let flight = rtt.min(LONGEST_FLIGHT).mul_f64(0.9);
        let under_way = |(number, at): &(u16, Instant)| {
            *number == sequence && now.saturating_duration_since(*at) < flight
        };
        let bits = bytes as f64 * 8.0;
        if self.credit < bits || self.sent.iter().any(under_way) {
            return false;
        }
        self.credit -= bits;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((sequence, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn a_repair_under_way_is_not_sent_again() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        let mut asked =
            |number, after| repairs.allows(now + Duration::from_millis(after), number, 1200, 2e6, RTT);
        assert!(asked(1, 0) && asked(2, 0));
        assert!(!asked(1, 50));
        assert!(asked(1, 100));
    }

    #[test]
    fn repairs_take_half_of_the_estimate_at_most() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        let sent = (0..2000_u16)
            .filter(|number| {
                let at = now + Duration::from_millis(u64::from(*number) * 5);
                repairs.allows(at, *number, 1200, 1e6, RTT)
            })
            .count();
        // 10 s at half of 1 Mbit/s are 521 packets, and 26 were saved up.
        assert!((515..=550).contains(&sent), "{sent}");
    }
}
