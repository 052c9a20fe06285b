//! Whether to play faster, slower or as it comes, so that the delay goes to its target unheard. Pure.

/// How the next frame is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it is.
    Even,
    /// Shortened by a pitch period, where that cannot be heard.
    Faster,
    /// Shortened, even where it may be heard: the delay is far too long.
    Hurried,
    /// Lengthened by a pitch period, where that cannot be heard.
    Slower,
}

/// Seconds above the target from which frames are shortened. Band of both margins: longer than the longest pitch
/// period that a stretch moves, so that one stretch never calls for its opposite.
const MARGIN_ABOVE: f64 = 0.010;
/// Seconds below the target from which frames are lengthened.
const MARGIN_BELOW: f64 = 0.006;
/// Seconds above the target from which it hurries.
const FAR_ABOVE: f64 = 0.040;
/// Pulls between two shortenings that may be heard as haste (chosen, not measured).
const REST: u32 = 2;
/// Share of a new reading: speakers take 10 or 20 ms at once, so a single reading says little.
const SMOOTHING: f64 = 0.2;

/// The smoothed delay of what is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacedDelay {
    seconds: f64,
    since_stretch: u32,
}

impl PacedDelay {
    pub(super) fn new(seconds: f64) -> Self {
        Self {
            seconds,
            since_stretch: 0,
        }
    }

    /// Takes the delay in seconds that the next sample has met at this pull, and answers for a target in seconds.
    pub(super) fn pace(&mut self, seconds: f64, target: f64) -> Pace {
        self.seconds += (seconds - self.seconds) * SMOOTHING;
        self.since_stretch = self.since_stretch.saturating_add(1);
        let excess = self.seconds - target;
        if excess > FAR_ABOVE {
            Pace::Hurried
        } else if excess > MARGIN_ABOVE && self.since_stretch > REST {
            Pace::Faster
        } else if excess < -MARGIN_BELOW {
            Pace::Slower
        } else {
            Pace::Even
        }
    }

    /// Hears that the delay was changed by this many seconds.
    pub(super) fn shift(&mut self, seconds: f64) {
        self.seconds += seconds;
        self.since_stretch = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_the_band_nothing_is_stretched() {
        let mut delay = PacedDelay::new(0.045);
        for n in 0..100 {
            let reading = if n % 2 == 0 { 0.035 } else { 0.055 };
            assert_eq!(
                delay.pace(reading, 0.045),
                Pace::Even,
                "readings vary with the speaker"
            );
        }
    }

    #[test]
    fn a_long_delay_hurries_first_and_then_goes_on_at_leisure() {
        let mut delay = PacedDelay::new(0.200);
        let mut real = 0.200;
        let mut paces = Vec::new();
        for _ in 0..200 {
            let pace = delay.pace(real, 0.040);
            if matches!(pace, Pace::Faster | Pace::Hurried) {
                real -= 0.005;
                delay.shift(-0.005);
            }
            paces.push(pace);
        }
        assert_eq!(paces[0], Pace::Hurried);
        assert!(real < 0.051 && real > 0.035, "{real}");
        let last_hurry = paces.iter().rposition(|p| *p == Pace::Hurried).expect("hurried");
        let faster = &paces[last_hurry + 1..];
        assert!(faster.windows(2).all(|two| two != [Pace::Faster, Pace::Faster]));
        assert!(!paces.contains(&Pace::Slower));
    }
}
