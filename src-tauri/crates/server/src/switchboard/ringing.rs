//! A call from its offer to its answer (IM-Suite §7, §10 rows "Ringing").

use super::DeviceId;
use super::call::{Active, Call, Context, Fate, Leg, Phase, Ringing, Role};
use super::devices::DeviceKey;
use super::message::{self, Kind, Message};
use super::record::EndReason;
use super::refusal::{Code, Refusal};
use serde_json::json;
use std::time::Duration;

/// Candidates of the caller kept for devices that connect while it rings; later ones only go to those connected
/// (IM-Suite §7).
const MAX_BUFFERED_CANDIDATES: usize = 64;

impl Call {
    /// Offers the call to a device of the callee that is connected; not again to one that has left (IM-Suite §16.16).
    pub(super) fn ring(&mut self, ctx: &mut Context<'_>, device: DeviceId) {
        let Phase::Ringing(ringing) = &mut self.phase else {
            return;
        };
        if *ringing.rung.entry(device.clone()).or_insert(false) {
            return;
        }
        let key = DeviceKey {
            user: self.callee,
            device,
        };
        let left = whole_seconds(ringing.deadline.saturating_sub(ctx.now.at));
        let offer = message::with_payload(&ringing.offer, |payload| {
            payload.insert("expires_in".to_owned(), left.into());
        });
        ctx.devices.send(&key, Kind::Offer, offer);
        for candidate in &ringing.candidates {
            ctx.devices.send(&key, Kind::Ice, candidate.clone());
        }
    }

    pub(super) fn handle_while_ringing(
        &mut self,
        ctx: &mut Context<'_>,
        sender: &DeviceKey,
        role: Role,
        message: Message,
    ) -> Result<Fate, Refusal> {
        match role {
            Role::Caller if *sender != self.caller => Err(Code::WrongDevice.into()),
            Role::Caller => self.handle_ringing_caller(ctx, message),
            Role::Callee => self.handle_ringing_callee(ctx, sender, message),
        }
    }

    fn handle_ringing_caller(
        &mut self,
        ctx: &mut Context<'_>,
        mut message: Message,
    ) -> Result<Fate, Refusal> {
        let Phase::Ringing(ringing) = &mut self.phase else {
            return Ok(Fate::Goes);
        };
        match message.kind {
            Kind::Offer if message.sdp_mark() == self.first_sdp => Ok(Fate::Goes),
            Kind::Offer => Err(Code::DuplicateCallId.into()),
            Kind::Answer | Kind::Renegotiate => Err(Code::BadState.into()),
            Kind::Ice => {
                let text = message.to_text(ctx.now);
                for key in ringing.still_rung(self.callee) {
                    ctx.devices.send(&key, Kind::Ice, text.clone());
                }
                if ringing.candidates.len() < MAX_BUFFERED_CANDIDATES {
                    ringing.candidates.push(text);
                }
                Ok(Fate::Goes)
            }
            Kind::End => {
                message.set("reason", "user_hangup");
                for key in ringing.still_rung(self.callee) {
                    ctx.devices.send(&key, Kind::End, message.to_text(ctx.now));
                }
                Ok(Fate::Ends(EndReason::UserHangup))
            }
            Kind::Status | Kind::Error | Kind::Other => Ok(Fate::Goes),
        }
    }

    fn handle_ringing_callee(
        &mut self,
        ctx: &mut Context<'_>,
        sender: &DeviceKey,
        message: Message,
    ) -> Result<Fate, Refusal> {
        let Phase::Ringing(ringing) = &mut self.phase else {
            return Ok(Fate::Goes);
        };
        let has_left = ringing.rung.get(&sender.device).copied().unwrap_or(false);
        match message.kind {
            Kind::Answer if !has_left => {
                self.answer(ctx, sender, message);
                Ok(Fate::Goes)
            }
            Kind::Answer | Kind::Offer | Kind::Renegotiate => Err(Code::BadState.into()),
            Kind::Status => {
                if message.text_field("status") == Some("ringing")
                    && !std::mem::replace(&mut ringing.alerted, true)
                {
                    ctx.devices
                        .send(&self.caller, Kind::Status, message.to_text(ctx.now));
                }
                Ok(Fate::Goes)
            }
            Kind::End if has_left => Ok(Fate::Goes),
            Kind::End => Ok(self.end_from_ringing_device(ctx, sender, message)),
            // Candidates of the callee would give away its addresses before it accepts (IM-Suite §7).
            Kind::Ice | Kind::Error | Kind::Other => Ok(Fate::Goes),
        }
    }

    fn answer(&mut self, ctx: &mut Context<'_>, sender: &DeviceKey, message: Message) {
        let Phase::Ringing(ringing) = &self.phase else {
            return;
        };
        ctx.devices
            .send(&self.caller, Kind::Answer, message.to_text(ctx.now));
        let grace = ctx.resume_grace;
        ctx.devices.postpone(&self.caller, |since| since + grace);
        for key in ringing
            .still_rung(self.callee)
            .iter()
            .filter(|key| *key != sender)
        {
            let payload = json!({
                "call_id": self.id.as_str(),
                "from_user": self.caller.user.as_u64(),
                "to_user": self.callee.as_u64(),
                "status": "answered",
                "by": "server",
            });
            ctx.devices.send(
                key,
                Kind::Status,
                message::server_text(ctx.now, "call.status", payload),
            );
        }
        self.phase = Phase::Active(Box::new(Active {
            answered: ctx.now,
            caller: Leg::new(self.caller.clone(), None),
            callee: Leg::new(sender.clone(), Some(message.sdp_mark())),
        }));
    }

    /// `user_busy`, and `user_rejected` for want of a microphone, take one device out; anything else declines for all
    /// (IM-Suite §7, §16.15).
    fn end_from_ringing_device(
        &mut self,
        ctx: &mut Context<'_>,
        sender: &DeviceKey,
        mut message: Message,
    ) -> Fate {
        let Phase::Ringing(ringing) = &mut self.phase else {
            return Fate::Goes;
        };
        let only_leaves = match message.text_field("reason") {
            Some("user_busy") => true,
            Some("user_rejected") => message.text_field("detail") == Some("media_failure"),
            Some(_) | None => false,
        };
        if only_leaves {
            ringing.rung.insert(sender.device.clone(), true);
            if ringing.rung.values().any(|left| !left) {
                return Fate::Goes;
            }
            ctx.devices
                .send(&self.caller, Kind::End, message.to_text(ctx.now));
            return Fate::Ends(EndReason::of(&message));
        }
        message.set("reason", "user_rejected");
        ctx.devices
            .send(&self.caller, Kind::End, message.to_text(ctx.now));
        let others = ringing.still_rung(self.callee);
        for key in others.iter().filter(|key| *key != sender) {
            self.tell_end(ctx, key, EndReason::UserRejected, None);
        }
        Fate::Ends(EndReason::UserRejected)
    }
}

impl Ringing {
    pub(super) fn new(offer: String, deadline: Duration) -> Self {
        Self {
            deadline,
            offer,
            candidates: Vec::new(),
            rung: Default::default(),
            alerted: false,
        }
    }
}

/// Rounded up, so that a call that still rings never has 0 left.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
