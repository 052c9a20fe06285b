//! What others say about the calls of this room.

use super::calls::{Call, What};
use super::{Session, outgoing, sdp};
use crate::im_suite::words;
use crate::protocol::{Event, Problem};
use crate::zlm::own::{Own, Say};
use crate::zlm::wire::{self, Answer, Body, Bye, Rejected};
use crate::zlm::{MEDIA_SERVER_ROOM, ids};
use ahoy_call::{
    CallId, Candidate, EndDetail, EndReason, Offer, Party, Purpose, Refusal, RefusalCode, RefusalGroup,
    RoomId, Signal, StreamCall,
};
use std::time::{Duration, Instant};

/// How long a MediaServer that calls waits (10 s), less what the answer takes.
const MEDIA_SERVER_PATIENCE: Duration = Duration::from_secs(8);

impl Session {
    pub(super) fn handle_call_message(
        &mut self,
        now: Instant,
        transaction: String,
        body: Body,
        own: Option<Own>,
    ) {
        match body {
            Body::Call(call) => self.handle_call(transaction, call, own),
            Body::CallAccepted(answer) => self.handle_accept(&transaction, answer, own),
            Body::Rejected(rejected) => self.handle_reject(&transaction, &rejected, own),
            Body::Candidate(candidate) => self.handle_candidate(candidate, own),
            Body::Bye(bye) => self.handle_bye(now, &bye, own),
            Body::Register { .. }
            | Body::Registered { .. }
            | Body::Unregister { .. }
            | Body::Unregistered { .. }
            | Body::Other { .. } => {}
        }
    }

    fn handle_call(&mut self, transaction: String, request: wire::Call, own: Option<Own>) {
        if self.me.as_ref().map(RoomId::as_str) != Some(&request.tour.room_id) {
            return self.count_stranger();
        }
        let resume = own.as_ref().is_some_and(|own| own.resume);
        match self.calls.by_tour(&request.tour) {
            // Nobody else can know the guest ids that this side made.
            Some(call) if call.outgoing => self.count_stranger(),
            Some(_) if resume => self.handle_resume(transaction, &request.tour),
            Some(call) => {
                call.request = Some(transaction);
                let own = own.unwrap_or_default();
                let number = own.negotiation.unwrap_or(call.negotiation + 1);
                call.negotiation = number;
                call.last_offer.clone_from(&request.sdp);
                let call = call.id.clone();
                self.ring(call, request, own, number);
            }
            None if resume => {
                let forgotten = Call::new(
                    CallId::from_random([0; 16]),
                    request.tour,
                    request.stream,
                    request.kind,
                    false,
                );
                self.refuse_resume(transaction, &forgotten, EndReason::NetworkError, None);
            }
            None => self.handle_new_call(transaction, request, own),
        }
    }

    fn handle_new_call(&mut self, transaction: String, request: wire::Call, own: Option<Own>) {
        let Some(id) = ids::call_id(&request.tour.guest_id).or_else(|| self.spare_call_id()) else {
            return self.count_stranger();
        };
        let mut call = Call::new(
            id.clone(),
            request.tour.clone(),
            request.stream.clone(),
            request.kind.clone(),
            false,
        );
        call.request = Some(transaction.clone());
        call.ours = own.is_some();
        call.last_offer.clone_from(&request.sdp);
        let busy = outgoing::reject_message(&call, transaction, EndReason::UserBusy, busy());
        if self.calls.add(call).is_none() {
            // Too many calls at once, or a name that is taken.
            self.out.push_back(busy.to_text());
            return self.count_stranger();
        }
        self.ring(id, request, own.unwrap_or_default(), 0);
    }

    /// A name for a call whose guest id can be none.
    fn spare_call_id(&mut self) -> Option<CallId> {
        CallId::new(format!("guest_{}", self.transactions.make())).ok()
    }

    fn ring(&mut self, call: CallId, request: wire::Call, own: Own, negotiation: u32) {
        let Some(me) = self.me.clone() else { return };
        let Ok(from) = RoomId::new(ids::room_of(&request.tour.guest_id)) else {
            return self.count_stranger();
        };
        let impatient = from.as_str().starts_with(MEDIA_SERVER_ROOM);
        let purpose = Purpose::from_word(&request.kind);
        let stream = (purpose != Purpose::Call).then_some(StreamCall {
            purpose,
            vhost: request.stream.vhost,
            app: request.stream.app,
            stream: request.stream.stream,
        });
        self.events.push_back(Event::Signal(Signal::Offer(Box::new(Offer {
            call,
            from: Party::Room(from),
            to: Party::Room(me),
            video: sdp::has_video(&request.sdp),
            sdp: words::with_final_line_end(request.sdp),
            candidates: Vec::new(),
            constraints: own.constraints.map(words::constraints_of).unwrap_or_default(),
            negotiation,
            expires_in: impatient.then_some(MEDIA_SERVER_PATIENCE),
            caller_name: None,
            stream,
        }))));
    }

    /// A call that goes on: the server only had to see it.
    fn handle_resume(&mut self, transaction: String, tour: &wire::Tour) {
        let Some(call) = self.calls.by_tour(tour) else {
            return;
        };
        let (reason, detail) = match &call.over {
            Some((reason, detail)) => (*reason, detail.clone()),
            None if !call.answered => (EndReason::NetworkError, Some(EndDetail::SignalingLost)),
            None => {
                call.request = Some(transaction);
                let own = Own {
                    resume: true,
                    ..Own::default()
                };
                if let Some(message) = outgoing::answer_message(call, own) {
                    self.out.push_back(message.to_text());
                }
                return;
            }
        };
        let message = {
            let own = ended(reason, detail.as_ref());
            outgoing::reject_message(call, transaction, reason, own)
        };
        self.out.push_back(message.to_text());
    }

    fn refuse_resume(
        &mut self,
        transaction: String,
        call: &Call,
        reason: EndReason,
        detail: Option<&EndDetail>,
    ) {
        let message = outgoing::reject_message(call, transaction, reason, ended(reason, detail));
        self.out.push_back(message.to_text());
    }

    fn handle_accept(&mut self, transaction: &str, answer: Answer, own: Option<Own>) {
        let known = self.calls.by_tour(&answer.tour);
        let waits = |call: &&mut Call| call.outgoing && (call.over.is_none() || call.farewell.is_some());
        let Some(call) = known.filter(waits) else {
            return self.count_stranger();
        };
        let id = call.id.clone();
        let Some(what) = call.take_asked(transaction) else {
            return tracing::debug!(call = %id, "an answer that nobody waits for is skipped");
        };
        call.ours |= own.is_some();
        if what == What::Resume {
            call.resume = None;
            if let Some(farewell) = call.farewell.take() {
                self.out.push_back(farewell.to_text());
            }
            return;
        }
        let Some(sdp) = answer.sdp else {
            return self.malformed("field sdp is missing in an accept");
        };
        call.answered = true;
        call.resume = None;
        let own = own.unwrap_or_default();
        self.events.push_back(Event::Signal(Signal::Answer {
            call: id,
            sdp: words::with_final_line_end(sdp),
            candidates: Vec::new(),
            constraints: own.constraints.map(words::constraints_of),
            negotiation: own.negotiation,
        }));
    }

    fn handle_reject(&mut self, transaction: &str, rejected: &Rejected, own: Option<Own>) {
        let reason = rejected.reason.as_deref().unwrap_or_default();
        if reason == "should register first" {
            // The server has lost the room of this connection.
            self.give_link_up();
        }
        let Some(call) = self.calls.by_transaction(transaction) else {
            return tracing::debug!(
                reason,
                method = rejected.method,
                "a rejection of nothing is skipped"
            );
        };
        if rejected
            .guest_id
            .as_ref()
            .is_some_and(|guest| *guest != call.tour.guest_id)
        {
            return self.count_stranger();
        }
        let id = call.id.clone();
        let what = call.take_asked(transaction);
        if what == Some(What::Resume) && own.is_none() {
            // Nobody has the room yet; it is tried again.
            return;
        }
        tracing::debug!(call = %id, reason, "rejected");
        let signal = match own {
            Some(own) => end_of(id, &own),
            None => foreign_rejection(id, reason),
        };
        match &signal {
            Signal::End { reason, detail, .. } => call.end(*reason, detail.clone()),
            _ => call.end(EndReason::UserRejected, None),
        }
        self.events.push_back(Event::Signal(signal));
    }

    fn handle_candidate(&mut self, candidate: wire::Candidate, own: Option<Own>) {
        let known = self.calls.by_tour(&candidate.tour);
        let Some(call) = known.filter(|call| call.over.is_none()) else {
            return self.count_stranger();
        };
        let id = call.id.clone();
        if let Some(own) = own {
            call.ours = true;
            return self.handle_note(id, own);
        }
        self.events.push_back(Event::Signal(Signal::Candidate {
            call: id,
            candidate: Some(Candidate {
                candidate: with_prefix(candidate.candidate),
                sdp_mid: None,
                // Everything is in one bundle, which the first section stands for.
                sdp_m_line_index: Some(0),
                username_fragment: Some(candidate.ufrag),
            }),
        }));
    }

    fn handle_note(&mut self, id: CallId, own: Own) {
        let (constraints, negotiation) = (own.constraints, own.negotiation);
        let signal = match own.say {
            None => return,
            Some(Say::Ringing) => Signal::Ringing { call: id },
            Some(Say::Report(report)) => match words::report_of(&id, report) {
                Some(signal) => signal,
                None => return,
            },
            Some(Say::Renegotiate { ice_restart, video }) => Signal::Renegotiate {
                call: id,
                ice_restart,
                video,
            },
            Some(Say::Answer { sdp }) => Signal::Answer {
                call: id,
                sdp: words::with_final_line_end(sdp),
                candidates: Vec::new(),
                constraints: constraints.map(words::constraints_of),
                negotiation,
            },
            Some(Say::Offer { sdp }) => return self.handle_note_offer(id, sdp, constraints, negotiation),
        };
        self.events.push_back(Event::Signal(signal));
    }

    /// A re-offer of the callee.
    fn handle_note_offer(
        &mut self,
        id: CallId,
        sdp: String,
        constraints: Option<serde_json::Value>,
        negotiation: Option<u32>,
    ) {
        let Some(me) = self.me.clone() else { return };
        let Some(call) = self.calls.by_id(&id).filter(|call| call.outgoing) else {
            return;
        };
        let Ok(from) = RoomId::new(call.tour.room_id.clone()) else {
            return;
        };
        let number = negotiation.unwrap_or(call.negotiation + 1);
        call.negotiation = number;
        self.events.push_back(Event::Signal(Signal::Offer(Box::new(Offer {
            call: id,
            from: Party::Room(from),
            to: Party::Room(me),
            video: sdp::has_video(&sdp),
            sdp: words::with_final_line_end(sdp),
            candidates: Vec::new(),
            constraints: constraints.map(words::constraints_of).unwrap_or_default(),
            negotiation: number,
            expires_in: None,
            caller_name: None,
            stream: None,
        }))));
    }

    fn handle_bye(&mut self, now: Instant, bye: &Bye, own: Option<Own>) {
        let known = self.calls.by_tour(&bye.tour);
        // The server remembers calls that are long over.
        let Some(call) = known.filter(|call| call.over.is_none()) else {
            return self.count_stranger();
        };
        let id = call.id.clone();
        let signal = match own {
            Some(own) => end_of(id, &own),
            None if call.answered && call.ours => {
                // Made by the server: the other side has lost its connection to it, and media goes on.
                tracing::info!(call = %id, "the other side has lost the signaling server");
                call.lose_way(now);
                return self.resume_due(now);
            }
            None if call.answered => Signal::End {
                call: id,
                reason: EndReason::UserHangup,
                detail: None,
            },
            None => lost_or_cancelled(id, bye),
        };
        if let Signal::End { reason, detail, .. } = &signal {
            call.end(*reason, detail.clone());
        }
        self.events.push_back(Event::Signal(signal));
    }

    fn count_stranger(&mut self) {
        self.strangers += 1;
        tracing::debug!("message of no call of this room skipped");
        self.events
            .push_back(Event::Problem(Problem::Stranger(self.strangers)));
    }
}

/// Nobody answered, and a side has lost the server, or a client of another make has given up.
fn lost_or_cancelled(call: CallId, bye: &Bye) -> Signal {
    if bye.reason.as_deref() == Some("peer unregister") {
        return lost(call);
    }
    Signal::End {
        call,
        reason: EndReason::UserHangup,
        detail: Some(EndDetail::Cancelled),
    }
}

/// The end of a call that nobody answered before the server was lost.
pub(super) fn lost(call: CallId) -> Signal {
    Signal::End {
        call,
        reason: EndReason::NetworkError,
        detail: Some(EndDetail::SignalingLost),
    }
}

pub(super) fn refused(call: CallId, code: RefusalCode, fatal: bool) -> Signal {
    Signal::Refused {
        call: Some(call),
        refusal: Refusal {
            group: RefusalGroup::Signaling,
            code,
            fatal,
            text: String::new(),
            winner: None,
            retry_after: None,
        },
    }
}

fn end_of(call: CallId, own: &Own) -> Signal {
    Signal::End {
        call,
        reason: EndReason::from_word(own.reason.as_deref().unwrap_or_default()),
        detail: own.detail.as_deref().map(EndDetail::from_word),
    }
}

fn ended(reason: EndReason, detail: Option<&EndDetail>) -> Own {
    Own {
        reason: Some(reason.as_str().to_owned()),
        detail: detail.map(|detail| detail.as_str().to_owned()),
        ..Own::default()
    }
}

fn busy() -> Own {
    ended(EndReason::UserBusy, None)
}

/// A rejection by the server, by a MediaServer or by another client; its words are never shown.
fn foreign_rejection(call: CallId, reason: &str) -> Signal {
    let code = match reason {
        "stream not found" => RefusalCode::StreamNotFound,
        "already publishing" => RefusalCode::StreamTaken,
        "should register first" => RefusalCode::Other("not_registered".to_owned()),
        _ if reason.starts_with("room_id: ") && reason.ends_with("unregistered") => RefusalCode::UserOffline,
        // A MediaServer hands on where its program gave up over the description.
        _ if ["can not supported", ".cpp", ".h:", "Assertion", "assert"]
            .iter()
            .any(|sign| reason.contains(sign)) =>
        {
            RefusalCode::BadSdp
        }
        _ => {
            let busy = reason.to_ascii_lowercase().contains("busy");
            return Signal::End {
                call,
                reason: if busy {
                    EndReason::UserBusy
                } else {
                    EndReason::UserRejected
                },
                detail: None,
            };
        }
    };
    refused(call, code, true)
}

fn with_prefix(candidate: String) -> String {
    if candidate.starts_with("candidate:") {
        candidate
    } else {
        format!("candidate:{candidate}")
    }
}
