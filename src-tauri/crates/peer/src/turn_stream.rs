//! TURN over TCP and TLS: the library knows TURN over UDP only.
//!
//! Each such server gets a stand-in address of a documentation network, which the library takes for a server over UDP.
//! Its sockets are wrapped: what goes to a stand-in goes into a connection instead, and what comes out of that seems to come
//! from the stand-in. Nothing of this ever reaches the network with those addresses, and no port is opened for it.
//!
//! A stream is the way when UDP does not work, and costs an allocation. So before the library asks where a stand-in is, a
//! probe has asked the servers over UDP for a sign of life; if one came, the stand-ins are nowhere and nothing is opened.

mod connection;
mod probe;
mod socket;
mod url;

use crate::config::IceServer;
use connection::TlsRoots;
use probe::Probe;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::runtime::Handle;
use url::{Transport, TurnUrl};
use webrtc::runtime::AsyncUdpSocket;

/// Servers over streams of one connection; more are left out (chosen: each costs an allocation).
const MAX_SERVERS: usize = 8;
/// Relayed addresses that are remembered: those of a few restarts (chosen); the oldest goes first.
const MAX_RELAYED: usize = 32;

/// The servers of one peer connection that are reached over streams.
#[derive(Debug)]
pub(crate) struct TurnStreams {
    servers: Mutex<Vec<StreamServer>>,
    /// The addresses that these servers have given, newest last.
    relayed: Mutex<VecDeque<(SocketAddr, Transport)>>,
    probe: Probe,
    roots: Arc<TlsRoots>,
    /// Where connections run: the library's sockets are polled on threads of its own.
    runtime: Handle,
}

#[derive(Debug)]
struct StreamServer {
    url: TurnUrl,
    /// The socket whose allocation goes over the connection: the others would each open one more to the same place.
    owner: Weak<()>,
}

impl TurnStreams {
    /// Must be called on the runtime where connections are to run.
    pub(crate) fn new(extra_roots: Vec<Vec<u8>>) -> Self {
        Self {
            servers: Mutex::default(),
            relayed: Mutex::default(),
            probe: Probe::default(),
            roots: Arc::new(TlsRoots::new(extra_roots)),
            runtime: Handle::current(),
        }
    }

    /// Takes note of the servers and returns them as the library is told them: stand-ins for those over streams.
    pub(crate) fn for_library(&self, servers: &[IceServer]) -> Vec<IceServer> {
        let all = servers.iter().flat_map(|server| &server.urls);
        let over_udp = all
            .filter_map(|url| TurnUrl::parse(url))
            .filter(|url| url.transport == Transport::Udp);
        self.probe
            .ask_from_now_on(over_udp.map(|url| url.address()).collect());
        let each = servers.iter().map(|server| IceServer {
            urls: server
                .urls
                .iter()
                .filter_map(|url| self.url_for_library(url))
                .collect(),
            ..server.clone()
        });
        each.filter(|server| !server.urls.is_empty()).collect()
    }

    fn url_for_library(&self, text: &str) -> Option<String> {
        let Some(url) = TurnUrl::parse(text).filter(|url| url.transport != Transport::Udp) else {
            return Some(text.to_owned());
        };
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = servers.iter().position(|server| server.url == url);
        let at = known.unwrap_or(servers.len());
        if at >= MAX_SERVERS {
            tracing::debug!("a relay is left out: there are too many");
            return None;
        }
        let address = SocketAddr::new(stand_in_v4(at).into(), url.port);
        if known.is_none() {
            let owner = Weak::new();
            servers.push(StreamServer { url, owner });
        }
        Some(format!("turn:{address}?transport=udp"))
    }

    /// Where the library finds a stand-in: nowhere while UDP works. `None` for the name of anything else.
    pub(crate) async fn resolve(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let address: SocketAddr = host.parse().ok()?;
        let at = number_of(address.ip())?;
        if self.probe.udp_works().await {
            return Some(Vec::new());
        }
        tracing::debug!("no relay answers over UDP; one is tried over a stream");
        let port = address.port();
        Some(vec![
            SocketAddr::new(stand_in_v4(at).into(), port),
            SocketAddr::new(stand_in_v6(at).into(), port),
        ])
    }

    /// How the relay is reached that has this address of ours.
    pub(crate) fn protocol_to(&self, relayed: SocketAddr) -> &'static str {
        let known = self.relayed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(address, _)| *address == relayed);
        match found.map_or(Transport::Udp, |(_, transport)| *transport) {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// Takes note of the relayed address when a message from a server gives one.
    fn note(&self, at: usize, message: &[u8]) {
        let Some(address) = ahoy_turn::relayed_address(message) else {
            return;
        };
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(transport) = servers.get(at).map(|server| server.url.transport) else {
            return;
        };
        let mut known = self.relayed.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(old, _)| *old != address);
        if known.len() >= MAX_RELAYED {
            known.pop_front();
        }
        known.push_back((address, transport));
    }

    /// Wraps a socket that the library has just opened, as it does before it gathers.
    pub(crate) fn wrap(self: &Arc<Self>, inner: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.is_empty() {
            return inner;
        }
        self.probe.start(&self.runtime);
        Arc::new(socket::StreamSocket::new(inner, Arc::clone(self)))
    }

    /// Opens the connection to a server for a socket, unless another socket has it.
    fn open(&self, at: usize, claim: &Arc<()>, ends: connection::Ends) -> io::Result<()> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let server = servers.get_mut(at).ok_or(io::ErrorKind::NotFound)?;
        let owner = server.owner.upgrade();
        if owner.is_some_and(|owner| !Arc::ptr_eq(&owner, claim)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        server.owner = Arc::downgrade(claim);
        let (url, roots) = (server.url.clone(), Arc::clone(&self.roots));
        self.runtime.spawn(connection::run(url, roots, ends));
        Ok(())
    }
}

/// The first of the stand-ins in their networks.
const FIRST: u8 = 200;

/// Addresses of TEST-NET-1 (RFC 5737) and of the documentation prefix (RFC 3849): nobody has them.
fn stand_in_v4(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, FIRST + at as u8)
}

fn stand_in_v6(at: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(FIRST) + at as u16)
}

/// Which server a stand-in stands for.
fn number_of(ip: IpAddr) -> Option<usize> {
    (0..MAX_SERVERS).find(|at| match ip {
        IpAddr::V4(ip) => ip == stand_in_v4(*at),
        IpAddr::V6(ip) => ip == stand_in_v6(*at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Credential;

    fn servers(urls: &[&str]) -> Vec<IceServer> {
        vec![IceServer {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            username: "u".to_owned(),
            credential: Credential::new("c"),
        }]
    }

    #[tokio::test]
    async fn the_library_sees_stand_ins_for_servers_over_streams_and_the_others_as_they_are() {
        let streams = TurnStreams::new(Vec::new());
        let told = streams.for_library(&servers(&[
            "stun:a:3478",
            "turn:a:3478?transport=udp",
            "turn:a:3478?transport=tcp",
            "turns:a:5349?transport=tcp",
        ]));
        assert_eq!(
            told[0].urls,
            [
                "stun:a:3478",
                "turn:a:3478?transport=udp",
                "turn:192.0.2.200:3478?transport=udp",
                "turn:192.0.2.201:5349?transport=udp",
            ]
        );
        assert_eq!(told[0].username, "u");
        let other = streams.for_library(&servers(&["turns:a:5349?transport=tcp", "turn:b?transport=tcp"]));
        assert_eq!(
            other[0].urls,
            [
                "turn:192.0.2.201:5349?transport=udp",
                "turn:192.0.2.202:3478?transport=udp"
            ]
        );
    }

    #[tokio::test]
    async fn a_stand_in_is_somewhere_when_nothing_else_is_configured() {
        let streams = TurnStreams::new(Vec::new());
        streams.for_library(&servers(&["turn:a:3478?transport=tcp"]));
        let found = streams.resolve("192.0.2.200:3478").await.expect("a stand-in");
        assert_eq!(found.len(), 2, "one for each family");
        assert_eq!(streams.resolve("192.0.2.1:3478").await, None);
        assert_eq!(streams.resolve("turn.example.org:3478").await, None);
    }
}
