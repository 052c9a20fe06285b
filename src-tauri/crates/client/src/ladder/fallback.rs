//! When the picture is given up because the other side wishes so on a poor path (IM-Suite §5, `fallback_to_audio`). Pure.

use ahoy_media::units::Bitrate;
use std::time::{Duration, Instant};

/// The estimate must stay on one side of the limit for so long (IM-Suite §5).
const STAYS: Duration = Duration::from_secs(5);
/// Above what the other side names as its least (IM-Suite §5).
const ABOVE_MIN: Bitrate = Bitrate::from_kbps(100);
/// The picture comes back this far above the limit, in percent, so that it does not flap.
const BACK_PERCENT: u64 = 120;

#[derive(Debug, Default)]
pub(super) struct Fallback {
    fallen: bool,
    /// Since when the estimate is on the side that would change this.
    since: Option<Instant>,
}

impl Fallback {
    /// Whether there is to be no picture. `least`: the other side's `min_bandwidth` if it wishes for this.
    pub(super) fn handle_estimate(
        &mut self,
        now: Instant,
        estimate: Bitrate,
        least: Option<Bitrate>,
    ) -> bool {
        let Some(least) = least else {
            *self = Self::default();
            return false;
        };
        let limit = least.as_bps() + ABOVE_MIN.as_bps();
        let crosses = if self.fallen {
            estimate.as_bps() >= limit * BACK_PERCENT / 100
        } else {
            estimate.as_bps() < limit
        };
        if !crosses {
            self.since = None;
        } else if now.saturating_duration_since(*self.since.get_or_insert(now)) >= STAYS {
            self.fallen = !self.fallen;
            self.since = None;
        }
        self.fallen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_seconds_under_the_limit_pause_the_picture_and_five_above_bring_it_back() {
        let (mut fallback, start) = (Fallback::default(), Instant::now());
        let mut at = |seconds, kbps| {
            let least = Some(Bitrate::from_kbps(64));
            fallback.handle_estimate(
                start + Duration::from_secs(seconds),
                Bitrate::from_kbps(kbps),
                least,
            )
        };
        assert!(!at(0, 160) && !at(4, 160));
        assert!(!at(5, 170), "a moment above counts anew");
        assert!(!at(6, 160) && at(11, 160));
        assert!(at(12, 180) && at(20, 180), "a little above is not enough");
        assert!(at(21, 200) && !at(26, 200));
    }

    #[test]
    fn who_does_not_wish_for_it_keeps_the_picture() {
        let (mut fallback, now) = (Fallback::default(), Instant::now());
        assert!(!fallback.handle_estimate(now, Bitrate::from_kbps(30), None));
        assert!(!fallback.handle_estimate(now + STAYS * 2, Bitrate::from_kbps(30), None));
    }
}
