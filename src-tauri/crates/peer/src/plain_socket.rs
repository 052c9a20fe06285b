//! A UDP socket that asks the system for nothing but sending and receiving.
//!
//! The library's own socket turns on batching, ECN and packet information, and refuses to exist where the system lacks
//! one of them (old Windows, Wine, some containers). A call needs none of them.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll, ready};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

#[derive(Debug)]
pub(crate) struct PlainSocket {
    socket: tokio::net::UdpSocket,
}

impl PlainSocket {
    /// Takes a bound socket; must be called on a tokio runtime.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: tokio::net::UdpSocket::from_std(socket)?,
        })
    }
}

impl AsyncUdpSocket for PlainSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_send_ready(cx))?;
            match self.socket.try_send_to(transmit.contents, transmit.destination) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            match self.socket.try_recv_from(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A peer's closed port comes back as an error of the next receive on Windows; the socket is fine.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok((len, addr)) => {
                    *meta = RecvMeta::default();
                    (meta.addr, meta.len, meta.stride) = (addr, len, len.max(1));
                    return Poll::Ready(Ok(1));
                }
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        1
    }

    fn max_gro_segments(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    fn bound() -> PlainSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        PlainSocket::new(socket).expect("a plain socket")
    }

    #[tokio::test]
    async fn datagrams_go_and_come_one_by_one() {
        let (from, to) = (bound(), bound());
        let destination = to.local_addr().expect("bound");
        for text in [&b"first"[..], b"second"] {
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: text,
                segment_size: None,
                src_ip: None,
            };
            let sent = poll_fn(|cx| from.poll_send(cx, &transmit)).await.expect("sent");
            assert_eq!(sent, text.len());
            let mut bytes = [0; 64];
            let mut meta = [RecvMeta::default()];
            let received = poll_fn(|cx| to.poll_recv(cx, &mut [IoSliceMut::new(&mut bytes)], &mut meta));
            let count = tokio::time::timeout(Duration::from_secs(5), received)
                .await
                .expect("comes")
                .expect("no error");
            assert_eq!((count, meta[0].addr), (1, from.local_addr().expect("bound")));
            assert_eq!(&bytes[..meta[0].len], text);
        }
    }
}
