//! A bus inside one process, for several servers in one program.

use super::bus::Bus;
use super::log::NodeId;
use super::message::To;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Messages that wait for one node (chosen: seconds of a busy cluster). Overflow: the newest is lost, which the cluster
/// mends as any loss.
const QUEUE: usize = 8192;

/// Give a clone to each server that shall belong to the same cluster.
#[derive(Debug, Clone, Default)]
pub struct InProcessBus(Arc<Mutex<Vec<Place>>>);

#[derive(Debug)]
struct Place {
    node: NodeId,
    tx: mpsc::Sender<Bytes>,
}

#[derive(Debug)]
pub(crate) struct LocalBus {
    shared: InProcessBus,
    rx: mpsc::Receiver<Bytes>,
}

impl InProcessBus {
    pub(super) fn join(&self, node: NodeId) -> LocalBus {
        let (tx, rx) = mpsc::channel(QUEUE);
        self.places().push(Place { node, tx });
        LocalBus {
            shared: self.clone(),
            rx,
        }
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Vec<Place>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Bus for LocalBus {
    fn publish(&self, to: To, bytes: Bytes) {
        let mut places = self.shared.places();
        places.retain(|place| !place.tx.is_closed());
        for place in places.iter() {
            if (to == To::All || to == To::Node(place.node)) && place.tx.try_send(bytes.clone()).is_err() {
                tracing::debug!(node = place.node.0, "a node does not keep up with the bus");
            }
        }
    }

    async fn receive(&mut self) -> Bytes {
        match self.rx.recv().await {
            Some(bytes) => bytes,
            None => std::future::pending().await,
        }
    }
}
