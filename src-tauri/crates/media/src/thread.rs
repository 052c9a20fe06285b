//! A named OS thread that ends when its owner is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait for a thread whose owner is dropped. A device that hangs is left behind rather than holding the call.
const JOIN_LIMIT: Duration = Duration::from_millis(400);

/// Owns a thread; dropping it asks the loop to end and waits for at most [`JOIN_LIMIT`].
#[derive(Debug)]
pub(crate) struct OwnedThread {
    name: &'static str,
    stop: Arc<AtomicBool>,
    /// Nothing is ever sent; it closes when the thread ends.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl OwnedThread {
    /// Runs `tick` every `period` until the owner is dropped. A late wake-up does not shift those after it; what was
    /// missed by more than ten periods is not made up for.
    pub(crate) fn ticking(
        name: &'static str,
        period: Duration,
        tick: impl FnMut(Instant) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (alive, ended) = sync_channel(0);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped in the reverse order: what the loop owns, a device perhaps, is closed before the end is told.
            let _alive = alive;
            let mut tick = tick;
            let mut due = Instant::now();
            while !stopped.load(Ordering::Acquire) {
                let now = Instant::now();
                tick(now);
                due = next_tick(due, period, Instant::now());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        })?;
        Ok(Self {
            name,
            stop,
            ended,
            thread: Some(thread),
        })
    }
}

fn next_tick(last: Instant, period: Duration, now: Instant) -> Instant {
    let next = last + period;
    if now.saturating_duration_since(next) > period * 10 {
        now
    } else {
        next
    }
}

impl Drop for OwnedThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        if self.ended.recv_timeout(JOIN_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(thread = self.name, limit = ?JOIN_LIMIT, "thread does not end and is left behind");
        } else if thread.join().is_err() {
            tracing::error!(thread = self.name, "thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn ticks_keep_their_grid_after_a_late_wake_up() {
        let start = Instant::now();
        let period = Duration::from_millis(5);
        assert_eq!(next_tick(start, period, start + period * 3), start + period);
        assert_eq!(next_tick(start, period, start + period * 20), start + period * 20);
    }

    #[test]
    fn dropping_the_owner_ends_the_thread() {
        let (tx, rx) = channel();
        let thread = OwnedThread::ticking("test-tick", Duration::from_millis(1), move |_| {
            // The receiver goes away last; a failed send would only mean that the test is over.
            tx.send(()).ok();
        })
        .expect("thread");
        rx.recv_timeout(Duration::from_secs(5)).expect("a first tick");
        drop(thread);
        while rx.try_recv().is_ok() {}
        assert!(rx.recv().is_err(), "the loop and its sender are gone");
    }

    #[test]
    fn a_tick_that_hangs_does_not_hold_its_owner() {
        let (entered_tx, entered) = channel();
        let (release, released) = channel::<()>();
        let thread = OwnedThread::ticking("test-hang", Duration::from_millis(1), move |_| {
            entered_tx.send(()).ok();
            released.recv().ok();
        })
        .expect("thread");
        entered
            .recv_timeout(Duration::from_secs(5))
            .expect("a first tick");
        let before = Instant::now();
        drop(thread);
        assert!(before.elapsed() < Duration::from_secs(5));
        drop(release);
    }
}
