//! What arrives, by the receiver's clock, and what was sent, by ours. Pure.

use super::sample::Sample;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest look back.
const KEPT: Duration = Duration::from_millis(1500);
/// Packets at least that make a rate in a window.
const FEWEST: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct AckRate {
    arrived: VecDeque<(Duration, usize)>,
    sent: VecDeque<(Instant, usize)>,
}

impl AckRate {
    pub(crate) fn handle_sample(&mut self, sample: &Sample) {
        self.sent.push_back((sample.departure, sample.bytes));
        let newest = sample.departure;
        while self
            .sent
            .front()
            .is_some_and(|(at, _)| newest.saturating_duration_since(*at) > KEPT)
        {
            self.sent.pop_front();
        }
        let Some(arrival) = sample.arrival else { return };
        self.arrived.push_back((arrival, sample.bytes));
        while self
            .arrived
            .front()
            .is_some_and(|(at, _)| arrival.saturating_sub(*at) > KEPT)
        {
            self.arrived.pop_front();
        }
    }

    /// Bits per second that arrived in the last `window`; `None` while less time than that is known of.
    pub(crate) fn arrived(&self, window: Duration) -> Option<f64> {
        let newest = self.arrived.iter().map(|(at, _)| *at).max()?;
        let oldest = self.arrived.front()?.0;
        if newest.saturating_sub(oldest) < window {
            return None;
        }
        let within = self
            .arrived
            .iter()
            .filter(|(at, _)| newest.saturating_sub(*at) < window);
        let (packets, bytes) = within.fold((0, 0), |(packets, sum), (_, bytes)| (packets + 1, sum + bytes));
        if packets < FEWEST {
            return self.sparse();
        }
        Some(bytes as f64 * 8.0 / window.as_secs_f64())
    }

    /// Of the last few packets, by the time from the first of them to the last: one more or less in a window would be a
    /// quarter of the rate.
    fn sparse(&self) -> Option<f64> {
        let mut last: Vec<(Duration, usize)> = self.arrived.iter().copied().collect();
        last.sort_unstable();
        let last = &last[last.len().saturating_sub(FEWEST)..];
        let (first, rest) = last.split_first()?;
        let time = rest.last()?.0.saturating_sub(first.0).as_secs_f64();
        let bytes: usize = rest.iter().map(|(_, bytes)| bytes).sum();
        (time > 0.0).then(|| bytes as f64 * 8.0 / time)
    }

    /// Bits per second that left in the last `window`, over the time that there was.
    pub(crate) fn sent(&self, window: Duration) -> f64 {
        let (Some((newest, _)), Some((oldest, _))) = (self.sent.back(), self.sent.front()) else {
            return 0.0;
        };
        let known = newest.saturating_duration_since(*oldest);
        let bytes: usize = self
            .sent
            .iter()
            .filter(|(at, _)| newest.saturating_duration_since(*at) < window)
            .map(|(_, bytes)| bytes)
            .sum();
        bytes as f64 * 8.0 / known.clamp(window / 4, window).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_packets_of_a_voice_alone_make_a_rate_in_any_window() {
        let (mut rate, begin) = (AckRate::default(), Instant::now());
        for number in 0..20_u64 {
            // 24 kbit/s.
            let left = Duration::from_millis(number * 60);
            rate.handle_sample(&Sample {
                departure: begin + left,
                arrival: Some(left),
                bytes: 180,
            });
        }
        for window in [80, 150, 500, 1000] {
            let arrived = rate.arrived(Duration::from_millis(window)).expect("known");
            assert!((22e3..26e3).contains(&arrived), "{window} ms: {arrived}");
        }
    }

    #[test]
    fn a_path_that_passes_half_is_seen_in_a_tenth_of_a_second() {
        let (mut rate, begin) = (AckRate::default(), Instant::now());
        for number in 0..200_u64 {
            // 1.2 Mbit/s; from the second second on each packet takes 16 ms to arrive.
            let left = Duration::from_millis(number * 8);
            let late = Duration::from_millis(number.saturating_sub(125) * 8);
            rate.handle_sample(&Sample {
                departure: begin + left,
                arrival: Some(left + late),
                bytes: 1200,
            });
        }
        let short = rate.arrived(Duration::from_millis(160)).expect("known");
        assert!((590_000.0..610_000.0).contains(&short), "{short}");
        let sent = rate.sent(Duration::from_secs(1));
        assert!((1_150_000.0..1_250_000.0).contains(&sent), "{sent}");
    }
}
