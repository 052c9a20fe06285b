//! One signed-in IM-Suite connection: greeting, heartbeat, addressing, and what is dropped (§1, §2, §13). Pure.
//!
//! ```text
//!        connected            welcome, or 2 s without one
//! Down ───────────► Greeting ────────────────────────────► Ready
//!   ▲                  │                                     │
//!   └──── disconnected ┴─────────────────────────────────────┘
//! ```

mod calls;
mod echo;

use super::outbox::{Kind, Outbox};
use super::recent::RecentIds;
use super::translate::{self, Context};
use super::wire::{self, Envelope, Message};
use crate::protocol::{Event, LiveCall, LiveCallState, Problem, Protocol, ProtocolError, SessionConfig};
use ahoy_call::{CallId, Party, Signal, UserId};
use calls::{KnownCall, KnownCalls};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a server may take to introduce itself (§1.7).
const GREETING: Duration = Duration::from_secs(2);
/// Time between pings outside and inside a call (§1.8).
const PING_EVERY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// Silence after which the connection is given up, outside and inside a call (§1.8).
const SILENCE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(25));
/// Longest `id` that is remembered (§2).
const MAX_ID: usize = 64;

/// Speaks IM-Suite for one user; implements [`Protocol`].
#[derive(Debug)]
pub struct Session {
    /// Who the token says the user is.
    token_user: Option<UserId>,
    /// Who the server says the user is, else the token.
    me: Option<UserId>,
    features: Vec<String>,
    link: Link,
    in_call: bool,
    calls: KnownCalls,
    /// Messages about a call with somebody else.
    from_strangers: u64,
    recent: RecentIds,
    outbox: Outbox,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone, Copy)]
enum Link {
    Down,
    Greeting { until: Instant, life: Life },
    Ready { life: Life },
}

/// Both halves of the heartbeat.
#[derive(Debug, Clone, Copy)]
struct Life {
    last_heard: Instant,
    next_ping: Instant,
    /// [`Event::Silent`] was said; the owner drops the link next.
    silent: bool,
}

impl Session {
    pub fn new(config: SessionConfig) -> Self {
        Self {
            token_user: config.user,
            me: config.user,
            features: Vec::new(),
            link: Link::Down,
            in_call: false,
            calls: KnownCalls::default(),
            from_strangers: 0,
            recent: RecentIds::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
        }
    }

    fn handle_message(&mut self, now: Instant, envelope: Envelope) {
        match envelope.message {
            Message::Welcome(welcome) => self.handle_welcome(welcome),
            Message::Presence(presence) => self.events.push_back(Event::Presence {
                user: presence.user_id,
                name: presence.nickname.or(presence.username),
                online: presence.is_online,
                busy: presence.busy.or(presence.in_call),
            }),
            Message::Pong => self.outbox.pong(),
            Message::Other { kind, payload } if kind == "echo" => {
                let rest = serde_json::Value::Object(envelope.extra);
                if let Some(call) = payload
                    .as_ref()
                    .and_then(echo::echoed_call)
                    .or_else(|| echo::echoed_call(&rest))
                {
                    let latest = self.calls.latest().cloned();
                    self.events.push_back(Event::Signal(Signal::Refused {
                        call: call.or(latest),
                        refusal: translate::calls_unsupported(),
                    }));
                }
            }
            Message::Other { kind, .. } => tracing::debug!(kind, "message of an unknown type skipped"),
            Message::Ping => {}
            message @ (Message::Offer(_)
            | Message::Answer(_)
            | Message::Ice(_)
            | Message::End(_)
            | Message::Status(_)
            | Message::Error(_)
            | Message::Renegotiate(_)) => self.handle_call_message(now, envelope.id, message),
        }
    }

    fn handle_call_message(&mut self, now: Instant, id: Option<String>, message: Message) {
        let (from, to) = (message.from_user(), message.to_user());
        let is_mine = |user: Option<UserId>| user.is_some() && user == self.me;
        if is_mine(from) || (to.is_some() && self.me.is_some() && !is_mine(to)) {
            tracing::debug!(kind = message.kind(), "message for somebody else dropped");
            return;
        }
        if let Some(from) = from
            && call_of(&message).is_some_and(|call| self.calls.is_stranger(call, from))
        {
            self.from_strangers += 1;
            let problem = Problem::Stranger(self.from_strangers);
            tracing::debug!(
                kind = message.kind(),
                "message about somebody else's call dropped"
            );
            self.events.push_back(Event::Problem(problem));
            return;
        }
        if id.is_some_and(|id| id.len() <= MAX_ID && self.recent.is_repeated(now, from, &id)) {
            tracing::debug!(kind = message.kind(), "repeated message dropped");
            return;
        }
        let signal = match translate::signal_of(message, self.me) {
            Ok(Some(signal)) => signal,
            Ok(None) => return,
            Err(error) => return self.report(error),
        };
        self.calls.handle_received(now, &signal, from);
        self.outbox.heard(&signal);
        self.events.push_back(Event::Signal(signal));
    }

    fn handle_welcome(&mut self, welcome: wire::Welcome) {
        self.me = welcome.user_id.or(self.token_user);
        self.features = welcome.features;
        let mut live_calls = Vec::new();
        for call in welcome.calls {
            let Some(state) = live_state(&call.state) else {
                continue;
            };
            self.calls.handle_live(&call.call_id, call.peer);
            live_calls.push(LiveCall {
                call: call.call_id,
                outgoing: call.role == "caller",
                peer: Party::User(call.peer),
                video: call.call_type == wire::CallType::Video,
                state,
                bound_here: call.bound_here,
                answered_at: call.answered_at.and_then(|text| text.parse().ok()),
            });
        }
        let ring_timeout = welcome.ring_timeout.map(Duration::from_secs);
        self.become_ready(ring_timeout, live_calls);
    }

    fn become_ready(&mut self, ring_timeout: Option<Duration>, live_calls: Vec<LiveCall>) {
        let (Link::Greeting { life, .. } | Link::Ready { life }) = self.link else {
            return;
        };
        self.link = Link::Ready { life };
        let Some(me) = self.me else {
            self.events.push_back(Event::Problem(Problem::UnknownUser));
            return;
        };
        let basic_mode = self.features.is_empty();
        self.outbox.open(basic_mode);
        self.events.push_back(Event::Ready {
            me: Party::User(me),
            ring_timeout,
            basic_mode,
            live_calls,
        });
    }

    fn report(&mut self, error: wire::WireError) {
        tracing::debug!(%error, "malformed message skipped");
        self.events
            .push_back(Event::Problem(Problem::Malformed(error.to_string())));
    }

    fn life_mut(&mut self) -> Option<&mut Life> {
        match &mut self.link {
            Link::Down => None,
            Link::Greeting { life, .. } | Link::Ready { life } => Some(life),
        }
    }

    fn ping_every(&self) -> Duration {
        if self.in_call { PING_EVERY.1 } else { PING_EVERY.0 }
    }

    fn silence(&self) -> Duration {
        if self.in_call { SILENCE.1 } else { SILENCE.0 }
    }

    fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|name| name == feature)
    }
}

impl Protocol for Session {
    fn handle_connected(&mut self, now: Instant) {
        let life = Life {
            last_heard: now,
            next_ping: now + self.ping_every(),
            silent: false,
        };
        let until = now + GREETING;
        self.link = Link::Greeting { until, life };
    }

    fn handle_disconnected(&mut self, _now: Instant) {
        self.link = Link::Down;
        self.outbox.close();
    }

    fn handle_text(&mut self, now: Instant, text: &str) {
        self.handle_alive(now);
        match Envelope::read(text) {
            Ok(envelope) => self.handle_message(now, envelope),
            Err(error) => self.report(error),
        }
    }

    fn handle_alive(&mut self, now: Instant) {
        if let Some(life) = self.life_mut() {
            life.last_heard = now;
        }
    }

    fn handle_signal(&mut self, now: Instant, wall: Timestamp, signal: Signal) -> Result<(), ProtocolError> {
        let me = self.me.ok_or(ProtocolError::NotReady)?;
        if matches!(signal, Signal::Renegotiate { .. }) && !self.has("renegotiate") {
            return Err(ProtocolError::Unsupported("renegotiate"));
        }
        let addressed = match &signal {
            Signal::Offer(offer) => match &offer.to {
                Party::User(user) => Some(*user),
                room @ Party::Room(_) => return Err(ProtocolError::WrongAddress(room.clone())),
            },
            _ => None,
        };
        let known = self.calls.handle_sent(now, &signal, addressed);
        let context = Context {
            me,
            peer: known.and_then(KnownCall::peer),
            wall,
            negotiation: !self.features.is_empty(),
            talked: known
                .and_then(KnownCall::answered)
                .map(|answered| now.saturating_duration_since(answered))
                .unwrap_or_default(),
        };
        let (kind, call) = (Kind::of(&signal), signal.call().cloned());
        let was_answered = known.and_then(KnownCall::answered).is_some();
        let envelope = |message| Envelope::new(message, Some(translate::rfc3339(wall))).to_text();
        if let Some(given_up) = translate::given_up(&signal, &context).filter(|_| was_answered) {
            self.outbox.push(Kind::Report, call.clone(), envelope(given_up));
        }
        let message =
            translate::message_of(signal, &context).ok_or(ProtocolError::ServerOnly("answered elsewhere"))?;
        self.outbox.push(kind, call, envelope(message));
        match self.outbox.take_dropped() {
            0 => {}
            dropped => self.events.push_back(Event::Problem(Problem::Overflow(dropped))),
        }
        Ok(())
    }

    fn handle_user(&mut self, _now: Instant, user: UserId) {
        self.token_user = Some(user);
        if self.me.is_none() {
            self.me = Some(user);
            if let Link::Ready { .. } = self.link {
                self.become_ready(None, Vec::new());
            }
        }
    }

    fn set_in_call(&mut self, now: Instant, in_call: bool) {
        self.in_call = in_call;
        let latest = now + self.ping_every();
        if let Some(life) = self.life_mut() {
            life.next_ping = life.next_ping.min(latest);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Link::Greeting { until, .. } = self.link
            && now >= until
        {
            self.me = self.me.or(self.token_user);
            self.features.clear();
            self.become_ready(None, Vec::new());
        }
        let (every, silence) = (self.ping_every(), self.silence());
        let Some(life) = self.life_mut() else { return };
        if !life.silent && now.saturating_duration_since(life.last_heard) >= silence {
            life.silent = true;
            self.events.push_back(Event::Silent);
        } else if !life.silent && now >= life.next_ping {
            life.next_ping = now + every;
            self.outbox.ping(Envelope::new(Message::Ping, None).to_text());
        }
    }

    fn poll_text(&mut self) -> Option<String> {
        self.outbox.poll()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let beat = |life: Life| life.next_ping.min(life.last_heard + self.silence());
        match self.link {
            Link::Down => None,
            Link::Greeting { until, life } if life.silent => Some(until),
            Link::Greeting { until, life } => Some(until.min(beat(life))),
            Link::Ready { life } if life.silent => None,
            Link::Ready { life } => Some(beat(life)),
        }
    }
}

/// The call of a message that only the other party of the call may send. Not of an offer, which names that party.
fn call_of(message: &Message) -> Option<&CallId> {
    match message {
        Message::Answer(body) => Some(&body.call_id),
        Message::Ice(body) => Some(&body.call_id),
        Message::End(body) => Some(&body.call_id),
        Message::Status(body) => Some(&body.call_id),
        Message::Error(body) => body.call_id.as_ref(),
        Message::Renegotiate(body) => Some(&body.call_id),
        Message::Offer(_)
        | Message::Welcome(_)
        | Message::Presence(_)
        | Message::Ping
        | Message::Pong
        | Message::Other { .. } => None,
    }
}

fn live_state(word: &str) -> Option<LiveCallState> {
    match word {
        "ringing" => Some(LiveCallState::Ringing),
        "active" => Some(LiveCallState::Active),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
