//! The runtime the library runs on: tokio, with sockets whose send errors are counted and which TURN streams pass through.
//!
//! The library logs a failed send as an error and goes on. A failed send is no error of the connection: an interface
//! that cannot reach an address fails every check of its pairs, and the checks of other pairs go on.

use crate::early_media::{EarlyMedia, Keys};
use crate::handshake_repeat::{HandshakeRepeat, repeat};
use crate::plain_socket::PlainSocket;
use crate::rehearsal::Rehearsal;
use crate::relay_flush::RelayFlush;
use crate::turn_stream::TurnStreams;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, Transmit,
};

/// Wraps every UDP socket of a runtime.
#[derive(Debug)]
pub(crate) struct CountedRuntime {
    inner: Arc<dyn Runtime>,
    send_errors: Arc<AtomicU64>,
    turn_streams: Arc<TurnStreams>,
    relay_flush: Arc<RelayFlush>,
    rehearsal: Arc<Rehearsal>,
    keys: Arc<Keys>,
    repeats_handshake: bool,
}

impl CountedRuntime {
    pub(crate) fn new(
        inner: Arc<dyn Runtime>,
        send_errors: Arc<AtomicU64>,
        turn_streams: Arc<TurnStreams>,
        rehearsal: Arc<Rehearsal>,
        keys: Arc<Keys>,
    ) -> Self {
        Self {
            inner,
            send_errors,
            turn_streams,
            relay_flush: Arc::new(RelayFlush::new(Instant::now())),
            rehearsal,
            keys,
            repeats_handshake: true,
        }
    }

    /// For a test of what it is good for.
    #[cfg(test)]
    pub(crate) fn repeating_handshake(mut self, repeats: bool) -> Self {
        self.repeats_handshake = repeats;
        self
    }
}

impl Runtime for CountedRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        self.inner.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let plain = socket.try_clone()?;
        let inner = match self.inner.wrap_udp_socket(socket) {
            Ok(inner) => inner,
            Err(error) => {
                tracing::debug!(%error, "no batching on this system; datagrams go one by one");
                Arc::new(PlainSocket::new(plain)?)
            }
        };
        let send_errors = Arc::clone(&self.send_errors);
        self.relay_flush.is_driver();
        let relay_flush = Arc::clone(&self.relay_flush);
        let counted = CountedSocket { inner, send_errors };
        let with_streams = self.turn_streams.wrap(Arc::new(counted));
        Ok(Arc::new(WatchedSocket {
            inner: with_streams,
            relay_flush,
            rehearsal: Arc::clone(&self.rehearsal),
            keys: Arc::clone(&self.keys),
            early: EarlyMedia::default(),
            handshake: self.repeats_handshake.then(HandshakeRepeat::default),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.inner.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move {
            match self.turn_streams.resolve(host).await {
                Some(addresses) => Ok(addresses),
                None => self.inner.resolve_host(host).await,
            }
        })
    }

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        if !self.relay_flush.cuts_wait(Instant::now()) {
            return self.inner.sleep(duration);
        }
        let relay_flush = Arc::clone(&self.relay_flush);
        let wait = self.inner.sleep(Duration::ZERO);
        Box::pin(async move {
            wait.await;
            relay_flush.cut();
        })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }
}

/// Tells what goes to relays, loses what is to be lost, repeats what must not be, and holds what comes too early.
#[derive(Debug)]
struct WatchedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    relay_flush: Arc<RelayFlush>,
    rehearsal: Arc<Rehearsal>,
    keys: Arc<Keys>,
    early: EarlyMedia,
    handshake: Option<HandshakeRepeat>,
}

impl AsyncUdpSocket for WatchedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.relay_flush.sending(transmit.contents, Instant::now());
        if self.rehearsal.loses(transmit.contents) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        let sent = self.inner.poll_send(cx, transmit);
        if let (Poll::Ready(Ok(_)), Some(handshake)) = (&sent, &self.handshake)
            && handshake.wants(transmit.contents)
        {
            repeat(&self.inner, transmit);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let released = self.early.release(&self.keys, bufs, meta);
        if released > 0 {
            return Poll::Ready(Ok(released));
        }
        loop {
            let count = match self.inner.poll_recv(cx, bufs, meta) {
                Poll::Ready(Ok(count)) => count,
                other => return other,
            };
            let left = self.early.hold(&self.keys, cx, count, bufs, meta);
            if left > 0 || count == 0 {
                return Poll::Ready(Ok(left));
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

#[derive(Debug)]
struct CountedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    send_errors: Arc<AtomicU64>,
}

impl AsyncUdpSocket for CountedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        match self.inner.poll_send(cx, transmit) {
            Poll::Ready(Err(error)) => {
                self.send_errors.fetch_add(1, Ordering::Relaxed);
                tracing::trace!(%error, to = %transmit.destination, "datagram not sent");
                Poll::Ready(Ok(transmit.contents.len()))
            }
            sent => sent,
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
