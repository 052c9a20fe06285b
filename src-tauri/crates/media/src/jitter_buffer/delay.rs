//! How long to hold packets: the delay that nearly all of the last seconds' packets would have met.

use std::collections::VecDeque;
use std::time::Duration;

/// Packets looked back on: 10 s at 20 ms, so that a spike is remembered longer than it takes to drain (chosen, not measured).
const WINDOW: usize = 512;
/// Packets before the first estimate; until then the initial target holds.
const WARM_UP: usize = 25;
/// Share of packets that come in time at the target. One late packet in fifty is one concealment a second; with the
/// frame of headroom above the quantile it is far fewer.
const QUANTILE: f64 = 0.98;

/// Seconds of transit (arrival minus RTP time, both from arbitrary zeros) and what follows from them.
#[derive(Debug)]
pub(super) struct DelayEstimate {
    transits: VecDeque<f64>,
    sorted: Vec<f64>,
    /// Least transit of the window: the packet that the network delayed least.
    least: f64,
    target: Duration,
    limits: (Duration, Duration),
}

impl DelayEstimate {
    pub(super) fn new(initial: Duration, least: Duration, most: Duration) -> Self {
        Self {
            transits: VecDeque::with_capacity(WINDOW),
            sorted: Vec::with_capacity(WINDOW),
            least: f64::INFINITY,
            target: initial,
            limits: (least, most),
        }
    }

    /// Takes one packet's transit in seconds and its length.
    pub(super) fn observe(&mut self, transit: f64, packet_time: Duration) {
        if self.transits.len() == WINDOW {
            self.transits.pop_front();
        }
        self.transits.push_back(transit);
        self.least = self.transits.iter().copied().fold(f64::INFINITY, f64::min);
        if self.transits.len() < WARM_UP {
            return;
        }
        self.sorted.clear();
        self.sorted.extend(self.transits.iter().map(|t| t - self.least));
        let place = ((self.sorted.len() - 1) as f64 * QUANTILE).round() as usize;
        let (_, late, _) = self.sorted.select_nth_unstable_by(place, f64::total_cmp);
        let wanted = Duration::from_secs_f64(late.clamp(0.0, 10.0)) + packet_time;
        self.target = wanted.clamp(self.limits.0, self.limits.1);
    }

    /// Least transit in the window, seconds; infinite before the first packet.
    pub(super) fn least_transit(&self) -> f64 {
        self.least
    }

    /// From the arrival of the least delayed packet to its playing.
    pub(super) fn target(&self) -> Duration {
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn estimate() -> DelayEstimate {
        DelayEstimate::new(
            Duration::from_millis(60),
            Duration::from_millis(40),
            Duration::from_millis(400),
        )
    }

    #[test]
    fn a_steady_network_comes_down_to_the_floor() {
        let mut delay = estimate();
        assert_eq!(delay.target(), Duration::from_millis(60));
        for _ in 0..WARM_UP {
            delay.observe(7.0, FRAME);
        }
        assert_eq!(delay.target(), Duration::from_millis(40));
    }

    #[test]
    fn jitter_raises_the_target_and_calm_lowers_it_again() {
        let mut delay = estimate();
        for n in 0..WINDOW {
            delay.observe(if n % 10 == 0 { 0.080 } else { 0.0 }, FRAME);
        }
        assert_eq!(delay.target(), Duration::from_millis(100));
        for _ in 0..WINDOW {
            delay.observe(0.0, FRAME);
        }
        assert_eq!(delay.target(), Duration::from_millis(40));
    }

    #[test]
    fn one_spike_is_not_jitter_and_no_delay_passes_the_ceiling() {
        let mut delay = estimate();
        for _ in 0..200 {
            delay.observe(0.0, FRAME);
        }
        delay.observe(3.0, FRAME);
        assert_eq!(delay.target(), Duration::from_millis(40));
        for n in 0..WINDOW {
            delay.observe(if n % 2 == 0 { 5.0 } else { 0.0 }, FRAME);
        }
        assert_eq!(delay.target(), Duration::from_millis(400));
    }
}
