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
mod deadlines;
mod devices;
mod first_offer;
mod input;
mod limits;
mod message;
mod output;
mod pairs;
mod people;
mod presence;
mod record;
mod refusal;
mod reports;
mod ringing;
mod routing;
#[cfg(test)]
mod tests;
mod validate;
mod welcome;

use ahoy_call::{CallId, UserId};
use call::{Call, Context, Fate, Phase};
use calls::Calls;
use devices::{DeviceKey, Devices};
use limits::Attempts;
use message::Incoming;
use people::People;
use presence::PresenceBoard;
use refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

pub use input::{ConnId, DeviceId, Input, Moment};
pub use limits::Limits;
pub(crate) use limits::{Admission, Gate};
pub use output::{CloseCode, Frame, Output};
pub use people::{CallPolicy, Person};
pub use record::{CallRecord, CallStatus, CallType, EndReason};

/// Bytes of a WebSocket message (IM-Suite §12).
pub const MESSAGE_LIMIT: usize = 256 * 1024;
/// Bytes of a `call.ice`, `call.status` or `call.error` (IM-Suite §12).
const CALL_REPORT_LIMIT: usize = 8 * 1024;
/// Bytes of a `call.*` that this version does not know (IM-Suite §2).
const UNKNOWN_CALL_MESSAGE_LIMIT: usize = 16 * 1024;
/// How long a call rings on without its caller (IM-Suite §9).
const CALLER_LOST: Duration = Duration::from_secs(10);
/// The detail of a call that ended because a side's connection did (IM-Suite §6).
const SIGNALING_LOST: Option<&str> = Some("signaling_lost");
/// A report of connected media is proof of a living call for so long (IM-Suite §9).
const REPORT_FRESH: Duration = Duration::from_secs(15);
/// The longest absence that reports of the other side can excuse (IM-Suite §9).
const LONGEST_ABSENCE: Duration = Duration::from_secs(600);

/// Times of IM-Suite §9 and §1.8 that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    pub ring_timeout: Duration,
    pub resume_grace: Duration,
    /// Between two pings; a client silent for twice as long is dropped.
    pub heartbeat: Duration,
}

impl Default for Timing {
    /// The times of IM-Suite.
    fn default() -> Self {
        Self {
            ring_timeout: Duration::from_secs(30),
            resume_grace: Duration::from_secs(30),
            heartbeat: Duration::from_secs(30),
        }
    }
}

/// What an operator decides about calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    pub timing: Timing,
    pub call_policy: CallPolicy,
    pub limits: Limits,
}

/// The whole state of the server's signaling.
///
/// It can be written down between two inputs, after [`Self::poll_record`] and [`Self::poll_output`] have given `None`,
/// and goes on elsewhere as if nothing had happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switchboard {
    rules: Rules,
    people: People,
    devices: Devices,
    calls: Calls,
    presence: PresenceBoard,
    attempts: Attempts,
    /// Drained after each input, so never longer than the live calls that one input can end.
    records: VecDeque<CallRecord>,
}

impl Switchboard {
    /// Knows nobody; [`Self::handle_people`] changes that.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            people: People::default(),
            devices: Devices::default(),
            calls: Calls::default(),
            presence: PresenceBoard::default(),
            attempts: Attempts::default(),
            records: VecDeque::new(),
        }
    }

    /// Takes any input. Equal inputs at equal moments lead equal switchboards to equal outputs.
    pub fn handle(&mut self, now: Moment, input: Input) {
        match input {
            Input::Connected { conn, user, device } => self.handle_connect(now, conn, user, device),
            Input::Message { conn, text } => self.handle_message(now, conn, &text),
            Input::Disconnected { conn } => self.handle_disconnect(now, conn),
            Input::People(people) => self.handle_people(now, people),
            Input::Time => self.handle_timeout(now),
            Input::Shutdown => self.handle_shutdown(now),
        }
    }

    /// Takes people who are new or have changed. Whoever is banned by that is cut off, and their call ends.
    pub fn handle_people(&mut self, now: Moment, people: Vec<Person>) {
        self.pass_time(now);
        let banned = people.iter().filter(|person| person.banned);
        let banned: Vec<_> = banned.map(|person| person.id).collect();
        let before = self
            .devices
            .is_anybody_here()
            .then(|| self.presence.views(&self.people, &people));
        for person in people {
            self.people.put(person);
        }
        if let Some(before) = before {
            self.presence
                .publish_changed_views(now, &self.people, &self.calls, &mut self.devices, before);
        }
        for user in banned {
            self.cut_off(now, user);
        }
        self.publish_presence(now);
    }

    /// Takes a connection of a signed-in user. One that the device still has is closed with 4409; a call that the
    /// device is bound to goes on with it.
    pub fn handle_connect(&mut self, now: Moment, conn: ConnId, user: UserId, device: DeviceId) {
        self.pass_time(now);
        let key = DeviceKey { user, device };
        let old = self.devices.connection(&key);
        let refused = match self.people.get(user) {
            None => Some(CloseCode::POLICY),
            Some(person) if person.banned => Some(CloseCode::BANNED),
            Some(_) if old.is_none() && self.devices.is_full(user) => Some(CloseCode::POLICY),
            Some(_) => None,
        };
        if let Some(code) = refused {
            self.devices.close(conn, code);
            return;
        }
        if let Some(old) = old {
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
            self.change_call(now, &id, |call, ctx| {
                call.ring(ctx, key.device);
                Ok(Fate::Goes)
            });
        }
        self.presence
            .snapshot(now, &self.people, &self.calls, &mut self.devices, (conn, user));
        self.publish_presence(now);
    }

    /// Forgets a connection that is gone; without effect on one that was closed or replaced by the switchboard.
    pub fn handle_disconnect(&mut self, now: Moment, conn: ConnId) {
        self.pass_time(now);
        self.detach(now, conn);
        self.publish_presence(now);
    }

    /// Takes one text of at most [`MESSAGE_LIMIT`] bytes.
    pub fn handle_message(&mut self, now: Moment, conn: ConnId, text: &str) {
        self.pass_time(now);
        let (Some(sender), Some(admission)) = (
            self.devices.owner(conn).cloned(),
            self.devices.admit(conn, now.at, &self.rules.limits),
        ) else {
            return;
        };
        let over = match admission {
            Admission::Passes => None,
            Admission::Over(wait) => Some(Refusal::later(Code::RateLimited, wait)),
            Admission::Floods => {
                tracing::info!(user = %sender.user, "cut off for flooding");
                self.devices.close(conn, CloseCode::FLOODING);
                self.detach(now, conn);
                self.publish_presence(now);
                return;
            }
        };
        match (message::read(text), over) {
            (Incoming::Call(message), Some(refusal)) => {
                self.refuse(now, conn, &sender, (message.kind, &message.reference()), &refusal);
            }
            // Nobody waits for an answer to the rest, and answers would only make the flood two.
            (Incoming::Ping | Incoming::Ignored | Incoming::Unreadable, Some(_)) => {}
            (Incoming::Ping, None) => self.devices.write(conn, message::pong(now)),
            (Incoming::Ignored, None) => {}
            (Incoming::Unreadable, None) => {
                let refusal = Refusal::from(Code::BadMessage);
                self.devices.write(
                    conn,
                    message::error(now, sender.user, None, None, &refusal, false),
                );
            }
            (Incoming::Call(mut message), None) => {
                message.remove_server_fields();
                let (kind, reference) = (message.kind, message.reference());
                if let Err(refusal) = self.route(now, &sender, message) {
                    self.refuse(now, conn, &sender, (kind, &reference), &refusal);
                }
            }
        }
        self.publish_presence(now);
    }

    /// Does what is due: calls that rang long enough, reports that waited, callers lost while ringing, absences that
    /// are over.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.pass_time(now);
    }

    /// Ends every call with `server_error` and closes every connection with 1001 (IM-Suite §6).
    pub fn handle_shutdown(&mut self, now: Moment) {
        self.pass_time(now);
        for id in self.calls.ids() {
            self.end_call(now, &id, None, EndReason::ServerError, None);
        }
        self.devices.close_all(CloseCode::GOING_AWAY);
    }

    /// What the history is to keep; it must be kept before the outputs are delivered, or somebody is told of a call that
    /// a crash makes unheard-of.
    pub fn poll_record(&mut self) -> Option<CallRecord> {
        self.records.pop_front()
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.devices.poll_output()
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        [self.calls.next_deadline(), self.devices.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Gives the records of all live calls to [`Self::poll_record`] again: for the history of a node that has just got
    /// this switchboard from another one.
    pub fn repeat_records(&mut self, now: Moment) {
        self.records
            .extend(self.calls.iter().map(|call| call.record(now, None)));
    }

    /// Every input comes after what was due before it.
    fn pass_time(&mut self, now: Moment) {
        while let Some(id) = self.calls.overdue(now.at) {
            self.change_call(now, &id, |call, ctx| Ok(call.handle_timeout(ctx)));
        }
        while let Some(key) = self.devices.overdue(now.at) {
            self.handle_absence_over(now, &key);
        }
        self.publish_presence(now);
    }

    fn detach(&mut self, now: Moment, conn: ConnId) {
        let Some(key) = self.devices.detach(conn) else {
            return;
        };
        if let Some(call) = self.calls.of(key.user).filter(|call| call.is_bound(&key)) {
            let grace = match call.phase {
                Phase::Ringing(_) => CALLER_LOST,
                Phase::Active(_) => self.rules.timing.resume_grace,
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
        self.end_call(now, &id, Some(key.user), EndReason::NetworkError, SIGNALING_LOST);
    }

    /// Closes every connection of somebody who is banned. To the other side of a call it is a connection that is lost,
    /// without a grace.
    fn cut_off(&mut self, now: Moment, user: UserId) {
        if let Some(call) = self.calls.of(user) {
            let id = call.id.clone();
            self.end_call(now, &id, None, EndReason::NetworkError, SIGNALING_LOST);
        }
        for conn in self.devices.connections(user) {
            self.devices.close(conn, CloseCode::BANNED);
            self.detach(now, conn);
        }
        self.devices.give_up_all(user);
    }

    /// Ends a call by the server's own decision and tells everybody except one side.
    fn end_call(
        &mut self,
        now: Moment,
        id: &CallId,
        except: Option<UserId>,
        reason: EndReason,
        detail: Option<&str>,
    ) {
        self.change_call(now, id, |call, ctx| {
            call.tell_all(ctx, except, reason, detail);
            Ok(Fate::Ends(reason))
        });
    }

    /// Does something to a live call, and what follows from it for the history.
    fn change_call(
        &mut self,
        now: Moment,
        id: &CallId,
        change: impl FnOnce(&mut Call, &mut Context<'_>) -> Result<Fate, Refusal>,
    ) -> Option<Refusal> {
        let mut call = self.calls.take(id)?;
        let before = call.record(now, None);
        let mut context = Context {
            now,
            devices: &mut self.devices,
            resume_grace: self.rules.timing.resume_grace,
        };
        match change(&mut call, &mut context) {
            Ok(Fate::Ends(reason)) => {
                let record = call.record(now, Some(reason));
                tracing::info!(call = %id, reason = reason.as_str(), duration = record.duration, "ended");
                if record.status == CallStatus::Rejected {
                    self.attempts.decline(now.at, call.caller.user, call.callee);
                }
                self.records.push_back(record);
                self.calls.end(now.at, call);
                None
            }
            Ok(Fate::Goes) => {
                let record = call.record(now, None);
                if record != before {
                    self.records.push_back(record);
                }
                self.calls.put(call);
                None
            }
            Err(refusal) => {
                self.calls.put(call);
                Some(refusal)
            }
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
}
