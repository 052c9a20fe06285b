//! How long to hold packets: the delay within which nearly all of the last seconds' frames could be played.

use super::loss::LossReach;
use super::repair::RepairReach;
use std::collections::VecDeque;
use std::time::Duration;

/// What frames are measured in: windows and shares are of time, whatever the length of the frames.
const UNIT: Duration = Duration::from_millis(20);
/// Units looked back on: 8 s; what is older weighs next to nothing.
const WINDOW: f64 = 400.0;
/// Units among which the least delayed one is searched: 2 s, so that a route that got longer is soon the usual one.
const BASE_WINDOW: f64 = 100.0;
/// Units before the first estimate; until then the initial target holds.
const WARM_UP: f64 = 15.0;
/// Frames in the window at most, where they are of the usual length.
const USUAL_WINDOW: usize = 401;
/// Share of frames that come in time at the quantile (FIGURES: as the reference does); the headroom above it covers most
/// of the rest.
const QUANTILE: f64 = 0.95;
/// Weight of a unit against the one after it: half is forgotten in 1.4 s. Six late units in a row are then more than
/// a twentieth of all and raise the target at once. Measured on traces: 0.983 holds Wi-Fi bursts 2 ms longer.
const FORGET: f64 = 0.99;
/// Share of the way down that the target goes with each unit: a time constant of 0.7 s, so that a spike of 300 ms is
/// forgotten in 5 s together with the quantile.
const RELEASE: f64 = 0.03;

/// Waited for at least, on top of what the network does: frames are asked for at even times to within a tick of 5 ms,
/// whatever their length.
const EVENNESS: Duration = Duration::from_millis(10);

/// Seconds of transit (arrival minus RTP time, both from arbitrary zeros) and what follows from them.
#[derive(Debug)]
pub(super) struct DelayEstimate {
    /// With the units of each frame, the newest first.
    transits: VecDeque<(f64, f64)>,
    /// Of all of them.
    units: f64,
    /// Of the same frames: how much longer than the least, and the weight.
    weighed: Vec<(f64, f64)>,
    /// Least transit of the last frames: the packet that the network delayed least.
    least: f64,
    loss: LossReach,
    repair: RepairReach,
    target: Duration,
    limits: (Duration, Duration),
}

impl DelayEstimate {
    pub(super) fn new(initial: Duration, least: Duration, most: Duration) -> Self {
        Self {
            transits: VecDeque::with_capacity(USUAL_WINDOW),
            units: 0.0,
            weighed: Vec::with_capacity(USUAL_WINDOW),
            least: f64::INFINITY,
            loss: LossReach::new(),
            repair: RepairReach::new(),
            target: initial,
            limits: (least, most),
        }
    }

    /// Takes one frame that is lost but can be rebuilt from a packet that came so many frames later.
    pub(super) fn observe_lost(&mut self, distance: usize) {
        let units = self.transits.front().map_or(1.0, |&(_, units)| units);
        self.loss.observe(distance, units);
    }

    /// Takes the transit in seconds of one packet that had to be asked for again, and its length.
    pub(super) fn observe_repaired(&mut self, transit: f64, frame: Duration) {
        self.repair
            .observe_repaired(transit - self.least, units_of(frame));
    }

    /// Takes the transit in seconds of one packet and its length.
    pub(super) fn observe(&mut self, transit: f64, frame: Duration) {
        let units = units_of(frame);
        self.loss.observe(0, units);
        self.repair.observe_in_time(units);
        self.transits.push_front((transit, units));
        self.units += units;
        while self.units > WINDOW
            && let Some((_, oldest)) = self.transits.pop_back()
        {
            self.units -= oldest;
        }
        let mut seen = 0.0;
        let recent = self.transits.iter().take_while(|(_, units)| {
            seen += units;
            seen <= BASE_WINDOW
        });
        self.least = recent.map(|&(transit, _)| transit).fold(transit, f64::min);
        if self.units < WARM_UP {
            return;
        }
        let late = Duration::from_secs_f64(self.quantile().clamp(0.0, 10.0));
        // One that is to be rebuilt is asked for between two packets, so it needs whole frames.
        let wanted = late
            + match self.loss.frames() {
                0 => EVENNESS.min(frame / 2),
                lost => frame * (1 + lost),
            };
        let repaired = match self.repair.wait() {
            Duration::ZERO => Duration::ZERO,
            wait => wait + EVENNESS.min(frame / 2),
        };
        let wanted = wanted.max(repaired).clamp(self.limits.0, self.limits.1);
        self.target = if wanted >= self.target {
            wanted
        } else {
            self.target - (self.target - wanted).mul_f64(1.0 - (1.0 - RELEASE).powf(units))
        };
    }

    /// Least transit in the window, seconds; infinite before the first packet.
    pub(super) fn least_transit(&self) -> f64 {
        self.least
    }

    /// From the arrival of the least delayed packet to its playing.
    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// Seconds above the least transit that the given share of frames stay within, new frames counting most.
    fn quantile(&mut self) -> f64 {
        self.weighed.clear();
        let mut weight = 1.0;
        let mut total = 0.0;
        for &(transit, units) in &self.transits {
            self.weighed
                .push(((transit - self.least).max(0.0), weight * units));
            total += weight * units;
            weight *= FORGET.powf(units);
        }
        self.weighed.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut later = total * (1.0 - QUANTILE);
        for &(late, weight) in &self.weighed {
            later -= weight;
            if later < 0.0 {
                return late;
            }
        }
        0.0
    }
}

fn units_of(frame: Duration) -> f64 {
    frame.as_secs_f64() / UNIT.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn estimate() -> DelayEstimate {
        DelayEstimate::new(
            Duration::from_millis(60),
            Duration::from_millis(20),
            Duration::from_millis(400),
        )
    }

    fn settle(delay: &mut DelayEstimate, frames: usize, late: impl Fn(usize) -> f64) {
        for n in 0..frames {
            delay.observe(late(n), FRAME);
        }
    }

    #[test]
    fn a_steady_network_comes_down_to_the_floor() {
        let mut delay = estimate();
        assert_eq!(delay.target(), Duration::from_millis(60));
        settle(&mut delay, 250, |_| 7.0);
        assert!(delay.target() < Duration::from_millis(21), "{:?}", delay.target());
    }

    #[test]
    fn the_target_is_the_quantile_and_half_a_frame() {
        let mut delay = estimate();
        settle(&mut delay, 500, |n| if n % 10 == 0 { 0.080 } else { 0.0 });
        assert_eq!(delay.target(), Duration::from_millis(90));
        let mut delay = estimate();
        settle(&mut delay, 500, |n| if n % 50 == 0 { 0.080 } else { 0.0 });
        assert!(delay.target() < Duration::from_millis(25), "{:?}", delay.target());
    }

    #[test]
    fn late_frames_in_a_row_raise_it_at_once_and_a_spike_is_forgotten_in_five_seconds() {
        let mut delay = estimate();
        settle(&mut delay, 300, |_| 0.0);
        delay.observe(3.0, FRAME);
        assert!(
            delay.target() < Duration::from_millis(25),
            "one is not jitter: {:?}",
            delay.target()
        );
        let mut delay = estimate();
        settle(&mut delay, 300, |_| 0.0);
        settle(&mut delay, 15, |n| 0.02 * (15 - n) as f64);
        assert!(
            delay.target() > Duration::from_millis(200),
            "{:?}",
            delay.target()
        );
        settle(&mut delay, 250, |_| 0.0);
        assert!(delay.target() < Duration::from_millis(30), "{:?}", delay.target());
    }

    #[test]
    fn no_delay_passes_the_ceiling() {
        let mut delay = estimate();
        settle(&mut delay, 500, |n| if n % 2 == 0 { 5.0 } else { 0.0 });
        assert_eq!(delay.target(), Duration::from_millis(400));
    }

    #[test]
    fn loss_that_can_be_rebuilt_adds_the_time_it_takes() {
        let mut delay = estimate();
        for _ in 0..200 {
            delay.observe_lost(2);
            delay.observe_lost(1);
            settle(&mut delay, 8, |_| 0.0);
        }
        assert_eq!(delay.target(), Duration::from_millis(60));
    }

    #[test]
    fn longer_frames_are_judged_by_their_time_and_wait_no_longer() {
        let long = 3 * FRAME;
        let mut delay = estimate();
        for _ in 0..85 {
            delay.observe(7.0, long);
        }
        assert!(delay.target() < Duration::from_millis(21), "{:?}", delay.target());
        // 120 ms in a row are late, as with six usual frames.
        for n in 0..2 {
            delay.observe(7.08 + 0.01 * f64::from(n), long);
        }
        assert!(
            delay.target() >= Duration::from_millis(89),
            "{:?}",
            delay.target()
        );
        for _ in 0..100 {
            delay.observe(7.1, long);
        }
        assert_eq!(delay.least_transit(), 7.1);
        assert!(delay.target() < Duration::from_millis(25), "{:?}", delay.target());
        for _ in 0..100 {
            delay.observe_lost(1);
            for _ in 0..8 {
                delay.observe(7.1, long);
            }
        }
        assert_eq!(delay.target(), Duration::from_millis(120));
    }

    #[test]
    fn a_longer_route_is_the_usual_one_after_two_seconds() {
        let mut delay = estimate();
        settle(&mut delay, 300, |_| 0.0);
        settle(&mut delay, 101, |_| 0.1);
        assert_eq!(delay.least_transit(), 0.1);
        settle(&mut delay, 150, |_| 0.1);
        assert!(delay.target() < Duration::from_millis(25), "{:?}", delay.target());
    }
}
