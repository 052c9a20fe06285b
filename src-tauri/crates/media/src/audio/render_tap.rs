//! What the speaker plays, on its way from `audio-rx` to the echo canceller on `audio-tx`.
//!
//! A lock-free ring of mono 48 kHz samples and the length of the speaker's queue. Neither side ever waits.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Samples from `audio-rx` to `audio-tx`, half a second. Overflow: the newest are dropped and counted; the canceller
/// finds the delay again.
const CAPACITY: usize = 24_000;

/// The end on `audio-rx`.
#[derive(Debug)]
pub struct RenderTap {
    samples: rtrb::Producer<f32>,
    shared: Arc<Shared>,
}

/// The end on `audio-tx`.
#[derive(Debug)]
pub struct RenderFeed {
    samples: rtrb::Consumer<f32>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queued_us: AtomicU64,
    dropped: AtomicU64,
}

/// Makes the two ends.
pub fn render_tap() -> (RenderTap, RenderFeed) {
    let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
    let shared = Arc::new(Shared::default());
    let tap = RenderTap {
        samples: producer,
        shared: Arc::clone(&shared),
    };
    let feed = RenderFeed {
        samples: consumer,
        shared,
    };
    (tap, feed)
}

impl RenderTap {
    /// Puts samples that will be heard once the speaker has played what is `queued` before them.
    pub fn push(&mut self, mono: &[f32], queued: Duration) {
        let queued = u64::try_from(queued.as_micros()).unwrap_or(u64::MAX);
        self.shared.queued_us.store(queued, Ordering::Relaxed);
        let room = self.samples.slots().min(mono.len());
        // The chunk is as long as there was room, and only this end fills it.
        if let Ok(chunk) = self.samples.write_chunk_uninit(room) {
            chunk.fill_from_iter(mono.iter().copied());
        }
        if room < mono.len() {
            let dropped = (mono.len() - room) as u64;
            self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }
}

impl RenderFeed {
    /// Gives all samples that have come, in order, in one or two slices.
    pub fn drain(&mut self, mut take: impl FnMut(&[f32])) {
        let count = self.samples.slots();
        if let Ok(chunk) = self.samples.read_chunk(count) {
            let (first, second) = chunk.as_slices();
            take(first);
            take(second);
            chunk.commit_all();
        }
    }

    /// How long the samples that came last wait in the speaker.
    pub fn queued(&self) -> Duration {
        Duration::from_micros(self.shared.queued_us.load(Ordering::Relaxed))
    }

    /// Samples that found no room.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_over_the_end_of_the_ring() {
        let (mut tap, mut feed) = render_tap();
        let mut next = 0;
        let mut expected = 0;
        for _ in 0..100 {
            let block: Vec<f32> = (next..next + 960).map(|n| n as f32).collect();
            next += 960;
            tap.push(&block, Duration::from_millis(30));
            feed.drain(|samples| {
                for sample in samples {
                    assert_eq!(*sample, expected as f32);
                    expected += 1;
                }
            });
        }
        assert_eq!(expected, next);
        assert_eq!((feed.queued(), feed.dropped()), (Duration::from_millis(30), 0));
    }

    #[test]
    fn nobody_listening_costs_nothing_but_the_newest_samples() {
        let (mut tap, mut feed) = render_tap();
        for _ in 0..30 {
            tap.push(&[0.5; 960], Duration::ZERO);
        }
        assert_eq!(feed.dropped(), 30 * 960 - CAPACITY as u64);
        let mut count = 0;
        feed.drain(|samples| count += samples.len());
        assert_eq!(count, CAPACITY);
    }
}
