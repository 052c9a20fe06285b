//! What part of the sent sound is sent again, and what is lost for all that. Pure.

use ahoy_media::codec::Loss;
use ahoy_peer::{OutboundStats, TransportStats};
use std::time::Duration;

/// How the fraction follows each reading, one a second: 3 s.
const FOLLOWS: f64 = 0.3;

#[derive(Debug, Default)]
pub(crate) struct SoundRepairs {
    /// Payload bytes until the last reading: all, and those sent again.
    until: (u64, u64),
    fraction: f64,
    /// Lost on the path, smoothed.
    lost: f64,
    /// The other side is taken to wait for repairs.
    awaited: bool,
}

/// Where less is lost, the jitter buffer does not wait for repairs: what is lost is rebuilt from the packets after it, with
/// less delay. Its own limit lies between the two, so that each change happens once.
const AWAITED_FROM: f64 = 0.08;
const AWAITED_UNTIL: f64 = 0.06;
/// What takes longer than this to be asked for and sent again comes too late.
const LONGEST_REPAIR: Duration = Duration::from_millis(90);
/// Repairs for each lost packet at least, where the other side asks for them.
const ASKS: f64 = 0.5;

impl SoundRepairs {
    /// Takes the counters, once a second.
    pub(crate) fn handle_counters(&mut self, sent: &OutboundStats) {
        let until = (sent.bytes, sent.retransmitted_bytes);
        let before = std::mem::replace(&mut self.until, until);
        let again = until.1.saturating_sub(before.1);
        let first = until.0.saturating_sub(before.0).saturating_sub(again);
        // In a pause nothing is sent and nothing repaired.
        if first > 0 {
            self.fraction += FOLLOWS * (again as f64 / first as f64 - self.fraction);
        }
    }

    /// Takes what the other side reports as lost, once a second after the counters: what the encoder is to expect.
    pub(crate) fn handle_loss(&mut self, reported: f64, transport: &TransportStats) -> Loss {
        let lost = transport.path_loss.max(reported);
        self.lost += FOLLOWS * (lost - self.lost);
        let limit = if self.awaited { AWAITED_UNTIL } else { AWAITED_FROM };
        let in_time = transport.rtt.is_some_and(|rtt| rtt <= LONGEST_REPAIR);
        self.awaited = self.lost >= limit && in_time && self.fraction >= ASKS * self.lost;
        Loss {
            pre_repair: lost as f32,
            post_repair: if self.awaited { reported } else { lost } as f32,
        }
    }

    /// Bytes sent again for each byte sent first.
    pub(crate) fn fraction(&self) -> f64 {
        self.fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the encoder is told after some seconds of so much loss, of which repairs leave a tenth.
    fn told(repairs: &mut SoundRepairs, lost: f64, again: f64, rtt: u64) -> Loss {
        let transport = TransportStats {
            path_loss: lost,
            rtt: Some(Duration::from_millis(rtt)),
            ..TransportStats::default()
        };
        repairs.fraction = again;
        let mut loss = Loss::default();
        for _ in 0..20 {
            loss = repairs.handle_loss(lost / 10.0, &transport);
        }
        loss
    }

    #[test]
    fn what_repairs_leave_counts_where_they_are_waited_for() {
        let mut repairs = SoundRepairs::default();
        let repaired = Loss {
            pre_repair: 0.2,
            post_repair: 0.02,
        };
        assert_eq!(told(&mut repairs, 0.2, 0.25, 40), repaired);
        assert_eq!(told(&mut repairs, 0.2, 0.25, 120), Loss::unrepaired(0.2));
        assert_eq!(
            told(&mut repairs, 0.2, 0.0, 40),
            Loss::unrepaired(0.2),
            "nobody asks for them"
        );
        assert_eq!(told(&mut repairs, 0.05, 0.05, 40), Loss::unrepaired(0.05));
    }

    #[test]
    fn between_the_limits_nothing_changes() {
        let (mut above, mut below) = (SoundRepairs::default(), SoundRepairs::default());
        told(&mut above, 0.1, 0.1, 40);
        told(&mut below, 0.05, 0.1, 40);
        assert!(told(&mut above, 0.07, 0.1, 40).post_repair < 0.01);
        assert_eq!(told(&mut below, 0.07, 0.1, 40), Loss::unrepaired(0.07));
    }

    #[test]
    fn the_part_that_is_sent_again_is_followed_in_seconds_and_kept_in_a_pause() {
        let mut repairs = SoundRepairs::default();
        let mut sent = OutboundStats::default();
        for _ in 0..10 {
            sent.bytes += 5_000;
            sent.retransmitted_bytes += 1_000;
            repairs.handle_counters(&sent);
        }
        assert!(
            (0.24..=0.25).contains(&repairs.fraction()),
            "{}",
            repairs.fraction()
        );
        repairs.handle_counters(&sent);
        assert!(repairs.fraction() > 0.24);
        for _ in 0..10 {
            sent.bytes += 5_000;
            repairs.handle_counters(&sent);
        }
        assert!(repairs.fraction() < 0.01, "{}", repairs.fraction());
    }
}
