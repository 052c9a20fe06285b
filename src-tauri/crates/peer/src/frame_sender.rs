//! The way of encoded frames from a media thread into the connection.

use ahoy_media::packet::EncodedFrame;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Frames between a media thread and the connection: 160 ms of sound, 270 ms of pictures at 30 fps. A frame that finds
/// it full is refused, because a call prefers a hole to a delay.
pub(crate) const FRAME_QUEUE: usize = 8;

/// Hands frames to the connection from any thread; clones feed the same track.
#[derive(Debug, Clone)]
pub struct FrameSender {
    tx: mpsc::Sender<EncodedFrame>,
    dropped: Arc<AtomicU64>,
}

impl FrameSender {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<EncodedFrame>) {
        let (tx, rx) = mpsc::channel(FRAME_QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        (Self { tx, dropped }, rx)
    }

    /// Queues a frame without ever blocking; `false` when the queue is full (counted) or the connection closed.
    pub fn try_send(&self, frame: EncodedFrame) -> bool {
        match self.tx.try_send(frame) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Whether a frame sent next would be taken; a pipeline asks before it encodes.
    pub fn ready(&self) -> bool {
        !self.tx.is_closed() && self.tx.capacity() > 0
    }

    /// Frames refused because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_media::units::RtpTime;
    use std::time::Instant;

    fn frame() -> EncodedFrame {
        EncodedFrame {
            payload: bytes::Bytes::from_static(b"x"),
            rtp_time: RtpTime::new(0),
            keyframe: false,
            captured_at: Instant::now(),
        }
    }

    #[test]
    fn a_full_queue_refuses_and_counts() {
        let (sender, rx) = FrameSender::channel();
        for _ in 0..FRAME_QUEUE {
            assert!(sender.ready());
            assert!(sender.try_send(frame()));
        }
        assert!(!sender.ready());
        assert!(!sender.try_send(frame()));
        assert_eq!(sender.dropped(), 1);
        drop(rx);
        assert!(!sender.ready());
        assert!(!sender.try_send(frame()));
        assert_eq!(sender.dropped(), 1);
    }
}
