//! What this side says about its calls.

use super::calls::{Call, What};
use super::{Session, incoming, sdp};
use crate::Secret;
use crate::im_suite::words;
use crate::protocol::{Event, ProtocolError};
use crate::zlm::own::{NOTHING, Own, Say};
use crate::zlm::wire::{self, Body, Bye, Message, Rejected, Stream, Tour};
use crate::zlm::{DEFAULT_VHOST, ids};
use ahoy_call::{
    CallId, Candidate, Constraints, EndDetail, EndReason, Offer, Party, Purpose, RefusalCode, Signal,
};
use std::time::Instant;

/// What a call between two people is called where a stream would be.
const CALL_APP: &str = "call";
const CALL_STREAM: &str = "main";

impl Session {
    pub(super) fn say(&mut self, now: Instant, signal: Signal) -> Result<(), ProtocolError> {
        if self.me.is_none() {
            return Err(ProtocolError::NotReady);
        }
        match signal {
            Signal::Offer(offer) if offer.negotiation == 0 => self.say_offer(now, *offer)?,
            Signal::Offer(offer) => self.say_reoffer(now, *offer),
            Signal::Answer {
                call,
                sdp,
                constraints,
                negotiation,
                ..
            } => self.say_answer(&call, sdp, constraints.as_ref(), negotiation),
            Signal::Candidate {
                call,
                candidate: Some(candidate),
            } => self.say_candidate(&call, &candidate),
            // The protocol cannot say that there are no more; nobody waits for it.
            Signal::Candidate { candidate: None, .. } => {}
            Signal::End { call, reason, detail } => self.say_end(&call, reason, detail),
            Signal::Ringing { call } => {
                self.say_own(&call, Say::Ringing);
            }
            Signal::Report { call, report } => {
                let said = Say::Report(words::report(call.clone(), report));
                self.say_own(&call, said);
            }
            Signal::Renegotiate {
                call,
                ice_restart,
                video,
            } => {
                if !self.say_own(&call, Say::Renegotiate { ice_restart, video }) {
                    self.refuse_reoffer(&call);
                }
            }
            Signal::AnsweredElsewhere { .. } => return Err(ProtocolError::ServerOnly("answered elsewhere")),
            Signal::Refused { .. } => return Err(ProtocolError::ServerOnly("refused")),
        }
        Ok(())
    }

    fn say_offer(&mut self, now: Instant, offer: Offer) -> Result<(), ProtocolError> {
        let (Party::Room(room), Some(me)) = (&offer.to, &self.me) else {
            return Err(ProtocolError::WrongAddress(offer.to));
        };
        if room == me {
            // A MediaServer breaks down over it.
            let refused = incoming::refused(offer.call, RefusalCode::SelfCall, true);
            self.events.push_back(Event::Signal(refused));
            return Ok(());
        }
        let tour = Tour {
            guest_id: ids::guest_id(me.as_str(), &offer.call),
            room_id: room.as_str().to_owned(),
        };
        let (stream, kind) = match &offer.stream {
            Some(call) => (
                Stream {
                    vhost: call.vhost.clone(),
                    app: call.app.clone(),
                    stream: call.stream.clone(),
                },
                call.purpose.as_str().to_owned(),
            ),
            None => (
                Stream {
                    vhost: DEFAULT_VHOST.to_owned(),
                    app: CALL_APP.to_owned(),
                    stream: CALL_STREAM.to_owned(),
                },
                Purpose::Call.as_str().to_owned(),
            ),
        };
        let call = Call::new(offer.call.clone(), tour, stream, kind, true);
        if self.calls.add(call).is_none() {
            let refused = incoming::refused(offer.call, RefusalCode::RateLimited, true);
            self.events.push_back(Event::Signal(refused));
            return Ok(());
        }
        self.request(now, &offer);
        Ok(())
    }

    /// Sends `request call`, the first of a call or a later one.
    fn request(&mut self, now: Instant, offer: &Offer) {
        let transaction = self.transactions.make();
        let Some(call) = self.calls.by_id(&offer.call) else {
            return;
        };
        call.credentials = sdp::credentials(&offer.sdp);
        call.last_offer.clone_from(&offer.sdp);
        call.negotiation = offer.negotiation;
        call.ask(now, transaction.clone(), What::Offer);
        let own = Own {
            negotiation: Some(offer.negotiation),
            constraints: Some(words::constraints(&offer.constraints)),
            ..Own::default()
        };
        let message = call_message(call, transaction, own);
        self.send(&message, &offer.call);
    }

    fn say_reoffer(&mut self, now: Instant, offer: Offer) {
        let Some(call) = self.calls.by_id(&offer.call) else {
            return;
        };
        match (call.ours, call.outgoing) {
            (true, true) => self.request(now, &offer),
            (true, false) => {
                call.credentials = sdp::credentials(&offer.sdp);
                call.negotiation = offer.negotiation;
                let own = Own {
                    negotiation: Some(offer.negotiation),
                    constraints: Some(words::constraints(&offer.constraints)),
                    say: Some(Say::Offer { sdp: offer.sdp }),
                    ..Own::default()
                };
                self.note(&offer.call, own);
            }
            // A MediaServer would build a second transport beside the first.
            (false, _) => self.refuse_reoffer(&offer.call),
        }
    }

    fn refuse_reoffer(&mut self, call: &CallId) {
        let refused = incoming::refused(call.clone(), RefusalCode::RenegotiationUnsupported, false);
        self.events.push_back(Event::Signal(refused));
    }

    fn say_answer(
        &mut self,
        id: &CallId,
        sdp: String,
        constraints: Option<&Constraints>,
        negotiation: Option<u32>,
    ) {
        let Some(call) = self.calls.by_id(id).filter(|call| call.over.is_none()) else {
            return;
        };
        call.credentials = sdp::credentials(&sdp);
        let own = Own {
            negotiation,
            constraints: constraints.map(words::constraints),
            ..Own::default()
        };
        if call.outgoing {
            // The offer came the same way.
            return self.note(
                id,
                Own {
                    say: Some(Say::Answer { sdp }),
                    ..own
                },
            );
        }
        call.answered = true;
        call.last_answer = sdp;
        if let Some(message) = answer_message(call, own) {
            self.send(&message, id);
        }
    }

    fn say_candidate(&mut self, id: &CallId, candidate: &Candidate) {
        let transaction = self.transactions.make();
        let Some(call) = self.calls.by_id(id).filter(|call| call.over.is_none()) else {
            return;
        };
        let Some(credentials) = &call.credentials else {
            return tracing::debug!(call = %id, "a candidate without a description is of no use");
        };
        let text = candidate.candidate.as_str();
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        let body = Body::Candidate(wire::Candidate {
            tour: call.tour.clone(),
            candidate: text.to_owned(),
            ufrag: candidate
                .username_fragment
                .clone()
                .filter(|ufrag| !ufrag.is_empty())
                .unwrap_or_else(|| credentials.ufrag.clone()),
            pwd: credentials.pwd.clone(),
        });
        self.send(&Message::new(transaction, body), id);
    }

    fn say_end(&mut self, id: &CallId, reason: EndReason, detail: Option<EndDetail>) {
        let transaction = self.transactions.make();
        let Some(call) = self.calls.by_id(id) else { return };
        let own = Own {
            reason: Some(reason.as_str().to_owned()),
            detail: detail.as_ref().map(|detail| detail.as_str().to_owned()),
            ..Own::default()
        };
        let declines = !call.outgoing && !call.answered;
        let message = match &call.request {
            Some(request) if declines => reject_message(call, request.clone(), reason, own),
            Some(_) | None => Message {
                extra: own.into_extra(),
                ..Message::new(
                    transaction,
                    Body::Bye(Bye {
                        tour: call.tour.clone(),
                        reason: Some(word(reason).to_owned()),
                    }),
                )
            },
        };
        if call.resume.is_some() {
            return call.end_later(reason, detail, message);
        }
        call.end(reason, detail);
        self.send(&message, id);
    }

    /// Says what the protocol has no message for; `false` if the other side would not understand it.
    fn say_own(&mut self, id: &CallId, say: Say) -> bool {
        let understood = self
            .calls
            .by_id(id)
            .is_some_and(|call| call.ours && call.over.is_none());
        if understood {
            self.note(
                id,
                Own {
                    say: Some(say),
                    ..Own::default()
                },
            );
        }
        understood
    }

    fn note(&mut self, id: &CallId, own: Own) {
        let transaction = self.transactions.make();
        let Some(call) = self.calls.by_id(id) else { return };
        let body = Body::Candidate(wire::Candidate {
            tour: call.tour.clone(),
            candidate: NOTHING.to_owned(),
            ufrag: NOTHING.to_owned(),
            pwd: Secret::new(NOTHING),
        });
        let message = Message {
            extra: own.into_extra(),
            ..Message::new(transaction, body)
        };
        self.send(&message, id);
    }

    /// Ends what nobody answered in time: the server never says so.
    pub(super) fn end_unanswered(&mut self, now: Instant) {
        for id in self.calls.take_timed_out(now) {
            let (reason, detail) = (EndReason::Timeout, Some(EndDetail::Ring));
            self.say_end(&id, reason, detail.clone());
            self.events.push_back(Event::Signal(Signal::End {
                call: id,
                reason,
                detail,
            }));
        }
    }

    /// Shows the server calls that go on without it.
    pub(super) fn resume_due(&mut self, now: Instant) {
        if !matches!(self.link, super::Link::Ready { .. }) {
            return;
        }
        for id in self.calls.take_resumes(now) {
            let transaction = self.transactions.make();
            let Some(call) = self.calls.by_id(&id) else {
                continue;
            };
            call.ask(now, transaction.clone(), What::Resume);
            let own = Own {
                resume: true,
                ..Own::default()
            };
            let message = call_message(call, transaction, own);
            self.send(&message, &id);
        }
    }
}

fn call_message(call: &Call, transaction: String, own: Own) -> Message {
    let body = Body::Call(wire::Call {
        tour: call.tour.clone(),
        stream: call.stream.clone(),
        kind: call.kind.clone(),
        sdp: call.last_offer.clone(),
    });
    Message {
        extra: own.into_extra(),
        ..Message::new(transaction, body)
    }
}

/// `accept call` for the latest request; `None` when there was none.
pub(super) fn answer_message(call: &Call, own: Own) -> Option<Message> {
    let body = Body::CallAccepted(wire::Answer {
        tour: call.tour.clone(),
        stream: call.stream.clone(),
        kind: Some(call.kind.clone()),
        sdp: Some(call.last_answer.clone()),
    });
    Some(Message {
        extra: own.into_extra(),
        ..Message::new(call.request.clone()?, body)
    })
}

pub(super) fn reject_message(call: &Call, transaction: String, reason: EndReason, own: Own) -> Message {
    let body = Body::Rejected(Rejected {
        method: Some("call".to_owned()),
        room_id: Some(call.tour.room_id.clone()),
        guest_id: Some(call.tour.guest_id.clone()),
        stream: Some(call.stream.clone()),
        kind: Some(call.kind.clone()),
        reason: Some(word(reason).to_owned()),
    });
    Message {
        extra: own.into_extra(),
        ..Message::new(transaction, body)
    }
}

/// The reason as people of other clients may read it.
fn word(reason: EndReason) -> &'static str {
    match reason {
        EndReason::UserHangup => "hangup",
        EndReason::UserRejected => "declined",
        EndReason::UserBusy => "busy",
        EndReason::Timeout => "no answer",
        EndReason::NetworkError => "connection lost",
        EndReason::ServerError => "server error",
    }
}
