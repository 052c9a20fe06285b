//! How high the processor lets the picture climb. Pure, told the time.

use super::rungs::{OFF, RUNGS};
use std::time::{Duration, Instant};

/// Share of the time between two pictures that encoding may take; what captures, scales and decodes needs the rest.
const BUSY: f64 = 0.85;
/// Busy for so long, it is no hiccup.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The rung above is tried again when it would take less than this of the time.
const EASY: f64 = 0.5;
const EASY_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct CpuCap {
    /// The highest rung allowed.
    top: usize,
    busy_since: Option<Instant>,
    easy_since: Option<Instant>,
}

impl CpuCap {
    pub(super) fn top(&self) -> usize {
        self.top
    }

    /// `encode_time` of one picture on `rung`, smoothed.
    pub(super) fn handle_encoding(&mut self, now: Instant, rung: usize, encode_time: Duration) {
        let Some(current) = RUNGS.get(rung) else { return };
        let load = encode_time.as_secs_f64() * f64::from(current.frame_rate);
        if load > BUSY {
            self.easy_since = None;
            let since = *self.busy_since.get_or_insert(now);
            // The last rung with moving pictures is never given up for the processor.
            if now.saturating_duration_since(since) >= BUSY_FOR && rung + 2 < OFF {
                self.top = rung + 1;
                self.busy_since = None;
            }
            return;
        }
        self.busy_since = None;
        let Some(above) = self.top.checked_sub(1).filter(|_| rung == self.top) else {
            self.easy_since = None;
            return;
        };
        let pixels = |rung: usize| RUNGS[rung].resolution.pixels() as f64;
        if load * pixels(above) / pixels(rung) > EASY {
            self.easy_since = None;
            return;
        }
        let since = *self.easy_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= EASY_FOR {
            self.top = above;
            self.easy_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_processor_lowers_the_top_and_an_idle_one_raises_it_again() {
        let (mut cap, start) = (CpuCap::default(), Instant::now());
        let mut at = |seconds: u64, rung, encode_time| {
            let now = start + Duration::from_secs(seconds);
            cap.handle_encoding(now, rung, Duration::from_millis(encode_time));
            cap.top()
        };
        // 32 ms of 33 at 720p.
        assert_eq!(at(0, 1, 32), 0);
        assert_eq!(at(1, 1, 32), 0, "one second is a hiccup");
        assert_eq!(at(2, 1, 32), 2);
        // 15 ms at 540p would be 27 at 720p.
        assert_eq!(at(3, 2, 15), 2);
        assert_eq!(at(30, 2, 15), 2);
        // 8 ms would be 14.
        assert_eq!(at(31, 2, 8), 2);
        assert_eq!(at(41, 2, 8), 1);
    }
}
