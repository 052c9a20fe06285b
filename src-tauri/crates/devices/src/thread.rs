//! A thread that holds one device and is left behind if its driver hangs.

use ahoy_media::device::{DeviceError, DeviceKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long a driver may take to open a device. Above the 2 s that an idle PulseAudio was seen to take; chosen.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(8);
/// How long a device may take to be released; a call frees its devices within 1 s.
const CLOSE_LIMIT: Duration = Duration::from_millis(800);

/// Owns the thread of one device; dropping it ends the thread, or leaves it behind when it does not end in time.
#[derive(Debug)]
pub(crate) struct DeviceThread {
    name: &'static str,
    stop: Arc<AtomicBool>,
    /// Dropped to wake a thread that waits in [`StopSignal::wait`].
    wake: Option<SyncSender<()>>,
    /// Nothing is ever sent; it closes when the thread ends.
    ended: Receiver<()>,
}

/// The thread's view of its owner.
#[derive(Debug)]
pub(crate) struct StopSignal {
    stop: Arc<AtomicBool>,
    wake: Receiver<()>,
}

impl StopSignal {
    pub(crate) fn is_set(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Blocks for so long, or until the owner is gone; says whether it is.
    pub(crate) fn wait_for(&self, time: Duration) -> bool {
        // Nothing is sent; the other end is dropped.
        self.wake.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Runs `work` on a thread of its own and waits until it says whether the device is open, at most [`OPEN_LIMIT`].
///
/// `work` sends once; after an error it returns.
pub(crate) fn start<T: Send + 'static>(
    name: &'static str,
    kind: DeviceKind,
    work: impl FnOnce(SyncSender<Result<T, DeviceError>>, StopSignal) + Send + 'static,
) -> Result<(T, DeviceThread), DeviceError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (wake, woken) = sync_channel(0);
    let (opened_tx, opened) = sync_channel(1);
    let (alive, ended) = sync_channel(0);
    let signal = StopSignal {
        stop: Arc::clone(&stop),
        wake: woken,
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _alive: SyncSender<()> = alive;
            work(opened_tx, signal);
        })
        .map_err(|error| DeviceError::Unusable {
            kind,
            why: format!("no thread for it: {error}"),
        })?;
    let thread = DeviceThread {
        name,
        stop,
        wake: Some(wake),
        ended,
    };
    match opened.recv_timeout(OPEN_LIMIT) {
        Ok(result) => result.map(|opened| (opened, thread)),
        Err(RecvTimeoutError::Timeout) => {
            let why = format!("its driver does not answer within {} s", OPEN_LIMIT.as_secs());
            Err(DeviceError::Unusable { kind, why })
        }
        Err(RecvTimeoutError::Disconnected) => Err(DeviceError::Unusable {
            kind,
            why: "its driver failed".to_owned(),
        }),
    }
}

impl Drop for DeviceThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake = None;
        if self.ended.recv_timeout(CLOSE_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(thread = self.name, limit = ?CLOSE_LIMIT, "a device does not close and is left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    #[test]
    fn dropping_the_owner_wakes_and_ends_the_thread() {
        let (tx, rx) = channel();
        let ((), thread) = start("test", DeviceKind::Speaker, move |opened, stop| {
            opened.send(Ok(())).expect("the owner waits");
            assert!(stop.wait_for(Duration::from_secs(60)));
            assert!(stop.is_set());
            tx.send(()).expect("the test waits");
        })
        .expect("opens");
        drop(thread);
        rx.recv_timeout(Duration::from_secs(5))
            .expect("the thread has ended");
    }

    #[test]
    fn a_driver_that_hangs_does_not_hold_its_owner() {
        let (release, released) = channel::<()>();
        let ((), thread) = start("test", DeviceKind::Camera, move |opened, _| {
            opened.send(Ok(())).expect("the owner waits");
            released.recv().ok();
        })
        .expect("opens");
        let begun = Instant::now();
        drop(thread);
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(release);
    }

    #[test]
    fn a_driver_that_panics_is_an_error() {
        let result = start::<()>("test", DeviceKind::Camera, |opened, _| drop(opened));
        assert!(matches!(result, Err(DeviceError::Unusable { .. })));
    }
}
