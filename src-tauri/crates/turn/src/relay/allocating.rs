//! The life of allocations: made, renewed and ended on request (RFC 8656 §7 and §8).

use super::authentication::{Identity, long_term_key};
use super::reply::Reply;
use super::requests::Outcome;
use super::{Relay, RelayEvent, User};
use crate::allocation::Allocation;
use crate::client::{Client, RelayId, Route, Transmit};
use crate::counters::Counters;
use crate::credentials;
use crate::limit::Bucket;
use crate::message::{Class, Message, Method, TransactionId, Writer, attribute};
use crate::moment::Moment;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long an allocation lasts that asks for nothing else (RFC 8656 §3.2).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// And at the longest (RFC 8656 §7.2).
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// The protocol number of UDP in REQUESTED-TRANSPORT.
const UDP: u8 = 17;
/// Address families in REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
const IPV4: u8 = 1;
const IPV6: u8 = 2;
/// Ports that are tried when other programs hold them (chosen).
const MAX_BINDS: u32 = 16;
/// Ports that are drawn to find one without an allocation (chosen: finds one while a tenth of them is free).
const MAX_DRAWS: u32 = 64;

/// An allocation whose socket is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    client: Client,
    identity: Identity,
    request: TransactionId,
    with_fingerprint: bool,
    lifetime: Duration,
    port: u16,
    even: bool,
    binds_left: u32,
}

impl Relay {
    /// Takes the result of a [`RelayEvent::Open`]; returns the answer to the client.
    pub fn handle_opened(&mut self, now: Moment, relay: RelayId, is_open: bool) -> Option<Transmit<'_>> {
        let mut opening = self.opening.remove(&relay)?;
        if !is_open {
            opening.binds_left = opening.binds_left.saturating_sub(1);
            let port = self.free_port(opening.even);
            if let (Some(port), 1..) = (port, opening.binds_left) {
                opening.port = port;
                self.opening.insert(relay, opening);
                self.events.push_back(RelayEvent::Open { relay, port });
                return None;
            }
            if let Some(user) = self.users.get_mut(&opening.identity.user) {
                user.allocations = user.allocations.saturating_sub(1);
            }
            tracing::warn!("no port is free for a relayed address");
            let reply = Reply {
                client: opening.client,
                method: Method::Allocate,
                id: opening.request,
                with_fingerprint: opening.with_fingerprint,
            };
            return Some(self.refuse(&reply, 508, Some(&opening.identity.key), &[]));
        }
        let Opening {
            client,
            identity,
            request,
            with_fingerprint,
            lifetime,
            port,
            ..
        } = opening;
        let relayed = SocketAddr::new(self.relay_ip, port);
        let mut writer = Writer::new(&mut self.out, Class::Success, Method::Allocate, &request);
        writer.address(attribute::XOR_RELAYED_ADDRESS, relayed);
        writer.attribute(attribute::LIFETIME, &seconds(lifetime).to_be_bytes());
        writer.address(attribute::XOR_MAPPED_ADDRESS, client.address);
        let payload = writer.finish(Some(&identity.key), with_fingerprint);

        let mut allocation = Allocation::new(
            client,
            identity.user,
            identity.username,
            identity.key,
            relayed,
            now.at + lifetime,
            request,
        );
        allocation.answer = payload.to_vec();
        self.allocations.insert(relay, allocation);
        self.by_client.insert(client, relay);
        self.by_port.insert(port, relay);
        self.counters.allocations.fetch_add(1, Ordering::Relaxed);
        Counters::add(&self.counters.allocations_made, 1);
        tracing::debug!(port, "allocation made");
        let route = Route::ToClient(client);
        Some(Transmit { route, payload })
    }

    /// An allocation without its requests, with a permission and a channel: bytes of a fuzzer never get past the signature.
    pub(crate) fn allocate_for_fuzzing(&mut self, now: Moment, client: Client, peer: SocketAddr) -> RelayId {
        let relay = RelayId(self.next_relay);
        self.next_relay += 1;
        let port = *self.ports.range().start();
        let username = format!("{}:7", now.unix + 3600);
        let password = credentials::password(&self.secret, &username);
        let identity = Identity {
            user: "7".into(),
            username: username.as_str().into(),
            key: long_term_key(&username, &password),
        };
        self.opening.insert(
            relay,
            Opening {
                client,
                identity,
                request: [0; 12],
                with_fingerprint: false,
                lifetime: MAX_LIFETIME,
                port,
                even: false,
                binds_left: 1,
            },
        );
        self.handle_opened(now, relay, true);
        if let Some(allocation) = self.allocations.get_mut(&relay) {
            let bound = allocation.bind(0x4000, peer, now.at);
            debug_assert_eq!(bound, Ok(()));
        }
        relay
    }

    pub(super) fn allocate(
        &mut self,
        now: Moment,
        client: Client,
        message: &Message<'_>,
        identity: &Identity,
    ) -> Result<Outcome, u16> {
        if let Some(relay) = self.by_client.get(&client).copied()
            && let Some(allocation) = self.allocations.get(&relay)
        {
            if allocation.expires > now.at {
                return if allocation.request == message.transaction() {
                    Ok(Outcome::Again(allocation.answer.clone()))
                } else {
                    Err(437)
                };
            }
            self.end(relay);
        }
        if self.opening.values().any(|opening| opening.client == client) {
            return Ok(Outcome::Later);
        }
        match message.attribute(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(442),
            Some(_) | None => return Err(400),
        }
        let family = message.attribute(attribute::REQUESTED_ADDRESS_FAMILY);
        let even = message.attribute(attribute::EVEN_PORT);
        if message.attribute(attribute::RESERVATION_TOKEN).is_some() {
            // Nothing is ever reserved, so no token is ours (RFC 8656 §7.2 step 7).
            let contradicts = family.is_some() || even.is_some();
            return Err(if contradicts { 400 } else { 508 });
        }
        self.check_family(family)?;
        let even = match even {
            None => false,
            Some([flags]) if flags & 0x80 == 0 => true,
            // The next port is wanted, too, for RTCP apart from RTP; calls have both on one.
            Some([_]) => return Err(508),
            Some(_) => return Err(400),
        };
        let used = self.users.get(&identity.user).map_or(0, |user| user.allocations);
        if used >= self.quota {
            return Err(486);
        }
        let port = self.free_port(even).ok_or(508u16)?;
        let bandwidth = self.bandwidth;
        let user = self
            .users
            .entry(Arc::clone(&identity.user))
            .or_insert_with(|| User {
                allocations: 0,
                bucket: bandwidth.map(|bandwidth| Bucket::full(bandwidth, now.at)),
            });
        user.allocations += 1;
        let lifetime = wanted_lifetime(message)?.max(DEFAULT_LIFETIME);
        let relay = RelayId(self.next_relay);
        self.next_relay += 1;
        self.opening.insert(
            relay,
            Opening {
                client,
                identity: Identity {
                    // One name for all allocations of a user.
                    user: self.user_name(identity),
                    ..identity.clone()
                },
                request: message.transaction(),
                with_fingerprint: message.has_fingerprint,
                lifetime,
                port,
                even,
                binds_left: MAX_BINDS,
            },
        );
        self.events.push_back(RelayEvent::Open { relay, port });
        self.wake(now.at);
        Ok(Outcome::Later)
    }

    pub(super) fn refresh(
        &mut self,
        now: Moment,
        client: Client,
        message: &Message<'_>,
        identity: &Identity,
    ) -> Result<Outcome, u16> {
        let relay = self.own_allocation(now, client, identity)?;
        let family = message.attribute(attribute::REQUESTED_ADDRESS_FAMILY);
        if family.is_some() && self.check_family(family).is_err() {
            return Err(443);
        }
        let lifetime = wanted_lifetime(message)?;
        if lifetime.is_zero() {
            self.end(relay);
        } else if let Some(allocation) = self.allocations.get_mut(&relay) {
            let lifetime = lifetime.max(DEFAULT_LIFETIME);
            allocation.expires = now.at + lifetime;
            allocation.username = identity.username.clone();
            allocation.key = identity.key.clone();
            return Ok(Outcome::Success {
                lifetime: Some(lifetime),
            });
        }
        Ok(Outcome::Success {
            lifetime: Some(Duration::ZERO),
        })
    }

    fn check_family(&self, wanted: Option<&[u8]>) -> Result<(), u16> {
        let relayed = match self.relay_ip {
            IpAddr::V4(_) => IPV4,
            IpAddr::V6(_) => IPV6,
        };
        match wanted {
            None if relayed == IPV4 => Ok(()),
            Some([family, _, _, _]) if *family == relayed => Ok(()),
            None | Some([_, _, _, _]) => Err(440),
            Some(_) => Err(400),
        }
    }

    fn free_port(&mut self, even: bool) -> Option<u16> {
        if self.by_port.len() + self.opening.len() >= self.ports.count() {
            return None;
        }
        (0..MAX_DRAWS).find_map(|_| {
            let port = self.ports.draw();
            let taken =
                self.by_port.contains_key(&port) || self.opening.values().any(|opening| opening.port == port);
            let fits = !even || port.is_multiple_of(2);
            (fits && !taken).then_some(port)
        })
    }

    fn user_name(&self, identity: &Identity) -> Arc<str> {
        let known = self.users.get_key_value(&identity.user);
        Arc::clone(known.map_or(&identity.user, |(name, _)| name))
    }
}

/// The lifetime that a request asks for, at most the longest.
fn wanted_lifetime(message: &Message<'_>) -> Result<Duration, u16> {
    match message.attribute(attribute::LIFETIME) {
        None => Ok(DEFAULT_LIFETIME),
        Some(_) => {
            let seconds = message.number(attribute::LIFETIME).ok_or(400u16)?;
            Ok(Duration::from_secs(seconds.into()).min(MAX_LIFETIME))
        }
    }
}

pub(super) fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}
