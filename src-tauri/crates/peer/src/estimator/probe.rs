//! Short bursts above the estimate that show whether the path carries more: when, how fast, and what came of them. Pure.

use super::sample::{Sample, milliseconds};
use std::time::{Duration, Instant};

/// Packets in a burst at least: fewer tell nothing of the slope (5 in libwebrtc; jitter needs more).
pub(crate) const PACKETS: usize = 8;
/// And this much time at least.
pub(crate) const LENGTH: Duration = Duration::from_millis(40);
/// Times the start rate of the first burst of a connection, as in libwebrtc.
const FIRST_FACTOR: f64 = 3.0;
/// Times the target of a later one. A burst that the path does not carry stands in its queue: at 1.5 times, 40 ms become 20.
const FACTOR: f64 = 1.5;
/// After a burst that was carried the next is bolder.
const BOLD_FACTOR: f64 = 2.0;
/// Between bursts while they fail: an idle path is found within the longest, which bounds the recovery.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(4);
/// A burst without any feedback in this time is forgotten.
const PATIENCE: Duration = Duration::from_secs(2);
/// Arrivals up to this much slower than departures are the clock's grain and jitter, not a queue.
const CARRIED: f64 = 1.15;
/// A burst that stood in a queue still shows a rate; beside another call it shows more than the own share, so it counts
/// only when it is far above the target.
const CLEARLY_ABOVE: f64 = 1.3;

/// Room of less than this is left to the additive increase.
const WORTH_IT: f64 = 1.12;

/// A burst to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Burst {
    /// Bits per second.
    pub(crate) rate: f64,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing was ever sent.
    Unborn,
    Idle,
    Sending {
        rate: f64,
        since: Instant,
    },
    Waiting {
        rate: f64,
        begin: Instant,
        end: Instant,
        arrivals: Vec<(f64, f64)>,
        /// That left after the first packet.
        bytes: usize,
    },
}

#[derive(Debug)]
pub(crate) struct Probe {
    state: State,
    next: Option<Instant>,
    interval: Duration,
    factor: f64,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Unborn,
            next: None,
            interval: SHORTEST_INTERVAL,
            factor: FIRST_FACTOR,
        }
    }

    /// The rate was cut: what was measured before is of no use, and the path may soon be free again.
    pub(crate) fn handle_cut(&mut self, now: Instant) {
        if !matches!(self.state, State::Sending { .. }) {
            self.state = State::Idle;
        }
        self.factor = FACTOR;
        self.interval = SHORTEST_INTERVAL;
        self.next = Some(now + self.interval);
    }

    /// The next burst, if it is time; `calm`: nothing speaks against one. Call [`Self::handle_sent`] when it has left.
    pub(crate) fn poll_burst(&mut self, now: Instant, target: f64, max: f64, calm: bool) -> Option<Burst> {
        match self.state {
            State::Unborn | State::Idle => {}
            State::Sending { since, .. } | State::Waiting { begin: since, .. } => {
                if now.saturating_duration_since(since) < PATIENCE {
                    return None;
                }
                self.fail(now);
            }
        }
        let due = self.next.is_none_or(|next| now >= next);
        if !calm || !due || target >= max * 0.98 {
            return None;
        }
        let rate = (target * self.factor).min(max * 1.1);
        self.state = State::Sending { rate, since: now };
        let bytes = rate * LENGTH.as_secs_f64() / 8.0;
        Some(Burst {
            rate,
            bytes: bytes as usize,
        })
    }

    /// The burst left between these moments.
    pub(crate) fn handle_sent(&mut self, begin: Instant, end: Instant) {
        if let State::Sending { rate, .. } = self.state {
            self.state = State::Waiting {
                rate,
                begin,
                end,
                arrivals: Vec::new(),
                bytes: 0,
            };
        }
    }

    /// What the path carries, bits per second, when a burst has shown that it is more than `target`.
    pub(crate) fn handle_sample(&mut self, now: Instant, sample: &Sample, target: f64) -> Option<f64> {
        let State::Waiting {
            rate,
            begin,
            end,
            arrivals,
            bytes,
        } = &mut self.state
        else {
            return None;
        };
        if sample.departure < *begin {
            return None;
        }
        if sample.departure <= *end {
            if sample.departure > *begin {
                *bytes += sample.bytes;
            }
            if let Some(arrival) = sample.arrival {
                let left = milliseconds(sample.departure.saturating_duration_since(*begin));
                arrivals.push((left, milliseconds(arrival)));
            }
            return None;
        }
        // Late timers may have made it slower than it was meant.
        let took = end.saturating_duration_since(*begin).as_secs_f64().max(0.001);
        let rate = rate.min(*bytes as f64 * 8.0 / took);
        let slope = stretch(arrivals);
        let Some(slope) = slope else {
            self.fail(now);
            return None;
        };
        let carried = if slope <= CARRIED { rate } else { rate / slope };
        let proven = slope <= CARRIED && carried > target * 1.02;
        if proven || carried > target * CLEARLY_ABOVE {
            self.state = State::Idle;
            self.interval = SHORTEST_INTERVAL;
            self.factor = if proven { BOLD_FACTOR } else { FACTOR };
            self.next = Some(if proven { now } else { now + self.interval });
            return Some(if proven { carried } else { carried * 0.9 });
        }
        self.fail(now);
        if carried > target * WORTH_IT {
            // There is some room: the next one is meant to fit in.
            self.factor = carried / target * 0.97;
            self.interval = SHORTEST_INTERVAL;
            self.next = Some(now + self.interval);
        }
        None
    }

    fn fail(&mut self, now: Instant) {
        self.state = State::Idle;
        self.factor = FACTOR;
        self.next = Some(now + self.interval);
        self.interval = self.interval.mul_f64(1.5).min(LONGEST_INTERVAL);
    }
}

/// How much slower the packets arrived than they left: the slope of arrival over departure, which jitter and lost
/// packets do not bend. `None` with too few of them.
fn stretch(arrivals: &[(f64, f64)]) -> Option<f64> {
    if arrivals.len() < PACKETS / 2 {
        return None;
    }
    let count = arrivals.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| arrivals.iter().map(of).sum::<f64>() / count;
    let (left, arrived) = (mean(|point| point.0), mean(|point| point.1));
    let (above, below) = arrivals.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - left) * (y - arrived), below + (x - left).powi(2))
    });
    (below > 1.0).then(|| (above / below).max(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends one burst from a target of 1 Mbit/s over a path of `capacity`; what it shows.
    fn burst_over(
        probe: &mut Probe,
        capacity: f64,
        now: Instant,
        loses: impl Fn(usize) -> bool,
    ) -> Option<f64> {
        let target = 1_000_000.0;
        let burst = probe.poll_burst(now, target, 5_000_000.0, true)?;
        let packet = 1200.0 * 8.0;
        let gap = packet / burst.rate;
        let stretched = packet / burst.rate.min(capacity);
        let count = (burst.bytes as f64 / 1200.0).ceil() as usize + 1;
        let at = |number: usize| now + Duration::from_secs_f64(gap * number as f64);
        probe.handle_sent(at(0), at(count - 1));
        let samples = (0..=count).map(|number| Sample {
            departure: at(number),
            arrival: (!loses(number)).then(|| Duration::from_secs_f64(stretched * number as f64 + 0.05)),
            bytes: 1200,
        });
        samples
            .filter_map(|sample| probe.handle_sample(now, &sample, target))
            .last()
    }

    #[test]
    fn the_first_burst_is_at_three_times_and_its_rate_is_taken_when_carried() {
        let carried = burst_over(&mut Probe::new(), 10e6, Instant::now(), |_| false);
        assert!(
            carried.is_some_and(|carried| (2.99e6..3.01e6).contains(&carried)),
            "{carried:?}"
        );
    }

    #[test]
    fn lost_packets_do_not_make_the_path_look_slower() {
        let carried = burst_over(&mut Probe::new(), 10e6, Instant::now(), |number| number % 5 == 2);
        assert!(carried.is_some_and(|carried| carried > 2.9e6), "{carried:?}");
    }

    #[test]
    fn a_path_of_twice_the_target_is_found_and_a_full_one_is_left_alone_for_longer_each_time() {
        let (mut probe, now) = (Probe::new(), Instant::now());
        let carried = burst_over(&mut probe, 2e6, now, |_| false);
        assert!(
            carried.is_some_and(|carried| (1.7e6..2.0e6).contains(&carried)),
            "{carried:?}"
        );
        let mut probe = Probe::new();
        assert_eq!(burst_over(&mut probe, 1e6, now, |_| false), None);
        let due = |probe: &mut Probe, after: u64| {
            probe
                .poll_burst(now + Duration::from_millis(after), 1e6, 5e6, true)
                .is_some()
        };
        assert!(!due(&mut probe, 900));
        assert!(due(&mut probe, 1000));
    }

    #[test]
    fn none_while_something_speaks_against_it() {
        let mut probe = Probe::new();
        assert_eq!(probe.poll_burst(Instant::now(), 1e6, 5e6, false), None);
        assert_eq!(probe.poll_burst(Instant::now(), 5e6, 5e6, true), None);
    }
}
