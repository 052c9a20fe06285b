//! STUN messages of clients: what each asks for, and the answer (RFC 8489 §6.3, RFC 8656 §7 to §12).

use super::Relay;
use super::allocating::seconds;
use super::reply::{Reply, unknown_attributes};
use crate::client::{Client, Route, Transmit};
use crate::counters::Counters;
use crate::message::{Class, Message, Method, attribute};
use crate::moment::Moment;
use std::time::Duration;

/// What a request leads to when it is not refused.
pub(super) enum Outcome {
    Success {
        lifetime: Option<Duration>,
    },
    /// The same answer as before.
    Again(Vec<u8>),
    /// The answer comes when the socket is open.
    Later,
}

impl Relay {
    pub(super) fn handle_stun<'a>(
        &'a mut self,
        now: Moment,
        client: Client,
        bytes: &'a [u8],
    ) -> Option<Transmit<'a>> {
        let message = Message::parse(bytes)?;
        match message.class {
            Class::Request => match message.method {
                Method::Binding => self.handle_binding(now, client, &message),
                Method::Allocate | Method::Refresh | Method::CreatePermission | Method::ChannelBind => {
                    self.handle_request(now, client, &message)
                }
                Method::Send | Method::Data => None,
            },
            Class::Indication => match message.method {
                Method::Send => self.handle_send(now, client, &message),
                Method::Binding
                | Method::Allocate
                | Method::Refresh
                | Method::Data
                | Method::CreatePermission
                | Method::ChannelBind => None,
            },
            Class::Success | Class::Error => None,
        }
    }

    fn handle_binding(&mut self, now: Moment, client: Client, message: &Message<'_>) -> Option<Transmit<'_>> {
        self.admit(now, client)?;
        let reply = Reply::to(client, message);
        let unknown = unknown_attributes(message);
        if !unknown.is_empty() {
            return Some(self.refuse(&reply, 420, None, &unknown));
        }
        let mut writer = reply.writer(&mut self.out, Class::Success);
        writer.address(attribute::XOR_MAPPED_ADDRESS, client.address);
        let payload = writer.finish(None, reply.with_fingerprint);
        let route = Route::ToClient(client);
        Some(Transmit { route, payload })
    }

    /// Nobody answers an indication, and it carries no proof: the permission is the proof (RFC 8656 §11.2).
    fn handle_send<'a>(
        &'a mut self,
        now: Moment,
        client: Client,
        message: &Message<'a>,
    ) -> Option<Transmit<'a>> {
        let payload = message.attribute(attribute::DATA)?;
        let peer = message.peers().next()??;
        if !unknown_attributes(message).is_empty() {
            return None;
        }
        let relay = *self.by_client.get(&client)?;
        self.send(now.at, relay, peer, payload)
    }

    fn handle_request(&mut self, now: Moment, client: Client, message: &Message<'_>) -> Option<Transmit<'_>> {
        let reply = Reply::to(client, message);
        let route = Route::ToClient(client);
        if let Some(answer) = self.released.answer_to(client, reply.id) {
            self.out.clear();
            self.out.extend_from_slice(answer);
            return Some(Transmit {
                route,
                payload: &self.out,
            });
        }
        let identity = match self.authenticate(now, client, message) {
            Ok(identity) => identity,
            Err(code) => {
                self.admit(now, client)?;
                return Some(self.challenge(now, &reply, code));
            }
        };
        let unknown = unknown_attributes(message);
        if !unknown.is_empty() {
            return Some(self.refuse(&reply, 420, Some(&identity.key), &unknown));
        }
        let outcome = match message.method {
            Method::Allocate => self.allocate(now, client, message, &identity),
            Method::Refresh => self.refresh(now, client, message, &identity),
            Method::CreatePermission => self.create_permission(now, client, message, &identity),
            Method::ChannelBind => self.bind_channel(now, client, message, &identity),
            Method::Binding | Method::Send | Method::Data => return None,
        };
        let lifetime = match outcome {
            Ok(Outcome::Success { lifetime }) => lifetime,
            Ok(Outcome::Again(answer)) => {
                self.out = answer;
                return Some(Transmit {
                    route,
                    payload: &self.out,
                });
            }
            Ok(Outcome::Later) => return None,
            Err(code) => return Some(self.refuse(&reply, code, Some(&identity.key), &[])),
        };
        let mut writer = reply.writer(&mut self.out, Class::Success);
        if let Some(lifetime) = lifetime {
            writer.attribute(attribute::LIFETIME, &seconds(lifetime).to_be_bytes());
        }
        let payload = writer.finish(Some(&identity.key), reply.with_fingerprint);
        if lifetime == Some(Duration::ZERO) {
            self.released.push(client, reply.id, now.at, payload.to_vec());
        }
        Some(Transmit { route, payload })
    }

    /// Counts an answer to a stranger; `None` when there were too many.
    fn admit(&mut self, now: Moment, client: Client) -> Option<()> {
        self.wake(now.at);
        let admitted = self.sources.admit(client.address.ip(), now.at);
        if !admitted {
            Counters::add(&self.counters.over_rate, 1);
        }
        admitted.then_some(())
    }
}
