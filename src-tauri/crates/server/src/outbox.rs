//! What one connection still has to be sent: the queue between the switchboard and the connection's task.

use crate::switchboard::{CloseCode, Frame};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Bytes that wait at most (IM-Suite §12). Overflow: the queue is dropped and the connection closed with 1008, because a
/// client that does not read cannot follow a call anyway.
const CAPACITY: usize = 1024 * 1024;

/// The end that the switchboard writes to; it never waits.
#[derive(Debug, Clone)]
pub(crate) struct OutboxSender(Arc<Shared>);

/// The end that the connection's task reads from.
#[derive(Debug)]
pub(crate) struct Outbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<String>,
    bytes: usize,
    close: Option<CloseCode>,
}

pub(crate) fn outbox() -> (OutboxSender, Outbox) {
    let shared = Arc::new(Shared::default());
    (OutboxSender(Arc::clone(&shared)), Outbox(shared))
}

impl OutboxSender {
    /// Queues a frame; after a close nothing more is taken.
    pub(crate) fn push(&self, frame: Frame) {
        let mut state = self.0.lock();
        if state.close.is_some() {
            return;
        }
        match frame {
            Frame::Text(text) if state.bytes + text.len() > CAPACITY => {
                *state = State {
                    close: Some(CloseCode::POLICY),
                    ..State::default()
                };
            }
            Frame::Text(text) => {
                state.bytes += text.len();
                state.queue.push_back(text);
            }
            Frame::Close(code) => state.close = Some(code),
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

impl Outbox {
    /// Waits for the next frame. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            self.0.changed.notified().await;
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let mut state = self.0.lock();
        if let Some(text) = state.queue.pop_front() {
            state.bytes -= text.len();
            return Some(Frame::Text(text));
        }
        state.close.map(Frame::Close)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_close_comes_after_what_was_queued_before_it() {
        let (tx, mut rx) = outbox();
        tx.push(Frame::Text("a".into()));
        tx.push(Frame::Close(CloseCode::GOING_AWAY));
        tx.push(Frame::Text("b".into()));
        assert_eq!(rx.next().await, Frame::Text("a".into()));
        assert_eq!(rx.next().await, Frame::Close(CloseCode::GOING_AWAY));
        assert_eq!(rx.next().await, Frame::Close(CloseCode::GOING_AWAY));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed() {
        let (tx, mut rx) = outbox();
        let text = "x".repeat(CAPACITY / 4);
        for _ in 0..4 {
            tx.push(Frame::Text(text.clone()));
        }
        assert_eq!(
            rx.next().await,
            Frame::Text(text.clone()),
            "the capacity itself fits"
        );
        tx.push(Frame::Text(text));
        tx.push(Frame::Text("one more".into()));
        assert_eq!(rx.next().await, Frame::Close(CloseCode::POLICY));
    }
}
