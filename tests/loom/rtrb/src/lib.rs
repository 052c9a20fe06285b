//! A ring between two threads with the guarantees of rtrb and no more: what was written before a commit is there for
//! whoever has seen the commit, and a slot is written again only after its reading was committed.
//!
//! It stands in for rtrb, whose own atomics are none of the model's and would be passed without any order.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};

/// Slots at most: the model follows each, and so few are soon used again.
const MOST_SLOTS: usize = 4;

#[derive(Debug)]
struct Ring<T> {
    slots: Vec<UnsafeCell<T>>,
    /// Values ever read and ever written.
    read: AtomicUsize,
    written: AtomicUsize,
}

// SAFETY: each slot belongs to one end at a time, which the two counts say; the model checks it.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

/// There are not so many slots or values.
#[derive(Debug)]
pub struct TooFew;

#[derive(Debug)]
pub struct RingBuffer;

impl RingBuffer {
    #[allow(clippy::new_ret_no_self, reason = "as rtrb has it")]
    pub fn new<T: Copy + Default>(capacity: usize) -> (Producer<T>, Consumer<T>) {
        let ring = Arc::new(Ring {
            slots: (0..capacity.min(MOST_SLOTS))
                .map(|_| UnsafeCell::new(T::default()))
                .collect(),
            read: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
        });
        (Producer(Arc::clone(&ring)), Consumer(ring))
    }
}

#[derive(Debug)]
pub struct Producer<T>(Arc<Ring<T>>);

impl<T: Copy> Producer<T> {
    pub fn slots(&self) -> usize {
        let written = self.0.written.load(Ordering::Relaxed);
        self.0.slots.len() - (written - self.0.read.load(Ordering::Acquire))
    }

    pub fn write_chunk_uninit(&mut self, count: usize) -> Result<WriteChunk<'_, T>, TooFew> {
        (count <= self.slots())
            .then_some(WriteChunk(self, count))
            .ok_or(TooFew)
    }
}

pub struct WriteChunk<'a, T>(&'a mut Producer<T>, usize);

impl<T: Copy> WriteChunk<'_, T> {
    pub fn fill_from_iter(self, values: impl IntoIterator<Item = T>) -> usize {
        let ring = &self.0.0;
        let start = ring.written.load(Ordering::Relaxed);
        let mut count = 0;
        for value in values.into_iter().take(self.1) {
            let slot = &ring.slots[(start + count) % ring.slots.len()];
            // SAFETY: its reading was committed.
            slot.with_mut(|slot| unsafe { *slot = value });
            count += 1;
        }
        ring.written.store(start + count, Ordering::Release);
        count
    }
}

#[derive(Debug)]
pub struct Consumer<T>(Arc<Ring<T>>);

impl<T: Copy> Consumer<T> {
    pub fn slots(&self) -> usize {
        self.0.written.load(Ordering::Acquire) - self.0.read.load(Ordering::Relaxed)
    }

    pub fn read_chunk(&mut self, count: usize) -> Result<ReadChunk<'_, T>, TooFew> {
        if count > self.slots() {
            return Err(TooFew);
        }
        let ring = &self.0;
        let start = ring.read.load(Ordering::Relaxed);
        let value = |at: usize| {
            // SAFETY: its writing was committed.
            ring.slots[at % ring.slots.len()].with(|slot| unsafe { *slot })
        };
        let values = (start..start + count).map(value).collect();
        Ok(ReadChunk(self, values))
    }
}

pub struct ReadChunk<'a, T>(&'a mut Consumer<T>, Vec<T>);

impl<T: Copy> ReadChunk<'_, T> {
    pub fn as_slices(&self) -> (&[T], &[T]) {
        (&self.1, &[])
    }

    pub fn commit_all(self) {
        let read = &self.0.0.read;
        read.store(read.load(Ordering::Relaxed) + self.1.len(), Ordering::Release);
    }
}

impl<T: Copy> IntoIterator for ReadChunk<'_, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        let values = self.1.clone();
        self.commit_all();
        values.into_iter()
    }
}
