//! The wall clock that synthetic sources write into what they make, and probes read it against.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Ties monotonic time to Unix time at one moment. Two processes of one machine that each make one agree to well below
/// a millisecond, as long as nobody sets the system clock in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    at: Instant,
    unix: Duration,
}

impl WallClock {
    /// Says that `at` is so long after 1970.
    pub const fn new(at: Instant, unix: Duration) -> Self {
        Self { at, unix }
    }

    /// Reads the system clock.
    pub fn of_system() -> Self {
        // A clock before 1970 gives wrong times, not a failure.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            at: Instant::now(),
            unix,
        }
    }

    /// Unix time of a moment.
    pub fn unix_at(&self, at: Instant) -> Duration {
        match at.checked_duration_since(self.at) {
            Some(later) => self.unix + later,
            None => self.unix.saturating_sub(self.at.saturating_duration_since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_the_anchor_have_their_unix_time() {
        let at = Instant::now() + Duration::from_secs(10);
        let clock = WallClock::new(at, Duration::from_secs(1_000));
        assert_eq!(
            clock.unix_at(at + Duration::from_millis(5)),
            Duration::from_millis(1_000_005)
        );
        assert_eq!(
            clock.unix_at(at - Duration::from_secs(1)),
            Duration::from_secs(999)
        );
    }
}
