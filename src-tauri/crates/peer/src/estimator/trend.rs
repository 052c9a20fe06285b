//! Whether the queue on the path grows: the slope of the one-way delay against an adaptive threshold. Pure.
//!
//! The method of draft-ietf-rmcat-gcc-02 §5.1 to §5.4 with a line fitted to the accumulated delay (as libwebrtc does
//! since 2016) in the place of the Kalman filter.

use super::sample::milliseconds;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that left within this time are one group: what a sender lets go at once says nothing of the path
/// (draft §5.2).
const GROUP: Duration = Duration::from_millis(5);
/// Groups in the line; at 30 fps and several groups a picture a quarter to half a second.
const GROUPS: usize = 20;
/// Part of the accumulated delay that is kept at each group. 0.9 in libwebrtc; less lags less, and jitter is the
/// threshold's business. Chosen with the emulated links.
const SMOOTHING: f64 = 0.8;
/// Milliseconds of threshold for each millisecond of growth over the window; 4 as in libwebrtc.
const GAIN: f64 = 4.0;
/// Growth must last this long, and over two groups (draft §5.4: 10 ms).
const OVERUSE_TIME: f64 = 10.0;
/// Milliseconds; draft §5.4.
const INITIAL_THRESHOLD: f64 = 12.5;
const LOWEST_THRESHOLD: f64 = 6.0;
const HIGHEST_THRESHOLD: f64 = 600.0;
/// Per millisecond; draft §5.4: the threshold rises faster than it falls, so that TCP beside it does not starve the call.
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A jump above the threshold by more than this is a spike that must not move it (draft §5.4).
const SPIKE: f64 = 15.0;

/// A growth of this many thresholds leaves no doubt: far more is sent than the path carries. Chosen with the emulated
/// links.
const STEEP: f64 = 4.0;

/// What the delay says of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Normal,
    /// It grows.
    Over,
    /// It grows so fast that its length need not be waited for.
    Steep,
    /// It drains.
    Under,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_departure: Instant,
    departure: Instant,
    arrival: Duration,
}

#[derive(Debug)]
pub(crate) struct Trend {
    open: Option<Group>,
    closed: Option<Group>,
    origin: Option<Duration>,
    /// Milliseconds.
    accumulated: f64,
    smoothed: f64,
    /// Arrival and smoothed delay, milliseconds.
    line: VecDeque<(f64, f64)>,
    threshold: f64,
    adapted_at: Option<f64>,
    over_for: Option<f64>,
    over_groups: u32,
    last_slope: f64,
    usage: Usage,
}

impl Trend {
    pub(crate) fn new() -> Self {
        Self {
            open: None,
            closed: None,
            origin: None,
            accumulated: 0.0,
            smoothed: 0.0,
            line: VecDeque::with_capacity(GROUPS),
            threshold: INITIAL_THRESHOLD,
            adapted_at: None,
            over_for: None,
            over_groups: 0,
            last_slope: 0.0,
            usage: Usage::Normal,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Forgets the line: the path is another one, or the rate was just cut.
    pub(crate) fn reset(&mut self) {
        self.line.clear();
        (self.open, self.closed, self.origin) = (None, None, None);
        (self.accumulated, self.smoothed) = (0.0, 0.0);
        (self.over_for, self.over_groups, self.last_slope) = (None, 0, 0.0);
        self.usage = Usage::Normal;
    }

    pub(crate) fn handle_arrival(&mut self, departure: Instant, arrival: Duration) {
        let Some(open) = &mut self.open else {
            self.open = Some(Group {
                first_departure: departure,
                departure,
                arrival,
            });
            return;
        };
        // Overtaken packets would make negative steps in time.
        if departure < open.first_departure {
            return;
        }
        if departure.saturating_duration_since(open.first_departure) <= GROUP {
            open.departure = open.departure.max(departure);
            open.arrival = open.arrival.max(arrival);
            return;
        }
        let finished = *open;
        self.open = Some(Group {
            first_departure: departure,
            departure,
            arrival,
        });
        if let Some(before) = self.closed.replace(finished) {
            self.handle_groups(&before, &finished);
        }
    }

    fn handle_groups(&mut self, before: &Group, group: &Group) {
        let sent = milliseconds(group.departure.saturating_duration_since(before.departure));
        let arrived = group.arrival.as_secs_f64() * 1000.0 - before.arrival.as_secs_f64() * 1000.0;
        self.accumulated += arrived - sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        let origin = *self.origin.get_or_insert(group.arrival);
        let at = group.arrival.as_secs_f64() * 1000.0 - origin.as_secs_f64() * 1000.0;
        if self.line.len() == GROUPS {
            self.line.pop_front();
        }
        self.line.push_back((at, self.smoothed));
        let slope = slope(&self.line).unwrap_or(self.last_slope);
        self.judge(at, sent, slope);
    }

    fn judge(&mut self, at: f64, sent: f64, slope: f64) {
        let growth = slope * self.line.len() as f64 * GAIN;
        if growth > self.threshold {
            let over_for = self.over_for.map_or(sent / 2.0, |lasted| lasted + sent);
            self.over_for = Some(over_for);
            self.over_groups += 1;
            if over_for > OVERUSE_TIME && self.over_groups > 1 && slope >= self.last_slope {
                self.usage = if growth > self.threshold * STEEP {
                    Usage::Steep
                } else {
                    Usage::Over
                };
            }
        } else {
            self.over_for = None;
            self.over_groups = 0;
            self.usage = if growth < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_slope = slope;
        self.adapt(at, growth.abs());
    }

    fn adapt(&mut self, at: f64, growth: f64) {
        let elapsed = (at - self.adapted_at.replace(at).unwrap_or(at)).clamp(0.0, 100.0);
        if growth > self.threshold + SPIKE {
            return;
        }
        let speed = if growth < self.threshold { FALL } else { RISE };
        self.threshold = (self.threshold + speed * (growth - self.threshold) * elapsed)
            .clamp(LOWEST_THRESHOLD, HIGHEST_THRESHOLD);
    }
}

/// Least squares; `None` with too few points or all at one time.
fn slope(line: &VecDeque<(f64, f64)>) -> Option<f64> {
    if line.len() < 3 {
        return None;
    }
    let count = line.len() as f64;
    let (sum_x, sum_y) = line
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (above, below) = line.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - mean_x) * (y - mean_y), below + (x - mean_x).powi(2))
    });
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet every 10 ms for `seconds`, each with this much delay, milliseconds.
    fn drive(trend: &mut Trend, seconds: u32, delay: impl Fn(u32) -> f64) -> Vec<Usage> {
        let begin = Instant::now();
        (0..seconds * 100)
            .map(|number| {
                let left = Duration::from_millis(10) * number;
                let late = Duration::from_secs_f64((100.0 + delay(number)) / 1000.0);
                trend.handle_arrival(begin + left, left + late);
                trend.usage()
            })
            .collect()
    }

    fn is_over(usage: Usage) -> bool {
        matches!(usage, Usage::Over | Usage::Steep)
    }

    #[test]
    fn a_growing_queue_is_seen_within_150_ms_and_a_draining_one_too() {
        // From the second second on 1.5 ms more for each packet: 15 % above what the path carries.
        let usages = drive(&mut Trend::new(), 2, |number| {
            f64::from(number.saturating_sub(100)) * 1.5
        });
        let seen = usages.iter().position(|usage| is_over(*usage));
        assert!(seen.is_some_and(|seen| (101..=118).contains(&seen)), "{seen:?}");
        let usages = drive(&mut Trend::new(), 2, |number| 300.0 - f64::from(number) * 1.5);
        assert!(usages.contains(&Usage::Under));
    }

    #[test]
    fn even_jitter_is_no_growth() {
        let usages = drive(&mut Trend::new(), 60, |number| f64::from(number * 7 % 11));
        let over = usages.iter().filter(|usage| is_over(**usage)).count();
        assert!(over < usages.len() / 50, "{over}");
    }

    #[test]
    fn a_clock_that_runs_away_by_100_ppm_is_no_growth() {
        let usages = drive(&mut Trend::new(), 60, |number| f64::from(number) * 0.001);
        assert!(!usages.into_iter().any(is_over));
    }
}
