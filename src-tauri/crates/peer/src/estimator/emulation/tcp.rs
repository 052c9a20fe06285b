//! A TCP download: slow start, then Reno (RFC 5681) with one cut in a round trip.

use super::link::{Packet, Passed};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const SEGMENT: usize = 1500;

pub(super) struct Tcp {
    /// One way.
    delay: Duration,
    window: f64,
    threshold: f64,
    in_flight: usize,
    number: u64,
    /// Acknowledgements and losses on their way back.
    news: VecDeque<(Instant, bool)>,
    round_trip: Duration,
    cut_at: Option<Instant>,
    pub(super) sends: bool,
    /// Bytes still to be sent.
    pub(super) left: usize,
    pub(super) received: usize,
}

impl Tcp {
    pub(super) fn new(delay: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay),
            window: 10.0,
            threshold: f64::MAX,
            in_flight: 0,
            number: 0,
            news: VecDeque::new(),
            round_trip: Duration::from_millis(delay * 2),
            cut_at: None,
            sends: true,
            left: usize::MAX,
            received: 0,
        }
    }

    pub(super) fn step(&mut self, now: Instant, mut offer: impl FnMut(Packet)) {
        while let Some((at, lost)) = self.news.front().copied()
            && at <= now
        {
            self.news.pop_front();
            self.in_flight = self.in_flight.saturating_sub(1);
            if lost {
                self.left = self.left.saturating_add(SEGMENT);
                self.cut(now);
            } else if self.window < self.threshold {
                self.window += 1.0;
            } else {
                self.window += 1.0 / self.window;
            }
        }
        while self.sends && self.left > 0 && (self.in_flight as f64) < self.window {
            self.in_flight += 1;
            self.number += 1;
            self.left = self.left.saturating_sub(SEGMENT);
            offer(Packet {
                number: self.number,
                bytes: SEGMENT,
            });
        }
    }

    fn cut(&mut self, now: Instant) {
        if self
            .cut_at
            .is_some_and(|at| now.saturating_duration_since(at) < self.round_trip)
        {
            return;
        }
        self.cut_at = Some(now);
        self.threshold = (self.window / 2.0).max(2.0);
        self.window = self.threshold;
    }

    pub(super) fn handle_passed(&mut self, passed: &Passed) {
        // A hole is seen by the packets behind it, which stand in the same queue.
        let back = if passed.lost {
            passed.at + self.round_trip
        } else {
            self.received += SEGMENT;
            self.round_trip = passed.queued + self.delay * 2;
            passed.at + self.delay * 2
        };
        let at = self.news.partition_point(|(at, _)| *at <= back);
        self.news.insert(at, (back, passed.lost));
    }
}
