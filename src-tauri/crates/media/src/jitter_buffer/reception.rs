//! What RFC 3550 counts about one source: extended sequence numbers, loss, duplicates, interarrival jitter.

use crate::units::{RtpTime, SequenceNumber};
use std::time::{Duration, Instant};

/// Packets: RFC 3550 appendix A.1. A larger step is a sender that began anew.
const MAX_DROPOUT: i64 = 3000;
/// Packets: as above, backwards.
const MAX_MISORDER: i64 = 100;
/// Packets whose arrival is remembered to know a duplicate (bits of the history).
const HISTORY: i64 = u128::BITS as i64;

/// What a packet is, by its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Not seen before, with its extended sequence number; newer than all or filling a gap.
    New(i64),
    Duplicate,
    /// Too far from the others to be believed alone.
    Stray,
    /// The second in a row after a big step: the sender began anew.
    Restart,
}

/// Reception of one SSRC.
#[derive(Debug)]
pub(super) struct Reception {
    base: i64,
    highest: i64,
    /// Bit n: `highest - n` has come.
    seen: u128,
    /// The number that would confirm a big step.
    suspected: Option<SequenceNumber>,
    received: u64,
    last_arrival: Option<(Instant, RtpTime)>,
    /// RTP ticks (RFC 3550 §6.4.1).
    jitter: f64,
}

impl Reception {
    pub(super) fn new(first: SequenceNumber) -> Self {
        // One round up, so that a packet from before the first has a number above zero.
        let base = i64::from(first.as_u16()) + (1 << 16);
        Self {
            base,
            highest: base - 1,
            seen: 0,
            suspected: None,
            received: 0,
            last_arrival: None,
            jitter: 0.0,
        }
    }

    /// Classifies one packet and counts it when it is new.
    pub(super) fn accept(&mut self, sequence: SequenceNumber) -> Arrival {
        let highest = SequenceNumber::new(self.highest as u16);
        let step = i64::from(sequence.since(highest));
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&step) {
            if self.suspected == Some(sequence) {
                return Arrival::Restart;
            }
            self.suspected = Some(sequence.next());
            return Arrival::Stray;
        }
        self.suspected = None;
        if step > 0 {
            self.seen = if step < HISTORY { self.seen << step } else { 0 };
            self.highest += step;
        }
        let number = if step > 0 {
            self.highest
        } else {
            self.highest + step
        };
        let bit = 1_u128 << (self.highest - number).min(HISTORY - 1);
        if self.seen & bit != 0 {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        self.base = self.base.min(number);
        self.received += 1;
        Arrival::New(number)
    }

    /// Packets that were sent between the first and the newest and have not come.
    pub(super) fn lost(&self) -> u64 {
        let expected = (self.highest - self.base + 1).max(0) as u64;
        expected.saturating_sub(self.received)
    }

    /// Interarrival jitter in RTP ticks.
    pub(super) fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Takes the times of a new packet that came by itself; `clock_rate` in RTP ticks per second.
    pub(super) fn measure_jitter(&mut self, rtp_time: RtpTime, arrived_at: Instant, clock_rate: f64) {
        if let Some((last_at, last_time)) = self.last_arrival {
            let ticks = signed_seconds(last_at, arrived_at) * clock_rate;
            let transit = ticks - f64::from(rtp_time.since(last_time));
            self.jitter += (transit.abs() - self.jitter) / 16.0;
        }
        self.last_arrival = Some((arrived_at, rtp_time));
    }
}

/// Seconds from `earlier` to `later`, negative when they are the other way round.
pub(super) fn signed_seconds(earlier: Instant, later: Instant) -> f64 {
    match later.checked_duration_since(earlier) {
        Some(time) => time.as_secs_f64(),
        None => -earlier
            .checked_duration_since(later)
            .unwrap_or(Duration::ZERO)
            .as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(reception: &mut Reception, start: Instant, number: u16, at_ms: u64) -> Arrival {
        let arrived = start + Duration::from_millis(at_ms);
        let time = RtpTime::new(u32::from(number).wrapping_mul(960));
        let arrival = reception.accept(SequenceNumber::new(number));
        if let Arrival::New(_) = arrival {
            reception.measure_jitter(time, arrived, 48_000.0);
        }
        arrival
    }

    #[test]
    fn loss_is_what_a_later_packet_proves() {
        let start = Instant::now();
        let mut reception = Reception::new(SequenceNumber::new(65_534));
        for number in [65_534, 65_535, 2, 3] {
            assert!(matches!(
                accept(&mut reception, start, number, 0),
                Arrival::New(_)
            ));
        }
        assert_eq!((reception.received, reception.lost()), (4, 2));
        assert!(matches!(accept(&mut reception, start, 0, 0), Arrival::New(_)));
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn numbers_extend_over_the_wrap() {
        let start = Instant::now();
        let mut reception = Reception::new(SequenceNumber::new(65_535));
        let Arrival::New(first) = accept(&mut reception, start, 65_535, 0) else {
            panic!("new")
        };
        assert_eq!(accept(&mut reception, start, 0, 0), Arrival::New(first + 1));
        assert_eq!(accept(&mut reception, start, 65_534, 0), Arrival::New(first - 1));
    }

    #[test]
    fn a_duplicate_is_known_and_not_counted() {
        let start = Instant::now();
        let mut reception = Reception::new(SequenceNumber::new(5));
        accept(&mut reception, start, 5, 0);
        accept(&mut reception, start, 6, 0);
        assert_eq!(accept(&mut reception, start, 5, 0), Arrival::Duplicate);
        assert_eq!((reception.received, reception.lost()), (2, 0));
    }

    #[test]
    fn one_stray_changes_nothing_and_two_in_a_row_begin_anew() {
        let start = Instant::now();
        let mut reception = Reception::new(SequenceNumber::new(5));
        accept(&mut reception, start, 5, 0);
        assert_eq!(accept(&mut reception, start, 30_000, 0), Arrival::Stray);
        assert!(matches!(accept(&mut reception, start, 6, 0), Arrival::New(_)));
        assert_eq!(accept(&mut reception, start, 40_000, 0), Arrival::Stray);
        assert_eq!(accept(&mut reception, start, 40_001, 0), Arrival::Restart);
    }

    #[test]
    fn jitter_follows_the_example_of_the_rfc() {
        let start = Instant::now();
        let mut reception = Reception::new(SequenceNumber::new(0));
        // Every second packet 10 ms late: |D| is 480 ticks each time, so the estimate goes there.
        for n in 0..200_u16 {
            let late = if n % 2 == 1 { 10 } else { 0 };
            accept(&mut reception, start, n, u64::from(n) * 20 + late);
        }
        assert!((reception.jitter() - 480.0).abs() < 1.0, "{}", reception.jitter());
    }
}
