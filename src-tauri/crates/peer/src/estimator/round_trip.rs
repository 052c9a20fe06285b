//! How long a question and its answer take on the path, from feedback. Pure.
//!
//! Feedback is kept for its turn after the packet it speaks of, and with losses the newest packet it knows is older still:
//! the least of a few is the path.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Feedback on a voice alone comes every quarter of a second, and a third of it may be lost. Chosen: long enough for ten.
const WINDOW: Duration = Duration::from_secs(3);
/// Until there is feedback: across a country.
const ASSUMED: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct RoundTrip {
    latest: Duration,
    /// Those that a later one may yet leave the least, in rising order.
    leasts: VecDeque<(Instant, Duration)>,
}

impl Default for RoundTrip {
    fn default() -> Self {
        Self {
            latest: ASSUMED,
            leasts: VecDeque::new(),
        }
    }
}

impl RoundTrip {
    /// Takes feedback that came `now` on a packet that left at `departure`.
    pub(crate) fn handle_feedback(&mut self, now: Instant, departure: Instant) {
        self.latest = now.saturating_duration_since(departure);
        self.leasts
            .retain(|(at, sample)| *sample < self.latest && now.saturating_duration_since(*at) < WINDOW);
        self.leasts.push_back((now, self.latest));
    }

    /// With what the feedback waited.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// Of the path alone.
    pub(crate) fn least(&self) -> Duration {
        self.leasts.front().map_or(self.latest, |(_, sample)| *sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_least_of_the_last_three_seconds() {
        let (mut round_trip, begin) = (RoundTrip::default(), Instant::now());
        assert_eq!((round_trip.latest(), round_trip.least()), (ASSUMED, ASSUMED));
        let mut feedback = |at: u64, took: u64| {
            let now = begin + Duration::from_millis(1000 + at);
            round_trip.handle_feedback(now, now - Duration::from_millis(took));
            (round_trip.latest().as_millis(), round_trip.least().as_millis())
        };
        assert_eq!(feedback(0, 60), (60, 60));
        assert_eq!(feedback(250, 42), (42, 42));
        assert_eq!(feedback(500, 95), (95, 42));
        assert_eq!(feedback(3200, 120), (120, 42));
        assert_eq!(feedback(3300, 110), (110, 95), "the path became longer");
        assert_eq!(feedback(3600, 110), (110, 110));
    }
}
