//! Whether a sound device still lives, told from the count of its callbacks.

use super::realtime::Counters;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A device whose callback is not called for so long has stopped. Chosen: seven times the longest usual period, and
/// within the second in which a lost device is to be told.
const STALL: Duration = Duration::from_millis(700);
/// The first callback may take longer; an idle PulseAudio was seen to take 2 s.
const START: Duration = Duration::from_secs(4);

/// Watches one device; belongs to the thread that reads or writes it.
#[derive(Debug)]
pub(super) struct Health {
    counters: Arc<Counters>,
    seen: u64,
    /// When the count last moved, as far as was looked; `None` before the first look.
    moved_at: Option<Instant>,
}

impl Health {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self {
            counters,
            seen: 0,
            moved_at: None,
        }
    }

    pub(super) fn is_lost(&mut self, now: Instant) -> bool {
        let count = self.counters.callbacks.load(Ordering::Relaxed);
        let moved_at = *self.moved_at.get_or_insert(now);
        if count != self.seen {
            self.seen = count;
            self.moved_at = Some(now);
            return self.counters.lost.load(Ordering::Acquire);
        }
        let patience = if count == 0 { START } else { STALL };
        self.counters.lost.load(Ordering::Acquire) || now.saturating_duration_since(moved_at) >= patience
    }

    pub(super) fn misses(&self) -> u64 {
        self.counters.misses.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_callbacks_is_lost_within_the_second() {
        let counters = Arc::new(Counters::default());
        let mut health = Health::new(Arc::clone(&counters));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert!(!health.is_lost(at(0)));
        assert!(!health.is_lost(at(3_999)), "the start is given more time");
        counters.callbacks.fetch_add(1, Ordering::Relaxed);
        assert!(!health.is_lost(at(4_100)));
        assert!(!health.is_lost(at(4_799)));
        assert!(health.is_lost(at(4_800)));
    }

    #[test]
    fn a_device_that_never_starts_is_lost() {
        let mut health = Health::new(Arc::default());
        let start = Instant::now();
        assert!(!health.is_lost(start));
        assert!(health.is_lost(start + START));
    }

    #[test]
    fn the_word_of_the_driver_counts_at_once() {
        let counters = Arc::new(Counters::default());
        let mut health = Health::new(Arc::clone(&counters));
        counters.callbacks.fetch_add(1, Ordering::Relaxed);
        counters.lost.store(true, Ordering::Release);
        assert!(health.is_lost(Instant::now()));
    }
}
