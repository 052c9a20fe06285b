//! When the next picture of a source is due, without drift.

use std::time::{Duration, Instant};

/// Spaces pictures evenly. Each due time is counted from the start, so rounding and late wake-ups do not add up.
///
/// A source that falls behind by more than [`Pace::MAX_LAG`] starts anew, it does not catch up in a burst.
#[derive(Debug)]
pub struct Pace {
    frames: u32,
    per: Duration,
    start: Option<Instant>,
    shown: u64,
}

impl Pace {
    /// Two pictures at 25 per second, chosen: above it a scheduler's hiccup has become a stall.
    pub const MAX_LAG: Duration = Duration::from_millis(80);

    /// `frames` pictures in each span of `per`; `frames` of 0 counts as 1.
    pub fn new(frames: u32, per: Duration) -> Self {
        Self {
            frames: frames.max(1),
            per,
            start: None,
            shown: 0,
        }
    }

    /// When the next picture is due; the first is due at once.
    pub fn due(&mut self, now: Instant) -> Instant {
        let start = *self.start.get_or_insert(now);
        let due = start + self.offset(self.shown);
        if now.saturating_duration_since(due) <= Self::MAX_LAG {
            return due;
        }
        self.start = Some(now);
        self.shown = 0;
        now
    }

    /// Counts the picture that was due.
    pub fn advance(&mut self) {
        self.shown += 1;
    }

    fn offset(&self, shown: u64) -> Duration {
        let nanoseconds = u128::from(shown) * self.per.as_nanos() / u128::from(self.frames);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Waits on this thread until the picture is due; false when that is after `timeout`.
pub fn wait_until_due(pace: &mut Pace, timeout: Duration) -> bool {
    let now = Instant::now();
    let wait = pace.due(now).saturating_duration_since(now);
    std::thread::sleep(wait.min(timeout));
    wait <= timeout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_per_second_do_not_drift_when_each_wake_up_is_late() {
        let start = Instant::now();
        let mut pace = Pace::new(30, Duration::from_secs(1));
        let mut now = start;
        for _ in 0..9000 {
            let due = pace.due(now);
            now = due + Duration::from_millis(7);
            pace.advance();
        }
        let drift = pace
            .due(now)
            .duration_since(start)
            .abs_diff(Duration::from_secs(300));
        assert!(drift < Duration::from_millis(1), "{drift:?}");
    }

    #[test]
    fn a_stall_is_not_made_up_for_in_a_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(30, Duration::from_secs(1));
        assert_eq!(pace.due(start), start);
        pace.advance();
        let late = start + Duration::from_secs(2);
        assert_eq!(pace.due(late), late);
        pace.advance();
        assert_eq!(pace.due(late), late + Duration::from_nanos(33_333_333));
    }
}
