//! The way of events from the connection's driver task to the owner, which may be slow.
//!
//! The driver never waits for the owner: events go into a bounded queue, the two that repeat (keyframe wanted, target
//! bitrate) into slots where the newest wins. One task carries both to the owner.

use crate::event::{PeerEvent, TransportState};
use ahoy_media::units::Bitrate;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use tokio::sync::{Notify, mpsc};

/// Events between the driver and the task that carries them: states, tracks and local candidates, of which a machine
/// with ten addresses makes some thirty. An event that finds it full is dropped with a warning.
const EVENT_QUEUE: usize = 256;

/// An estimate is told when it moved by more than one part in this many since it was last told.
const TOLD_CHANGE: u64 = 20;

const MILLION: f64 = 1e6;

#[derive(Debug)]
pub(crate) struct Outlet {
    queue: mpsc::Sender<PeerEvent>,
    keyframe: AtomicBool,
    start: Bitrate,
    /// Bits per second.
    target: AtomicU64,
    /// Of a million packets.
    lost: AtomicU32,
    changed: Notify,
}

impl Outlet {
    /// Makes the outlet and the queue that [`carry`] empties.
    pub(crate) fn new(start: Bitrate) -> (Self, mpsc::Receiver<PeerEvent>) {
        let (queue, events) = mpsc::channel(EVENT_QUEUE);
        let outlet = Self {
            queue,
            keyframe: AtomicBool::new(false),
            start,
            target: AtomicU64::new(start.as_bps()),
            lost: AtomicU32::new(0),
            changed: Notify::new(),
        };
        (outlet, events)
    }

    pub(crate) fn push(&self, event: PeerEvent) {
        if let Err(error) = self.queue.try_send(event) {
            tracing::warn!(%error, "event of the peer connection dropped");
        }
    }

    pub(crate) fn request_keyframe(&self) {
        self.keyframe.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(crate) fn publish_target(&self, target: Bitrate) {
        if self.target.swap(target.as_bps(), Ordering::Relaxed) != target.as_bps() {
            self.changed.notify_one();
        }
    }

    /// What part of the last second's packets the path lost; read by whoever wants to know.
    pub(crate) fn publish_loss(&self, fraction: f64) {
        self.lost.store((fraction * MILLION) as u32, Ordering::Relaxed);
    }

    pub(crate) fn loss(&self) -> f64 {
        f64::from(self.lost.load(Ordering::Relaxed)) / MILLION
    }

    pub(crate) fn target(&self) -> Bitrate {
        Bitrate::from_bps(self.target.load(Ordering::Relaxed))
    }
}

/// Carries events to the owner until it has told that the connection is closed, or the owner is gone.
pub(crate) async fn carry(
    outlet: std::sync::Arc<Outlet>,
    mut queue: mpsc::Receiver<PeerEvent>,
    owner: mpsc::Sender<PeerEvent>,
) {
    let mut told = outlet.start.as_bps();
    loop {
        let event = tokio::select! {
            biased;
            event = queue.recv() => match event {
                Some(event) => event,
                None => return,
            },
            () = outlet.changed.notified() => {
                if outlet.keyframe.swap(false, Ordering::Relaxed)
                    && owner.send(PeerEvent::KeyframeNeeded).await.is_err()
                {
                    return;
                }
                let target = outlet.target();
                if target.as_bps().abs_diff(told) <= told / TOLD_CHANGE {
                    continue;
                }
                told = target.as_bps();
                PeerEvent::TargetBitrate(target)
            }
            () = owner.closed() => return,
        };
        let last = event == PeerEvent::State(TransportState::Closed);
        if owner.send(event).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn an_estimate_is_told_when_it_moved_by_more_than_a_twentieth() {
        let (outlet, queue) = Outlet::new(Bitrate::from_kbps(1000));
        let outlet = Arc::new(outlet);
        let (tx, mut rx) = mpsc::channel(8);
        let carrier = tokio::spawn(carry(outlet.clone(), queue, tx));
        outlet.publish_target(Bitrate::from_kbps(1040));
        outlet.request_keyframe();
        assert_eq!(rx.recv().await, Some(PeerEvent::KeyframeNeeded));
        outlet.publish_target(Bitrate::from_kbps(1060));
        assert_eq!(
            rx.recv().await,
            Some(PeerEvent::TargetBitrate(Bitrate::from_kbps(1060)))
        );
        outlet.publish_target(Bitrate::from_kbps(1100));
        outlet.request_keyframe();
        assert_eq!(rx.recv().await, Some(PeerEvent::KeyframeNeeded));
        drop(rx);
        carrier.await.expect("the carrier ends with its owner");
    }
}
