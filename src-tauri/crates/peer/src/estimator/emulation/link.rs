//! The bottleneck: a rate, a queue that drops its tail, and loss of its own.

use super::Random;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Call(usize),
    Tcp(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) number: u64,
    pub(super) bytes: usize,
}

/// What came of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) origin: Origin,
    pub(super) packet: Packet,
    /// When its last bit left the bottleneck, or when it was dropped.
    pub(super) at: Instant,
    /// How long it stood in the queue.
    pub(super) queued: Duration,
    pub(super) lost: bool,
}

/// The way of one flow around the bottleneck.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    /// One way.
    pub(super) delay: Duration,
    /// Even, up to this much on top, each packet by itself.
    pub(super) jitter: Duration,
    /// Of feedback, on top of the delay.
    pub(super) feedback_delay: Duration,
    /// Of feedback, 0..1.
    pub(super) feedback_loss: f64,
}

impl Path {
    pub(super) fn of(delay: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay),
            jitter: Duration::ZERO,
            feedback_delay: Duration::ZERO,
            feedback_loss: 0.0,
        }
    }
}

pub(super) struct Link {
    /// Bits per second.
    pub(super) rate: f64,
    /// As time at the present rate.
    pub(super) longest_queue: Duration,
    /// 0..1.
    pub(super) loss: f64,
    queue: VecDeque<(Origin, Packet, Instant)>,
    queued_bytes: usize,
    /// Bits that may leave.
    credit: f64,
    dropped: Vec<Passed>,
    random: Random,
}

impl Link {
    pub(super) fn new(rate: f64, longest_queue: u64) -> Self {
        Self {
            rate,
            longest_queue: Duration::from_millis(longest_queue),
            loss: 0.0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            credit: 0.0,
            dropped: Vec::new(),
            random: Random::new(99),
        }
    }

    pub(super) fn offer(&mut self, now: Instant, origin: Origin, packet: Packet) {
        let room = (self.rate * self.longest_queue.as_secs_f64() / 8.0).max(3000.0);
        if (self.queued_bytes + packet.bytes) as f64 > room || self.random.even() < self.loss {
            self.dropped.push(Passed {
                origin,
                packet,
                at: now,
                queued: Duration::ZERO,
                lost: true,
            });
            return;
        }
        self.queued_bytes += packet.bytes;
        self.queue.push_back((origin, packet, now));
    }

    /// What leaves within this millisecond.
    pub(super) fn step(&mut self, now: Instant) -> Vec<Passed> {
        let mut passed = std::mem::take(&mut self.dropped);
        self.credit += self.rate / 1000.0;
        while let Some((origin, packet, since)) = self.queue.front().copied() {
            let bits = packet.bytes as f64 * 8.0;
            if bits > self.credit {
                break;
            }
            self.credit -= bits;
            self.queue.pop_front();
            self.queued_bytes -= packet.bytes;
            // Within the millisecond, so that a fast link does not look like a slow one that sends in clumps.
            let at = now + Duration::from_secs_f64((0.001 - self.credit / self.rate).clamp(0.0, 0.001));
            passed.push(Passed {
                origin,
                packet,
                at,
                queued: at.saturating_duration_since(since),
                lost: false,
            });
        }
        if self.queue.is_empty() {
            // An idle link saves nothing up.
            self.credit = 0.0;
        }
        passed
    }
}
