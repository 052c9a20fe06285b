//! STUN (RFC 8489) and TURN (RFC 8656) for the peers of calls.
//!
//! [`Relay`] decides without sockets or clock; [`TurnServer`] is the sockets around it: UDP, TCP and TLS for clients, and
//! one UDP socket for each relayed address. Nobody needs to be registered: whoever signs people in issues
//! [`credentials`] with the secret that the relay has, too.

mod allocation;
mod client;
mod config;
mod counters;
pub mod credentials;
mod driver;
pub mod framing;
pub mod fuzz;
mod limit;
mod message;
mod moment;
mod network;
mod nonce;
mod peer_rule;
mod ports;
mod relay;
mod server;
mod sockets;
mod stream;

pub use client::{Client, Link, RelayId, Route, StreamId, Transmit};
pub use config::TurnConfig;
pub use counters::{REFUSAL_CODES, TurnStats};
pub use credentials::TurnSecret;
pub use message::relayed_address;
pub use moment::Moment;
pub use network::{Network, NetworkError};
pub use relay::{Relay, RelayEvent};
pub use server::{TurnError, TurnServer};
