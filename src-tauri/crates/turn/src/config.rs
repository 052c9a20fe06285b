//! What an operator decides about the relay.

use crate::credentials::TurnSecret;
use crate::network::Network;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Everything that a relay is started with.
#[derive(Debug, Clone)]
pub struct TurnConfig {
    /// Where UDP, TCP and TLS listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that peers reach the relay under, where that is not the one it listens on.
    pub external_ip: Option<IpAddr>,
    /// The name in the URLs that clients are given, for certificates; `None` puts the address there.
    pub host: Option<String>,
    /// Ports of relayed addresses.
    pub relay_ports: RangeInclusive<u16>,
    /// What credentials are made with.
    pub secret: TurnSecret,
    /// Allocations of one user at a time.
    pub quota: usize,
    /// Bytes per second of one user, both ways together; `None` is without a limit.
    pub bandwidth: Option<u64>,
    /// Peers that may be reached although they are private.
    pub allow: Vec<Network>,
    /// The certificate of `turns:`; without it there is no TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl TurnConfig {
    /// Allocations of one user (IM-Suite §11).
    pub const QUOTA: usize = 10;
    /// Bytes per second of one user: ten calls of 5 Mbit/s, sent and received (chosen).
    pub const BANDWIDTH: u64 = 12_500_000;
    /// The ports of RFC 8656 §7.2.
    pub const RELAY_PORTS: RangeInclusive<u16> = 49152..=65535;

    /// A relay on `listen` with the limits of the specification.
    pub fn new(listen: SocketAddr, secret: TurnSecret) -> Self {
        Self {
            listen,
            external_ip: None,
            host: None,
            relay_ports: Self::RELAY_PORTS,
            secret,
            quota: Self::QUOTA,
            bandwidth: Some(Self::BANDWIDTH),
            allow: Vec::new(),
            tls: None,
        }
    }
}
