//! How a call begins: the first offer, or why there is none (IM-Suite §9 busy and glare, §11 permission, §12 rates).

use super::call::{Call, Fate, Phase, Ringing};
use super::devices::DeviceKey;
use super::message::{self, Kind, Message, time_text};
use super::refusal::{Code, Refusal};
use super::{CallPolicy, EndReason, Moment, Switchboard};
use ahoy_call::UserId;
use serde_json::json;

impl Switchboard {
    /// Takes an offer whose call id is not that of a live call of the sender.
    pub(super) fn take_first_offer(
        &mut self,
        now: Moment,
        sender: &DeviceKey,
        offer: Message,
    ) -> Result<(), Refusal> {
        let limits = self.rules.limits;
        let callee = offer.user("to_user").and_then(|to| UserId::new(to).ok());
        if self.attempts.wait(now.at, sender.user, callee, &limits).is_some() {
            self.attempts.count(now.at, sender.user, callee, &limits);
            // Counted as well, so the time is the one after this attempt.
            let wait = self.attempts.wait(now.at, sender.user, callee, &limits);
            return Err(Refusal::later(Code::RateLimited, wait.unwrap_or_default()));
        }
        let result = self.begin_call(now, sender, offer);
        match &result {
            Err(refusal) if refusal.code == Code::BadMessage => {}
            Ok(()) | Err(_) => self.attempts.count(now.at, sender.user, callee, &limits),
        }
        result
    }

    fn begin_call(&mut self, now: Moment, sender: &DeviceKey, mut offer: Message) -> Result<(), Refusal> {
        let callee = self.check(sender, &offer)?;
        let callee = callee.ok_or_else(|| Refusal::field(Code::BadMessage, "to_user"))?;
        let id = offer
            .call_id()
            .ok_or_else(|| Refusal::field(Code::BadMessage, "call_id"))?;
        if self.calls.is_used(now.at, &id) {
            return Err(Code::DuplicateCallId.into());
        }
        if !self.may_call(sender.user, callee) {
            return Err(Code::NotPermitted.into());
        }
        self.check_free(sender.user, callee)?;
        // Whom the callee has blocked must not learn more than of somebody who is away.
        if self.people.has_blocked(callee, sender.user) {
            return Err(Code::UserOffline.into());
        }
        let is_busy = self.calls.of(callee).is_some();
        if !is_busy && !self.devices.is_online(callee) {
            return Err(Code::UserOffline.into());
        }
        offer.set("from_user", sender.user.as_u64());
        offer.set("created_at", time_text(now.wall));
        offer.set(
            "caller",
            json!({ "id": sender.user.as_u64(), "username": self.people.name(sender.user) }),
        );
        let ringing = Ringing::new(offer.to_text(now), now.at + self.rules.timing.ring_timeout);
        let call = Call {
            id,
            caller: sender.clone(),
            callee,
            created_at: now.wall,
            first_sdp: offer.sdp_mark(),
            video: offer.text_field("call_type") == Some("video"),
            phase: Phase::Ringing(Box::new(ringing)),
        };
        if is_busy {
            self.refuse_busy(now, call);
        } else {
            self.ring(now, call);
        }
        Ok(())
    }

    /// The caller's own rights and what the operator decided for all; being blocked is not told.
    fn may_call(&self, caller: UserId, callee: UserId) -> bool {
        let has_rights = self
            .people
            .get(caller)
            .is_some_and(|person| !person.banned && !person.restricted);
        has_rights
            && match self.rules.call_policy {
                CallPolicy::Anyone => true,
                CallPolicy::Contacts => self.people.lists(callee, caller),
            }
    }

    fn check_free(&self, caller: UserId, callee: UserId) -> Result<(), Refusal> {
        let Some(own) = self.calls.of(caller) else {
            return Ok(());
        };
        let is_rung_by_callee = matches!(own.phase, Phase::Ringing(_)) && own.caller.user == callee;
        Err(if is_rung_by_callee {
            Refusal {
                winner: Some(own.id.clone()),
                ..Refusal::from(Code::Glare)
            }
        } else {
            Code::AlreadyInCall.into()
        })
    }

    fn ring(&mut self, now: Moment, call: Call) {
        tracing::info!(call = %call.id, video = call.video, "ringing");
        self.records.push_back(call.record(now, None));
        let (id, devices) = (call.id.clone(), self.devices.attached(call.callee));
        self.calls.put(call);
        self.change_call(now, &id, |call, ctx| {
            for key in devices {
                call.ring(ctx, key.device);
            }
            Ok(Fate::Goes)
        });
    }

    /// The callee's devices are not rung, but the call is missed.
    fn refuse_busy(&mut self, now: Moment, call: Call) {
        let (id, users) = (&call.id, (call.callee, call.caller.user));
        let text = message::end(now, id, users, EndReason::UserBusy, None, 0);
        self.devices.send(&call.caller, Kind::End, text);
        self.records
            .push_back(call.record(now, Some(EndReason::UserBusy)));
        self.calls.bury(now.at, call.id);
    }
}
