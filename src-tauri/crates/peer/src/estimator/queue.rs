//! How long packets stand in the queues of the path, from one-way delays on two clocks. Pure.
//!
//! The least delay of the last half minute is the path itself; what is above it is queue. The least of a few packets
//! is compared, so that jitter does not count.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a least delay counts as the path itself: a route that became longer, or a clock that runs away, is forgotten
/// after it. Chosen.
const BASE_WINDOW: Duration = Duration::from_secs(30);
/// The base is kept as leasts of this much time, to be few.
const BASE_SLOT: Duration = Duration::from_secs(1);
/// Least delay over this time is the delay now.
const CURRENT_WINDOW: Duration = Duration::from_millis(70);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    epoch: Option<Instant>,
    /// Least delay by slot of departure, seconds on two clocks.
    slots: VecDeque<(Instant, f64)>,
    /// By arrival: in a queue that grows, what arrives in a moment left in a much shorter one.
    recent: VecDeque<(Duration, f64)>,
}

impl Queue {
    pub(crate) fn handle_arrival(&mut self, departure: Instant, arrival: Duration) {
        let epoch = *self.epoch.get_or_insert(departure);
        let left = match departure.checked_duration_since(epoch) {
            Some(after) => after.as_secs_f64(),
            None => -epoch.duration_since(departure).as_secs_f64(),
        };
        let delay = arrival.as_secs_f64() - left;
        match self.slots.back_mut() {
            Some((since, least)) if departure.saturating_duration_since(*since) < BASE_SLOT => {
                *least = least.min(delay);
            }
            Some(_) | None => self.slots.push_back((departure, delay)),
        }
        while self
            .slots
            .front()
            .is_some_and(|(at, _)| departure.saturating_duration_since(*at) >= BASE_WINDOW)
        {
            self.slots.pop_front();
        }
        self.recent.push_back((arrival, delay));
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| arrival.saturating_sub(*at) >= CURRENT_WINDOW)
        {
            self.recent.pop_front();
        }
    }

    /// Of the packets that arrived in the last 70 ms that are known of.
    pub(crate) fn delay(&self) -> Duration {
        let now = self.recent.iter().map(|(_, delay)| *delay).reduce(f64::min);
        let base = self.slots.iter().map(|(_, delay)| *delay).reduce(f64::min);
        match (now, base) {
            (Some(now), Some(base)) => Duration::from_secs_f64((now - base).clamp(0.0, 60.0)),
            (None, _) | (_, None) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_what_the_delay_is_above_its_least() {
        let (mut queue, begin) = (Queue::default(), Instant::now());
        assert_eq!(queue.delay(), Duration::ZERO);
        let mut drive = |from: u64, to: u64, delay: &dyn Fn(u64) -> u64| {
            for number in from..to {
                let left = Duration::from_millis(number * 10);
                queue.handle_arrival(begin + left, left + Duration::from_millis(7000 + delay(number)));
            }
            queue.delay().as_millis()
        };
        // Of jitter the least within 70 ms counts.
        assert_eq!(drive(0, 200, &|number| number % 5), 0);
        assert_eq!(drive(200, 300, &|number| 80 + number % 5), 80);
        assert_eq!(drive(300, 400, &|_| 0), 0);
        // A route that is longer for good is no queue after half a minute.
        assert_eq!(drive(400, 4000, &|_| 50), 0);
    }
}
