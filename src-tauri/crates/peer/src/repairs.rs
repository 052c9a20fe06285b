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
/// A picture that stands for longer is a freeze (webrtc-stats: the mean gap and 150 ms).
const FREEZE: Duration = Duration::from_millis(150);
/// Between two repairs of one packet, beside the round trip: the request waits for its turn.
const REQUEST: Duration = Duration::from_millis(15);
/// Of a thousand lost packets one may still be missing then; else a repair goes out twice. Chosen.
const STILL_MISSING: f64 = 0.001;
/// A second copy leaves so much later, since a path that loses packets often loses neighbours. Chosen: as long as most
/// bursts of a wireless path, and short beside a round trip.
pub(crate) const COPY_AFTER: Duration = Duration::from_millis(12);

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
        self.remember(now, sequence);
        true
    }

    /// Whether a second copy of a repair that is allowed is worth its bytes: where so much is lost, and repairs take so
    /// long, that a single one leaves too many pictures standing.
    pub(crate) fn allows_copy(&mut self, bytes: usize, loss: f64, rtt: Duration) -> bool {
        let bits = bytes as f64 * 8.0;
        if self.credit < bits || !needs_copies(loss, rtt) {
            return false;
        }
        self.credit -= bits;
        true
    }

    fn remember(&mut self, now: Instant, sequence: u16) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((sequence, now));
    }
}

/// Whether one repair after the other, each lost like any packet, leaves too many packets missing when the picture freezes.
fn needs_copies(loss: f64, rtt: Duration) -> bool {
    let rounds = FREEZE.as_secs_f64() / (rtt + REQUEST).as_secs_f64();
    loss.powi(rounds.max(1.0) as i32) > STILL_MISSING
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
    fn repairs_go_out_twice_where_one_is_too_little_in_time() {
        let needed = |loss, rtt| needs_copies(loss, Duration::from_millis(rtt));
        assert!(!needed(0.0, 300) && !needed(0.05, 1) && !needed(0.02, 40));
        assert!(needed(0.05, 40) && needed(0.2, 30) && needed(0.03, 100) && needed(0.01, 200));
    }

    #[test]
    fn copies_come_out_of_the_same_half() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        let (mut sent, mut copies) = (0, 0);
        for number in 0..2000_u16 {
            let at = now + Duration::from_millis(u64::from(number) * 5);
            if repairs.allows(at, number, 1200, 1e6, RTT) {
                sent += 1;
                copies += usize::from(repairs.allows_copy(1200, 0.1, RTT));
            }
        }
        assert!((515..=550).contains(&(sent + copies)), "{sent} and {copies}");
        assert!(copies > 10, "{copies}");
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
