//! What carries bytes between nodes.

use super::local::InProcessBus;
use super::message::To;
use bytes::Bytes;

/// Where the nodes of a server meet.
#[derive(Debug, Clone)]
pub enum BusAddress {
    /// A NATS server or several, separated by commas: `nats://host:4222`, with `tls://` over TLS.
    Nats(String),
    /// Nodes in one process.
    InProcess(InProcessBus),
}

/// One node's place on a bus. What is published may be lost, repeated or late, and comes to every node that is on the bus,
/// the publisher too.
pub(crate) trait Bus: Send + 'static {
    /// Hands bytes over without waiting; they are dropped when too many wait already.
    fn publish(&self, to: To, bytes: Bytes);

    /// Waits for the next bytes, for ever when there are none. Cancelling it loses nothing.
    fn receive(&mut self) -> impl Future<Output = Bytes> + Send;
}

/// Why a node does not get on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("the bus {url} does not answer")]
    Unreachable {
        url: String,
        #[source]
        source: async_nats::ConnectError,
    },
    #[error("the bus {url} does not answer within {seconds} s")]
    Silent { url: String, seconds: u64 },
    #[error("the bus {url} refuses a subscription")]
    Refused {
        url: String,
        #[source]
        source: async_nats::SubscribeError,
    },
}
