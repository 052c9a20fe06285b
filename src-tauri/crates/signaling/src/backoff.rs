//! How long to wait before the next attempt to connect (IM-Suite §1.9). Pure: the random number is passed in.

use std::time::Duration;

/// Waits grow by doubling and are spread at random, so that many clients of one restarted server do not return at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    /// Attempts since the last [`Backoff::reset`].
    attempts: u32,
}

impl Backoff {
    /// The first wait (IM-Suite §1.9).
    pub const BASE: Duration = Duration::from_secs(1);
    /// The longest wait before spreading (IM-Suite §1.9).
    pub const CAP: Duration = Duration::from_secs(30);
    /// Waits are spread by this fraction to both sides (IM-Suite §1.9).
    pub const SPREAD: f64 = 0.2;

    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            attempts: 0,
        }
    }

    /// Gives the next wait; `random` decides where between 80 % and 120 % it falls.
    pub fn next(&mut self, random: u32) -> Duration {
        // 2^16 s is far above any cap, so more doublings change nothing.
        let doubled = self.base.saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        let fraction = f64::from(random) / f64::from(u32::MAX);
        doubled
            .min(self.cap)
            .mul_f64(1.0 - Self::SPREAD + 2.0 * Self::SPREAD * fraction)
    }

    /// Starts over after a connection that lasted.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Self::BASE, Self::CAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Falls in the middle of the spread.
    const MIDDLE: u32 = u32::MAX / 2;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over() {
        let mut backoff = Backoff::default();
        let seconds: Vec<u64> = (0..8)
            .map(|_| backoff.next(MIDDLE).as_secs_f64().round() as u64)
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        backoff.reset();
        assert!(backoff.next(u32::MAX) <= Duration::from_millis(1200));
    }

    #[test]
    fn waits_are_spread_by_a_fifth() {
        let wait = |random| Backoff::default().next(random).as_secs_f64();
        assert!((wait(0) - 0.8).abs() < 1e-6);
        assert!((wait(u32::MAX) - 1.2).abs() < 1e-6);
    }

    #[test]
    fn thousands_of_attempts_stay_at_the_cap() {
        let mut backoff = Backoff::default();
        for _ in 0..5000 {
            assert!(backoff.next(u32::MAX) <= Duration::from_secs(36));
        }
    }
}
