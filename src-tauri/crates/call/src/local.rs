//! What the local peer connection and the media make of a call.

use crate::action::Outbox;
use crate::call::{Call, connection_lost};
use crate::end::Ending;
use crate::state::{HeldCandidates, State};
use crate::timer::{CONNECT, RECONNECT, REPEAT_OFFER, RING_GUARD, Timer};
use crate::{Candidate, EndCause, EndDetail, EndReason, Offer, PeerInput, Signal};
use std::time::Instant;

impl Call {
    /// Takes an event of the peer connection or of the media of this call.
    pub(crate) fn handle_peer(&mut self, now: Instant, input: PeerInput, out: &mut Outbox) {
        match input {
            PeerInput::LocalOffer { sdp } => self.send_offer(now, sdp, out),
            PeerInput::LocalAnswer { sdp } => self.send_answer(now, sdp, out),
            PeerInput::LocalCandidate(candidate) => self.send_candidate(candidate, out),
            PeerInput::Connected => self.connected(now, out),
            PeerInput::Disconnected => self.disconnected(now, out),
            PeerInput::Failed => match self.state {
                State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. } => {
                    self.finish(now, connection_lost(), out);
                }
                State::Preparing { .. }
                | State::Offered { .. }
                | State::Yielding { .. }
                | State::Incoming { .. }
                | State::Answering { .. }
                | State::Ended => out.ignore(),
            },
            PeerInput::DescriptionFailed => self.description_failed(now, out),
            PeerInput::MediaFailed => self.media_failed(now, out),
        }
    }

    fn send_offer(&mut self, now: Instant, sdp: String, out: &mut Outbox) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Preparing { constraints, local } => {
                let offer = Box::new(Offer {
                    call: self.id.clone(),
                    from: self.me.clone(),
                    to: self.peer.clone(),
                    video: self.video,
                    sdp,
                    candidates: Vec::new(),
                    constraints,
                    negotiation: 0,
                    expires_in: None,
                    caller_name: None,
                });
                out.send(Signal::Offer(offer.clone()));
                self.flush(local, out);
                self.timers
                    .arm(Timer::NoAnswer, now + self.rules.ring_timeout + RING_GUARD);
                if !self.rules.basic_mode {
                    self.timers.arm(Timer::RepeatOffer, now + REPEAT_OFFER);
                }
                self.state = State::Offered {
                    offer,
                    ringing: false,
                    remote: HeldCandidates::default(),
                };
            }
            other => {
                self.state = other;
                out.ignore();
            }
        }
    }

    fn send_answer(&mut self, now: Instant, sdp: String, out: &mut Outbox) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Answering { local } => {
                out.send(Signal::Answer {
                    call: self.id.clone(),
                    sdp,
                    candidates: Vec::new(),
                    constraints: self.rules.answer_constraints.clone(),
                    negotiation: None,
                });
                self.flush(local, out);
                self.timers.arm(Timer::Connect, now + CONNECT);
                self.state = State::Connecting { answered_at: now };
            }
            other => {
                self.state = other;
                out.ignore();
            }
        }
    }

    fn flush(&self, local: HeldCandidates, out: &mut Outbox) {
        for candidate in local.into_signals() {
            out.send(Signal::Candidate {
                call: self.id.clone(),
                candidate,
            });
        }
    }

    fn send_candidate(&mut self, candidate: Option<Candidate>, out: &mut Outbox) {
        match &mut self.state {
            State::Preparing { local, .. } | State::Answering { local } => {
                if !local.push(candidate) {
                    out.ignore();
                }
            }
            State::Offered { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. } => out.send(Signal::Candidate {
                call: self.id.clone(),
                candidate,
            }),
            State::Yielding { .. } | State::Incoming { .. } | State::Ended => out.ignore(),
        }
    }

    fn connected(&mut self, now: Instant, out: &mut Outbox) {
        let (answered_at, since) = match self.state {
            State::Connecting { answered_at } => (answered_at, now),
            State::Reconnecting { answered_at, since } => (answered_at, since),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connected { .. }
            | State::Ended => return out.ignore(),
        };
        self.timers.disarm(Timer::Connect);
        self.timers.disarm(Timer::Reconnect);
        self.state = State::Connected { answered_at, since };
    }

    fn disconnected(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connected { answered_at, since } => {
                self.timers.arm(Timer::Reconnect, now + RECONNECT);
                self.state = State::Reconnecting { answered_at, since };
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    fn description_failed(&mut self, now: Instant, out: &mut Outbox) {
        use {EndCause::*, EndReason::*};
        let ending = match self.state {
            State::Preparing { .. } => Ending::quiet(MediaFailed, UserHangup, true),
            State::Answering { .. } => {
                Ending::told(IncompatibleOffer, UserRejected, Some(EndDetail::MediaFailure))
            }
            State::Connecting { .. } => {
                Ending::told(IncompatibleOffer, NetworkError, Some(EndDetail::BadSdp))
            }
            State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => return out.ignore(),
        };
        self.finish(now, ending, out);
    }

    pub(crate) fn media_failed(&mut self, now: Instant, out: &mut Outbox) {
        use {EndCause::MediaFailed, EndReason::*};
        let told = |reason| Ending::told(MediaFailed, reason, Some(EndDetail::MediaFailure));
        let ending = match self.state {
            State::Preparing { .. } | State::Yielding { .. } => Ending {
                tell: false,
                ..told(UserHangup)
            },
            State::Answering { .. } => told(UserRejected),
            State::Offered { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. } => told(UserHangup),
            State::Incoming { .. } | State::Ended => return out.ignore(),
        };
        self.finish(now, ending, out);
    }
}
