//! How long each picture waits. Pure.
//!
//! ```text
//!            sound to wait for
//!   Free ────────────────────────► Delayed ─┐ moves by STEP a picture towards what is wanted
//!     ▲                                     │
//!     └─────── no sound any more, and the delay is down to what the network makes it
//! ```

use std::time::{Duration, Instant};

/// Seconds that the delay changes by with one picture: at 30 a second nine hundredths of a second per second, which nobody
/// sees as slower or faster (chosen, not measured).
const STEP: f64 = 0.003;

/// No picture waits longer: a conversation is worth more than lips.
const LONGEST: Duration = Duration::from_millis(250);

/// Seconds between pictures and sound that no network makes; whoever says so has two clocks.
const UNBELIEVABLE: f64 = 1.0;

/// The delay of the pictures of one stream. A transit is the time from the sender to here in seconds, with an offset that is
/// the same for all.
#[derive(Debug, Default)]
pub(super) struct PictureDelay {
    /// Transit with which pictures are shown; `None` while they are shown as they come.
    transit: Option<f64>,
    last: Option<Instant>,
}

impl PictureDelay {
    /// When to show a picture that is there `now`, after this transit. `wanted`: the transit that it should have.
    pub(super) fn show_at(&mut self, now: Instant, transit: f64, wanted: Option<f64>) -> Instant {
        let believed = |other: &f64| (other - transit).abs() < UNBELIEVABLE;
        // The sender's clock was set, or the network stood still.
        self.transit = self.transit.filter(believed);
        self.transit = self.next_transit(transit, wanted.filter(believed));
        let wait = self.transit.map_or(0.0, |shown| shown - transit);
        let wait = Duration::from_secs_f64(wait.clamp(0.0, LONGEST.as_secs_f64()));
        let at = (now + wait).max(self.last.unwrap_or(now));
        self.last = Some(at);
        at
    }

    fn next_transit(&self, transit: f64, wanted: Option<f64>) -> Option<f64> {
        let target = match (self.transit, wanted) {
            (None, None) => return None,
            (Some(shown), None) if shown <= transit => return None,
            (_, None) => transit,
            (_, Some(wanted)) => wanted,
        };
        // Below what the network makes of it, a delay is none: it is taken up where the pictures are.
        let from = self
            .transit
            .map_or(transit, |shown| shown.max(transit.min(target)));
        Some(from + (target - from).clamp(-STEP, STEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GAP: Duration = Duration::from_millis(33);

    /// Shows pictures that come at even times; returns how long each waits, in milliseconds.
    fn waits(delay: &mut PictureDelay, start: Instant, count: u32, wanted: Option<f64>) -> Vec<f64> {
        (0..count)
            .map(|number| {
                let now = start + GAP * number;
                let at = delay.show_at(now, 5.0, wanted);
                (at - now).as_secs_f64() * 1000.0
            })
            .collect()
    }

    #[test]
    fn the_delay_grows_by_steps_to_what_is_wanted_and_stays() {
        let mut delay = PictureDelay::default();
        let start = Instant::now();
        let waits = waits(&mut delay, start, 60, Some(5.080));
        assert!(waits[0] <= 3.001, "{waits:?}");
        for pair in waits.windows(2) {
            let step = pair[1] - pair[0];
            assert!((-0.001..=3.001).contains(&step), "{waits:?}");
        }
        assert!((waits[59] - 80.0).abs() < 0.01, "{waits:?}");
        assert!((waits[30] - 80.0).abs() < 0.01, "within a second: {waits:?}");
    }

    #[test]
    fn without_sound_the_delay_falls_by_steps_to_nothing() {
        let mut delay = PictureDelay::default();
        let start = Instant::now();
        assert!(waits(&mut delay, start, 5, None).iter().all(|wait| *wait == 0.0));
        waits(&mut delay, start + GAP * 5, 40, Some(5.060));
        let falling = waits(&mut delay, start + GAP * 45, 40, None);
        assert!(falling[0] > 50.0 && falling[39] == 0.0, "{falling:?}");
        assert!(falling.windows(2).all(|pair| pair[0] - pair[1] <= 3.001));
        assert_eq!(delay.transit, None);
    }

    #[test]
    fn a_picture_that_comes_after_its_sound_is_shown_at_once() {
        let mut delay = PictureDelay::default();
        let waits = waits(&mut delay, Instant::now(), 20, Some(4.9));
        assert!(waits.iter().all(|wait| *wait == 0.0));
    }

    #[test]
    fn sound_that_is_far_behind_is_not_waited_for_for_long_and_beyond_belief_not_at_all() {
        let mut delay = PictureDelay::default();
        let far = waits(&mut delay, Instant::now(), 300, Some(5.9));
        assert_eq!(far[299], 250.0);
        let mut delay = PictureDelay::default();
        let beyond = waits(&mut delay, Instant::now(), 300, Some(6.1));
        assert!(beyond.iter().all(|wait| *wait == 0.0));
    }

    proptest! {
        /// Whatever the network and the sound do, pictures keep their order and none waits longer than the longest.
        #[test]
        fn order_and_limit_hold(
            line in prop::collection::vec((0_u64..80, -0.5_f64..0.5, prop::option::of(-3.0_f64..3.0)), 1..200),
        ) {
            let mut delay = PictureDelay::default();
            let (mut now, mut before) = (Instant::now(), None);
            for (gap, transit, wanted) in line {
                now += Duration::from_millis(gap);
                let at = delay.show_at(now, transit, wanted);
                prop_assert!(at >= now && at - now <= LONGEST);
                prop_assert!(before.is_none_or(|before| at >= before));
                before = Some(at);
            }
        }

        /// With any unevenness of the network below the delay, pictures are shown as evenly as they were taken.
        #[test]
        fn uneven_arrivals_are_shown_evenly(late in prop::collection::vec(0.0_f64..0.040, 40..120)) {
            let mut delay = PictureDelay::default();
            let start = Instant::now();
            let mut shown = Vec::new();
            for (number, late) in late.iter().enumerate() {
                let now = start + GAP * number as u32 + Duration::from_secs_f64(*late);
                shown.push(delay.show_at(now, 5.0 + late, Some(5.060)));
            }
            for pair in shown[30..].windows(2) {
                let gap = (pair[1] - pair[0]).as_secs_f64();
                prop_assert!((gap - GAP.as_secs_f64()).abs() < 0.0001, "{}", gap);
            }
        }
    }
}
