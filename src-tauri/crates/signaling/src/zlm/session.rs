//! One registered connection: the room, the relays, keepalive, and what happens after a loss. Pure.
//!
//! ```text
//!        connected               accept
//! Down ───────────► Registering ────────► Ready
//!   ▲                 │      ▲              │
//!   │        conflict ▼      │ 2.5 s        │
//!   │              Conflict ─┘              │
//!   └──────── disconnected ─────────────────┘
//! ```
//!
//! Signals to messages is `outgoing`, messages to signals `incoming`; what a call needs between them is in `calls`.

mod calls;
mod incoming;
mod outgoing;
mod sdp;
#[cfg(test)]
mod tests;
mod waiting;

use super::WRONG_SECRET;
use super::ids::Transactions;
use super::own::Own;
use super::wire::{Body, IceServer, Message, Rejected};
use crate::Secret;
use crate::protocol::{Event, Problem, Protocol, ProtocolError, SessionConfig, SignInRefused};
use crate::rest::IceServerEntry;
use ahoy_call::{Party, RoomId, Signal, UserId};
use calls::Calls;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// How long the server may take to accept a room. It says nothing about what it does not understand; chosen.
const REGISTER: Duration = Duration::from_secs(10);
/// Between two attempts to get the own room back. The server keeps the room of a lost connection for 32 s.
const CONFLICT_RETRY: Duration = Duration::from_millis(2500);
/// How long the own lost connection may be the one that holds the room.
const CONFLICT_LIMIT: Duration = Duration::from_secs(40);
/// Silence after which the link is given up: two pings of this side are unanswered then.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a call may be unanswered. A MediaServer waits 15 s for a stream itself; nobody else ends a call.
const CALL: Duration = Duration::from_secs(30);
/// The server's words for a name that is in use.
const CONFLICT: &str = "room id conflict";

/// Speaks ZLMediaKit for one room; implements [`Protocol`].
#[derive(Debug)]
pub struct Session {
    /// The room to ask for; the one the server made counts after the first time.
    room: Option<RoomId>,
    secret: Option<Secret>,
    /// The room this side has, or had before the link went down.
    me: Option<RoomId>,
    transactions: Transactions,
    link: Link,
    /// When the own lost connection can no longer be what holds the room.
    conflict_until: Option<Instant>,
    calls: Calls,
    /// Messages that belong to no call of this side.
    strangers: u64,
    waiting: Waiting,
    /// Drained by the owner after every input.
    out: VecDeque<String>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum Link {
    Down,
    Registering {
        transaction: String,
        until: Instant,
        life: Life,
    },
    /// The room is in use.
    Conflict {
        /// `None` = the user has been told and decides.
        retry_at: Option<Instant>,
        life: Life,
    },
    Ready {
        renewal: Option<Renewal>,
        life: Life,
    },
}

#[derive(Debug, Clone, Copy)]
struct Life {
    last_heard: Instant,
    /// [`Event::Silent`] was said; the owner drops the link next.
    silent: bool,
}

/// Credentials of the relay that end.
#[derive(Debug)]
struct Renewal {
    at: Instant,
    /// The register that asks for new ones.
    asked: Option<String>,
}

impl Session {
    pub fn new(config: SessionConfig) -> Self {
        Self {
            room: config.room,
            secret: config.room_secret,
            me: None,
            transactions: Transactions::new(config.seed),
            link: Link::Down,
            conflict_until: None,
            calls: Calls::default(),
            strangers: 0,
            waiting: Waiting::default(),
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn register(&mut self, now: Instant, life: Life) {
        let transaction = self.send_register();
        self.link = Link::Registering {
            transaction,
            until: now + REGISTER,
            life,
        };
    }

    fn send_register(&mut self) -> String {
        let transaction = self.transactions.make();
        let room_id = self.room.as_ref().map(|room| room.as_str().to_owned());
        let own = Own {
            list: true,
            room_secret: self.secret.as_ref().map(|secret| secret.expose().to_owned()),
            ..Own::default()
        };
        let message = Message {
            extra: own.into_extra(),
            ..Message::new(&transaction, Body::Register { room_id })
        };
        self.out.push_back(message.to_text());
        transaction
    }

    fn handle_registered(
        &mut self,
        now: Instant,
        transaction: &str,
        room_id: String,
        servers: Vec<IceServer>,
        own: Option<Own>,
    ) {
        let own = own.unwrap_or_default();
        let first = match &self.link {
            Link::Registering {
                transaction: asked, ..
            } if asked == transaction => true,
            Link::Ready {
                renewal: Some(Renewal {
                    asked: Some(asked), ..
                }),
                ..
            } if asked == transaction => false,
            Link::Down | Link::Registering { .. } | Link::Conflict { .. } | Link::Ready { .. } => {
                return tracing::debug!("an answer to no register of this connection is skipped");
            }
        };
        let Ok(room) = RoomId::new(room_id) else {
            return self.malformed("the name of the own room is none");
        };
        let life = self.life();
        self.events.push_back(Event::IceServers(
            servers.iter().map(|server| entry(server, &own)).collect(),
        ));
        let renewal = own.ttl.map(|ttl| Renewal {
            // A quarter of their life is left for calls that begin then.
            at: now + Duration::from_secs(ttl).max(REGISTER) * 3 / 4,
            asked: None,
        });
        self.link = Link::Ready { renewal, life };
        if first {
            self.become_ready(now, room);
        }
        self.tell_rooms(own);
    }

    fn become_ready(&mut self, now: Instant, room: RoomId) {
        let again = self.me.is_some();
        self.conflict_until = None;
        self.room = Some(room.clone());
        self.me = Some(room.clone());
        self.events.push_back(Event::Ready {
            me: Party::Room(room),
            ring_timeout: Some(CALL),
            // The server orders nothing and holds no calls.
            basic_mode: true,
            live_calls: Vec::new(),
        });
        if again {
            self.pick_calls_up(now);
        }
        while let Some(text) = self.waiting.take() {
            self.out.push_back(text);
        }
    }

    fn handle_register_refused(&mut self, now: Instant, transaction: &str, reason: &str) {
        let Link::Registering {
            transaction: asked,
            life,
            ..
        } = &self.link
        else {
            return;
        };
        if asked != transaction {
            return;
        }
        let life = *life;
        if reason != CONFLICT {
            tracing::warn!(reason, "the room is refused");
            self.link = Link::Conflict { retry_at: None, life };
            let refused = if reason == WRONG_SECRET {
                SignInRefused::WrongSecret
            } else {
                SignInRefused::Other
            };
            return self.events.push_back(Event::SignInRefused(refused));
        }
        // Only a room that this side had before can be held by its own lost connection.
        let until = match (self.conflict_until, &self.me) {
            (None, None) => now,
            (None, Some(_)) => *self.conflict_until.insert(now + CONFLICT_LIMIT),
            (Some(until), _) => until,
        };
        let retry_at = (now < until).then_some(now + CONFLICT_RETRY);
        if retry_at.is_none() {
            self.conflict_until = None;
            self.events
                .push_back(Event::SignInRefused(SignInRefused::RoomTaken));
        }
        self.link = Link::Conflict { retry_at, life };
    }

    /// After a reconnect: calls that go on are made known to the server again, those that nobody answered are over,
    /// because the server has told the other side so.
    fn pick_calls_up(&mut self, now: Instant) {
        for call in self.calls.take_unanswered() {
            self.waiting.forget(&call);
            self.events.push_back(Event::Signal(incoming::lost(call)));
        }
        self.calls.resume_all(now);
        self.resume_due(now);
    }

    fn tell_rooms(&mut self, own: Own) {
        let Some(rooms) = own.rooms else { return };
        let me = self.me.as_ref().map(RoomId::as_str);
        let rooms = rooms.into_iter().filter(|room| Some(room.room_id.as_str()) != me);
        self.events.push_back(Event::Rooms(rooms.collect()));
    }

    /// Sends a message, or keeps it until the room is registered.
    fn send(&mut self, message: &Message, call: &ahoy_call::CallId) {
        let text = message.to_text();
        match self.link {
            Link::Ready { .. } => self.out.push_back(text),
            Link::Down | Link::Registering { .. } | Link::Conflict { .. } => {
                let weight = waiting::Weight::of(&message.body);
                match self.waiting.keep(call.clone(), weight, text) {
                    0 => {}
                    dropped => self.events.push_back(Event::Problem(Problem::Overflow(dropped))),
                }
            }
        }
    }

    fn malformed(&mut self, error: impl ToString) {
        let error = error.to_string();
        tracing::debug!(error, "malformed message skipped");
        self.events.push_back(Event::Problem(Problem::Malformed(error)));
    }

    fn life(&self) -> Life {
        match &self.link {
            Link::Registering { life, .. } | Link::Conflict { life, .. } | Link::Ready { life, .. } => *life,
            Link::Down => unreachable!("nothing is registered without a link"),
        }
    }

    fn life_mut(&mut self) -> Option<&mut Life> {
        match &mut self.link {
            Link::Down => None,
            Link::Registering { life, .. } | Link::Conflict { life, .. } | Link::Ready { life, .. } => {
                Some(life)
            }
        }
    }

    fn give_link_up(&mut self) {
        if let Some(life) = self.life_mut()
            && !life.silent
        {
            life.silent = true;
            self.events.push_back(Event::Silent);
        }
    }
}

impl Protocol for Session {
    fn handle_connected(&mut self, now: Instant) {
        let life = Life {
            last_heard: now,
            silent: false,
        };
        self.register(now, life);
    }

    fn handle_disconnected(&mut self, _now: Instant) {
        self.link = Link::Down;
        self.out.clear();
    }

    fn handle_text(&mut self, now: Instant, text: &str) {
        self.handle_alive(now);
        if matches!(self.link, Link::Down) {
            return;
        }
        let message = match Message::read(text) {
            Ok(message) => message,
            Err(error) => return self.malformed(error),
        };
        let own = Own::of(&message.extra);
        let transaction = message.transaction_id;
        match message.body {
            Body::Registered { room_id, ice_servers } => {
                self.handle_registered(now, &transaction, room_id, ice_servers, own);
            }
            Body::Rejected(Rejected {
                method: Some(method),
                reason,
                ..
            }) if method == "register" => {
                self.handle_register_refused(now, &transaction, reason.as_deref().unwrap_or_default());
            }
            Body::Other { class, method } => match own {
                Some(own) if method == "rooms" => self.tell_rooms(own),
                Some(_) | None => tracing::debug!(class, method, "message of an unknown kind skipped"),
            },
            Body::Register { .. } | Body::Unregister { .. } | Body::Unregistered { .. } => {}
            body @ (Body::Call(_)
            | Body::CallAccepted(_)
            | Body::Candidate(_)
            | Body::Bye(_)
            | Body::Rejected(_)) => self.handle_call_message(now, transaction, body, own),
        }
    }

    fn handle_alive(&mut self, now: Instant) {
        if let Some(life) = self.life_mut() {
            life.last_heard = now;
        }
    }

    fn handle_signal(&mut self, now: Instant, _wall: Timestamp, signal: Signal) -> Result<(), ProtocolError> {
        self.say(now, signal)
    }

    /// Who this side is, is a room.
    fn handle_user(&mut self, _now: Instant, _user: UserId) {}

    /// The heartbeat is that of the link and always close.
    fn set_in_call(&mut self, _now: Instant, _in_call: bool) {}

    fn handle_timeout(&mut self, now: Instant) {
        if self
            .life_mut()
            .is_some_and(|life| now.saturating_duration_since(life.last_heard) >= SILENCE)
        {
            self.give_link_up();
        }
        match &mut self.link {
            Link::Registering { until, .. } if now >= *until => self.give_link_up(),
            Link::Conflict {
                retry_at: Some(at),
                life,
            } if now >= *at => {
                let life = *life;
                self.register(now, life);
            }
            Link::Ready {
                renewal: Some(renewal),
                ..
            } if renewal.asked.is_none() && now >= renewal.at => {
                let asked = self.send_register();
                if let Link::Ready {
                    renewal: Some(renewal),
                    ..
                } = &mut self.link
                {
                    renewal.asked = Some(asked);
                }
            }
            Link::Down | Link::Registering { .. } | Link::Conflict { .. } | Link::Ready { .. } => {}
        }
        self.end_unanswered(now);
        self.resume_due(now);
    }

    fn poll_text(&mut self) -> Option<String> {
        self.out.pop_front()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let silence = |life: &Life| (!life.silent).then_some(life.last_heard + SILENCE);
        let (of_link, life) = match &self.link {
            Link::Down => (None, None),
            Link::Registering { until, life, .. } => (Some(*until).filter(|_| !life.silent), Some(life)),
            Link::Conflict { retry_at, life } => (*retry_at, Some(life)),
            Link::Ready { renewal, life } => {
                let due = renewal.as_ref().filter(|renewal| renewal.asked.is_none());
                (due.map(|renewal| renewal.at), Some(life))
            }
        };
        let is_ready = matches!(self.link, Link::Ready { .. });
        let times = [of_link, life.and_then(silence), self.calls.next_timeout(is_ready)];
        times.into_iter().flatten().min()
    }
}

/// Name and password mean nothing to a STUN server.
fn entry(server: &IceServer, own: &Own) -> IceServerEntry {
    let is_relay = server.url.starts_with("turn");
    let mut urls = vec![server.url.clone()];
    if is_relay {
        urls.extend(own.relay_urls.iter().cloned());
    }
    IceServerEntry {
        urls,
        username: is_relay.then(|| server.ufrag.clone()),
        credential: is_relay.then(|| server.pwd.clone()),
    }
}
