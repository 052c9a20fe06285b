//! Re-offers of an answered call (IM-Suite §9, re-offer / ICE restart / upgrade).
//!
//! Only the original caller re-offers; the callee asks for it and re-offers by itself when nothing comes, which also
//! serves a peer or server that knows no such request. Every re-offer is answered; an unanswered one changes nothing at
//! either side, so that giving one up needs no way back.
//!
//! ```text
//!              wish, caller                  local offer             answer
//!  Stable ───────────────────────► Making ────────────────► Offered ────────► Stable
//!    │ ▲                             ▲
//!    │ └─ answered ─ Answering       │ nothing came for 4 s
//!    │   re-offer ──────┘            │
//!    └─ wish, callee ─────────────► Asked
//! ```

use crate::action::Outbox;
use crate::call::Call;
use crate::end::Ending;
use crate::state::HeldCandidates;
use crate::timer::{ASKED, PENDING_RETRY, REPEAT_REOFFER, Timer, UNANSWERED};
use crate::{Action, Candidate, Direction, EndCause, EndDetail, EndReason, Offer, Refusal, Signal};
use std::time::Instant;

/// What a re-offer is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) restart: bool,
    pub(crate) media: bool,
}

impl Wish {
    pub(crate) const RESTART: Wish = Wish {
        restart: true,
        media: false,
    };
    pub(crate) const MEDIA: Wish = Wish {
        restart: false,
        media: true,
    };
    const NONE: Wish = Wish {
        restart: false,
        media: false,
    };

    fn and(self, other: Wish) -> Wish {
        Wish {
            restart: self.restart || other.restart,
            media: self.media || other.media,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Stable,
    /// Callee: the caller was asked for this.
    Asked { wish: Wish },
    /// The peer connection makes an offer for this.
    Making { number: u32, wish: Wish },
    /// The offer is out.
    Offered { offer: Box<Offer>, wish: Wish },
    /// The peer connection makes an answer.
    Answering {
        number: u32,
        offer_sdp: String,
        local: HeldCandidates,
    },
}

/// The negotiations of one answered call.
#[derive(Debug, Default)]
pub(crate) struct Renegotiation {
    pub(crate) phase: Phase,
    /// Not yet asked or offered.
    wish: Wish,
    /// The number of the last negotiation that was answered; 0 is the first offer.
    done: u32,
    /// The highest number this side ever offered with, so that no number stands for two offers.
    used: u32,
    /// The offer that began the call, at the callee: a copy of it is no re-offer.
    first: Option<String>,
    /// The last answer this side gave, to be repeated: the offer it answers and the answer.
    given: Option<(String, Signal)>,
    /// The last answer this side took: a copy of it answers nothing else.
    taken: Option<String>,
}

impl Renegotiation {
    /// This side answered the offer that began the call.
    pub(crate) fn answered_first(&mut self, offer_sdp: String) {
        self.first = Some(offer_sdp);
    }

    /// This side took the first answer.
    pub(crate) fn took_first(&mut self, answer_sdp: String) {
        self.taken = Some(answer_sdp);
    }

    /// A restart is asked for or offered and not answered.
    pub(crate) fn restart_is_under_way(&self) -> bool {
        match &self.phase {
            Phase::Asked { wish } | Phase::Making { wish, .. } | Phase::Offered { wish, .. } => wish.restart,
            Phase::Answering { .. } => true,
            Phase::Stable => self.wish.restart,
        }
    }

    pub(crate) fn forget_restart(&mut self) {
        self.wish.restart = false;
    }
}

impl Call {
    /// Wants something negotiated, as soon as that is possible.
    pub(crate) fn wish(&mut self, now: Instant, wish: Wish, out: &mut Outbox) {
        self.renegotiation.wish = self.renegotiation.wish.and(wish);
        self.pursue_wish(now, out);
    }

    /// Does what the wish takes, unless something else has to be over first.
    pub(crate) fn pursue_wish(&mut self, now: Instant, out: &mut Outbox) {
        let wish = self.renegotiation.wish;
        let waits = self.timers.is_armed(Timer::RetryReoffer);
        if wish == Wish::NONE || waits || !self.link.carries() || self.state.answered_at().is_none() {
            return;
        }
        match self.renegotiation.phase {
            Phase::Stable if self.outgoing || self.rules.basic_mode => self.make_reoffer(now, out),
            Phase::Stable => self.ask_for_reoffer(now, wish, out),
            Phase::Asked { wish: asked } if asked.and(wish) != asked => {
                self.ask_for_reoffer(now, asked.and(wish), out);
            }
            Phase::Asked { .. } => self.renegotiation.wish = Wish::NONE,
            Phase::Making { .. } | Phase::Offered { .. } | Phase::Answering { .. } => {}
        }
    }

    fn ask_for_reoffer(&mut self, now: Instant, wish: Wish, out: &mut Outbox) {
        self.renegotiation.wish = Wish::NONE;
        out.send(Signal::Renegotiate {
            call: self.id.clone(),
            ice_restart: wish.restart,
            video: wish.media.then_some(self.pictures.camera),
        });
        self.timers.arm(Timer::Asked, now + ASKED);
        self.renegotiation.phase = Phase::Asked { wish };
    }

    /// The caller lacks the feature or is slow: the callee makes the re-offer itself.
    pub(crate) fn nobody_reoffered(&mut self, now: Instant, out: &mut Outbox) {
        let Phase::Asked { wish } = self.renegotiation.phase else {
            return;
        };
        self.renegotiation.phase = Phase::Stable;
        self.renegotiation.wish = self.renegotiation.wish.and(wish);
        self.make_reoffer(now, out);
    }

    fn make_reoffer(&mut self, now: Instant, out: &mut Outbox) {
        let negotiation = &mut self.renegotiation;
        let wish = std::mem::take(&mut negotiation.wish);
        let number = negotiation.done.max(negotiation.used) + 1;
        negotiation.used = number;
        negotiation.phase = Phase::Making { number, wish };
        self.timers.arm(Timer::Unanswered, now + UNANSWERED);
        if wish.restart {
            self.attempt_begins(now);
        }
        out.push(Action::CreateReoffer {
            call: self.id.clone(),
            restart: wish.restart,
            video: self.pictures.wanted(),
        });
    }

    /// The peer connection made the re-offer.
    pub(crate) fn send_reoffer(&mut self, now: Instant, sdp: String, out: &mut Outbox) {
        let Phase::Making { number, wish } = self.renegotiation.phase else {
            return out.ignore();
        };
        let offer = Box::new(Offer {
            call: self.id.clone(),
            from: self.me.clone(),
            to: self.peer.clone(),
            video: self.pictures.wanted() != Direction::Inactive,
            sdp,
            candidates: Vec::new(),
            constraints: self.constraints.clone().unwrap_or_default(),
            negotiation: number,
            expires_in: None,
            caller_name: None,
            stream: None,
        });
        out.send(Signal::Offer(offer.clone()));
        self.timers.arm(Timer::RepeatReoffer, now + REPEAT_REOFFER);
        self.timers.arm(Timer::Unanswered, now + UNANSWERED);
        self.renegotiation.phase = Phase::Offered { offer, wish };
    }

    pub(crate) fn repeat_reoffer(&self, out: &mut Outbox) {
        if let Phase::Offered { offer, .. } = &self.renegotiation.phase {
            out.send(Signal::Offer(offer.clone()));
        }
    }

    /// A re-offer of the other side, or a copy of an offer that was answered.
    pub(crate) fn handle_reoffer(&mut self, now: Instant, offer: Offer, out: &mut Outbox) {
        if offer.from != self.peer {
            return out.ignore();
        }
        if let Some((answered, answer)) = &self.renegotiation.given
            && *answered == offer.sdp
        {
            return out.send(answer.clone());
        }
        let copy = self.renegotiation.first.as_ref() == Some(&offer.sdp);
        let stale = offer.negotiation != 0 && offer.negotiation <= self.renegotiation.done;
        if copy || stale || !self.gives_way_to_reoffer() {
            return out.ignore();
        }
        // If it was no restart and the path stays lost, the next one is asked for in its time.
        self.renegotiation.wish.restart = false;
        self.attempt_begins(now);
        self.timers.disarm(Timer::RetryReoffer);
        out.push(Action::CreateReanswer {
            call: self.id.clone(),
            offer_sdp: offer.sdp.clone(),
            send_video: self.pictures.sends(),
            candidates: offer.candidates,
        });
        self.renegotiation.phase = Phase::Answering {
            number: offer.negotiation,
            offer_sdp: offer.sdp,
            local: HeldCandidates::default(),
        };
    }

    /// Whether a re-offer of the other side is taken now; the caller's own one wins against the callee's.
    fn gives_way_to_reoffer(&mut self) -> bool {
        let dropped = match &self.renegotiation.phase {
            Phase::Stable | Phase::Asked { .. } => Wish::NONE,
            Phase::Making { wish, .. } | Phase::Offered { wish, .. } if !self.outgoing => *wish,
            Phase::Making { .. } | Phase::Offered { .. } | Phase::Answering { .. } => return false,
        };
        self.renegotiation.wish = self.renegotiation.wish.and(dropped);
        self.disarm_reoffer();
        true
    }

    /// The peer connection made the answer to a re-offer.
    pub(crate) fn send_reanswer(&mut self, now: Instant, sdp: String, out: &mut Outbox) {
        match std::mem::take(&mut self.renegotiation.phase) {
            Phase::Answering {
                number,
                offer_sdp,
                local,
            } => {
                let answer = Signal::Answer {
                    call: self.id.clone(),
                    sdp,
                    candidates: Vec::new(),
                    constraints: self.constraints.clone(),
                    negotiation: (number > 0).then_some(number),
                };
                out.send(answer.clone());
                self.flush(local, out);
                self.renegotiation.given = Some((offer_sdp, answer));
                self.settled(now, number, out);
            }
            other => {
                self.renegotiation.phase = other;
                out.ignore();
            }
        }
    }

    /// The answer to this side's re-offer, or a stale one.
    pub(crate) fn handle_reanswer(
        &mut self,
        now: Instant,
        sdp: String,
        candidates: Vec<Candidate>,
        negotiation: Option<u32>,
        out: &mut Outbox,
    ) {
        let number = match &self.renegotiation.phase {
            Phase::Offered { offer, .. } => offer.negotiation,
            Phase::Stable | Phase::Asked { .. } | Phase::Making { .. } | Phase::Answering { .. } => {
                return out.ignore();
            }
        };
        let copy = self.renegotiation.taken.as_ref() == Some(&sdp);
        if copy || negotiation.is_some_and(|answered| answered != number) {
            return out.ignore();
        }
        self.renegotiation.taken = Some(sdp.clone());
        out.push(Action::ApplyAnswer {
            call: self.id.clone(),
            sdp,
            candidates,
        });
        self.settled(now, number, out);
    }

    fn settled(&mut self, now: Instant, number: u32, out: &mut Outbox) {
        self.renegotiation.phase = Phase::Stable;
        self.renegotiation.done = self.renegotiation.done.max(number);
        self.disarm_reoffer();
        self.pursue_wish(now, out);
    }

    /// Both descriptions are applied.
    pub(crate) fn negotiated(&mut self, video: Direction, out: &mut Outbox) {
        if self.state.answered_at().is_none() {
            return out.ignore();
        }
        self.pictures.other_sends = video.receives();
        self.video = video != Direction::Inactive;
        if self.pictures.negotiated != video {
            self.pictures.negotiated = video;
            out.push(Action::VideoChanged {
                call: self.id.clone(),
                video,
            });
        }
    }

    /// The callee asks for a re-offer (IM-Suite §4.7); from the caller it means nothing.
    pub(crate) fn handle_renegotiate(
        &mut self,
        now: Instant,
        ice_restart: bool,
        video: Option<bool>,
        out: &mut Outbox,
    ) {
        if !self.outgoing || self.state.answered_at().is_none() {
            return out.ignore();
        }
        if let Some(video) = video {
            self.pictures.other_sends = video;
        }
        // One restart serves both sides, whoever noticed first.
        let wish = Wish {
            restart: ice_restart && !self.renegotiation.restart_is_under_way(),
            media: video.is_some(),
        };
        self.wish(now, wish, out);
    }

    /// The server holds another re-offer that is unanswered.
    pub(crate) fn handle_pending(&mut self, now: Instant, refusal: &Refusal, out: &mut Outbox) {
        let Phase::Offered { wish, .. } = self.renegotiation.phase else {
            return out.ignore();
        };
        self.renegotiation.phase = Phase::Stable;
        self.renegotiation.wish = self.renegotiation.wish.and(wish);
        self.disarm_reoffer();
        let wait = refusal.retry_after.unwrap_or(PENDING_RETRY);
        self.timers.arm(Timer::RetryReoffer, now + wait);
    }

    /// A re-offer or its answer could not be made or applied. An answer is owed, so without one the call is over; a
    /// re-offer that was never made is given up.
    pub(crate) fn renegotiation_failed(&mut self, now: Instant, out: &mut Outbox) {
        match self.renegotiation.phase {
            Phase::Making { .. } => {
                self.renegotiation.phase = Phase::Stable;
                self.disarm_reoffer();
            }
            Phase::Answering { .. } | Phase::Offered { .. } | Phase::Stable | Phase::Asked { .. } => {
                let ending = Ending::told(
                    EndCause::IncompatibleOffer,
                    EndReason::NetworkError,
                    Some(EndDetail::BadSdp),
                );
                self.finish(now, ending, out);
            }
        }
    }

    /// Nothing can be negotiated: the server has forgotten the call, or the other side takes no re-offers.
    pub(crate) fn give_up_renegotiation(&mut self) {
        self.renegotiation.phase = Phase::Stable;
        self.renegotiation.wish = Wish::NONE;
        self.disarm_reoffer();
        self.timers.disarm(Timer::RetryReoffer);
    }

    fn disarm_reoffer(&mut self) {
        for timer in [Timer::Asked, Timer::RepeatReoffer, Timer::Unanswered] {
            self.timers.disarm(timer);
        }
    }

    /// The user turns the own camera on or off in an answered call.
    pub(crate) fn set_camera(&mut self, now: Instant, on: bool, out: &mut Outbox) {
        self.pictures.camera = on;
        let missing = on && !self.pictures.negotiated.sends();
        if missing || (!on && self.pictures.are_pointless()) {
            self.wish(now, Wish::MEDIA, out);
        }
    }
}
