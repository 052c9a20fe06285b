//! Who is online, who calls whom, and what each connection is told: the decisions of the server, without IO.
//!
//! Feed it with `handle_*`, then drain [`Switchboard::poll_output`] until `None`, then wait until
//! [`Switchboard::poll_timeout`] or the next input. It runs wherever it is called, holds no clock (each input brings its
//! [`Moment`]) and knows neither sockets nor tokens: a connection is a number with a signed-in user.
//!
//! The rules are IM-Suite §3 (order of checks), §7 (devices), §9 (resume) and §10 (server table).

mod active;
mod backlog;
mod call;
mod calls;
mod devices;
mod message;
mod presence;
mod refusal;
mod ringing;
#[cfg(test)]
mod tests;
mod validate;

use ahoy_call::{CallId, UserId};
use call::{Call, Context, Fate, Phase, Ringing};
use calls::Calls;
use devices::{DeviceKey, Devices};
use jiff::Timestamp;
use message::{Incoming, Kind, Message, time_text};
use presence::PresenceBoard;
use refusal::{Code, Refusal};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Bytes of a WebSocket message (IM-Suite §12).
pub const MESSAGE_LIMIT: usize = 256 * 1024;
/// Bytes of a `call.ice`, `call.status` or `call.error` (IM-Suite §12).
const CALL_REPORT_LIMIT: usize = 8 * 1024;
/// Bytes of a `call.*` that this version does not know (IM-Suite §2).
const UNKNOWN_CALL_MESSAGE_LIMIT: usize = 16 * 1024;
/// How long a call rings on without its caller (IM-Suite §9).
const CALLER_LOST: Duration = Duration::from_secs(10);
/// A report of connected media is proof of a living call for so long (IM-Suite §9).
const REPORT_FRESH: Duration = Duration::from_secs(15);
/// The longest absence that reports of the other side can excuse (IM-Suite §9).
const LONGEST_ABSENCE: Duration = Duration::from_secs(600);
/// What this server can do beyond basic mode (IM-Suite §1.7).
const FEATURES: [&str; 4] = ["status_relay", "renegotiate", "resume", "multi_device"];

/// The time of an input on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Decides.
    pub at: Instant,
    /// Is displayed.
    pub wall: Timestamp,
}

/// Names one connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// Names one installation of a client (IM-Suite §1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(String);

impl DeviceId {
    /// Checks `[A-Za-z0-9_-]{1,64}`; `None` for anything else.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A WebSocket close code (IM-Suite §1.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode(pub u16);

impl CloseCode {
    pub const GOING_AWAY: Self = Self(1001);
    pub const PROTOCOL_ERROR: Self = Self(1002);
    pub const WRONG_FRAME_KIND: Self = Self(1003);
    pub const BAD_UTF8: Self = Self(1007);
    pub const POLICY: Self = Self(1008);
    pub const TOO_BIG: Self = Self(1009);
    pub const TOKEN_EXPIRED: Self = Self(4401);
    pub const HEARTBEAT: Self = Self(4408);
    pub const REPLACED: Self = Self(4409);
}

/// What is to be done with one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub conn: ConnId,
    pub frame: Frame,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Close(CloseCode),
}

/// Times of IM-Suite §9 and §1.8 that an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub ring_timeout: Duration,
    pub resume_grace: Duration,
    /// Between two pings; a client silent for twice as long is dropped.
    pub heartbeat: Duration,
}

/// The whole state of the server's signaling.
#[derive(Debug)]
pub struct Switchboard {
    timing: Timing,
    /// Everybody who may call or be called, by display name.
    people: HashMap<UserId, String>,
    devices: Devices,
    calls: Calls,
    presence: PresenceBoard,
}

impl Switchboard {
    pub fn new(timing: Timing, people: impl IntoIterator<Item = (UserId, String)>) -> Self {
        let people: HashMap<_, _> = people.into_iter().collect();
        Self {
            timing,
            people,
            devices: Devices::default(),
            calls: Calls::default(),
            presence: PresenceBoard::default(),
        }
    }

    /// Takes a connection of a signed-in user. One that the device still has is closed with 4409; a call that the
    /// device is bound to goes on with it.
    pub fn handle_connect(&mut self, now: Moment, conn: ConnId, user: UserId, device: DeviceId) {
        if !self.people.contains_key(&user) {
            self.devices.close(conn, CloseCode::POLICY);
            return;
        }
        let key = DeviceKey { user, device };
        if let Some(old) = self.devices.connection(&key) {
            self.devices.close(old, CloseCode::REPLACED);
            self.detach(now, old);
        }
        let backlog = self.devices.attach(conn, &key);
        let welcome = self.welcome(now, &key);
        self.devices.write(conn, welcome);
        for text in backlog.into_iter().flat_map(backlog::Backlog::into_texts) {
            self.devices.write(conn, text);
        }
        if let Some(call) = self.calls.of(user).filter(|call| call.callee == user) {
            let id = call.id.clone();
            self.with_call(now, &id, |call, ctx| call.ring(ctx, key.device));
        }
        self.presence
            .snapshot(now, &self.people, &self.calls, &mut self.devices, (conn, user));
        self.publish_presence(now);
    }

    /// Forgets a connection that is gone; without effect on one that was closed or replaced by the switchboard.
    pub fn handle_disconnect(&mut self, now: Moment, conn: ConnId) {
        self.detach(now, conn);
        self.publish_presence(now);
    }

    /// Takes one text of at most [`MESSAGE_LIMIT`] bytes.
    pub fn handle_message(&mut self, now: Moment, conn: ConnId, text: &str) {
        let Some(sender) = self.devices.owner(conn).cloned() else {
            return;
        };
        match message::read(text) {
            Incoming::Ping => self.devices.write(conn, message::pong(now)),
            Incoming::Ignored => {}
            Incoming::Unreadable => {
                let refusal = Refusal::from(Code::BadMessage);
                self.devices.write(
                    conn,
                    message::error(now, sender.user, None, None, &refusal, false),
                );
            }
            Incoming::Call(mut message) => {
                message.remove_server_fields();
                if let Err(refusal) = self.route(now, &sender, message.clone()) {
                    self.refuse(now, conn, &sender, &message, &refusal);
                }
            }
        }
        self.publish_presence(now);
    }

    /// Does what is due: calls that rang long enough, callers lost while ringing, absences that are over.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(id) = self.calls.overdue(now.at) {
            self.end_call(now, &id, None, "timeout", Some("ring"));
        }
        while let Some(key) = self.devices.overdue(now.at) {
            self.handle_absence_over(now, &key);
        }
        self.publish_presence(now);
    }

    /// Ends every call with `server_error` and closes every connection with 1001 (IM-Suite §6).
    pub fn handle_shutdown(&mut self, now: Moment) {
        for id in self.calls.ids() {
            self.end_call(now, &id, None, "server_error", None);
        }
        self.devices.close_all(CloseCode::GOING_AWAY);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.devices.poll_output()
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.calls.next_deadline(), self.devices.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The checks of IM-Suite §3 in their order, then the call's own.
    fn route(&mut self, now: Moment, sender: &DeviceKey, mut message: Message) -> Result<(), Refusal> {
        if message.is_too_large() {
            return Err(Code::TooLarge.into());
        }
        validate::message(&message)?;
        let own = sender.user.as_u64();
        if message.user("from_user").is_some_and(|from| from != own) {
            return Err(Code::FromUserMismatch.into());
        }
        let Some(id) = message.call_id() else {
            return Ok(());
        };
        let known = self
            .calls
            .live(&id)
            .and_then(|call| Some((call.role(sender.user)?, call)));
        let to = match message.user("to_user") {
            None => None,
            Some(to) if to == own => return Err(Code::SelfCall.into()),
            Some(to) => match UserId::new(to).ok().filter(|user| self.people.contains_key(user)) {
                None => return Err(Code::UserNotFound.into()),
                Some(user) => Some(user),
            },
        };
        if let Some((role, call)) = known {
            if to.is_some_and(|to| to != call.user(role.other())) {
                return Err(Code::ToUserMismatch.into());
            }
            let kind = message.kind;
            let result = self.with_call_ending(now, &id, |call, ctx| {
                call.handle_message(ctx, sender, role, message)
            });
            // A message of a later version is for the peer or for nobody (IM-Suite §16.10).
            return if kind == Kind::Other { Ok(()) } else { result };
        }
        match message.kind {
            Kind::Offer => {
                let to = to.ok_or_else(|| Refusal::field(Code::BadMessage, "to_user"))?;
                message.set("from_user", own);
                self.begin_call(now, sender, to, id, message)
            }
            Kind::Answer | Kind::Renegotiate => Err(Code::UnknownCall.into()),
            Kind::Ice | Kind::End | Kind::Status | Kind::Error | Kind::Other => Ok(()),
        }
    }

    fn begin_call(
        &mut self,
        now: Moment,
        sender: &DeviceKey,
        callee: UserId,
        id: CallId,
        mut offer: Message,
    ) -> Result<(), Refusal> {
        if self.calls.is_used(now.at, &id) {
            return Err(Code::DuplicateCallId.into());
        }
        if let Some(own) = self.calls.of(sender.user) {
            let is_rung_by_callee = matches!(own.phase, Phase::Ringing(_)) && own.caller.user == callee;
            return Err(if is_rung_by_callee {
                Refusal {
                    winner: Some(own.id.clone()),
                    ..Refusal::from(Code::Glare)
                }
            } else {
                Code::AlreadyInCall.into()
            });
        }
        if self.calls.of(callee).is_some() {
            let text = message::end(now, &id, (callee, sender.user), "user_busy", None, 0);
            self.devices.send(sender, Kind::End, text);
            self.calls.bury(now.at, id);
            return Ok(());
        }
        if !self.devices.is_online(callee) {
            return Err(Code::UserOffline.into());
        }
        offer.set("created_at", time_text(now.wall));
        offer.set(
            "caller",
            json!({ "id": sender.user.as_u64(), "username": self.people[&sender.user] }),
        );
        let mut call = Call {
            id,
            caller: sender.clone(),
            callee,
            created_at: now.wall,
            first_sdp: offer.sdp().to_owned(),
            video: offer.text_field("call_type") == Some("video"),
            phase: Phase::Ringing(Box::new(Ringing::new(offer, now.at + self.timing.ring_timeout))),
        };
        let devices = self.devices.attached(callee);
        let mut ctx = self.context(now);
        for key in devices {
            call.ring(&mut ctx, key.device);
        }
        tracing::info!(call = %call.id, video = call.video, "ringing");
        self.calls.put(call);
        Ok(())
    }

    fn refuse(
        &mut self,
        now: Moment,
        conn: ConnId,
        sender: &DeviceKey,
        message: &Message,
        refusal: &Refusal,
    ) {
        if message.kind == Kind::Other {
            return;
        }
        let call = message.call_id().and_then(|id| self.calls.live(&id));
        let peer = call.and_then(|call| Some(call.user(call.role(sender.user)?.other())));
        let is_first_offer = message.kind == Kind::Offer && peer.is_none();
        let fatal =
            refusal.code == Code::AnsweredElsewhere || (is_first_offer && refusal.code.refuses_call());
        tracing::debug!(user = %sender.user, code = refusal.code.as_str(), "message refused");
        self.devices.write(
            conn,
            message::error(now, sender.user, peer, Some(message), refusal, fatal),
        );
    }

    fn detach(&mut self, now: Moment, conn: ConnId) {
        let Some(key) = self.devices.detach(conn) else {
            return;
        };
        if let Some(call) = self.calls.of(key.user).filter(|call| call.is_bound(&key)) {
            let grace = match call.phase {
                Phase::Ringing(_) => CALLER_LOST,
                Phase::Active(_) => self.timing.resume_grace,
            };
            self.devices.keep(&key, now.at, now.at + grace);
        }
    }

    fn handle_absence_over(&mut self, now: Moment, key: &DeviceKey) {
        let Some(call) = self.calls.of(key.user).filter(|call| call.is_bound(key)) else {
            self.devices.give_up(key);
            return;
        };
        let peer_report = match &call.phase {
            Phase::Ringing(_) => None,
            Phase::Active(active) if active.caller.device == *key => active.callee.connected_at,
            Phase::Active(active) => active.caller.connected_at,
        };
        let excused_until = match (peer_report, self.devices.away_since(key)) {
            (Some(report), Some(since)) => (report + REPORT_FRESH).min(since + LONGEST_ABSENCE),
            _ => now.at,
        };
        if excused_until > now.at {
            self.devices.postpone(key, |_| excused_until);
            return;
        }
        let id = call.id.clone();
        self.devices.give_up(key);
        self.end_call(now, &id, Some(key.user), "network_error", Some("signaling_lost"));
    }

    /// Ends a call by the server's own decision and tells everybody except one side.
    fn end_call(
        &mut self,
        now: Moment,
        id: &CallId,
        except: Option<UserId>,
        reason: &str,
        detail: Option<&str>,
    ) {
        if let Some(call) = self.calls.take(id) {
            tracing::info!(call = %id, reason, "ended by the server");
            call.tell_all(&mut self.context(now), except, reason, detail);
            self.calls.end(now.at, call);
        }
    }

    fn with_call(&mut self, now: Moment, id: &CallId, change: impl FnOnce(&mut Call, &mut Context<'_>)) {
        if let Some(mut call) = self.calls.take(id) {
            change(&mut call, &mut self.context(now));
            self.calls.put(call);
        }
    }

    fn with_call_ending(
        &mut self,
        now: Moment,
        id: &CallId,
        change: impl FnOnce(&mut Call, &mut Context<'_>) -> Result<Fate, Refusal>,
    ) -> Result<(), Refusal> {
        let Some(mut call) = self.calls.take(id) else {
            return Ok(());
        };
        match change(&mut call, &mut self.context(now)) {
            Ok(Fate::Ends) => {
                tracing::info!(call = %id, duration = call.duration(now), "ended");
                self.calls.end(now.at, call);
                Ok(())
            }
            Ok(Fate::Goes) => {
                self.calls.put(call);
                Ok(())
            }
            Err(refusal) => {
                self.calls.put(call);
                Err(refusal)
            }
        }
    }

    fn context(&mut self, now: Moment) -> Context<'_> {
        Context {
            now,
            devices: &mut self.devices,
            resume_grace: self.timing.resume_grace,
        }
    }

    fn publish_presence(&mut self, now: Moment) {
        let mut changed = self.devices.take_changed();
        changed.append(&mut self.calls.take_changed());
        for user in changed {
            self.presence
                .publish(now, &self.people, &self.calls, &mut self.devices, user);
        }
    }

    /// The first frame of a connection (IM-Suite §1.7).
    fn welcome(&self, now: Moment, key: &DeviceKey) -> String {
        let live = self.calls.of(key.user).and_then(|call| {
            let role = call.role(key.user)?;
            let mut live = json!({
                "call_id": call.id.as_str(),
                "role": role.as_str(),
                "peer": call.user(role.other()).as_u64(),
                "call_type": if call.video { "video" } else { "audio" },
                "state": "ringing",
                "bound_here": call.is_bound(key),
            });
            if let Phase::Active(active) = &call.phase {
                live["state"] = "active".into();
                live["answered_at"] = time_text(active.answered.wall).into();
            }
            Some(live)
        });
        let time = time_text(now.wall);
        json!({
            "type": "welcome",
            "user_id": key.user.as_u64(),
            "time": now.wall.as_second(),
            "timestamp": time,
            "payload": {
                "user_id": key.user.as_u64(),
                "username": self.people.get(&key.user),
                "device_id": key.device.as_str(),
                "server_time": time,
                "features": FEATURES,
                "ring_timeout": self.timing.ring_timeout.as_secs(),
                "resume_grace": self.timing.resume_grace.as_secs(),
                "heartbeat": self.timing.heartbeat.as_secs(),
                "max_message": MESSAGE_LIMIT,
                "calls": live.into_iter().collect::<Vec<Value>>(),
            },
        })
        .to_string()
    }
}
