//! The accept loop: TCP, TLS where there is a certificate, and HTTP/1.1 on it, each within bounds.
//!
//! The bounds are for connections that have not signed in. One that becomes a WebSocket leaves this module, and counts
//! among the connections of its user from then on.

use crate::http::Phase;
use crate::metrics::Metrics;
use crate::rate::household;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a client has for its TLS handshake, and again for the head of each request.
pub(crate) const HELLO: Duration = Duration::from_secs(10);
/// Bytes of a request's head: above our longest token, far below what would hurt (chosen).
const HEAD_LIMIT: usize = 32 * 1024;
/// Connections of one address without a WebSocket (chosen: a household behind one address has far fewer).
const PER_ADDRESS: u32 = 256;
/// Connections of all addresses without a WebSocket (chosen: with [`HEAD_LIMIT`] they hold at most 128 MiB).
const IN_TOTAL: u32 = 4096;
/// How long the loop rests when the system has no more sockets to give (chosen, not measured).
const NO_SOCKETS: Duration = Duration::from_millis(100);

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Everything that the loop needs.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) router: Router,
    /// Whether one address has a bound of its own.
    pub(crate) bound_per_address: bool,
    pub(crate) metrics: Metrics,
    /// Closing: connections that wait for a request are closed, others after their answer.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Held by each connection.
    pub(crate) open: mpsc::Sender<()>,
}

impl Door {
    /// Accepts until `stop` is sent or dropped; then nobody can connect any more.
    pub(crate) async fn run(self, mut stop: oneshot::Receiver<()>) {
        let places = Places::default();
        let per_address = if self.bound_per_address {
            PER_ADDRESS
        } else {
            IN_TOTAL
        };
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = &mut stop => return,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // A client that left at once, or no descriptors: both pass.
                    tracing::debug!(%error, "not accepted");
                    tokio::time::sleep(NO_SOCKETS).await;
                    continue;
                }
            };
            let Some(place) = places.take(peer.ip(), per_address) else {
                self.metrics.turned_away.inc();
                tracing::debug!("too many connections");
                continue;
            };
            // Signaling is small messages that somebody waits for: none of them waits for another.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "small messages may be held back");
            }
            let connection = Connection {
                router: self.router.clone(),
                peer: Peer(peer),
                phase: self.phase.clone(),
            };
            let (tls, open) = (self.tls.clone(), self.open.clone());
            tokio::spawn(async move {
                connection.run(socket, tls).await;
                drop((place, open));
            });
        }
    }
}

struct Connection {
    router: Router,
    peer: Peer,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    async fn run(self, socket: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.serve(socket).await,
            Some(tls) => match timeout(HELLO, tls.accept(socket)).await {
                Ok(Ok(socket)) => self.serve(socket).await,
                Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                Err(_) => tracing::debug!("no TLS in time"),
            },
        }
    }

    async fn serve(self, socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self {
            router,
            peer,
            mut phase,
        } = self;
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer);
            let request: Request = request;
            router.call(request)
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HELLO)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut serving = pin!(serving);
        let served = tokio::select! {
            served = serving.as_mut() => served,
            // An error is a server that is gone, which closes too.
            () = async { drop(phase.wait_for(|phase| *phase == Phase::Closing).await) } => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "connection failed");
        }
    }
}

/// Who is connected without a WebSocket.
#[derive(Debug, Default, Clone)]
struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    by_address: HashMap<IpAddr, u32>,
    total: u32,
}

/// One connection's place, until dropped.
#[derive(Debug)]
struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    fn take(&self, address: IpAddr, per_address: u32) -> Option<Place> {
        let address = household(address);
        let mut taken = self.lock();
        let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
        if taken.total >= IN_TOTAL || of_address >= per_address {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, of_address + 1);
        drop(taken);
        Some(Place {
            places: self.clone(),
            address,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.total -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_has_its_bound_and_gets_places_back() {
        let places = Places::default();
        let mut held: Vec<_> = (0..PER_ADDRESS)
            .map(|_| places.take(address(1), PER_ADDRESS).unwrap())
            .collect();
        assert!(places.take(address(1), PER_ADDRESS).is_none());
        assert!(places.take(address(2), PER_ADDRESS).is_some(), "another address");
        held.pop();
        assert!(places.take(address(1), PER_ADDRESS).is_some());
        drop(held);
        assert!(
            places.lock().by_address.is_empty(),
            "nothing is remembered of who left"
        );
        assert_eq!(places.lock().total, 0);
    }

    #[test]
    fn all_addresses_together_have_a_bound() {
        let places = Places::default();
        let held: Vec<_> = (0..IN_TOTAL)
            .map(|i| {
                places
                    .take(IpAddr::V4((0x0b00_0000 + i).into()), PER_ADDRESS)
                    .unwrap()
            })
            .collect();
        assert!(places.take(address(1), PER_ADDRESS).is_none());
        drop(held);
        assert!(places.take(address(1), PER_ADDRESS).is_some());
    }
}
