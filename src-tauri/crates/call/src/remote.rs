//! What the other side and the server make of a call.

use crate::action::Outbox;
use crate::call::Call;
use crate::end::Ending;
use crate::state::{HeldCandidates, State};
use crate::timer::{CONNECT, Timer, WINNER};
use crate::{
    Action, CallId, Candidate, EndCause, EndDetail, EndReason, Offer, Refusal, RefusalCode, Ring, Signal,
    Toggle,
};
use std::time::Instant;

impl Call {
    /// Takes a signal that names this call.
    pub(crate) fn handle_signal(&mut self, now: Instant, signal: Signal, out: &mut Outbox) {
        match signal {
            Signal::Offer(offer) if self.state.answered_at().is_some() => {
                self.handle_reoffer(now, *offer, out)
            }
            Signal::Offer(offer) => self.handle_same_offer(&offer, out),
            Signal::Ringing { .. } => self.handle_ringing(out),
            Signal::Answer {
                sdp,
                candidates,
                negotiation,
                ..
            } if self.state.answered_at().is_some() => {
                self.handle_reanswer(now, sdp, candidates, negotiation, out);
            }
            Signal::Answer { sdp, candidates, .. } => self.handle_answer(now, sdp, candidates, out),
            Signal::AnsweredElsewhere { .. } => self.handle_answered_elsewhere(now, out),
            Signal::Candidate { candidate, .. } => self.handle_candidate(candidate, out),
            Signal::End { reason, detail, .. } => self.handle_end(now, reason, detail, out),
            Signal::Refused { refusal, .. } => self.handle_refusal(now, &refusal, out),
            // Reports change no state (IM-Suite §4.5), they are for the screen.
            Signal::Report { report, .. } => {
                if let Some(video) = report.media.and_then(|media| media.video) {
                    self.pictures.other_paused = video == Toggle::Off;
                }
            }
            Signal::Renegotiate {
                ice_restart, video, ..
            } => self.handle_renegotiate(now, ice_restart, video, out),
        }
    }

    /// A repeated offer rings no second time, but tells the caller once more that it does.
    fn handle_same_offer(&mut self, offer: &Offer, out: &mut Outbox) {
        match &self.state {
            State::Incoming { offer_sdp, .. } if offer.from == self.peer && offer.sdp == *offer_sdp => {
                out.send(Signal::Ringing {
                    call: self.id.clone(),
                });
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    fn handle_ringing(&mut self, out: &mut Outbox) {
        match &mut self.state {
            State::Offered { ringing, .. } => {
                *ringing = true;
                self.timers.disarm(Timer::RepeatOffer);
                self.set_ring(Ring::Outgoing, out);
            }
            State::Preparing { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    fn handle_answer(&mut self, now: Instant, sdp: String, candidates: Vec<Candidate>, out: &mut Outbox) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Offered { remote, withheld, .. } => {
                self.timers.clear();
                self.timers.arm(Timer::Connect, now + CONNECT);
                self.set_ring(Ring::Silent, out);
                let (mut all, complete) = remote.into_parts();
                all.extend(candidates);
                all.truncate(HeldCandidates::CAPACITY);
                self.renegotiation.took_first(sdp.clone());
                out.push(Action::ApplyAnswer {
                    call: self.id.clone(),
                    sdp,
                    candidates: all,
                });
                if complete {
                    self.add_candidate(None, out);
                }
                self.flush(withheld, out);
                self.start_media(out);
                self.state = State::Connecting { answered_at: now };
            }
            other => {
                self.state = other;
                out.ignore();
            }
        }
    }

    fn handle_answered_elsewhere(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Incoming { .. } => self.answered_elsewhere(now, out),
            State::Answering { .. } | State::Connecting { .. } if !self.outgoing => {
                self.answered_elsewhere(now, out);
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    fn answered_elsewhere(&mut self, now: Instant, out: &mut Outbox) {
        let ending = Ending::quiet(EndCause::AnsweredElsewhere, EndReason::UserHangup, false);
        self.finish(now, ending, out);
    }

    fn handle_candidate(&mut self, candidate: Option<Candidate>, out: &mut Outbox) {
        match &mut self.state {
            State::Offered { remote, .. } | State::Incoming { remote, .. } => {
                if !remote.push(candidate) {
                    out.ignore();
                }
            }
            State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. } => self.add_candidate(candidate, out),
            State::Preparing { .. } | State::Yielding { .. } | State::Ended => out.ignore(),
        }
    }

    fn handle_end(&mut self, now: Instant, reason: EndReason, detail: Option<EndDetail>, out: &mut Outbox) {
        match self.state {
            // Nobody else knows of the call yet.
            State::Preparing { .. } | State::Ended => return out.ignore(),
            State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. } => {}
        }
        let answered = self.state.answered_at().is_some();
        let ending = Ending::received(reason, detail, self.outgoing, answered);
        self.finish(now, ending, out);
    }

    /// The table of IM-Suite §8: a fatal refusal of the first offer is the end, any other refusal waits for
    /// `call.end`. Except that an answer refused for good gets no such end, so its sender ends by itself.
    pub(crate) fn handle_refusal(&mut self, now: Instant, refusal: &Refusal, out: &mut Outbox) {
        match self.state {
            State::Offered { .. } if refusal.code == RefusalCode::Glare => {
                self.timers.clear();
                self.timers.arm(Timer::Winner, now + WINNER);
                self.set_ring(Ring::Silent, out);
                self.state = State::Yielding {
                    winner: refusal.winner.clone(),
                };
            }
            State::Offered { .. } if refusal.fatal => {
                self.finish(now, Ending::refused(&refusal.code), out);
            }
            State::Offered { .. } => self.timers.disarm(Timer::RepeatOffer),
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. }
                if refusal.code == RefusalCode::RenegotiationPending =>
            {
                self.handle_pending(now, refusal, out);
            }
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. }
                if refusal.code == RefusalCode::RenegotiationUnsupported =>
            {
                self.give_up_renegotiation();
            }
            State::Connecting { .. } if !self.outgoing => {
                self.handle_refused_answer(now, refusal, out);
            }
            State::Preparing { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    fn handle_refused_answer(&mut self, now: Instant, refusal: &Refusal, out: &mut Outbox) {
        match &refusal.code {
            RefusalCode::AnsweredElsewhere => self.answered_elsewhere(now, out),
            // A restarted server has forgotten the call and will never end it.
            RefusalCode::UnknownCall => {
                self.finish(now, Ending::refused(&refusal.code), out);
            }
            RefusalCode::BadSdp => {
                let ending = Ending::told(
                    EndCause::IncompatibleOffer,
                    EndReason::NetworkError,
                    Some(EndDetail::BadSdp),
                );
                self.finish(now, ending, out);
            }
            RefusalCode::UserOffline
            | RefusalCode::UserNotFound
            | RefusalCode::NotPermitted
            | RefusalCode::SelfCall
            | RefusalCode::AlreadyInCall
            | RefusalCode::Glare
            | RefusalCode::DuplicateCallId
            | RefusalCode::RateLimited
            | RefusalCode::RenegotiationPending
            | RefusalCode::CallsUnsupported
            | RefusalCode::StreamNotFound
            | RefusalCode::StreamTaken
            | RefusalCode::RenegotiationUnsupported
            | RefusalCode::Other(_) => out.ignore(),
        }
    }

    /// The offer is out and nothing has come back, so a refusal without a call id can only mean this call.
    pub(crate) fn awaits_first_word(&self) -> bool {
        matches!(self.state, State::Offered { ringing: false, .. })
    }

    /// The call against which this one lost a glare, if the server named it.
    pub(crate) fn winner(&self) -> Option<&CallId> {
        match &self.state {
            State::Yielding { winner } => winner.as_ref(),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => None,
        }
    }

    /// This call lost a glare and `call`, an offer of its peer, may be the winner.
    pub(crate) fn yields_to(&self, call: &CallId) -> bool {
        matches!(self.state, State::Yielding { .. }) && self.winner().is_none_or(|winner| winner == call)
    }
}
