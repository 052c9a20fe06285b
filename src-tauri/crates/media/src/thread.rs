//! A named OS thread that ends when its owner is dropped.
//!
//! Does not know what its loop does; what the loop owns, a device perhaps, is closed on the thread itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Longest wait for a thread whose owner is dropped. A device that hangs is left behind rather than holding the call.
const JOIN_LIMIT: Duration = Duration::from_millis(400);

/// Tells a thread's loop to end.
#[derive(Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Owns a thread; dropping it asks the loop to end and waits for at most [`JOIN_LIMIT`].
pub(crate) struct OwnedThread {
    name: &'static str,
    stop: Arc<AtomicBool>,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    /// Nothing is ever sent; it closes when the thread ends.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl OwnedThread {
    /// Runs `run` once; it returns soon after its [`Stop`] is set. Errors when the system gives no thread.
    pub(crate) fn spawn(name: &'static str, run: impl FnOnce(Stop) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Stop(Arc::clone(&stop));
        let (alive, ended) = sync_channel::<()>(0);
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            // `run` is used up first, so what it owns is closed before the end is told.
            let _alive = alive;
            run(seen);
        })?;
        Ok(Self {
            name,
            stop,
            wake: None,
            ended,
            thread: Some(thread),
        })
    }

    /// Runs `tick` every `period` until the owner is dropped. A late wake-up does not shift those after it; what was
    /// missed by more than ten periods is not made up for. Errors when the system gives no thread.
    pub(crate) fn ticking(
        name: &'static str,
        period: Duration,
        mut tick: impl FnMut(Instant) + Send + 'static,
    ) -> io::Result<Self> {
        Self::spawn(name, move |stop| {
            let mut due = Instant::now();
            while !stop.is_set() {
                tick(Instant::now());
                due = next_tick(due, period, Instant::now());
                // Not parked, which would end sooner: some systems wake parked threads 16 ms late.
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        })
    }

    /// Has `wake` end the loop's wait when the loop is asked to end.
    pub(crate) fn woken_by(mut self, wake: impl Fn() + Send + Sync + 'static) -> Self {
        self.wake = Some(Box::new(wake));
        self
    }

    /// Asks the loop to end, without waiting for it.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        if let Some(wake) = &self.wake {
            wake();
        }
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
        self.stop();
        let Some(thread) = self.thread.take() else { return };
        if self.ended.recv_timeout(JOIN_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(thread = self.name, limit = ?JOIN_LIMIT, "thread does not end and is left behind");
        } else if thread.join().is_err() {
            tracing::error!(thread = self.name, "thread panicked");
        }
    }
}

impl std::fmt::Debug for OwnedThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnedThread")
            .field("name", &self.name)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
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

    #[test]
    fn a_waiting_loop_is_woken_to_end() {
        let (release, released) = channel::<()>();
        let (ended_tx, ended) = channel();
        let thread = OwnedThread::spawn("test-wait", move |stop| {
            released.recv().ok();
            ended_tx.send(stop.is_set()).expect("the test listens");
        })
        .expect("thread")
        .woken_by(move || {
            release.send(()).ok();
        });
        thread.stop();
        assert_eq!(ended.recv_timeout(Duration::from_secs(5)), Ok(true));
    }

    #[test]
    fn a_device_that_hangs_while_closing_does_not_hold_its_owner() {
        struct HangsInClosing(Receiver<()>);
        impl Drop for HangsInClosing {
            fn drop(&mut self) {
                self.0.recv_timeout(Duration::from_secs(20)).ok();
            }
        }
        type Start = fn(HangsInClosing) -> io::Result<OwnedThread>;
        let starts: [Start; 2] = [
            |device| {
                OwnedThread::ticking("test-tick", Duration::from_millis(1), move |_| {
                    std::hint::black_box(&device);
                })
            },
            |device| {
                OwnedThread::spawn("test-once", move |_| {
                    std::hint::black_box(&device);
                })
            },
        ];
        for start in starts {
            let (release, released) = channel::<()>();
            let thread = start(HangsInClosing(released)).expect("thread");
            let before = Instant::now();
            drop(thread);
            assert!(before.elapsed() < Duration::from_secs(5));
            assert!(release.send(()).is_ok(), "it was still closing");
        }
    }
}
