//! SIGINT and SIGTERM, or what the system has in their place.

/// Returns at the first request to stop from now on.
pub async fn wait() {
    Interrupts::listen().wait().await;
}

/// Requests to stop since it was made; without one the system ends the program at once.
#[derive(Debug)]
pub struct Interrupts {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Interrupts {
    /// Starts to listen, within a runtime.
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self {
            // What cannot be listened to ends the process, as it does by itself.
            signals: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect(),
        }
    }

    /// Returns at the first request.
    pub async fn wait(mut self) {
        std::future::poll_fn(|context| {
            let is_ready = |signal: &mut tokio::signal::unix::Signal| signal.poll_recv(context).is_ready();
            // Each one has to be asked, so that each one wakes the task.
            match self
                .signals
                .iter_mut()
                .map(is_ready)
                .filter(|ready| *ready)
                .count()
            {
                0 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        })
        .await;
    }
}

#[cfg(not(unix))]
impl Interrupts {
    /// Starts to listen, within a runtime.
    pub fn listen() -> Self {
        Self {}
    }

    /// Returns at the first request.
    pub async fn wait(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // No such signal here: only the end of the process stops it.
            std::future::pending::<()>().await;
        }
    }
}
