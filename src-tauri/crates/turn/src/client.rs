//! Who talks to the relay, and what the relay sends where.

use std::net::SocketAddr;

/// One connection of TCP or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId(pub u64);

/// How a client reaches the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    Datagram,
    Stream(StreamId),
}

/// The client's side of the 5-tuple that an allocation belongs to (RFC 8656 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    pub address: SocketAddr,
    pub link: Link,
}

/// The socket of one relayed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayId(pub u64);

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    ToClient(Client),
    /// From a relayed address to a peer.
    ToPeer {
        relay: RelayId,
        peer: SocketAddr,
    },
}

/// One message to send. It is lost when it cannot be sent at once, except answers to requests on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    pub route: Route,
    pub payload: &'a [u8],
}
