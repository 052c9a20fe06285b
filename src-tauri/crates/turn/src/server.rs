//! A running relay.

use crate::config::TurnConfig;
use crate::counters::{Counters, TurnStats};
use crate::driver::Driver;
use crate::relay::Relay;
use crate::sockets::{self, Sockets};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;

/// Ports that are tried until one is free for both UDP and TCP (chosen).
const PORT_TRIES: usize = 16;

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error("the address {address} is in use by another program")]
    PortTaken { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the system has no random numbers for the keys of the relay")]
    NoRandomNumbers,
}

/// STUN and TURN over UDP, TCP and, with a certificate, TLS, all on one port. Its task runs on the runtime that it was
/// bound on; dropping it ends the task, every allocation and every connection.
#[derive(Debug)]
pub struct TurnServer {
    address: SocketAddr,
    advertised_ip: IpAddr,
    host: String,
    has_tls: bool,
    counters: Arc<Counters>,
    /// Dropped: the task ends.
    _running: oneshot::Sender<()>,
}

impl TurnServer {
    /// Starts to listen.
    pub async fn bind(config: TurnConfig) -> Result<Self, TurnError> {
        let (udp, tcp) = listen(config.listen).await?;
        let failed = |source| TurnError::Listen {
            address: config.listen,
            source,
        };
        let address = udp.local_addr().map_err(failed)?;
        let advertised_ip = config.external_ip.unwrap_or_else(|| advertised(address.ip()));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| TurnError::NoRandomNumbers)?;

        let counters = Arc::<Counters>::default();
        let relay = Relay::with_counters(
            &config,
            advertised_ip,
            own_addresses(advertised_ip, address.ip()),
            address.port(),
            seed,
            Arc::clone(&counters),
        );
        let sockets = Sockets::new(
            udp,
            relay_bind_ip(address.ip(), advertised_ip),
            Arc::clone(&counters),
        );
        let (running, stopped) = oneshot::channel();
        let has_tls = config.tls.is_some();
        let driver = Driver::new(relay, sockets, tcp, config.tls);
        tokio::spawn(driver.run(stopped));
        let host = config.host.unwrap_or_else(|| match advertised_ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        tracing::info!(%address, "relay is listening");
        Ok(Self {
            address,
            advertised_ip,
            host,
            has_tls,
            counters,
            _running: running,
        })
    }

    /// The address it listens on, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of relayed addresses.
    pub fn advertised_ip(&self) -> IpAddr {
        self.advertised_ip
    }

    /// The URL of TURN over UDP.
    pub fn turn_url(&self) -> String {
        format!("turn:{}:{}?transport=udp", self.host, self.address.port())
    }

    /// Everything that clients may use it by (IM-Suite §11), best first.
    pub fn urls(&self) -> Vec<String> {
        let (host, port) = (&self.host, self.address.port());
        let mut urls = vec![
            format!("stun:{host}:{port}"),
            self.turn_url(),
            format!("turn:{host}:{port}?transport=tcp"),
        ];
        if self.has_tls {
            urls.push(format!("turns:{host}:{port}?transport=tcp"));
        }
        urls
    }

    /// Reads the counters.
    pub fn stats(&self) -> TurnStats {
        self.counters.read()
    }
}

/// Opens both sockets on the same port.
async fn listen(address: SocketAddr) -> Result<(UdpSocket, TcpListener), TurnError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => TurnError::PortTaken { address },
        _ => TurnError::Listen { address, source },
    };
    let mut tries = PORT_TRIES;
    loop {
        tries -= 1;
        let udp = sockets::bind_udp(address).map_err(failed)?;
        let port = udp.local_addr().map_err(failed)?.port();
        match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() == 0 && tries > 0 => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// What clients are told when nothing is configured: where it listens, or the address the system sends from.
fn advertised(listening: IpAddr) -> IpAddr {
    if !listening.is_unspecified() {
        return listening;
    }
    outgoing(Ipv4Addr::UNSPECIFIED.into())
        .or_else(|| outgoing(Ipv6Addr::UNSPECIFIED.into()).filter(|_| listening.is_ipv6()))
        .unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// Where relayed sockets are bound: behind a 1:1 NAT that is not the address peers see.
fn relay_bind_ip(listening: IpAddr, advertised: IpAddr) -> IpAddr {
    match advertised {
        _ if listening.is_ipv4() == advertised.is_ipv4() => listening,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The addresses of this host that are known without asking for a list of interfaces. Others are nearly always private,
/// and denied for that.
fn own_addresses(advertised: IpAddr, listening: IpAddr) -> Vec<IpAddr> {
    let mut own = vec![advertised, listening];
    own.extend(outgoing(Ipv4Addr::UNSPECIFIED.into()));
    own.extend(outgoing(Ipv6Addr::UNSPECIFIED.into()));
    own.retain(|ip| !ip.is_unspecified());
    own
}

/// The address that this host sends from. A connected UDP socket sends nothing.
fn outgoing(any: IpAddr) -> Option<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): the default route leads there.
    let far: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}
