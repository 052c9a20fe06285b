//! A named OS thread that ends when its owner is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Longest wait for a thread when its owner is dropped. A device driver that hangs is left behind rather than the call.
const JOIN_LIMIT: Duration = Duration::from_millis(400);

/// Tells a thread's loop to end.
#[derive(Debug, Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Owns the thread; dropping it asks the thread to end and waits for at most [`JOIN_LIMIT`].
#[derive(Debug)]
pub(super) struct PipelineThread {
    name: &'static str,
    stop: Arc<AtomicBool>,
    ended: Receiver<()>,
    join: Option<JoinHandle<()>>,
}

impl PipelineThread {
    /// Errors when the system gives no thread.
    pub(super) fn spawn(name: &'static str, run: impl FnOnce(Stop) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Stop(Arc::clone(&stop));
        let (tx, ended) = channel::<()>();
        let join = Builder::new().name(name.to_owned()).spawn(move || {
            let _ended_when_dropped = tx;
            run(seen);
        })?;
        Ok(Self {
            name,
            stop,
            ended,
            join: Some(join),
        })
    }

    /// Asks the thread to end, without waiting.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Drop for PipelineThread {
    fn drop(&mut self) {
        self.stop();
        let Some(join) = self.join.take() else { return };
        if self.ended.recv_timeout(JOIN_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(thread = self.name, limit = ?JOIN_LIMIT, "thread does not end and is left behind");
        } else if join.join().is_err() {
            tracing::error!(thread = self.name, "thread panicked");
        }
    }
}
