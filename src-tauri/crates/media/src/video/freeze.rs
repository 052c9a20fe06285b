//! Freezes and rates of shown pictures, as webrtc-stats counts them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Counts freezes: a gap between two shown pictures above max(3 x mean, mean + 150 ms), where the mean is over the last
/// 30 gaps (webrtc-stats, `freezeCount`).
#[derive(Debug, Default)]
pub struct FreezeCounter {
    last: Option<Instant>,
    gaps: VecDeque<Duration>,
    count: u64,
    total: Duration,
}

impl FreezeCounter {
    const GAPS: usize = 30;
    const ADDED: Duration = Duration::from_millis(150);

    /// Takes note of a shown picture.
    pub fn handle_shown(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else {
            return;
        };
        let gap = now.saturating_duration_since(last);
        if let Ok(gaps) = u32::try_from(self.gaps.len())
            && gaps > 0
        {
            let mean = self.gaps.iter().sum::<Duration>() / gaps;
            if gap > (mean * 3).max(mean + Self::ADDED) {
                self.count += 1;
                self.total += gap;
            }
        }
        if self.gaps.len() == Self::GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// Forgets the last picture, so that a pause that was meant is no freeze.
    pub fn handle_pause(&mut self) {
        self.last = None;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The whole length of the gaps that were freezes.
    pub fn total(&self) -> Duration {
        self.total
    }
}

/// Amount per second over the last second.
#[derive(Debug, Default)]
pub struct SlidingRate {
    events: VecDeque<(Instant, u64)>,
    first: Option<Instant>,
}

impl SlidingRate {
    const WINDOW: Duration = Duration::from_secs(1);
    /// Bound of memory: 1 Gbit/s in packets of 1200 bytes is 104 000 packets; older ones are left out.
    const MAX_EVENTS: usize = 100_000;

    pub fn add(&mut self, now: Instant, amount: u64) {
        self.first.get_or_insert(now);
        self.events.push_back((now, amount));
        self.trim(now);
    }

    /// The amount per second; in the first second, over the time that there was.
    pub fn per_second(&mut self, now: Instant) -> f64 {
        self.trim(now);
        let total: u64 = self.events.iter().map(|(_, amount)| amount).sum();
        let lived = self
            .first
            .map_or(Self::WINDOW, |first| now.saturating_duration_since(first));
        let seconds = lived
            .clamp(Duration::from_millis(100), Self::WINDOW)
            .as_secs_f64();
        total as f64 / seconds
    }

    fn trim(&mut self, now: Instant) {
        let old = |at: &Instant| now.saturating_duration_since(*at) >= Self::WINDOW;
        while self.events.front().is_some_and(|(at, _)| old(at)) || self.events.len() > Self::MAX_EVENTS {
            self.events.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_gap_of_150_ms_above_the_mean_is_a_freeze() {
        let start = Instant::now();
        let mut freezes = FreezeCounter::default();
        (0..31).for_each(|frame| freezes.handle_shown(after(start, frame * 30)));
        let last = 900;
        freezes.handle_shown(after(start, last + 180));
        assert_eq!(freezes.count(), 0, "180 ms is the mean and 150 ms");
        let last = last + 180;
        freezes.handle_shown(after(start, last + 300));
        assert_eq!(
            (freezes.count(), freezes.total()),
            (1, Duration::from_millis(300))
        );
    }

    #[test]
    fn slow_pictures_freeze_only_at_three_times_their_mean() {
        let start = Instant::now();
        let mut freezes = FreezeCounter::default();
        (0..10).for_each(|frame| freezes.handle_shown(after(start, frame * 200)));
        freezes.handle_shown(after(start, 1800 + 590));
        assert_eq!(freezes.count(), 0);
        freezes.handle_shown(after(start, 1800 + 590 + 900));
        assert_eq!(freezes.count(), 1);
    }

    #[test]
    fn a_pause_is_no_freeze() {
        let start = Instant::now();
        let mut freezes = FreezeCounter::default();
        (0..10).for_each(|frame| freezes.handle_shown(after(start, frame * 33)));
        freezes.handle_pause();
        freezes.handle_shown(after(start, 60_000));
        assert_eq!(freezes.count(), 0);
    }

    #[test]
    fn a_rate_falls_to_nothing_within_a_second() {
        let start = Instant::now();
        let mut rate = SlidingRate::default();
        for frame in 0..90 {
            rate.add(after(start, frame * 1000 / 30), 1);
        }
        assert!((rate.per_second(after(start, 2999)) - 30.0).abs() < 1.5);
        assert!((rate.per_second(after(start, 3500)) - 15.0).abs() < 1.5);
        assert_eq!(rate.per_second(after(start, 4000)), 0.0);
    }
}
