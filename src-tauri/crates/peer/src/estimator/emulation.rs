//! Calls over an emulated path under a virtual clock: a bottleneck with a queue, delay, jitter and loss, the sender of a
//! call as it is put together in earnest, and TCP beside it.

mod cases;
mod flow;
mod link;
mod tcp;

use flow::Flow;
use link::{Link, Origin, Path};
use std::time::{Duration, Instant};
use tcp::Tcp;

/// A seeded generator (Marsaglia's xorshift).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        (0..8).for_each(|_| {
            random.even();
        });
        random
    }

    /// Even in 0..1.
    fn even(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One bottleneck with everything that goes over it.
struct World {
    begin: Instant,
    now: Instant,
    link: Link,
    flows: Vec<Flow>,
    tcps: Vec<Tcp>,
}

impl World {
    fn new(link: Link) -> Self {
        let begin = Instant::now();
        Self {
            begin,
            now: begin,
            link,
            flows: Vec::new(),
            tcps: Vec::new(),
        }
    }

    fn with_flow(mut self, path: Path, seed: u64) -> Self {
        self.flows.push(Flow::new(self.begin, path, seed));
        self
    }

    fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    /// Goes on for so long in steps of a millisecond.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            for (index, flow) in self.flows.iter_mut().enumerate() {
                flow.step(self.now, |packet| {
                    self.link.offer(self.now, Origin::Call(index), packet)
                });
            }
            for (index, tcp) in self.tcps.iter_mut().enumerate() {
                tcp.step(self.now, |packet| {
                    self.link.offer(self.now, Origin::Tcp(index), packet)
                });
            }
            for passed in self.link.step(self.now) {
                match passed.origin {
                    Origin::Call(index) => self.flows[index].handle_passed(&passed),
                    Origin::Tcp(index) => self.tcps[index].handle_passed(&passed),
                }
            }
            self.now += Duration::from_millis(1);
        }
    }
}
