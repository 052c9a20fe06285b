//! One call on the server.
//!
//! ```text
//!            first offer                  answer of a callee device
//!     (none) ───────────► Ringing ───────────────────────────────► Active ⟲ re-offer, its answer,
//!                            │ end · decline · all devices left ·     │     candidates, status, errors
//!                            │ ring timer · caller lost 10 s          │ end · grace of a lost side over
//!                            ▼                                        ▼
//!                          Ended: only the id is kept, for 10 min (IM-Suite §10)
//! ```
//!
//! What a message does while ringing is in `ringing.rs`, in an active call in `active.rs`.

use super::devices::{DeviceKey, Devices};
use super::message::{self, Kind, Message, Reference, SdpMark, time_text};
use super::record::{CallRecord, CallStatus, CallType, EndReason, whole_milliseconds};
use super::refusal::Refusal;
use super::reports::Reports;
use super::{DeviceId, Moment};
use ahoy_call::{CallId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: CallId,
    /// The caller's side is bound to the device of the first offer (IM-Suite §7).
    pub(super) caller: DeviceKey,
    pub(super) callee: UserId,
    pub(super) created_at: Timestamp,
    /// The first offer's description; a repeat has the same.
    pub(super) first_sdp: SdpMark,
    /// Video, or it was at any time.
    pub(super) video: bool,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Ringing(Box<Ringing>),
    Active(Box<Active>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ringing {
    pub(super) deadline: Duration,
    /// As it is delivered, without `expires_in`; for devices that connect later.
    pub(super) offer: String,
    /// The caller's trickled candidates as they were delivered, for devices that connect later.
    pub(super) candidates: Vec<String>,
    /// The callee's devices that were rung; `true` for one that cannot take the call and has left.
    pub(super) rung: BTreeMap<DeviceId, bool>,
    /// A device of the callee has alerted its user.
    pub(super) alerted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) answered: Moment,
    pub(super) caller: Leg,
    pub(super) callee: Leg,
}

/// One side of an active call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leg {
    pub(super) device: DeviceKey,
    /// The re-offer of this side that the other has not answered.
    pub(super) pending: Option<Pending>,
    /// The description of this side's last accepted answer; a repeat has the same.
    pub(super) answer_sdp: Option<SdpMark>,
    /// When this side last reported that its media are connected.
    pub(super) connected_at: Option<Duration>,
    /// This side's reports on their way to the other.
    pub(super) reports: Reports,
}

/// A re-offer without its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) sdp: SdpMark,
    pub(super) negotiation: Option<u64>,
    pub(super) reference: Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Callee,
}

/// What becomes of a call after an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    Ends(EndReason),
}

/// What every transition needs besides the call.
pub(super) struct Context<'a> {
    pub(super) now: Moment,
    pub(super) devices: &'a mut Devices,
    pub(super) resume_grace: Duration,
}

impl Call {
    /// The role of a participant; `None` for anybody else.
    pub(super) fn role(&self, user: UserId) -> Option<Role> {
        if user == self.caller.user {
            Some(Role::Caller)
        } else if user == self.callee {
            Some(Role::Callee)
        } else {
            None
        }
    }

    pub(super) fn user(&self, role: Role) -> UserId {
        match role {
            Role::Caller => self.caller.user,
            Role::Callee => self.callee,
        }
    }

    /// Takes a message of a participant whose fields are right.
    pub(super) fn handle_message(
        &mut self,
        ctx: &mut Context<'_>,
        sender: &DeviceKey,
        role: Role,
        mut message: Message,
    ) -> Result<Fate, Refusal> {
        message.set("from_user", self.user(role).as_u64());
        message.set("to_user", self.user(role.other()).as_u64());
        if message.kind != Kind::Other {
            self.stamp(ctx.now, &mut message);
        }
        match self.phase {
            Phase::Ringing(_) => self.handle_while_ringing(ctx, sender, role, message),
            Phase::Active(_) => self.handle_while_active(ctx, sender, role, message),
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Ringing(ringing) => Some(ringing.deadline),
            Phase::Active(active) => active.next_report(),
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, ctx: &mut Context<'_>) -> Fate {
        match &mut self.phase {
            Phase::Ringing(ringing) if ringing.deadline <= ctx.now.at => {
                self.tell_all(ctx, None, EndReason::Timeout, Some("ring"));
                Fate::Ends(EndReason::Timeout)
            }
            Phase::Ringing(_) => Fate::Goes,
            Phase::Active(active) => {
                active.send_due_reports(ctx);
                Fate::Goes
            }
        }
    }

    /// Whether this device holds one side of the call.
    pub(super) fn is_bound(&self, key: &DeviceKey) -> bool {
        *key == self.caller
            || match &self.phase {
                Phase::Ringing(_) => false,
                Phase::Active(active) => *key == active.callee.device,
            }
    }

    /// Whole seconds since the answer; 0 before it (IM-Suite §4.4).
    pub(super) fn duration(&self, now: Moment) -> u64 {
        match &self.phase {
            Phase::Ringing(_) => 0,
            Phase::Active(active) => now.at.saturating_sub(active.answered.at).as_secs(),
        }
    }

    /// What the history says of the call now, or at its end.
    pub(super) fn record(&self, now: Moment, end: Option<EndReason>) -> CallRecord {
        let status = match (&self.phase, end) {
            (Phase::Ringing(_), None) => CallStatus::Pending,
            (Phase::Active(_), None) => CallStatus::Answered,
            (Phase::Ringing(_), Some(reason)) => reason.unanswered(),
            (Phase::Active(_), Some(_)) => CallStatus::Ended,
        };
        CallRecord {
            call_id: self.id.clone(),
            from_user: self.caller.user,
            to_user: self.callee,
            call_type: if self.video {
                CallType::Video
            } else {
                CallType::Audio
            },
            status,
            started_at: whole_milliseconds(self.created_at),
            ended_at: end.map(|_| whole_milliseconds(now.wall)),
            duration: end.map_or(0, |_| self.duration(now)),
            reason: end,
        }
    }

    /// Tells one device by a message of the server that the call is over.
    pub(super) fn tell_end(
        &self,
        ctx: &mut Context<'_>,
        to: &DeviceKey,
        reason: EndReason,
        detail: Option<&str>,
    ) {
        let from = if to.user == self.callee {
            self.caller.user
        } else {
            self.callee
        };
        let text = message::end(
            ctx.now,
            &self.id,
            (from, to.user),
            reason,
            detail,
            self.duration(ctx.now),
        );
        ctx.devices.send(to, Kind::End, text);
    }

    /// Tells every device of the call, except those of one side, that it is over.
    pub(super) fn tell_all(
        &self,
        ctx: &mut Context<'_>,
        except: Option<UserId>,
        reason: EndReason,
        detail: Option<&str>,
    ) {
        let mut targets = vec![self.caller.clone()];
        match &self.phase {
            Phase::Ringing(ringing) => targets.extend(ringing.still_rung(self.callee)),
            Phase::Active(active) => targets.push(active.callee.device.clone()),
        }
        for key in targets.iter().filter(|key| Some(key.user) != except) {
            self.tell_end(ctx, key, reason, detail);
        }
    }

    /// Writes the fields that are the server's (IM-Suite §3): always where §4 says so, else where the client sent them.
    fn stamp(&self, now: Moment, message: &mut Message) {
        let now_text = time_text(now.wall);
        let answered_at = match &self.phase {
            Phase::Ringing(_) => now_text.clone(),
            Phase::Active(active) => time_text(active.answered.wall),
        };
        let duration = self.duration(now);
        message.replace("created_at", time_text(self.created_at));
        message.replace("answered_at", answered_at.clone());
        message.replace("ended_at", now_text.clone());
        message.replace("duration", duration);
        match message.kind {
            Kind::Offer => message.set("created_at", now_text),
            Kind::Answer => message.set("answered_at", answered_at),
            Kind::End => {
                message.set("ended_at", now_text);
                message.set("duration", duration);
            }
            Kind::Ice | Kind::Status | Kind::Error | Kind::Renegotiate | Kind::Other => {}
        }
    }
}

impl Ringing {
    /// The callee's devices that have not left, connected or not.
    pub(super) fn still_rung(&self, callee: UserId) -> Vec<DeviceKey> {
        let staying = self.rung.iter().filter(|(_, left)| !**left);
        staying
            .map(|(device, _)| DeviceKey {
                user: callee,
                device: device.clone(),
            })
            .collect()
    }
}

impl Leg {
    pub(super) fn new(device: DeviceKey, answer_sdp: Option<SdpMark>) -> Self {
        Self {
            device,
            pending: None,
            answer_sdp,
            connected_at: None,
            reports: Reports::default(),
        }
    }
}

impl Active {
    pub(super) fn leg(&self, role: Role) -> &Leg {
        match role {
            Role::Caller => &self.caller,
            Role::Callee => &self.callee,
        }
    }

    pub(super) fn leg_mut(&mut self, role: Role) -> &mut Leg {
        match role {
            Role::Caller => &mut self.caller,
            Role::Callee => &mut self.callee,
        }
    }
}

impl Role {
    pub(super) fn other(self) -> Self {
        match self {
            Role::Caller => Role::Callee,
            Role::Callee => Role::Caller,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Role::Caller => "caller",
            Role::Callee => "callee",
        }
    }
}
