//! One call: what its user and its timers make of it. What its own peer connection makes of it is in `local.rs`, what
//! the other side and the server make of it in `remote.rs`; `renegotiation.rs` and `recovery.rs` are what an answered
//! call goes through.
//!
//! A call knows one peer and no other call; who is busy and who wins a glare is decided by the endpoint.

use crate::action::Outbox;
use crate::end::Ending;
use crate::pictures::Pictures;
use crate::recovery::Link;
use crate::renegotiation::{Renegotiation, Wish};
use crate::state::{HeldCandidates, State};
use crate::timer::{CONNECT, RING_GUARD, Timer, Timers};
use crate::{
    Action, CallEnd, CallId, CallSnapshot, Candidate, CommandError, Constraints, Direction, EndCause,
    EndDetail, EndReason, Party, Ring, Signal, StreamCall,
};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) me: Party,
    pub(crate) peer: Party,
    pub(crate) peer_name: Option<String>,
    pub(crate) outgoing: bool,
    /// The call is a video call.
    pub(crate) video: bool,
    pub(crate) stream: Option<StreamCall>,
    pub(crate) pictures: Pictures,
    pub(crate) state: State,
    pub(crate) timers: Timers,
    pub(crate) rules: Rules,
    pub(crate) link: Link,
    pub(crate) renegotiation: Renegotiation,
    /// What this side wishes to receive.
    pub(crate) constraints: Option<Constraints>,
    /// Own addresses are not told before the answer.
    pub(crate) hide_addresses: bool,
    began_at: Instant,
    /// What is heard of this call.
    ring: Ring,
    /// A peer connection or media exist outside and must be freed.
    media_open: bool,
    /// The `call.end` to be said again if the other side seems not to know that the call is over.
    pub(crate) last_word: Option<Signal>,
}

/// What the endpoint decides for all its calls.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The server's ring time.
    pub(crate) ring_timeout: Duration,
    pub(crate) basic_mode: bool,
    /// What answers say this side wishes to receive.
    pub(crate) answer_constraints: Option<Constraints>,
    /// Signals reach the server.
    pub(crate) link_up: bool,
}

/// The two sides of a call, and what it is.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) id: CallId,
    pub(crate) me: Party,
    pub(crate) peer: Party,
    pub(crate) peer_name: Option<String>,
    pub(crate) video: bool,
    pub(crate) stream: Option<StreamCall>,
}

impl Call {
    /// Begins a call of this user.
    pub(crate) fn place(
        now: Instant,
        sides: Sides,
        constraints: Constraints,
        hide_addresses: bool,
        rules: Rules,
        out: &mut Outbox,
    ) -> Self {
        let state = State::Preparing {
            constraints: constraints.clone(),
            local: HeldCandidates::default(),
        };
        let mut call = Self::new(now, sides, true, state, rules);
        call.constraints = Some(constraints);
        call.hide_addresses = hide_addresses;
        call.pictures.camera = call.video && call.pictures.way.sends();
        call.media_open = true;
        call.timers
            .arm(Timer::NoAnswer, now + call.rules.ring_timeout + RING_GUARD);
        out.push(Action::CreateOffer {
            call: call.id.clone(),
            video: call.video,
        });
        call
    }

    /// Rings for an incoming call until `rings_until`.
    pub(crate) fn ring(
        now: Instant,
        sides: Sides,
        offer_sdp: String,
        remote: HeldCandidates,
        rings_until: Instant,
        rules: Rules,
        out: &mut Outbox,
    ) -> Self {
        let mut call = Self::new(now, sides, false, State::Incoming { offer_sdp, remote }, rules);
        call.timers.arm(Timer::NoAnswer, rings_until);
        out.send(Signal::Ringing {
            call: call.id.clone(),
        });
        call.set_ring(Ring::Incoming, out);
        call
    }

    /// Answers an incoming call without ringing: its user was calling the same person (IM-Suite §9, glare).
    pub(crate) fn answer_at_once(
        now: Instant,
        sides: Sides,
        offer_sdp: String,
        remote: HeldCandidates,
        own_camera: bool,
        rules: Rules,
        out: &mut Outbox,
    ) -> Self {
        let mut call = Self::new(now, sides, false, State::Ended, rules);
        call.begin_answer(now, offer_sdp, remote, own_camera, out);
        call
    }

    fn new(now: Instant, sides: Sides, outgoing: bool, state: State, rules: Rules) -> Self {
        let Sides {
            id,
            me,
            peer,
            peer_name,
            video,
            stream,
        } = sides;
        let way = stream
            .as_ref()
            .map_or(Direction::SendRecv, |it| it.purpose.way(outgoing));
        let mut timers = Timers::default();
        if !rules.link_up {
            timers.hold(now);
        }
        Self {
            id,
            me,
            peer,
            peer_name,
            outgoing,
            video,
            stream,
            pictures: Pictures::of_call(video, way),
            state,
            timers,
            link: if rules.link_up { Link::Up } else { Link::Down },
            renegotiation: Renegotiation::default(),
            constraints: rules.answer_constraints.clone(),
            hide_addresses: false,
            rules,
            began_at: now,
            ring: Ring::Silent,
            media_open: false,
            last_word: None,
        }
    }

    pub(crate) fn snapshot(&self) -> Option<CallSnapshot> {
        Some(CallSnapshot {
            call: self.id.clone(),
            peer: self.peer.clone(),
            peer_name: self.peer_name.clone(),
            outgoing: self.outgoing,
            video: self.video,
            send_video: self.pictures.camera,
            state: self.state.public()?,
            connected_at: self.state.connected_at(),
            began_at: self.began_at,
            way: self.pictures.way,
            stream: self.stream.clone(),
        })
    }

    pub(crate) fn accept(&mut self, now: Instant, video: bool, out: &mut Outbox) -> Result<(), CommandError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Incoming { offer_sdp, remote } => {
                self.begin_answer(now, offer_sdp, remote, video, out);
                Ok(())
            }
            other => {
                self.state = other;
                Err(CommandError::WrongState)
            }
        }
    }

    pub(crate) fn decline(
        &mut self,
        now: Instant,
        cause: EndCause,
        reason: EndReason,
        out: &mut Outbox,
    ) -> Result<(), CommandError> {
        if !matches!(self.state, State::Incoming { .. }) {
            return Err(CommandError::WrongState);
        }
        self.finish(now, Ending::told(cause, reason, None), out);
        Ok(())
    }

    pub(crate) fn hang_up(&mut self, now: Instant, out: &mut Outbox) {
        use {EndCause::*, EndReason::*};
        let ending = match self.state {
            State::Preparing { .. } | State::Yielding { .. } => Ending {
                tell: false,
                ..Ending::told(Cancelled, UserHangup, Some(EndDetail::Cancelled))
            },
            State::Offered { .. } => Ending::told(Cancelled, UserHangup, Some(EndDetail::Cancelled)),
            State::Incoming { .. } | State::Answering { .. } => Ending::told(Declined, UserRejected, None),
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. } => {
                Ending::told(HungUp, UserHangup, None)
            }
            State::Ended => return out.ignore(),
        };
        self.finish(now, ending, out);
    }

    /// Turns the own camera on or off (IM-Suite §9, upgrade). While it rings only a video call has one.
    pub(crate) fn camera(&mut self, now: Instant, on: bool, out: &mut Outbox) -> Result<(), CommandError> {
        if on && !self.pictures.way.sends() {
            return Err(CommandError::WrongState);
        }
        match self.state {
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. } => {
                self.set_camera(now, on, out);
                Ok(())
            }
            State::Answering { .. } => {
                self.pictures.camera = on;
                Ok(())
            }
            State::Preparing { .. } | State::Offered { .. } if self.video => {
                self.pictures.camera = on;
                Ok(())
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Ended => Err(CommandError::WrongState),
        }
    }

    pub(crate) fn restart_ice(&mut self, now: Instant, out: &mut Outbox) -> Result<(), CommandError> {
        if self.state.answered_at().is_none() {
            return Err(CommandError::WrongState);
        }
        self.wish(now, Wish::RESTART, out);
        Ok(())
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::NoAnswer => self.no_answer(now, out),
                Timer::RepeatOffer => {
                    if let State::Offered { offer, .. } = &self.state {
                        out.send(Signal::Offer(offer.clone()));
                    }
                }
                Timer::Connect if matches!(self.state, State::Answering { .. }) => {
                    self.media_failed(now, out);
                }
                Timer::Connect | Timer::Reconnect => self.finish(now, connection_lost(), out),
                Timer::Restart => self.restart_is_due(now, out),
                Timer::Asked => self.nobody_reoffered(now, out),
                Timer::RepeatReoffer => self.repeat_reoffer(out),
                Timer::RetryReoffer => self.pursue_wish(now, out),
                Timer::Unanswered => {
                    let unanswered = Ending::told(EndCause::ConnectionLost, EndReason::NetworkError, None);
                    self.finish(now, unanswered, out);
                }
                Timer::Winner => {
                    let lost = Ending::quiet(EndCause::ConnectionLost, EndReason::NetworkError, false);
                    self.finish(now, lost, out);
                }
            }
        }
    }

    fn begin_answer(
        &mut self,
        now: Instant,
        offer_sdp: String,
        remote: HeldCandidates,
        own_camera: bool,
        out: &mut Outbox,
    ) {
        self.pictures.camera = own_camera && self.video && self.pictures.way.sends();
        self.media_open = true;
        self.timers.disarm(Timer::NoAnswer);
        self.timers.arm(Timer::Connect, now + CONNECT);
        self.set_ring(Ring::Silent, out);
        let (candidates, complete) = remote.into_parts();
        out.push(Action::CreateAnswer {
            call: self.id.clone(),
            offer_sdp: offer_sdp.clone(),
            video: self.pictures.camera,
            remote_video: self.video,
            candidates,
        });
        if complete {
            self.add_candidate(None, out);
        }
        self.start_media(out);
        self.state = State::Answering {
            offer_sdp,
            local: HeldCandidates::default(),
        };
    }

    pub(crate) fn start_media(&self, out: &mut Outbox) {
        out.push(Action::StartMedia {
            call: self.id.clone(),
            send_video: self.pictures.camera,
            video: self.video,
        });
    }

    pub(crate) fn add_candidate(&self, candidate: Option<Candidate>, out: &mut Outbox) {
        out.push(Action::AddCandidate {
            call: self.id.clone(),
            candidate,
        });
    }

    fn no_answer(&mut self, now: Instant, out: &mut Outbox) {
        use {EndCause::*, EndReason::Timeout};
        match self.state {
            State::Preparing { .. } => self.media_failed(now, out),
            State::Offered { .. } => {
                let ending = Ending::told(NoAnswer, Timeout, Some(EndDetail::Ring));
                self.finish(now, ending, out);
            }
            State::Incoming { .. } => {
                let ending = Ending::told(Missed, Timeout, Some(EndDetail::Ring));
                self.finish(now, ending, out);
            }
            State::Yielding { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    pub(crate) fn set_ring(&mut self, ring: Ring, out: &mut Outbox) {
        if self.ring != ring {
            self.ring = ring;
            out.push(Action::Ring {
                call: self.id.clone(),
                ring,
            });
        }
    }

    fn end_signal(&self, reason: EndReason, detail: Option<EndDetail>) -> Signal {
        Signal::End {
            call: self.id.clone(),
            reason,
            detail,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Ends the call: silence first, then the other side, then the devices.
    pub(crate) fn finish(&mut self, now: Instant, ending: Ending, out: &mut Outbox) {
        let Ending {
            cause,
            reason,
            detail,
            by_us,
            tell,
        } = ending;
        let answered_at = self.state.answered_at();
        let offered = self.outgoing && !matches!(self.state, State::Preparing { .. });
        self.state = State::Ended;
        self.timers.clear();
        self.set_ring(Ring::Silent, out);
        if tell {
            let end = self.end_signal(reason, detail.clone());
            self.last_word = Some(end.clone());
            out.send(end);
            // A server that holds no calls may have lost the way of this one, and nobody would say so.
            let may_be_lost = !self.link.carries() || self.rules.basic_mode;
            if by_us && answered_at.is_some() && may_be_lost {
                out.push(Action::SendInBand {
                    call: self.id.clone(),
                    reason,
                    detail: detail.clone(),
                });
            }
        } else if offered {
            // A copy of a refused offer may still have made it to the callee.
            self.last_word = Some(self.end_signal(EndReason::UserHangup, Some(EndDetail::Cancelled)));
        }
        if self.media_open {
            self.media_open = false;
            out.push(Action::StopMedia {
                call: self.id.clone(),
            });
        }
        out.push(Action::Ended {
            call: self.id.clone(),
            end: CallEnd {
                cause,
                reason,
                detail,
                by_us,
                answered: answered_at.is_some(),
                duration: answered_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            },
        });
    }
}

/// ICE or DTLS did not come up in time, or did not come back.
pub(crate) fn connection_lost() -> Ending {
    Ending::told(
        EndCause::ConnectionLost,
        EndReason::NetworkError,
        Some(EndDetail::IceFailed),
    )
}
