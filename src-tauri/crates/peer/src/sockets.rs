//! The runtime the library runs on: tokio, with sockets whose send errors are counted.
//!
//! The library logs a failed send as an error and goes on. A failed send is no error of the connection: an interface
//! that cannot reach an address fails every check of its pairs, and the checks of other pairs go on.

use crate::plain_socket::PlainSocket;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, Transmit,
};

/// Wraps every UDP socket of a runtime.
#[derive(Debug)]
pub(crate) struct CountedRuntime {
    inner: Arc<dyn Runtime>,
    send_errors: Arc<AtomicU64>,
}

impl CountedRuntime {
    pub(crate) fn new(inner: Arc<dyn Runtime>, send_errors: Arc<AtomicU64>) -> Self {
        Self { inner, send_errors }
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
        Ok(Arc::new(CountedSocket { inner, send_errors }))
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
        self.inner.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
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
