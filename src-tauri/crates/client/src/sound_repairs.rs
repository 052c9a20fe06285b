//! What part of the sent sound is sent again. Pure.

use ahoy_peer::OutboundStats;

/// How the fraction follows each reading, one a second: 3 s.
const FOLLOWS: f64 = 0.3;

#[derive(Debug, Default)]
pub(crate) struct SoundRepairs {
    /// Payload bytes until the last reading: all, and those sent again.
    until: (u64, u64),
    fraction: f64,
}

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

    /// Bytes sent again for each byte sent first.
    pub(crate) fn fraction(&self) -> f64 {
        self.fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
