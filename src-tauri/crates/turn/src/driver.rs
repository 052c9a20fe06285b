//! The task that owns the relay and its sockets: it waits, hands over what came, and sends what that leads to.

use crate::client::{Client, Link, StreamId};
use crate::moment::Moment;
use crate::relay::{Relay, RelayEvent};
use crate::sockets::{STREAM_QUEUE, Sockets, StreamEnd, Waiting};
use crate::stream::{self, StreamFrame};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant as Timer, sleep_until};

/// Datagrams that are taken from one socket before the others have their turn (chosen).
const BATCH: usize = 64;
/// Bytes of the largest datagram.
const DATAGRAM: usize = 65_536;
/// Messages from all connections that wait for the task; a connection whose message finds it full waits, too.
const FRAMES: usize = 256;
/// Connections at a time, and those of one address (chosen: everybody in an office with UDP blocked).
const MAX_STREAMS: usize = 1024;
const MAX_STREAMS_PER_ADDRESS: usize = 128;

pub(crate) struct Driver {
    relay: Relay,
    sockets: Sockets,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    connections: JoinSet<()>,
    by_task: HashMap<tokio::task::Id, StreamId>,
    frames_tx: mpsc::Sender<StreamFrame>,
    frames: mpsc::Receiver<StreamFrame>,
    next_stream: u64,
    started: Instant,
    buffer: Vec<u8>,
}

impl Driver {
    pub(crate) fn new(
        relay: Relay,
        sockets: Sockets,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let (frames_tx, frames) = mpsc::channel(FRAMES);
        Self {
            relay,
            sockets,
            listener,
            tls,
            connections: JoinSet::new(),
            by_task: HashMap::new(),
            frames_tx,
            frames,
            next_stream: 0,
            started: Instant::now(),
            buffer: vec![0; DATAGRAM],
        }
    }

    /// Runs until `stopped` says so or its sender is dropped.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut sweep = std::pin::pin!(sleep_until(Timer::now()));
        let mut sweep_at = None;
        let udp = Arc::clone(&self.sockets.udp);
        loop {
            if self.relay.poll_timeout() != sweep_at {
                sweep_at = self.relay.poll_timeout();
                let at = self.started + sweep_at.unwrap_or(Duration::ZERO);
                sweep.as_mut().reset(at.into());
            }
            tokio::select! {
                _ = &mut stopped => return,
                // An error shows itself again at the receive.
                _ = udp.readable() => self.receive_from_clients(&udp),
                Some(ready) = self.sockets.readable.next(), if !self.sockets.readable.is_empty() => {
                    if let Some(waiting) = ready {
                        self.receive_from_peers(waiting);
                    }
                }
                Some(frame) = self.frames.recv() => self.receive_from_streams(frame),
                accepted = self.listener.accept() => self.accept(accepted).await,
                Some(ended) = self.connections.join_next_with_id(), if !self.connections.is_empty() => {
                    let task = match ended {
                        Ok((task, ())) => task,
                        Err(error) => error.id(),
                    };
                    self.forget(task);
                }
                () = &mut sweep, if sweep_at.is_some() => {
                    let now = self.now();
                    self.relay.handle_timeout(now);
                    self.perform(now);
                }
            }
        }
    }

    fn receive_from_clients(&mut self, udp: &UdpSocket) {
        let now = self.now();
        for _ in 0..BATCH {
            let (length, from) = match udp.try_recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A client's closed port comes back as an error of the next receive on Windows; the socket is fine.
                Err(_) => continue,
            };
            let client = Client {
                address: SocketAddr::new(from.ip().to_canonical(), from.port()),
                link: Link::Datagram,
            };
            if let Some(transmit) = self.relay.handle_datagram(now, client, &self.buffer[..length]) {
                self.sockets.send(transmit);
            }
            self.perform(now);
        }
    }

    fn receive_from_peers(&mut self, waiting: Waiting) {
        let now = self.now();
        for _ in 0..BATCH {
            let (length, from) = match waiting.socket.try_recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => continue,
            };
            let received = &self.buffer[..length];
            if let Some(transmit) = self.relay.handle_relayed(now, waiting.relay, from, received) {
                self.sockets.send(transmit);
            }
        }
        self.sockets.readable.push(waiting.wait());
    }

    fn receive_from_streams(&mut self, first: StreamFrame) {
        let now = self.now();
        let mut next = Some(first);
        let mut left = BATCH;
        while let Some(StreamFrame { stream, bytes }) = next {
            // What a connection sent before it ended is not answered, and must not make an allocation.
            if let Some(address) = self.sockets.stream(stream).map(|end| end.address) {
                let link = Link::Stream(stream);
                if let Some(transmit) = self.relay.handle_datagram(now, Client { address, link }, &bytes) {
                    self.sockets.send(transmit);
                }
                self.perform(now);
            }
            left -= 1;
            next = if left > 0 {
                self.frames.try_recv().ok()
            } else {
                None
            };
        }
    }

    async fn accept(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "connection not taken");
                // Without descriptors it fails again at once; the relay's datagrams go first.
                tokio::task::yield_now().await;
                return;
            }
        };
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let of_address = |(_, end): &(&StreamId, &StreamEnd)| end.address.ip() == address.ip();
        if self.sockets.streams().count() >= MAX_STREAMS
            || self.sockets.streams().filter(of_address).count() >= MAX_STREAMS_PER_ADDRESS
        {
            tracing::debug!("connection not taken: there are too many");
            return;
        }
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        let (tx, outgoing) = mpsc::channel(STREAM_QUEUE);
        let running = stream::run(stream, socket, self.tls.clone(), self.frames_tx.clone(), outgoing);
        let task = self.connections.spawn(running);
        self.by_task.insert(task.id(), stream);
        self.sockets.add_stream(stream, StreamEnd { address, tx, task });
        self.relay.handle_connected(self.now(), stream, address);
    }

    /// Ends what belongs to a connection whose task is over.
    fn forget(&mut self, task: tokio::task::Id) {
        if let Some(stream) = self.by_task.remove(&task) {
            self.sockets.remove_stream(stream);
            self.relay.handle_disconnected(stream);
            self.perform(self.now());
        }
    }

    /// Does what the relay wants done.
    fn perform(&mut self, now: Moment) {
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Open { relay, port } => {
                    let is_open = self.sockets.open(relay, port);
                    if let Some(transmit) = self.relay.handle_opened(now, relay, is_open) {
                        self.sockets.send(transmit);
                    }
                }
                RelayEvent::Close { relay } => self.sockets.close(relay),
                RelayEvent::Disconnect { stream } => {
                    if let Some(end) = self.sockets.stream(stream) {
                        end.task.abort();
                    }
                }
            }
        }
    }

    fn now(&self) -> Moment {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Moment {
            at: self.started.elapsed(),
            unix: unix.map_or(0, |since| since.as_secs()),
        }
    }
}
