//! How full to keep a speaker's queue: enough for what it takes at once and for this thread waking late. Pure.

use std::time::{Duration, Instant};

/// Kept beyond what the speaker was seen to take between two looks, which holds the lateness of this thread already: a
/// tick, for a wake-up that is later than all of the last seconds.
const MARGIN: Duration = Duration::from_millis(5);

/// Assumed of a speaker before it has been watched: the usual period of a sound card.
const USUAL_PERIOD: Duration = Duration::from_millis(10);

/// More is kept after each underrun; fewer come with every step.
const UNDERRUN_STEP: Duration = Duration::from_millis(5);

/// Fill is delay: beyond it, underruns are the lesser evil.
const MOST: Duration = Duration::from_millis(100);

/// A large step of the speaker is remembered for one to two of these.
const MEMORY: Duration = Duration::from_secs(5);

/// Watches one speaker.
#[derive(Debug)]
pub(super) struct FillTarget {
    last_queued: Option<Duration>,
    /// The largest amount taken between two looks, in this span of memory and the one before.
    taken: [Duration; 2],
    span_began: Option<Instant>,
    underruns: u64,
    extra: Duration,
}

impl FillTarget {
    pub(super) fn new() -> Self {
        Self {
            last_queued: None,
            taken: [USUAL_PERIOD, Duration::ZERO],
            span_began: None,
            underruns: 0,
            extra: Duration::ZERO,
        }
    }

    /// Takes the length of the queue as it is found.
    pub(super) fn observe(&mut self, queued: Duration, underruns: u64, now: Instant) {
        let began = *self.span_began.get_or_insert(now);
        if now.saturating_duration_since(began) > MEMORY {
            self.span_began = Some(now);
            self.taken = [Duration::ZERO, self.taken[0]];
        }
        if let Some(last) = self.last_queued {
            self.taken[0] = self.taken[0].max(last.saturating_sub(queued));
        }
        if underruns > self.underruns {
            self.underruns = underruns;
            self.extra += UNDERRUN_STEP;
        }
    }

    /// Takes the length of the queue as it is left.
    pub(super) fn written(&mut self, queued: Duration) {
        self.last_queued = Some(queued);
    }

    /// Below this the queue is filled up, a frame at a time.
    pub(super) fn target(&self) -> Duration {
        (self.taken[0].max(self.taken[1]) + MARGIN + self.extra).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_speaker_that_takes_thirty_milliseconds_at_once_is_kept_ahead_of_that() {
        let start = Instant::now();
        let mut fill = FillTarget::new();
        assert_eq!(fill.target(), USUAL_PERIOD + MARGIN);
        fill.written(ms(60));
        fill.observe(ms(30), 0, start);
        assert_eq!(fill.target(), ms(30) + MARGIN);
    }

    #[test]
    fn a_late_wake_up_is_forgotten_after_a_while() {
        let start = Instant::now();
        let mut fill = FillTarget::new();
        fill.observe(ms(0), 0, start);
        fill.written(ms(60));
        fill.observe(ms(5), 0, start + ms(60));
        assert_eq!(fill.target(), ms(55) + MARGIN);
        for step in 1..=24 {
            fill.written(ms(40));
            fill.observe(ms(35), 0, start + ms(500) * step);
        }
        assert_eq!(fill.target(), ms(5) + MARGIN);
    }

    #[test]
    fn underruns_raise_the_fill_up_to_a_limit() {
        let start = Instant::now();
        let mut fill = FillTarget::new();
        let calm = fill.target();
        fill.observe(ms(0), 1, start);
        fill.observe(ms(0), 1, start);
        assert_eq!(fill.target(), calm + UNDERRUN_STEP);
        for underruns in 2..100 {
            fill.observe(ms(0), underruns, start);
        }
        assert_eq!(fill.target(), MOST);
    }
}
