//! What was sent and is not told of yet, and how much of it there may be. Pure.
//!
//! Feedback says that a path became narrow only after its packets have stood in the queue, and where both ways became
//! narrow it stands in a queue itself. That it stays away shows at once: then pictures wait here and not in the path, where
//! they would push each other out of a full queue.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What may stand in queues, as time at the target. Chosen: with 80 ms pictures, which leave in lumps, wait on a path that is
/// in order, and the larger ones after a pause wait again; with more, those of a path that became narrow push each other out.
const ROOM: Duration = Duration::from_millis(150);
/// Of a few packets, which may be under way on any path.
const FEWEST_BYTES: f64 = 4_000.0;
/// A packet that is not told of for so long never will be: its feedback was lost, or the path is.
const FORGOTTEN: Duration = Duration::from_secs(1);
/// Between two messages of feedback at the most, where pictures are sent.
const LONGEST_GAP: Duration = Duration::from_millis(250);
/// How the usual gap follows each one: slowly, since it grows when a queue does.
const FOLLOWS: f64 = 0.1;

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    sent: VecDeque<(Instant, usize)>,
    bytes: usize,
    told_at: Option<Instant>,
    /// Seconds between two messages of feedback.
    gap: Option<f64>,
    full_at: Option<Instant>,
}

impl InFlight {
    pub(crate) fn handle_sent(&mut self, now: Instant, bytes: usize) {
        self.sent.push_back((now, bytes));
        self.bytes += bytes;
        self.forget(now);
    }

    /// Takes feedback whose newest packet left at `newest`.
    pub(crate) fn handle_feedback(&mut self, now: Instant, newest: Instant) {
        if let Some(before) = self.told_at.replace(now) {
            let gap = now
                .saturating_duration_since(before)
                .min(LONGEST_GAP)
                .as_secs_f64();
            let usual = self.gap.get_or_insert(gap);
            *usual += FOLLOWS * (gap - *usual);
        }
        self.drop_until(newest);
    }

    /// Whether more is under way than `target` (bits per second) fills a path with whose least round trip is this. Never
    /// without feedback: whoever gives none cannot be waited for.
    pub(crate) fn is_full(&mut self, now: Instant, target: f64, round_trip: Duration) -> bool {
        self.forget(now);
        let Some(gap) = self.gap else { return false };
        let time = round_trip.as_secs_f64() + gap + ROOM.as_secs_f64();
        let full = self.bytes as f64 > (target / 8.0 * time).max(FEWEST_BYTES);
        if full {
            self.full_at = Some(now);
        }
        full
    }

    /// Whether pictures were held back within so long before `now`.
    pub(crate) fn was_full(&self, now: Instant, within: Duration) -> bool {
        self.full_at
            .is_some_and(|at| now.saturating_duration_since(at) < within)
    }

    fn forget(&mut self, now: Instant) {
        if let Some(until) = now.checked_sub(FORGOTTEN) {
            self.drop_until(until);
        }
    }

    fn drop_until(&mut self, until: Instant) {
        while let Some((_, bytes)) = self.sent.pop_front_if(|(at, _)| *at <= until) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: f64 = 1e6;
    const ROUND_TRIP: Duration = Duration::from_millis(40);

    struct Path {
        in_flight: InFlight,
        begin: Instant,
    }

    impl Path {
        /// A second at the target, told of every 50 ms after the round trip.
        fn in_use() -> Self {
            let (mut in_flight, begin) = (InFlight::default(), Instant::now());
            for number in 0..100 {
                let at = begin + Duration::from_millis(number * 10);
                in_flight.handle_sent(at, 1_250);
                if number % 5 == 4 {
                    in_flight.handle_feedback(at, at - ROUND_TRIP);
                }
                assert!(!in_flight.is_full(at, TARGET, ROUND_TRIP), "{number}");
            }
            Self {
                in_flight,
                begin: begin + Duration::from_secs(1),
            }
        }

        /// When it is full, if the target goes on to be sent and nothing is told.
        fn fills_after(&mut self) -> Duration {
            (0..)
                .map(|number| Duration::from_millis(number * 10))
                .find(|after| {
                    self.in_flight.handle_sent(self.begin + *after, 1_250);
                    self.in_flight.is_full(self.begin + *after, TARGET, ROUND_TRIP)
                })
                .expect("it fills")
        }
    }

    #[test]
    fn feedback_that_stays_away_holds_pictures_back_before_the_queue_is_long() {
        let mut path = Path::in_use();
        let after = path.fills_after().as_millis();
        assert!((160..=220).contains(&after), "{after} ms");
        let at = path.begin + Duration::from_millis(300);
        path.in_flight.handle_feedback(at, at - ROUND_TRIP);
        assert!(!path.in_flight.is_full(at, TARGET, ROUND_TRIP));
        assert!(path.in_flight.was_full(at, Duration::from_millis(200)));
        assert!(!path.in_flight.was_full(at, Duration::from_millis(20)));
    }

    #[test]
    fn what_is_never_told_of_is_not_waited_for() {
        let mut path = Path::in_use();
        let filled = path.begin + path.fills_after();
        assert!(!path.in_flight.is_full(filled + FORGOTTEN, TARGET, ROUND_TRIP));
        let mut silent = InFlight::default();
        for _ in 0..1_000 {
            silent.handle_sent(filled, 1_250);
        }
        assert!(!silent.is_full(filled, TARGET, ROUND_TRIP), "gives no feedback");
    }

    #[test]
    fn a_few_packets_may_always_be_under_way() {
        let mut path = Path::in_use();
        let later = path.begin + Duration::from_secs(2);
        path.in_flight.handle_sent(later, 1_250);
        path.in_flight.handle_sent(later, 1_250);
        assert!(!path.in_flight.is_full(later, 20e3, ROUND_TRIP));
    }
}
