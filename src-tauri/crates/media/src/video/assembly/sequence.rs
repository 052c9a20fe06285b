//! RTP sequence numbers without their wrap, each once (RFC 3550 appendix A.1).

use crate::units::SequenceNumber;

/// What a packet's sequence number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Not seen before; the number does not wrap.
    New(i64),
    /// Seen before, or too old to know.
    Duplicate,
    /// Far from all others; may be the first of a new sequence.
    Stray,
    /// The second in a row of a new sequence: the numbers begin anew.
    Restart(i64),
}

/// Remembers which of the last packets came.
#[derive(Debug, Default)]
pub(super) struct SequenceWindow {
    span: Option<Span>,
    /// The number that would confirm a new sequence.
    expected_after_jump: Option<SequenceNumber>,
    /// Lost in sequences before this one.
    lost_before: u64,
}

#[derive(Debug)]
struct Span {
    lowest: i64,
    highest: i64,
    received: u64,
    seen: [u64; WINDOW / 64],
}

/// Packets among which a duplicate is known as such: 2 s at 5 Mbit/s.
const WINDOW: usize = 1024;
/// A jump further than this is a new sequence (RFC 3550: MAX_DROPOUT).
const MAX_JUMP: i16 = 3000;

impl SequenceWindow {
    pub(super) fn handle(&mut self, sequence: SequenceNumber) -> Arrival {
        let Some(span) = &mut self.span else {
            let first = i64::from(sequence.as_u16());
            self.span = Some(Span::new(first));
            return Arrival::New(first);
        };
        let distance = sequence.since(SequenceNumber::new(span.highest as u16));
        if distance.unsigned_abs() > MAX_JUMP.unsigned_abs() {
            if self.expected_after_jump.replace(sequence.next()) != Some(sequence) {
                return Arrival::Stray;
            }
            self.lost_before += span.lost();
            let first = i64::from(sequence.as_u16());
            self.span = Some(Span::new(first));
            self.expected_after_jump = None;
            return Arrival::Restart(first);
        }
        self.expected_after_jump = None;
        let number = span.highest + i64::from(distance);
        if span.insert(number) {
            Arrival::New(number)
        } else {
            Arrival::Duplicate
        }
    }

    /// Packets expected and not received.
    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.span.as_ref().map_or(0, Span::lost)
    }
}

impl Span {
    fn new(first: i64) -> Self {
        let mut span = Self {
            lowest: first,
            highest: first,
            received: 1,
            seen: [0; WINDOW / 64],
        };
        span.mark(first, true);
        span
    }

    /// False when it was there.
    fn insert(&mut self, number: i64) -> bool {
        if number > self.highest {
            (self.highest + 1..number).for_each(|skipped| self.mark(skipped, false));
            self.highest = number;
        } else if number <= self.highest - WINDOW as i64 || self.is_marked(number) {
            return false;
        }
        self.lowest = self.lowest.min(number);
        self.mark(number, true);
        self.received += 1;
        true
    }

    fn lost(&self) -> u64 {
        u64::try_from(self.highest - self.lowest + 1)
            .unwrap_or(0)
            .saturating_sub(self.received)
    }

    fn place(number: i64) -> (usize, u64) {
        let bit = number.rem_euclid(WINDOW as i64) as usize;
        (bit / 64, 1 << (bit % 64))
    }

    fn is_marked(&self, number: i64) -> bool {
        let (word, bit) = Self::place(number);
        self.seen[word] & bit != 0
    }

    fn mark(&mut self, number: i64, seen: bool) {
        let (word, bit) = Self::place(number);
        if seen {
            self.seen[word] |= bit
        } else {
            self.seen[word] &= !bit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(window: &mut SequenceWindow, numbers: &[u16]) -> Vec<Arrival> {
        numbers
            .iter()
            .map(|number| window.handle(SequenceNumber::new(*number)))
            .collect()
    }

    #[test]
    fn numbers_go_on_over_the_wrap_and_are_new_once() {
        let mut window = SequenceWindow::default();
        assert_eq!(
            arrivals(&mut window, &[65_534, 1, 65_535, 1, 0, 65_534]),
            [
                Arrival::New(65_534),
                Arrival::New(65_537),
                Arrival::New(65_535),
                Arrival::Duplicate,
                Arrival::New(65_536),
                Arrival::Duplicate,
            ]
        );
        assert_eq!(window.lost(), 0);
    }

    #[test]
    fn what_never_comes_is_lost_and_what_comes_late_is_not() {
        let mut window = SequenceWindow::default();
        arrivals(&mut window, &[10, 11, 15]);
        assert_eq!(window.lost(), 3);
        arrivals(&mut window, &[13, 13]);
        assert_eq!(window.lost(), 2);
    }

    #[test]
    fn a_far_number_starts_anew_only_when_the_next_one_follows() {
        let mut window = SequenceWindow::default();
        arrivals(&mut window, &[100]);
        assert_eq!(
            arrivals(&mut window, &[20_000, 101, 20_001, 20_002]),
            [
                Arrival::Stray,
                Arrival::New(101),
                Arrival::Stray,
                Arrival::Restart(20_002)
            ]
        );
        assert_eq!(arrivals(&mut window, &[20_003]), [Arrival::New(20_003)]);
    }

    #[test]
    fn marks_of_an_earlier_round_do_not_make_duplicates() {
        let mut window = SequenceWindow::default();
        arrivals(&mut window, &[0, 1, 2, 3, 1030]);
        assert_eq!(
            arrivals(&mut window, &[1026, 1025, 1026]),
            [Arrival::New(1026), Arrival::New(1025), Arrival::Duplicate]
        );
    }
}
