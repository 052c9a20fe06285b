//! When the packets of pictures may leave. Sound never passes here. Pure.
//!
//! A keyframe of 60 kB in one burst would stand in the queue of the uplink before the next sound packet; spread over the
//! link's own pace it does not.

use ahoy_media::units::Bitrate;
use std::time::{Duration, Instant};

/// Pictures leave this much faster than the estimate, so that one is gone before the next comes; 2.5 as in libwebrtc.
const PACE_FACTOR: f64 = 2.5;
/// Packets of this much time may leave at once: timers fire a millisecond late, and a wake-up per packet costs CPU.
const BURST: Duration = Duration::from_millis(5);
/// No packet waits longer than this, however low the estimate; a picture older than this is of no use. Chosen.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Lets bytes through at a multiple of the estimated rate.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// When everything let through so far has left at the pace.
    drained_at: Option<Instant>,
}

impl Pacer {
    pub(crate) fn new() -> Self {
        Self { drained_at: None }
    }

    /// Lets a packet of `bytes` through and returns how long the sender waits before it sends it.
    pub(crate) fn handle_packet(&mut self, now: Instant, bytes: usize, target: Bitrate) -> Duration {
        let pace = target.as_bps().max(1) as f64 * PACE_FACTOR;
        let takes = Duration::from_secs_f64((bytes as f64 * 8.0 / pace).min(1.0));
        let starts = self.drained_at.map_or(now, |drained_at| drained_at.max(now));
        let ahead = (starts - now).min(LONGEST_WAIT);
        self.drained_at = Some(now + ahead + takes);
        if ahead <= BURST { Duration::ZERO } else { ahead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `packets` of 1200 bytes as one picture; returns when each left.
    fn send(pacer: &mut Pacer, begin: Instant, packets: usize, target: Bitrate) -> Vec<Duration> {
        let mut now = begin;
        (0..packets)
            .map(|_| {
                now += pacer.handle_packet(now, 1200, target);
                now - begin
            })
            .collect()
    }

    #[test]
    fn a_keyframe_is_spread_at_two_and_a_half_times_the_target() {
        let left = send(&mut Pacer::new(), Instant::now(), 50, Bitrate::from_kbps(2000));
        // 60 kB at 5 Mbit/s take 96 ms.
        let last = left[49].as_secs_f64();
        assert!((0.085..0.100).contains(&last), "{last}");
        for pair in left.windows(5) {
            assert!(pair[4] - pair[0] >= Duration::from_millis(1), "{pair:?}");
        }
    }

    #[test]
    fn a_small_picture_leaves_at_once() {
        let left = send(&mut Pacer::new(), Instant::now(), 2, Bitrate::from_kbps(2000));
        assert_eq!(left, [Duration::ZERO, Duration::ZERO]);
    }

    #[test]
    fn no_packet_waits_longer_than_a_tenth_of_a_second() {
        let mut pacer = Pacer::new();
        let now = Instant::now();
        let waits = (0..100).map(|_| pacer.handle_packet(now, 1200, Bitrate::from_kbps(50)));
        assert_eq!(waits.max(), Some(LONGEST_WAIT));
    }
}
