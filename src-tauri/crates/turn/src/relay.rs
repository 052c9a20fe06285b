//! The relay without sockets: what each datagram leads to.
//!
//! Messages go in by `handle_*` with the time; each leads to at most one message, which is returned. After every call the
//! caller drains [`Relay::poll_event`] and performs what it says, then looks at [`Relay::poll_timeout`]. All memory is
//! bounded: allocations by the ports, their tables by constants, sources by the table of [`Sources`].

use crate::allocation::Allocation;
use crate::client::{Client, Link, RelayId, Route, StreamId, Transmit};
use crate::config::TurnConfig;
use crate::counters::Counters;
use crate::credentials::TurnSecret;
use crate::limit::{Bucket, Sources};
use crate::message::{Class, Method, TransactionId, Writer, attribute};
use crate::moment::Moment;
use crate::nonce::Nonces;
use crate::peer_rule::{PeerRules, Reach};
use crate::ports::Ports;
use ring::hmac;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

mod allocating;
mod authentication;
mod permissions;
mod released;
mod reply;
mod requests;

/// Between two looks for what has expired (chosen: nothing depends on it, times are compared when used).
const SWEEP: Duration = Duration::from_secs(1);
/// How long a connection may be without an allocation (chosen: a client allocates at once).
const IDLE_STREAM: Duration = Duration::from_secs(60);
/// Bytes before the payload of ChannelData (RFC 8656 §12.4).
const CHANNEL_HEADER: usize = 4;

/// What the sockets are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEvent {
    /// Open a socket on this port, and say by [`Relay::handle_opened`] whether it is open.
    Open { relay: RelayId, port: u16 },
    /// Close the socket.
    Close { relay: RelayId },
    /// Close the connection.
    Disconnect { stream: StreamId },
}

/// STUN and TURN for any number of clients.
pub struct Relay {
    secret: TurnSecret,
    /// The address that clients are told.
    relay_ip: IpAddr,
    quota: usize,
    bandwidth: Option<u64>,
    rules: PeerRules,
    nonces: Nonces,
    ports: Ports,
    sources: Sources,
    counters: Arc<Counters>,
    allocations: HashMap<RelayId, Allocation>,
    by_client: HashMap<Client, RelayId>,
    by_port: HashMap<u16, RelayId>,
    /// Allocations whose socket is being opened.
    opening: HashMap<RelayId, allocating::Opening>,
    users: HashMap<Arc<str>, User>,
    /// Connections, and since when they are without an allocation.
    streams: HashMap<StreamId, (Client, Option<Duration>)>,
    released: released::Released,
    next_relay: u64,
    events: VecDeque<RelayEvent>,
    next_sweep: Option<Duration>,
    out: Vec<u8>,
}

#[derive(Debug)]
struct User {
    allocations: usize,
    bucket: Option<Bucket>,
}

impl Relay {
    /// Makes a relay that tells clients `relay_ip`; `own` are all addresses of this host, and `seed` is random.
    pub fn new(
        config: &TurnConfig,
        relay_ip: IpAddr,
        own: Vec<IpAddr>,
        listening: u16,
        seed: [u8; 32],
    ) -> Self {
        Self::with_counters(config, relay_ip, own, listening, seed, Arc::default())
    }

    pub(crate) fn with_counters(
        config: &TurnConfig,
        relay_ip: IpAddr,
        own: Vec<IpAddr>,
        listening: u16,
        seed: [u8; 32],
        counters: Arc<Counters>,
    ) -> Self {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, &seed);
        let key = |purpose: &[u8]| {
            let mut key = [0; 32];
            key.copy_from_slice(hmac::sign(&seed, purpose).as_ref());
            key
        };
        Self {
            secret: config.secret.clone(),
            relay_ip,
            quota: config.quota,
            bandwidth: config.bandwidth,
            rules: PeerRules::new(config.allow.clone(), own, listening),
            nonces: Nonces::new(&key(b"nonce")),
            ports: Ports::new(config.relay_ports.clone(), &key(b"ports")),
            sources: Sources::new(),
            counters,
            allocations: HashMap::new(),
            by_client: HashMap::new(),
            by_port: HashMap::new(),
            opening: HashMap::new(),
            users: HashMap::new(),
            streams: HashMap::new(),
            released: released::Released::default(),
            next_relay: 0,
            events: VecDeque::new(),
            next_sweep: None,
            out: Vec::new(),
        }
    }

    /// Takes one message of a client: a datagram, or one frame of a stream.
    pub fn handle_datagram<'a>(
        &'a mut self,
        now: Moment,
        client: Client,
        bytes: &'a [u8],
    ) -> Option<Transmit<'a>> {
        match bytes.first()? >> 6 {
            0 => self.handle_stun(now, client, bytes),
            1 => self.handle_channel_data(now, client, bytes),
            _ => None,
        }
    }

    /// Takes a datagram that came to a relayed address.
    pub fn handle_relayed(
        &mut self,
        now: Moment,
        relay: RelayId,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Transmit<'_>> {
        self.deliver(now.at, relay, from, bytes)
    }

    /// Takes note of a new connection.
    pub fn handle_connected(&mut self, now: Moment, stream: StreamId, address: SocketAddr) {
        let link = Link::Stream(stream);
        self.streams
            .insert(stream, (Client { address, link }, Some(now.at)));
        self.wake(now.at);
    }

    /// Ends the allocation of a connection that is gone (RFC 8656 §7.3 ties it to the 5-tuple).
    pub fn handle_disconnected(&mut self, stream: StreamId) {
        if let Some((client, _)) = self.streams.remove(&stream)
            && let Some(relay) = self.by_client.get(&client).copied()
        {
            self.end(relay);
        }
    }

    /// Forgets what has expired.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.next_sweep.is_none_or(|at| at > now.at) {
            return;
        }
        let now = now.at;
        let expired = |allocation: &Allocation| allocation.expires <= now;
        let ended: Vec<RelayId> = self
            .allocations
            .iter()
            .filter_map(|(id, allocation)| expired(allocation).then_some(*id))
            .collect();
        for relay in ended {
            self.end(relay);
        }
        for allocation in self.allocations.values_mut() {
            allocation.sweep(now);
        }
        self.sources.sweep(now);
        self.released.sweep(now);
        // A user's bucket is kept until it is full again, else a new allocation would be a new budget.
        self.users.retain(|_, user| {
            user.allocations > 0 || user.bucket.as_mut().is_some_and(|bucket| !bucket.is_full(now))
        });
        for (stream, (client, idle)) in &mut self.streams {
            let busy = self.by_client.contains_key(client);
            match idle {
                _ if busy => *idle = None,
                None => *idle = Some(now),
                Some(since) if now.saturating_sub(*since) >= IDLE_STREAM => {
                    self.events.push_back(RelayEvent::Disconnect { stream: *stream });
                    // Said again only much later, should nobody listen.
                    *idle = Some(now);
                }
                Some(_) => {}
            }
        }
        let nothing_left = self.allocations.is_empty()
            && self.streams.is_empty()
            && self.users.is_empty()
            && self.sources.is_empty()
            && self.released.is_empty();
        self.next_sweep = (!nothing_left).then(|| now + SWEEP);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.next_sweep
    }

    /// What the sockets are to do next.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// Sees to it that something that was stored is swept one day.
    fn wake(&mut self, now: Duration) {
        self.next_sweep.get_or_insert(now + SWEEP);
    }

    fn handle_channel_data<'a>(
        &'a mut self,
        now: Moment,
        client: Client,
        bytes: &'a [u8],
    ) -> Option<Transmit<'a>> {
        let (header, rest) = bytes.split_first_chunk::<CHANNEL_HEADER>()?;
        let number = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // Padding is allowed in datagrams, too (RFC 8656 §12.5).
        let payload = rest.get(..length)?;
        let relay = *self.by_client.get(&client)?;
        let peer = self.allocations.get(&relay)?.peer_of(number, now.at)?;
        self.send(now.at, relay, peer, payload)
    }

    /// Sends from a relayed address to a peer that it has a permission for.
    fn send<'a>(
        &'a mut self,
        now: Duration,
        relay: RelayId,
        peer: SocketAddr,
        payload: &'a [u8],
    ) -> Option<Transmit<'a>> {
        let allocation = self.allocations.get(&relay)?;
        if allocation.expires <= now || !allocation.permits(peer.ip(), now) {
            return None;
        }
        let relayed = allocation.relayed;
        if !charge(&mut self.users, &allocation.user, payload.len(), now) {
            Counters::add(&self.counters.over_bandwidth, 1);
            return None;
        }
        Counters::add(&self.counters.bytes_from_clients, payload.len());
        if let Some(other) = self.neighbour(peer) {
            return self.deliver(now, other, relayed, payload);
        }
        // The rules held when the permission was made; but an own port may have lost its allocation since.
        if !self.rules.may_send(peer) {
            return None;
        }
        let route = Route::ToPeer { relay, peer };
        Some(Transmit { route, payload })
    }

    /// The allocation whose relayed address this is.
    ///
    /// "Own relay" is among the peers that S16 denies, because through it a client would reach what else this host
    /// runs. But two clients behind symmetric NATs have no other way to each other than from one relayed address to the
    /// other. So such datagrams are handed over in here: they never touch the host's network, nothing but the other
    /// client can get them, and that one must have permitted the sender as it must for any peer.
    fn neighbour(&self, peer: SocketAddr) -> Option<RelayId> {
        match self.rules.reach(peer.ip()) {
            Reach::Own { .. } => self.by_port.get(&peer.port()).copied(),
            Reach::Peer | Reach::Denied => None,
        }
    }

    /// Hands a client what came for its relayed address.
    fn deliver(
        &mut self,
        now: Duration,
        relay: RelayId,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Transmit<'_>> {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let allocation = self.allocations.get(&relay)?;
        if allocation.expires <= now || !allocation.permits(from.ip(), now) {
            return None;
        }
        if !charge(&mut self.users, &allocation.user, bytes.len(), now) {
            Counters::add(&self.counters.over_bandwidth, 1);
            return None;
        }
        Counters::add(&self.counters.bytes_to_clients, bytes.len());
        let route = Route::ToClient(allocation.client);
        let length = u16::try_from(bytes.len()).ok()?;
        let out = &mut self.out;
        if let Some(number) = allocation.channel_to(from, now) {
            out.clear();
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(bytes);
            if matches!(allocation.client.link, Link::Stream(_)) {
                out.resize(out.len().next_multiple_of(4), 0);
            }
            return Some(Transmit { route, payload: out });
        }
        let id: TransactionId = indication_id(now, from);
        let mut writer = Writer::new(out, Class::Indication, Method::Data, &id);
        writer.address(attribute::XOR_PEER_ADDRESS, from);
        writer.attribute(attribute::DATA, bytes);
        let payload = writer.finish(None, false);
        Some(Transmit { route, payload })
    }

    /// Ends an allocation and closes its socket.
    fn end(&mut self, relay: RelayId) {
        let Some(allocation) = self.allocations.remove(&relay) else {
            return;
        };
        self.by_client.remove(&allocation.client);
        self.by_port.remove(&allocation.relayed.port());
        if let Some(user) = self.users.get_mut(&allocation.user) {
            user.allocations = user.allocations.saturating_sub(1);
        }
        self.counters.allocations.fetch_sub(1, Ordering::Relaxed);
        self.events.push_back(RelayEvent::Close { relay });
        tracing::debug!(port = allocation.relayed.port(), "allocation ended");
    }
}

/// Takes the bytes from the user's budget.
fn charge(users: &mut HashMap<Arc<str>, User>, user: &Arc<str>, bytes: usize, now: Duration) -> bool {
    match users.get_mut(user) {
        Some(User {
            bucket: Some(bucket), ..
        }) => bucket.take(bytes as u64, now),
        Some(User { bucket: None, .. }) | None => true,
    }
}

/// A transaction id of an indication pairs nothing; it only has to differ (RFC 8489 §5).
fn indication_id(now: Duration, from: SocketAddr) -> TransactionId {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&(now.as_nanos() as u64).to_be_bytes());
    id[8..10].copy_from_slice(&from.port().to_be_bytes());
    id
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("relay_ip", &self.relay_ip)
            .field("allocations", &self.allocations.len())
            .finish_non_exhaustive()
    }
}
