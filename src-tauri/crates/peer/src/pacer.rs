//! When the packets of pictures may leave. Sound never passes here. Pure.
//!
//! A keyframe of 60 kB in one burst would stand in the queue of the uplink before the next sound packet; spread over the
//! link's own pace it does not. A probing burst is the one time when they leave faster than that, and where there are no
//! pictures it is filled up.

use crate::estimator::{Burst, PACKETS_OF_A_BURST};
use std::time::{Duration, Instant};

/// Pictures leave this much faster than the estimate, so that one is gone before the next comes. libwebrtc has 2.5;
/// a path of exactly the estimate then holds a fifth more of a picture than at 1.8, and the voice waits behind it.
const PACE_FACTOR: f64 = 1.8;
/// Packets of this much time may leave at once: timers fire a millisecond late, and a wake-up per packet costs CPU.
const GRAIN: Duration = Duration::from_millis(5);
/// A machine that is busy wakes the sender so late; what should have left meanwhile leaves then.
const CATCH_UP: Duration = Duration::from_millis(50);
/// What waits leaves within this time, however low the estimate; a picture older than this is of no use. Chosen.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// What waits may be this much before the encoder is asked to leave a picture out.
const BACKLOG: Duration = Duration::from_millis(100);

/// Lets bytes through at a multiple of the estimated rate.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// When everything let through so far has left at the pace.
    drained_at: Option<Instant>,
    burst: Option<Running>,
}

#[derive(Debug)]
struct Running {
    rate: f64,
    bytes: usize,
    packets: usize,
    begin: Option<Instant>,
}

/// The moments between which a burst left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BurstSent {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Pacer {
    /// Lets what follows through at the rate of the burst until enough has left.
    pub(crate) fn handle_burst(&mut self, burst: Burst) {
        self.burst = Some(Running {
            rate: burst.rate,
            bytes: burst.bytes,
            packets: PACKETS_OF_A_BURST,
            begin: None,
        });
    }

    /// Nothing waited until now: a pause saves nothing up.
    pub(crate) fn handle_idle(&mut self, now: Instant) {
        let earliest = now.checked_sub(GRAIN).unwrap_or(now);
        self.drained_at = self.drained_at.map(|at| at.max(earliest));
    }

    /// Whether a packet is wanted that fills the burst because no picture waits.
    pub(crate) fn wants_padding(&self) -> bool {
        self.burst.is_some()
    }

    /// When the next packet may leave; `now` or earlier = at once.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        // Bursts are for measuring: their packets leave one by one.
        let grain = if self.burst.is_some() {
            Duration::ZERO
        } else {
            GRAIN
        };
        self.drained_at
            .map_or(now, |at| at.checked_sub(grain).unwrap_or(now))
    }

    /// Takes note of a packet that leaves, `waiting` bytes still behind it. Rates are in bits per second.
    pub(crate) fn handle_sent(
        &mut self,
        now: Instant,
        bytes: usize,
        waiting: usize,
        target: f64,
    ) -> Option<BurstSent> {
        let pace = match &self.burst {
            Some(burst) => burst.rate,
            None => pace(waiting, target),
        };
        let takes = Duration::from_secs_f64((bytes as f64 * 8.0 / pace.max(1.0)).min(1.0));
        // A timer that fires late must not lower the rate.
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let starts = self.drained_at.map_or(now, |drained_at| drained_at.max(earliest));
        self.drained_at = Some(starts + takes);
        let burst = self.burst.as_mut()?;
        let begin = *burst.begin.get_or_insert(now);
        burst.bytes = burst.bytes.saturating_sub(bytes);
        burst.packets = burst.packets.saturating_sub(1);
        if burst.bytes > 0 || burst.packets > 0 {
            return None;
        }
        self.burst = None;
        Some(BurstSent { begin, end: now })
    }

    /// Whether so much waits that the next picture had better not be encoded.
    pub(crate) fn is_behind(waiting: usize, target: f64) -> bool {
        waiting as f64 * 8.0 > pace(waiting, target) * BACKLOG.as_secs_f64()
    }
}

fn pace(waiting: usize, target: f64) -> f64 {
    (target * PACE_FACTOR).max(waiting as f64 * 8.0 / LONGEST_WAIT.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `packets` of 1200 bytes as one picture; returns when each left.
    fn send(pacer: &mut Pacer, begin: Instant, packets: usize, target: f64) -> Vec<Duration> {
        let mut now = begin;
        (0..packets)
            .map(|number| {
                now = now.max(pacer.due(now));
                pacer.handle_sent(now, 1200, (packets - number - 1) * 1200, target);
                now - begin
            })
            .collect()
    }

    #[test]
    fn a_keyframe_is_spread_at_nearly_twice_the_target() {
        let left = send(&mut Pacer::default(), Instant::now(), 50, 2e6);
        // 60 kB at 3.6 Mbit/s take 133 ms.
        let last = left[49].as_secs_f64();
        assert!((0.120..0.135).contains(&last), "{last}");
        for pair in left.windows(5) {
            assert!(pair[4] - pair[0] >= Duration::from_millis(2), "{pair:?}");
        }
    }

    #[test]
    fn a_small_picture_leaves_at_once() {
        let left = send(&mut Pacer::default(), Instant::now(), 2, 2e6);
        assert_eq!(left[0], Duration::ZERO);
        assert!(left[1] < Duration::from_millis(1), "{left:?}");
    }

    #[test]
    fn nothing_waits_much_longer_than_a_quarter_of_a_second() {
        let left = send(&mut Pacer::default(), Instant::now(), 100, 50e3);
        // What is left of the picture always shares the quarter anew.
        assert!(left[50] < LONGEST_WAIT, "{:?}", left[50]);
        assert!(left[95] < LONGEST_WAIT * 4, "{:?}", left[95]);
        assert!(Pacer::is_behind(60_000, 50e3) && !Pacer::is_behind(1200, 200e3));
    }

    #[test]
    fn a_burst_leaves_at_its_own_rate_and_tells_when() {
        let (mut pacer, begin) = (Pacer::default(), Instant::now());
        assert!(!pacer.wants_padding());
        pacer.handle_burst(Burst {
            rate: 3e6,
            bytes: 15_000,
        });
        let mut now = begin;
        let sent = loop {
            assert!(pacer.wants_padding());
            now = now.max(pacer.due(now));
            if let Some(sent) = pacer.handle_sent(now, 1200, 0, 1e6) {
                break sent;
            }
        };
        // 13 packets of 1200 bytes, 3.2 ms between each.
        let took = (sent.end - sent.begin).as_secs_f64();
        assert!((0.037..0.040).contains(&took), "{took}");
        assert!(!pacer.wants_padding());
    }
}
