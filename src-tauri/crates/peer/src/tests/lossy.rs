//! A runtime whose sockets lose RTP on its way out.

use std::collections::HashSet;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

/// What the link does; shared by all sockets of one peer.
#[derive(Debug, Default)]
pub struct Loss {
    /// Every how many video-sized RTP packets one is lost, at random but seeded; 0 = none.
    pub one_in: AtomicU64,
    /// Nothing leaves at all.
    pub cut: AtomicBool,
    /// Nothing leaves from this address, as from an interface that is down.
    dead: Mutex<Option<IpAddr>>,
    state: Mutex<u64>,
    pub lost: AtomicU64,
    /// What carries a DTLS handshake is lost the first time it is sent.
    pub first_handshakes: AtomicBool,
    handshakes: Mutex<HashSet<Vec<u8>>>,
}

impl Loss {
    pub fn kill(&self, address: IpAddr) {
        *self.dead.lock().expect("no test panics here") = Some(address);
    }

    pub fn revive(&self) {
        *self.dead.lock().expect("no test panics here") = None;
    }

    fn is_dead(&self, address: IpAddr) -> bool {
        *self.dead.lock().expect("no test panics here") == Some(address)
    }

    fn loses(&self, datagram: &[u8]) -> bool {
        if self.cut.load(Ordering::Relaxed) {
            return true;
        }
        if self.first_handshakes.load(Ordering::Relaxed) && matches!(datagram, [20 | 22, 0xFE, ..]) {
            let mut seen = self.handshakes.lock().expect("no test panics here");
            return seen.insert(datagram.to_vec());
        }
        let one_in = self.one_in.load(Ordering::Relaxed);
        // RTP has version 2 and is no RTCP (RFC 5761 §4); only media of pictures is that large.
        let rtp = datagram.len() > 400 && datagram[0] >> 6 == 2 && !(192..224).contains(&datagram[1]);
        if one_in == 0 || !rtp {
            return false;
        }
        let mut state = self.state.lock().expect("no test panics here");
        *state = (*state | 1)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let loses = (*state >> 33).is_multiple_of(one_in);
        if loses {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        loses
    }
}

#[derive(Debug)]
pub struct LossyRuntime(pub Arc<Loss>);

impl Runtime for LossyRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        Ok(Arc::new(LossySocket {
            inner,
            loss: self.0.clone(),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move { TokioRuntime.resolve_host(host).await })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}

#[derive(Debug)]
struct LossySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    loss: Arc<Loss>,
}

impl AsyncUdpSocket for LossySocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    // One datagram a call: `max_gso_segments` keeps its default of one.
    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let from = self.inner.local_addr()?.ip();
        if self.loss.is_dead(from) || self.loss.loses(transmit.contents) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        self.inner.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
