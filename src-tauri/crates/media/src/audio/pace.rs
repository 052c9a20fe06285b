//! Clocks of devices that have none: synthetic and file devices follow the time they are told.

use crate::units::SampleRate;
use std::time::{Duration, Instant};

/// How many samples a source without a crystal owes.
#[derive(Debug)]
pub struct CapturePace {
    rate: SampleRate,
    started: Option<Instant>,
    delivered: u64,
}

/// What is due of a source at one moment, samples per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Number of the first due sample since the start.
    pub first: u64,
    pub count: usize,
}

/// A read carries at most so much (the contract of `AudioSource`).
const LONGEST_READ: Duration = Duration::from_millis(100);

/// What was not asked for in so long is skipped: a process that was stopped does not replay the past.
const LONGEST_DEBT: Duration = Duration::from_secs(1);

impl CapturePace {
    pub fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            started: None,
            delivered: 0,
        }
    }

    /// Takes what is due; the first call starts the clock and owes nothing.
    pub fn take(&mut self, now: Instant) -> Due {
        let started = *self.started.get_or_insert(now);
        let captured = self.rate.samples_in(now.saturating_duration_since(started)) as u64;
        if captured.saturating_sub(self.delivered) > self.rate.samples_in(LONGEST_DEBT) as u64 {
            self.delivered = captured - self.rate.samples_in(LONGEST_READ) as u64;
        }
        let first = self.delivered;
        let owed = captured.saturating_sub(first) as usize;
        let count = owed.min(self.rate.samples_in(LONGEST_READ));
        self.delivered += count as u64;
        Due { first, count }
    }
}

/// The queue of a sink that plays by the clock, without the samples.
#[derive(Debug)]
pub struct PlaybackPace {
    rate: SampleRate,
    started: Option<Instant>,
    /// Samples per channel on the time line so far: written, or passed in silence.
    position: u64,
    underruns: u64,
    dropped: u64,
}

/// What becomes of a write, samples per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Silence that was played because the queue had run dry.
    pub dry: u64,
    /// Place of the first sample on the time line.
    pub first: u64,
    /// How many of the samples fit.
    pub taken: usize,
}

/// Longer than any pipeline fills; a sink that is written more drops it.
const LONGEST_QUEUE: Duration = Duration::from_millis(500);

impl PlaybackPace {
    pub fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            started: None,
            position: 0,
            underruns: 0,
            dropped: 0,
        }
    }

    /// Samples per channel that are written and not yet played.
    pub fn queued(&self, now: Instant) -> usize {
        self.position.saturating_sub(self.played(now)) as usize
    }

    /// Places `count` samples after those queued; the first write starts the clock.
    pub fn place(&mut self, now: Instant, count: usize) -> Placed {
        self.started.get_or_insert(now);
        let dry = self.played(now).saturating_sub(self.position);
        if dry > 0 {
            self.underruns += 1;
            self.position += dry;
        }
        let room = self
            .rate
            .samples_in(LONGEST_QUEUE)
            .saturating_sub(self.queued(now));
        let taken = count.min(room);
        let first = self.position;
        self.position += taken as u64;
        self.dropped += (count - taken) as u64;
        Placed { dry, first, taken }
    }

    /// When a sample of the time line is played; `None` before the first write.
    pub fn played_at(&self, sample: u64) -> Option<Instant> {
        self.started
            .map(|started| started + self.rate.time_of(sample as usize))
    }

    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Samples per channel that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn played(&self, now: Instant) -> u64 {
        self.started.map_or(0, |started| {
            self.rate.samples_in(now.saturating_duration_since(started)) as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::HZ_48000;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_source_owes_exactly_the_time_that_passed() {
        let start = Instant::now();
        let mut pace = CapturePace::new(SampleRate::from_hz(44_100));
        let mut total = pace.take(start).count;
        for step in 1..=1000 {
            total += pace.take(start + ms(7 * step)).count;
        }
        assert_eq!(total, 44_100 * 7);
    }

    #[test]
    fn a_late_reader_gets_the_rest_at_the_next_read() {
        let start = Instant::now();
        let mut pace = CapturePace::new(RATE);
        pace.take(start);
        assert_eq!(
            pace.take(start + ms(130)),
            Due {
                first: 0,
                count: 4800
            }
        );
        assert_eq!(
            pace.take(start + ms(130)),
            Due {
                first: 4800,
                count: 1440
            }
        );
    }

    #[test]
    fn a_stopped_reader_skips_the_past() {
        let start = Instant::now();
        let mut pace = CapturePace::new(RATE);
        pace.take(start);
        assert_eq!(
            pace.take(start + ms(5_000)),
            Due {
                first: 49 * 4800,
                count: 4800
            }
        );
    }

    #[test]
    fn a_sink_that_runs_dry_says_how_long() {
        let start = Instant::now();
        let mut pace = PlaybackPace::new(RATE);
        assert_eq!(
            pace.place(start, 960),
            Placed {
                dry: 0,
                first: 0,
                taken: 960
            }
        );
        assert_eq!(pace.queued(start + ms(5)), 720);
        assert_eq!(
            pace.place(start + ms(30), 960),
            Placed {
                dry: 480,
                first: 1440,
                taken: 960
            }
        );
        assert_eq!(pace.underruns(), 1);
        assert_eq!(pace.played_at(1440), Some(start + ms(30)));
    }

    #[test]
    fn a_sink_that_is_flooded_drops_and_counts() {
        let start = Instant::now();
        let mut pace = PlaybackPace::new(RATE);
        assert_eq!(pace.place(start, 30_000).taken, 24_000);
        assert_eq!((pace.place(start, 10).taken, pace.dropped()), (0, 6_010));
    }
}
