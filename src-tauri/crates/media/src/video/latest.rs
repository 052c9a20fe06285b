//! A slot for one value in which the newest wins.
//!
//! Between two threads of different pace: the writer never waits, the reader never sees an old picture. Not for
//! real-time callbacks (it locks). An async reader passes a waker to [`Latest::with_waker`] and calls [`Latest::newer_than`].

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

type Waker = Box<dyn Fn() + Send + Sync>;

/// Holds the newest value; clones share the slot.
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
    on_put: Option<Waker>,
}

struct Slot<T> {
    value: Option<T>,
    /// Number of the last value put; 0 before the first.
    sequence: u64,
    seen: bool,
    overwritten: u64,
    closed: bool,
}

impl<T> Latest<T> {
    pub fn new() -> Self {
        Self::build(None)
    }

    /// Makes a slot that calls `on_put` after each value, on the thread that put it and without a lock held.
    pub fn with_waker(on_put: Box<dyn Fn() + Send + Sync>) -> Self {
        Self::build(Some(on_put))
    }

    fn build(on_put: Option<Waker>) -> Self {
        let slot = Slot {
            value: None,
            sequence: 0,
            seen: true,
            overwritten: 0,
            closed: false,
        };
        Self {
            shared: Arc::new(Shared {
                slot: Mutex::new(slot),
                changed: Condvar::new(),
                on_put,
            }),
        }
    }

    /// Replaces the value; returns the number of the new one, counted from 1.
    pub fn put(&self, value: T) -> u64 {
        let mut slot = self.lock();
        let old = slot.value.replace(value);
        if !slot.seen {
            slot.overwritten += 1;
        }
        slot.seen = false;
        slot.sequence += 1;
        let sequence = slot.sequence;
        drop(slot);
        // A picture's buffer is freed outside of the lock.
        drop(old);
        self.shared.changed.notify_all();
        if let Some(on_put) = &self.shared.on_put {
            on_put();
        }
        sequence
    }

    /// Takes the value out, if there is one.
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Takes the value out, waiting for one; `None` after `timeout` or when closed.
    pub fn wait(&self, timeout: Duration) -> Option<T> {
        self.wait_until(timeout, |slot| slot.value.is_some()).take()
    }

    /// Values that were replaced before anybody had taken or seen them.
    pub fn overwritten(&self) -> u64 {
        self.lock().overwritten
    }

    /// Wakes every waiting thread, now and in future; values put later are kept but not waited for.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.changed.notify_all();
    }

    fn wait_until(&self, timeout: Duration, ready: impl Fn(&Slot<T>) -> bool) -> MutexGuard<'_, Slot<T>> {
        let deadline = Instant::now() + timeout;
        let mut slot = self.lock();
        while !ready(&slot) && !slot.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            slot = match self.shared.changed.wait_timeout(slot, left) {
                Ok((slot, _)) => slot,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        slot
    }

    /// No code of others runs under the lock, so a poisoned slot is whole.
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.shared
            .slot
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T: Clone> Latest<T> {
    /// Copies the value if its number is above `sequence`, and says its number.
    pub fn newer_than(&self, sequence: u64) -> Option<(u64, T)> {
        self.lock().look(sequence)
    }

    /// Copies the first value whose number is above `sequence`, waiting for it; `None` after `timeout` or when closed.
    pub fn wait_newer_than(&self, sequence: u64, timeout: Duration) -> Option<(u64, T)> {
        self.wait_until(timeout, |slot| slot.value.is_some() && slot.sequence > sequence)
            .look(sequence)
    }
}

impl<T> Slot<T> {
    fn take(&mut self) -> Option<T> {
        self.seen = true;
        self.value.take()
    }
}

impl<T: Clone> Slot<T> {
    fn look(&mut self, sequence: u64) -> Option<(u64, T)> {
        if self.sequence <= sequence {
            return None;
        }
        let value = self.value.clone()?;
        self.seen = true;
        Some((self.sequence, value))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> std::fmt::Debug for Latest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latest")
            .field("sequence", &self.lock().sequence)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn the_newest_wins_and_the_lost_are_counted() {
        let slot = Latest::new();
        slot.put(1);
        slot.put(2);
        assert_eq!(slot.put(3), 3);
        assert_eq!(slot.take(), Some(3));
        assert_eq!(slot.take(), None);
        slot.put(4);
        assert_eq!(slot.overwritten(), 2);
    }

    #[test]
    fn several_readers_each_see_the_newest_once() {
        let slot = Latest::new();
        slot.put("a");
        assert_eq!(slot.newer_than(0), Some((1, "a")));
        assert_eq!(slot.newer_than(1), None);
        assert_eq!(slot.newer_than(0), Some((1, "a")));
        slot.put("b");
        assert_eq!(slot.overwritten(), 0, "a value that was seen is not lost");
    }

    #[test]
    fn a_waiting_reader_wakes_for_a_value_and_for_the_end() {
        let slot = Latest::new();
        let writer = slot.clone();
        let (tx, rx) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            while let Some((sequence, value)) = slot.wait_newer_than(0, LONG) {
                tx.send((sequence, value)).expect("the test waits");
                if slot.wait_newer_than(sequence, LONG).is_none() {
                    return;
                }
            }
        });
        writer.put(7);
        assert_eq!(rx.recv_timeout(LONG), Ok((1, 7)));
        writer.close();
        let begun = Instant::now();
        reader.join().expect("the reader ends");
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn an_empty_slot_is_waited_for_as_long_as_said_only() {
        let begun = Instant::now();
        assert_eq!(Latest::<u8>::new().wait(Duration::from_millis(20)), None);
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn the_waker_is_called_for_each_value() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let slot = Latest::with_waker(Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        slot.put(1);
        slot.put(2);
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
