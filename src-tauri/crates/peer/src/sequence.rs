//! Which sequence numbers of one stream came, which came twice, and how many never came. Pure.

use ahoy_media::units::SequenceNumber;

/// Packets remembered behind the newest one; older ones count as duplicates. 2048 is 10 s of a 2 Mbit/s picture.
const WINDOW: u64 = 2048;

/// What a packet was to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// First time this number came.
    New,
    /// It came before, or so long ago that nobody knows.
    Duplicate,
}

/// The received numbers of one SSRC, with the wraps of the 16-bit number unrolled (RFC 3550 appendix A.1).
#[derive(Debug)]
pub(crate) struct SequenceLog {
    first: u64,
    highest: u64,
    received: u64,
    seen: [u64; (WINDOW / 64) as usize],
}

impl SequenceLog {
    /// Begins at the first packet that came.
    pub(crate) fn new(first: SequenceNumber) -> Self {
        // One whole turn below the first number leaves room for packets that overtook it.
        let first = (1 << 16) + u64::from(first.as_u16());
        let mut log = Self {
            first,
            highest: first,
            received: 1,
            seen: [0; (WINDOW / 64) as usize],
        };
        log.mark(first);
        log
    }

    pub(crate) fn handle_packet(&mut self, number: SequenceNumber) -> Arrival {
        let ahead = i64::from(number.since(SequenceNumber::new(self.highest as u16)));
        let unrolled = self.highest.saturating_add_signed(ahead);
        if unrolled > self.highest {
            if unrolled - self.highest >= WINDOW {
                self.seen = [0; (WINDOW / 64) as usize];
            } else {
                for skipped in self.highest + 1..=unrolled {
                    self.clear(skipped);
                }
            }
            self.highest = unrolled;
        } else if self.highest - unrolled >= WINDOW || self.is_marked(unrolled) {
            return Arrival::Duplicate;
        }
        self.first = self.first.min(unrolled);
        self.mark(unrolled);
        self.received += 1;
        Arrival::New
    }

    /// Expected minus received (RFC 3550 appendix A.3), every number counted once.
    pub(crate) fn lost(&self) -> i64 {
        (self.highest - self.first + 1) as i64 - self.received as i64
    }

    fn mark(&mut self, unrolled: u64) {
        self.seen[(unrolled % WINDOW / 64) as usize] |= 1 << (unrolled % 64);
    }

    fn clear(&mut self, unrolled: u64) {
        self.seen[(unrolled % WINDOW / 64) as usize] &= !(1 << (unrolled % 64));
    }

    fn is_marked(&self, unrolled: u64) -> bool {
        self.seen[(unrolled % WINDOW / 64) as usize] & (1 << (unrolled % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(numbers: &[u16]) -> (SequenceLog, Vec<Arrival>) {
        let mut log = SequenceLog::new(SequenceNumber::new(numbers[0]));
        let arrivals = numbers[1..]
            .iter()
            .map(|&number| log.handle_packet(SequenceNumber::new(number)))
            .collect();
        (log, arrivals)
    }

    #[test]
    fn a_hole_is_lost_until_it_is_filled() {
        let (mut log, _) = log_of(&[10, 11, 14]);
        assert_eq!(log.lost(), 2);
        assert_eq!(log.handle_packet(SequenceNumber::new(12)), Arrival::New);
        assert_eq!(log.lost(), 1);
        assert_eq!(log.handle_packet(SequenceNumber::new(12)), Arrival::Duplicate);
        assert_eq!(log.lost(), 1);
    }

    #[test]
    fn the_wrap_of_the_number_is_no_loss() {
        let (log, arrivals) = log_of(&[65_534, 65_535, 0, 1, 65_535]);
        assert_eq!(log.lost(), 0);
        assert_eq!(arrivals.last(), Some(&Arrival::Duplicate));
    }

    #[test]
    fn a_packet_before_the_first_one_moves_the_beginning() {
        let (mut log, _) = log_of(&[0, 1]);
        assert_eq!(log.handle_packet(SequenceNumber::new(65_535)), Arrival::New);
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn a_leap_over_the_whole_window_forgets_the_old_marks() {
        let (mut log, _) = log_of(&[0]);
        log.handle_packet(SequenceNumber::new(4096));
        assert_eq!(log.lost(), 4095);
        assert_eq!(log.handle_packet(SequenceNumber::new(4095)), Arrival::New);
        assert_eq!(log.handle_packet(SequenceNumber::new(1)), Arrival::Duplicate);
    }
}
