//! All sockets that the relay sends by, and the wait for those of relayed addresses.
//!
//! Nothing here waits to send: media that cannot go at once is late, and late media is lost.

use crate::client::{Client, Link, RelayId, Route, StreamId, Transmit};
use crate::counters::Counters;
use futures_util::stream::FuturesUnordered;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Bytes that the system may keep while the task is busy: 20 ms at 100 000 small datagrams a second (chosen). The system
/// gives less when it is told to.
const SYSTEM_BUFFER: usize = 4 * 1024 * 1024;
/// Messages on their way to a client by stream: a second of a video call. Media beyond it is dropped; an answer that finds
/// it full ends the connection, because over a stream nobody asks twice.
pub(crate) const STREAM_QUEUE: usize = 512;

/// Opens a UDP socket. Must be called on a runtime.
pub(crate) fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    for set in [Socket::set_recv_buffer_size, Socket::set_send_buffer_size] {
        if let Err(error) = set(&socket, SYSTEM_BUFFER) {
            tracing::debug!(%error, "the system keeps its own buffer size");
        }
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

pub(crate) struct Sockets {
    pub(crate) udp: Arc<UdpSocket>,
    is_v6: bool,
    relay_bind_ip: IpAddr,
    relays: HashMap<RelayId, Relayed>,
    pub(crate) readable: FuturesUnordered<Readable>,
    streams: HashMap<StreamId, StreamEnd>,
    counters: Arc<Counters>,
}

struct Relayed {
    socket: Arc<UdpSocket>,
    /// Dropped: the wait for the socket ends.
    _open: oneshot::Sender<()>,
}

/// Our end of a connection's task.
pub(crate) struct StreamEnd {
    pub(crate) address: SocketAddr,
    pub(crate) tx: mpsc::Sender<Vec<u8>>,
    pub(crate) task: AbortHandle,
}

impl Sockets {
    pub(crate) fn new(udp: UdpSocket, relay_bind_ip: IpAddr, counters: Arc<Counters>) -> Self {
        let is_v6 = udp.local_addr().is_ok_and(|address| address.is_ipv6());
        Self {
            udp: Arc::new(udp),
            is_v6,
            relay_bind_ip,
            relays: HashMap::new(),
            readable: FuturesUnordered::new(),
            streams: HashMap::new(),
            counters,
        }
    }

    /// Opens the socket of a relayed address.
    pub(crate) fn open(&mut self, relay: RelayId, port: u16) -> bool {
        let socket = match bind_udp(SocketAddr::new(self.relay_bind_ip, port)) {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::debug!(%error, port, "no socket for a relayed address");
                return false;
            }
        };
        let (open, closed) = oneshot::channel();
        let waiting = Waiting {
            relay,
            socket: Arc::clone(&socket),
            closed,
        };
        self.readable.push(waiting.wait());
        self.relays.insert(relay, Relayed { socket, _open: open });
        true
    }

    pub(crate) fn close(&mut self, relay: RelayId) {
        self.relays.remove(&relay);
    }

    pub(crate) fn add_stream(&mut self, stream: StreamId, end: StreamEnd) {
        self.streams.insert(stream, end);
        self.count_streams();
    }

    pub(crate) fn remove_stream(&mut self, stream: StreamId) -> Option<StreamEnd> {
        let end = self.streams.remove(&stream);
        self.count_streams();
        end
    }

    pub(crate) fn stream(&self, stream: StreamId) -> Option<&StreamEnd> {
        self.streams.get(&stream)
    }

    pub(crate) fn streams(&self) -> impl Iterator<Item = (&StreamId, &StreamEnd)> {
        self.streams.iter()
    }

    fn count_streams(&self) {
        let count = self.streams.len() as u64;
        self.counters
            .streams
            .store(count, std::sync::atomic::Ordering::Relaxed);
    }

    /// Sends one message or loses it.
    pub(crate) fn send(&self, transmit: Transmit<'_>) {
        let sent = match transmit.route {
            Route::ToClient(Client {
                address,
                link: Link::Datagram,
            }) => self.send_by(&self.udp, address, transmit.payload),
            Route::ToClient(Client {
                link: Link::Stream(stream),
                ..
            }) => self.send_to_stream(stream, transmit.payload),
            Route::ToPeer { relay, peer } => match self.relays.get(&relay) {
                Some(relayed) => send_to(&relayed.socket, peer, transmit.payload),
                None => false,
            },
        };
        if !sent {
            Counters::add(&self.counters.not_sent, 1);
        }
    }

    fn send_by(&self, socket: &UdpSocket, address: SocketAddr, payload: &[u8]) -> bool {
        let address = match address.ip() {
            IpAddr::V4(ip) if self.is_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => address,
        };
        send_to(socket, address, payload)
    }

    fn send_to_stream(&self, stream: StreamId, payload: &[u8]) -> bool {
        let Some(end) = self.streams.get(&stream) else {
            return false;
        };
        let sent = end.tx.try_send(payload.to_vec()).is_ok();
        if !sent && is_answer(payload) {
            tracing::debug!("a connection takes no answers and is closed");
            end.task.abort();
        }
        sent
    }
}

/// Sends past the runtime: it would have to see the socket writable first, which one that was just opened never was.
fn send_to(socket: &UdpSocket, address: SocketAddr, payload: &[u8]) -> bool {
    match SockRef::from(socket).send_to(payload, &SockAddr::from(address)) {
        Ok(_) => true,
        Err(error) => {
            tracing::trace!(%error, "datagram not sent");
            false
        }
    }
}

/// Whether this is a response, by its class bits (RFC 8489 §5).
fn is_answer(message: &[u8]) -> bool {
    message.first().is_some_and(|first| first & 0xC1 == 1)
}

/// Waits until something has come to a relayed address, or until that is closed.
pub(crate) struct Readable {
    /// Taken when it is ready.
    waiting: Option<Waiting>,
}

/// A relayed address, to be waited for again.
pub(crate) struct Waiting {
    pub(crate) relay: RelayId,
    pub(crate) socket: Arc<UdpSocket>,
    closed: oneshot::Receiver<()>,
}

impl Waiting {
    pub(crate) fn wait(self) -> Readable {
        Readable { waiting: Some(self) }
    }
}

impl Future for Readable {
    /// `None` when it is closed.
    type Output = Option<Waiting>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Waiting>> {
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(None);
        };
        if Pin::new(&mut waiting.closed).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        // An error shows itself again at the receive.
        waiting.socket.poll_recv_ready(cx).map(|_| self.waiting.take())
    }
}
