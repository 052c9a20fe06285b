//! A call from its answer to its end (IM-Suite §9 re-offer, §10 rows "Active").

use super::call::{Active, Call, Context, Fate, Pending, Phase, Role};
use super::devices::DeviceKey;
use super::message::{self, Kind, Message};
use super::record::EndReason;
use super::refusal::{Code, Refusal};
use std::time::Duration;

/// What a client waits before it repeats a re-offer that came too early; the time of IM-Suite §9 for "no answer".
const RENEGOTIATION_RETRY: Duration = Duration::from_secs(10);

impl Call {
    pub(super) fn handle_while_active(
        &mut self,
        ctx: &mut Context<'_>,
        sender: &DeviceKey,
        role: Role,
        message: Message,
    ) -> Result<Fate, Refusal> {
        let Phase::Active(active) = &mut self.phase else {
            return Ok(Fate::Goes);
        };
        if *sender != active.leg(role).device {
            let late_answer = message.kind == Kind::Answer && role == Role::Callee;
            return Err(if late_answer {
                Code::AnsweredElsewhere
            } else {
                Code::WrongDevice
            }
            .into());
        }
        let forward = match message.kind {
            Kind::Offer => {
                let forward = match role {
                    Role::Caller if message.sdp_mark() == self.first_sdp => false,
                    Role::Caller | Role::Callee => {
                        let crossed = active.mark_offer(role, &message)?;
                        if let Some(lost) = crossed {
                            tell_crossed(ctx, active, &lost);
                        }
                        true
                    }
                };
                self.video |= forward && message.text_field("call_type") == Some("video");
                forward
            }
            Kind::Answer => active.take_answer(role, &message)?,
            Kind::Renegotiate if role == Role::Caller => return Err(Code::BadState.into()),
            Kind::Status => match message.text_field("status") {
                Some("ringing" | "answered") => false,
                Some(word) => {
                    if word == "connected" {
                        active.leg_mut(role).connected_at = Some(ctx.now.at);
                    }
                    active.report(ctx, role, message.to_text(ctx.now));
                    false
                }
                None => false,
            },
            Kind::Ice | Kind::End | Kind::Error | Kind::Renegotiate | Kind::Other => true,
        };
        if forward && let Phase::Active(active) = &self.phase {
            let peer = &active.leg(role.other()).device;
            ctx.devices.send(peer, message.kind, message.to_text(ctx.now));
        }
        let end = EndReason::of(&message);
        Ok(if message.kind == Kind::End {
            Fate::Ends(end)
        } else {
            Fate::Goes
        })
    }
}

impl Active {
    /// Marks a re-offer as unanswered; gives the callee's re-offer that the caller's one overrides.
    fn mark_offer(&mut self, role: Role, offer: &Message) -> Result<Option<Pending>, Refusal> {
        if let Some(pending) = &self.leg(role).pending {
            return if pending.sdp == offer.sdp_mark() {
                Ok(None)
            } else {
                Err(renegotiation_pending())
            };
        }
        let crossed = match role {
            Role::Caller => self.callee.pending.take(),
            Role::Callee if self.caller.pending.is_some() => return Err(renegotiation_pending()),
            Role::Callee => None,
        };
        self.leg_mut(role).pending = Some(Pending {
            sdp: offer.sdp_mark(),
            negotiation: offer.negotiation(),
            reference: offer.reference(),
        });
        Ok(crossed)
    }

    /// Whether an answer belongs to the other side's re-offer; a repeat or a stale one does not and is dropped.
    fn take_answer(&mut self, role: Role, answer: &Message) -> Result<bool, Refusal> {
        let Some(offer) = &self.leg(role.other()).pending else {
            let is_repeat = self.leg(role).answer_sdp == Some(answer.sdp_mark());
            return if is_repeat {
                Ok(false)
            } else {
                Err(Code::BadState.into())
            };
        };
        if let (Some(asked), Some(answered)) = (offer.negotiation, answer.negotiation())
            && asked != answered
        {
            return Ok(false);
        }
        self.leg_mut(role.other()).pending = None;
        self.leg_mut(role).answer_sdp = Some(answer.sdp_mark());
        Ok(true)
    }
}

fn renegotiation_pending() -> Refusal {
    Refusal::later(Code::RenegotiationPending, RENEGOTIATION_RETRY)
}

fn tell_crossed(ctx: &mut Context<'_>, active: &Active, lost: &Pending) {
    let (callee, caller) = (&active.callee.device, active.caller.device.user);
    let text = message::error(
        ctx.now,
        callee.user,
        Some(caller),
        Some(&lost.reference),
        &renegotiation_pending(),
        false,
    );
    ctx.devices.send(callee, Kind::Error, text);
}
