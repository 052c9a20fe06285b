//! A UDP socket of the library, with the connections that stand behind stand-in addresses.

use super::connection::{Ends, Incoming};
use super::{TurnStreams, number_of};
use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Datagrams to and from one socket's connections that wait, each way: half a second of a video call. Outgoing ones beyond
/// it are lost, as on any full link; for incoming ones the connection waits.
const QUEUE: usize = 256;

#[derive(Debug)]
pub(super) struct StreamSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    streams: Arc<TurnStreams>,
    /// Says that this socket is alive.
    claim: Arc<()>,
    connections: Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>,
    incoming_tx: mpsc::Sender<Incoming>,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
}

impl StreamSocket {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, streams: Arc<TurnStreams>) -> Self {
        let (incoming_tx, incoming) = mpsc::channel(QUEUE);
        Self {
            inner,
            streams,
            claim: Arc::default(),
            connections: Mutex::default(),
            incoming_tx,
            incoming: Mutex::new(incoming),
        }
    }

    /// Puts a datagram into the connection behind a stand-in, which the first one opens.
    fn send(&self, at: usize, stand_in: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let outgoing = match connections.get(&stand_in) {
            Some(outgoing) => outgoing,
            None => {
                let (tx, outgoing) = mpsc::channel(QUEUE);
                let ends = Ends {
                    stand_in,
                    outgoing,
                    incoming: self.incoming_tx.clone(),
                };
                self.streams.open(at, &self.claim, ends)?;
                connections.entry(stand_in).or_insert(tx)
            }
        };
        if outgoing.try_send(datagram.to_vec()).is_err() {
            tracing::trace!("a datagram to a relay is lost: the connection is full or has ended");
        }
        Ok(())
    }
}

impl AsyncUdpSocket for StreamSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let Some(at) = number_of(transmit.destination.ip()) else {
            return self.inner.poll_send(cx, transmit);
        };
        let whole = transmit.contents.len().max(1);
        let segment = transmit.segment_size.unwrap_or(whole).max(1);
        for datagram in transmit.contents.chunks(segment) {
            // An error makes the library give this server up on this socket.
            self.send(at, transmit.destination, datagram)?;
        }
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(first)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let received = {
            let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
            incoming.poll_recv(cx)
        };
        if let Poll::Ready(Some((stand_in, datagram))) = received
            && let Some(place) = buf.get_mut(..datagram.len())
        {
            if let Some(at) = number_of(stand_in.ip()) {
                self.streams.note(at, &datagram);
            }
            place.copy_from_slice(&datagram);
            *first = RecvMeta::default();
            (first.addr, first.len, first.stride) = (stand_in, datagram.len(), datagram.len().max(1));
            return Poll::Ready(Ok(1));
        }
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
