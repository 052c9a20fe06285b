//! What the local peer connection and the media make of a call.

use crate::action::Outbox;
use crate::call::Call;
use crate::end::Ending;
use crate::recovery::Link;
use crate::renegotiation::Phase;
use crate::state::{HeldCandidates, State};
use crate::timer::{CONNECT, REPEAT_OFFER, RING_GUARD, Timer};
use crate::{Candidate, EndCause, EndDetail, EndReason, Offer, PeerInput, Signal};
use std::time::Instant;

impl Call {
    /// Takes an event of the peer connection or of the media of this call.
    pub(crate) fn handle_peer(&mut self, now: Instant, input: PeerInput, out: &mut Outbox) {
        match input {
            PeerInput::LocalOffer { sdp } if self.state.answered_at().is_some() => {
                self.send_reoffer(now, sdp, out);
            }
            PeerInput::LocalOffer { sdp } => self.send_offer(now, sdp, out),
            PeerInput::LocalAnswer { sdp } if self.state.answered_at().is_some() => {
                self.send_reanswer(now, sdp, out);
            }
            PeerInput::LocalAnswer { sdp } => self.send_answer(now, sdp, out),
            PeerInput::Negotiated { video } => self.negotiated(video, out),
            PeerInput::LocalCandidate(candidate) => self.send_candidate(candidate, out),
            PeerInput::Connected => self.connected(now, out),
            PeerInput::Checking => self.checking(now, out),
            PeerInput::Disconnected => self.disconnected(now, out),
            PeerInput::Failed => self.failed(now, out),
            PeerInput::NetworkChanged => self.network_changed(now, out),
            PeerInput::ChannelClosed => self.channel_closed(now, out),
            PeerInput::RemoteEnd { reason, detail } => self.ended_in_band(now, reason, detail, out),
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
                    stream: self.stream.clone(),
                });
                out.send(Signal::Offer(offer.clone()));
                let (tellable, withheld) = if self.hide_addresses {
                    local.split_by(Candidate::is_relay)
                } else {
                    (local, HeldCandidates::default())
                };
                self.flush(tellable, out);
                self.timers
                    .arm(Timer::NoAnswer, now + self.rules.ring_timeout + RING_GUARD);
                if !self.rules.basic_mode {
                    self.timers.arm(Timer::RepeatOffer, now + REPEAT_OFFER);
                }
                self.state = State::Offered {
                    offer,
                    ringing: false,
                    remote: HeldCandidates::default(),
                    withheld,
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
            State::Answering { offer_sdp, local } => {
                out.send(Signal::Answer {
                    call: self.id.clone(),
                    sdp,
                    candidates: Vec::new(),
                    constraints: self.constraints.clone(),
                    negotiation: None,
                });
                self.flush(local, out);
                self.renegotiation.answered_first(offer_sdp);
                self.timers.arm(Timer::Connect, now + CONNECT);
                self.state = State::Connecting { answered_at: now };
                // The user may have turned it on while the answer was made.
                self.set_camera(now, self.pictures.camera, out);
            }
            other => {
                self.state = other;
                out.ignore();
            }
        }
    }

    pub(crate) fn flush(&self, local: HeldCandidates, out: &mut Outbox) {
        for candidate in local.into_signals() {
            out.send(Signal::Candidate {
                call: self.id.clone(),
                candidate,
            });
        }
    }

    fn send_candidate(&mut self, candidate: Option<Candidate>, out: &mut Outbox) {
        let tellable = |candidate: &Option<Candidate>| candidate.as_ref().is_some_and(Candidate::is_relay);
        let held = match &mut self.state {
            State::Preparing { local, .. } | State::Answering { local, .. } => local,
            State::Offered { withheld, .. } if self.hide_addresses && !tellable(&candidate) => withheld,
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. }
                if self.link == Link::Forgotten =>
            {
                return out.ignore();
            }
            State::Offered { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. } => match &mut self.renegotiation.phase {
                Phase::Answering { local, .. } => local,
                Phase::Stable | Phase::Asked { .. } | Phase::Making { .. } | Phase::Offered { .. } => {
                    return out.send(Signal::Candidate {
                        call: self.id.clone(),
                        candidate,
                    });
                }
            },
            State::Yielding { .. } | State::Incoming { .. } | State::Ended => return out.ignore(),
        };
        if !held.push(candidate) {
            out.ignore();
        }
    }

    /// The other side has no signaling, so the server may not know yet that the call is over.
    fn ended_in_band(
        &mut self,
        now: Instant,
        reason: EndReason,
        detail: Option<EndDetail>,
        out: &mut Outbox,
    ) {
        if self.state.answered_at().is_none() {
            return out.ignore();
        }
        let ending = Ending {
            tell: true,
            ..Ending::received(reason, detail, self.outgoing, true)
        };
        self.finish(now, ending, out);
    }

    fn description_failed(&mut self, now: Instant, out: &mut Outbox) {
        use {EndCause::*, EndReason::*};
        let ending = match self.state {
            State::Preparing { .. } => Ending::quiet(MediaFailed, UserHangup, true),
            State::Answering { .. } => {
                Ending::told(IncompatibleOffer, UserRejected, Some(EndDetail::MediaFailure))
            }
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. } => {
                return self.renegotiation_failed(now, out);
            }
            State::Offered { .. } | State::Yielding { .. } | State::Incoming { .. } | State::Ended => {
                return out.ignore();
            }
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
