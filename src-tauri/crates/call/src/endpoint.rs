//! One signed-in user on one signaling server: at most one live call, busy to all others, and the rules of glare.
//!
//! A second call may be placed beside the live one where one way each makes a conversation. It lives by itself: whichever
//! of the two outlasts the other is the live one.

use crate::action::Outbox;
use crate::call::{Call, Rules, Sides};
use crate::end::Ending;
use crate::state::{HeldCandidates, State};
use crate::timer::{MAX_RING, RING_GUARD};
use crate::{
    Action, CallId, CallSnapshot, Command, CommandError, Constraints, EndCause, EndDetail, EndReason, Offer,
    Party, PeerInput, Signal, StreamCall,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Where a call is placed.
#[derive(Debug, Clone, Copy)]
enum Place {
    Live,
    Beside,
}

/// What an endpoint has to know from the start.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    pub me: Party,
    /// The server's ring time; both sides give up 5 s later by themselves. At most 120 s (IM-Suite §9).
    pub ring_timeout: Duration,
    /// The server has shown no features (IM-Suite §13): no repeated offers, and glare is settled by the clients.
    pub basic_mode: bool,
}

/// A call that the server holds for this user (`welcome.calls` of IM-Suite §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCall {
    pub call: CallId,
    /// The call is bound to this device.
    pub bound_here: bool,
}

/// The calls of one user.
///
/// After each `handle_*`, take [`Endpoint::poll_action`] until `None` and perform the actions in order, then come
/// back with the next input or at [`Endpoint::poll_timeout`].
#[derive(Debug)]
pub struct Endpoint {
    me: Party,
    rules: Rules,
    live: Option<Call>,
    /// Placed beside `live`; never without it.
    beside: Option<Call>,
    /// An offer of the person this user is calling, until it is clear which of the two calls goes on.
    crossing: Option<Crossing>,
    ended: Tombstones,
    out: Outbox,
}

/// An offer that came while this user's own offer to the same person was out.
#[derive(Debug)]
struct Crossing {
    offer: Box<Offer>,
    remote: HeldCandidates,
    expires_at: Instant,
}

impl Endpoint {
    pub fn new(config: EndpointConfig) -> Self {
        Self {
            me: config.me,
            rules: Rules {
                ring_timeout: config.ring_timeout.min(MAX_RING),
                basic_mode: config.basic_mode,
                answer_constraints: None,
                link_up: true,
            },
            live: None,
            beside: None,
            crossing: None,
            ended: Tombstones::default(),
            out: Outbox::default(),
        }
    }

    /// Tells what the server can do, for the calls that begin after this.
    pub fn set_basic_mode(&mut self, basic_mode: bool) {
        self.rules.basic_mode = basic_mode;
    }

    /// Tells the server's ring time, for the calls that begin after this.
    pub fn set_ring_timeout(&mut self, ring_timeout: Duration) {
        self.rules.ring_timeout = ring_timeout.min(MAX_RING);
    }

    /// Sets what answers say this side wishes to receive, for the calls that begin after this.
    pub fn set_answer_constraints(&mut self, constraints: Option<Constraints>) {
        self.rules.answer_constraints = constraints;
    }

    /// Does what the user wants.
    ///
    /// # Errors
    /// Says why nothing was done.
    pub fn handle_command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        let result = match command {
            Command::PlaceCall {
                call,
                to,
                video,
                constraints,
                hide_addresses,
                stream,
            } => {
                let sides = self.placed(call, to, video, stream.map(|stream| *stream));
                self.place(now, Place::Live, sides, constraints, hide_addresses)
            }
            Command::PlaceBeside {
                call,
                to,
                video,
                constraints,
                hide_addresses,
                stream,
            } => {
                let sides = self.placed(call, to, video, Some(*stream));
                self.place(now, Place::Beside, sides, constraints, hide_addresses)
            }
            Command::Accept { call, video } => {
                let (live, out) = self.own_call(&call)?;
                live.accept(now, video, out)
            }
            Command::Decline { call } => {
                let (live, out) = self.own_call(&call)?;
                live.decline(now, EndCause::Declined, EndReason::UserRejected, out)
            }
            Command::Busy { call } => {
                let (live, out) = self.own_call(&call)?;
                live.decline(now, EndCause::Busy, EndReason::UserBusy, out)
            }
            Command::HangUp { call } => {
                let (live, out) = self.own_call(&call)?;
                live.hang_up(now, out);
                Ok(())
            }
            Command::SetCamera { call, on } => {
                let (live, out) = self.own_call(&call)?;
                live.camera(now, on, out)
            }
            Command::RestartIce { call } => {
                let (live, out) = self.own_call(&call)?;
                live.restart_ice(now, out)
            }
        };
        self.settle(now);
        result
    }

    /// Takes a signal from the other side or the server. Stale and foreign ones are counted and dropped.
    pub fn handle_signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            Signal::Offer(offer) => self.handle_offer(now, offer),
            Signal::Refused { call: None, refusal } => match &mut self.live {
                Some(live) if refusal.fatal && live.awaits_first_word() => {
                    live.handle_refusal(now, &refusal, &mut self.out);
                }
                Some(_) | None => self.out.ignore(),
            },
            Signal::Ringing { .. }
            | Signal::Answer { .. }
            | Signal::AnsweredElsewhere { .. }
            | Signal::Candidate { .. }
            | Signal::End { .. }
            | Signal::Refused { .. }
            | Signal::Report { .. }
            | Signal::Renegotiate { .. } => match signal.call().cloned().map(|call| self.own_call(&call)) {
                Some(Ok((own, out))) => own.handle_signal(now, signal, out),
                Some(Err(_)) | None => self.handle_other_signal(now, signal),
            },
        }
        self.settle(now);
    }

    /// Takes an event of the peer connection or the media of `call`.
    pub fn handle_peer(&mut self, now: Instant, call: &CallId, event: PeerInput) {
        match self.own_call(call) {
            Ok((own, out)) => own.handle_peer(now, event, out),
            Err(_) => self.out.ignore(),
        }
        self.settle(now);
    }

    /// Tells whether signals reach the server. Without it a call goes on as long as its media does.
    pub fn handle_link(&mut self, now: Instant, up: bool) {
        self.rules.link_up = up;
        for own in self.live.iter_mut().chain(&mut self.beside) {
            own.handle_link(now, up, &mut self.out);
        }
        self.settle(now);
    }

    /// Takes the calls that the server holds for this user, as it lists them after a reconnect; not for a server that
    /// lists none (IM-Suite §13, basic mode).
    ///
    /// The live call goes on without signaling if it is not among them. A call that is bound to this device although
    /// this device knows nothing of it is what a crash left behind, and is ended.
    pub fn handle_live_calls(&mut self, now: Instant, listed: Vec<ListedCall>) {
        for call in &listed {
            let is_live = self.own_call(&call.call).is_ok();
            if is_live || !call.bound_here {
                continue;
            }
            match self.ended.get(&call.call) {
                Some(Tombstone {
                    last_word: Some(end), ..
                }) => self.out.send(end.clone()),
                Some(_) => {}
                None => {
                    self.out.send(Signal::End {
                        call: call.call.clone(),
                        reason: EndReason::NetworkError,
                        detail: Some(EndDetail::MediaLost),
                    });
                    self.ended.add(Tombstone::silent(call.call.clone()));
                }
            }
        }
        for own in self.live.iter_mut().chain(&mut self.beside) {
            if !listed.iter().any(|call| call.call == own.id) {
                own.handle_forgotten(now, &mut self.out);
            }
        }
        self.settle(now);
    }

    /// Runs the timers that are due; calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(crossing) = self.crossing.take_if(|it| it.expires_at <= now) {
            self.ended.add(Tombstone::silent(crossing.offer.call));
        }
        for own in self.live.iter_mut().chain(&mut self.beside) {
            own.handle_timeout(now, &mut self.out);
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.actions.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.live.iter().chain(&self.beside);
        let timers = own.filter_map(|call| call.timers.next());
        let crossing = self.crossing.as_ref().map(|crossing| crossing.expires_at);
        timers.chain(crossing).min()
    }

    /// The live call, `None` when idle.
    pub fn snapshot(&self) -> Option<CallSnapshot> {
        self.live.as_ref().and_then(Call::snapshot)
    }

    /// The live call and the one beside it.
    pub fn snapshots(&self) -> impl Iterator<Item = CallSnapshot> {
        self.live.iter().chain(&self.beside).filter_map(Call::snapshot)
    }

    /// How many inputs had no meaning: for an ended or foreign call, or in the wrong state.
    pub fn ignored(&self) -> u64 {
        self.out.ignored
    }

    /// The live call or the one beside it, by its id.
    fn own_call(&mut self, call: &CallId) -> Result<(&mut Call, &mut Outbox), CommandError> {
        let mut own = self.live.iter_mut().chain(&mut self.beside);
        let found = own.find(|own| own.id == *call).ok_or(CommandError::UnknownCall)?;
        Ok((found, &mut self.out))
    }

    /// Who talks in a call that is placed here.
    fn placed(&self, id: CallId, peer: Party, video: bool, stream: Option<StreamCall>) -> Sides {
        Sides {
            id,
            me: self.me.clone(),
            peer,
            peer_name: None,
            video,
            stream,
        }
    }

    fn place(
        &mut self,
        now: Instant,
        place: Place,
        sides: Sides,
        constraints: Constraints,
        hide_addresses: bool,
    ) -> Result<(), CommandError> {
        if sides.peer == self.me {
            return Err(CommandError::SelfCall);
        }
        let slot = match place {
            Place::Live => &mut self.live,
            Place::Beside if self.live.is_none() => return Err(CommandError::WrongState),
            Place::Beside => &mut self.beside,
        };
        if slot.is_some() {
            return Err(CommandError::AlreadyInCall);
        }
        let (rules, out) = (self.rules.clone(), &mut self.out);
        *slot = Some(Call::place(now, sides, constraints, hide_addresses, rules, out));
        Ok(())
    }

    fn handle_offer(&mut self, now: Instant, offer: Box<Offer>) {
        if let Ok((own, out)) = self.own_call(&offer.call) {
            return own.handle_signal(now, Signal::Offer(offer), out);
        }
        // The caller asks again because it missed that its call was refused.
        if self.ended.get(&offer.call).is_some() {
            return self.repeat_last_word(&offer.call, false);
        }
        let expired = offer.expires_in == Some(Duration::ZERO);
        if offer.to != self.me || offer.from == self.me || offer.negotiation != 0 || expired {
            return self.out.ignore();
        }
        match &self.live {
            None => self.ring(now, Crossing::new(now, offer, &self.rules)),
            // One of two calls cannot give way to one that goes both ways.
            Some(_) if self.beside.is_some() => self.refuse_as_busy(offer.call.clone()),
            Some(live) if live.outgoing && live.peer == offer.from => match live.state {
                // The other side never learned of this call, so its own call is the only one.
                State::Preparing { .. } => self.answer_winner(now, offer),
                State::Offered { .. } if live.rules.basic_mode && offer.call < live.id => {
                    self.yield_by_id(now, offer);
                }
                State::Yielding { .. } if live.winner() == Some(&offer.call) => {
                    self.answer_winner(now, offer);
                }
                State::Offered { .. } | State::Yielding { .. } => self.keep_crossing(now, offer),
                State::Incoming { .. }
                | State::Answering { .. }
                | State::Connecting { .. }
                | State::Connected { .. }
                | State::Reconnecting { .. }
                | State::Ended => self.refuse_as_busy(offer.call.clone()),
            },
            Some(_) => self.refuse_as_busy(offer.call.clone()),
        }
    }

    /// Without a server that orders the two offers the bytewise smaller call id wins (IM-Suite §9, basic mode). The
    /// owner of the smaller one keeps the other offer until its own call is decided: if that fails, the other rings.
    fn yield_by_id(&mut self, now: Instant, offer: Box<Offer>) {
        if let Some(live) = &mut self.live {
            let ending = Ending::told(EndCause::Glare, EndReason::UserBusy, Some(EndDetail::Glare));
            live.finish(now, ending, &mut self.out);
        }
        self.answer_winner(now, offer);
    }

    /// Keeps an offer until its rival is decided. Of two different ones only one can be alive, most likely the later.
    fn keep_crossing(&mut self, now: Instant, offer: Box<Offer>) {
        let known = |crossing: &Crossing| crossing.offer.call == offer.call;
        if self.crossing.as_ref().is_some_and(known) {
            return self.out.ignore();
        }
        let crossing = Crossing::new(now, offer, &self.rules);
        if let Some(older) = self.crossing.replace(crossing) {
            self.refuse_as_busy(older.offer.call);
        }
    }

    /// Drops this user's own attempt and answers the call of the person he was calling.
    fn answer_winner(&mut self, now: Instant, offer: Box<Offer>) {
        let crossing = Crossing::new(now, offer, &self.rules);
        self.replace_by(now, crossing);
    }

    fn replace_by(&mut self, now: Instant, crossing: Crossing) {
        let Some(mut loser) = self.live.take() else {
            return;
        };
        if !loser.is_over() {
            let ending = Ending::quiet(EndCause::Glare, EndReason::UserBusy, true);
            loser.finish(now, ending, &mut self.out);
        }
        let own_camera = loser.video;
        self.ended.add(Tombstone::of(loser));
        let (sides, offer_sdp, remote) = crossing.into_parts();
        self.live = Some(Call::answer_at_once(
            now,
            sides,
            offer_sdp,
            remote,
            own_camera,
            self.rules.clone(),
            &mut self.out,
        ));
    }

    fn ring(&mut self, now: Instant, crossing: Crossing) {
        let rings_until = crossing.expires_at;
        let (sides, offer_sdp, remote) = crossing.into_parts();
        self.live = Some(Call::ring(
            now,
            sides,
            offer_sdp,
            remote,
            rings_until,
            self.rules.clone(),
            &mut self.out,
        ));
    }

    fn refuse_as_busy(&mut self, call: CallId) {
        let end = Signal::End {
            call: call.clone(),
            reason: EndReason::UserBusy,
            detail: None,
        };
        self.out.send(end.clone());
        self.ended.add(Tombstone {
            call,
            outgoing: false,
            last_word: Some(end),
        });
    }

    /// Says once more how a call ended, to a side that acts as if it went on.
    fn repeat_last_word(&mut self, call: &CallId, outgoing: bool) {
        match self.ended.get(call) {
            Some(Tombstone {
                outgoing: was_outgoing,
                last_word: Some(end),
                ..
            }) if *was_outgoing == outgoing => self.out.send(end.clone()),
            Some(_) | None => self.out.ignore(),
        }
    }

    /// Takes a signal of a call that is not the live one.
    fn handle_other_signal(&mut self, now: Instant, signal: Signal) {
        let crosses = match (&self.crossing, signal.call()) {
            (Some(crossing), Some(call)) => crossing.offer.call == *call,
            (None, _) | (_, None) => false,
        };
        match signal {
            Signal::End { call, reason, detail } => {
                if crosses {
                    self.crossing = None;
                    self.ended.add(Tombstone::silent(call.clone()));
                }
                match &mut self.live {
                    // The call that was to replace this one is gone, and this one was refused for it.
                    Some(live) if live.winner() == Some(&call) => {
                        let ending = Ending::received(reason, detail, false, false);
                        live.finish(now, ending, &mut self.out);
                        self.ended.add(Tombstone::silent(call));
                    }
                    Some(_) | None if crosses => {}
                    Some(_) | None => self.out.ignore(),
                }
            }
            Signal::Candidate { candidate, .. } if crosses => {
                let kept = self
                    .crossing
                    .as_mut()
                    .is_some_and(|crossing| crossing.remote.push(candidate));
                if !kept {
                    self.out.ignore();
                }
            }
            Signal::Ringing { call } | Signal::Answer { call, .. } => {
                self.repeat_last_word(&call, true);
            }
            Signal::Offer(_)
            | Signal::AnsweredElsewhere { .. }
            | Signal::Candidate { .. }
            | Signal::Refused { .. }
            | Signal::Report { .. }
            | Signal::Renegotiate { .. } => self.out.ignore(),
        }
    }

    /// Clears an ended call away and decides about a crossing offer once its rival is decided.
    fn settle(&mut self, now: Instant) {
        if let Some(live) = &mut self.live
            && let Some(winner) = live.winner()
            && self.ended.get(winner).is_some()
        {
            // The server compared the offers before it heard how the other call ended.
            let ending = Ending::quiet(EndCause::Busy, EndReason::UserBusy, false);
            live.finish(now, ending, &mut self.out);
        }
        for own in [&mut self.live, &mut self.beside] {
            if let Some(over) = own.take_if(|own| own.is_over()) {
                self.ended.add(Tombstone::of(over));
            }
        }
        if self.live.is_none() {
            self.live = self.beside.take();
        }
        let Some(crossing) = self.crossing.take() else {
            return;
        };
        match &self.live {
            None => self.ring(now, crossing),
            Some(live) if live.yields_to(&crossing.offer.call) => self.replace_by(now, crossing),
            Some(live) => match live.state {
                State::Offered { .. } | State::Yielding { .. } => self.crossing = Some(crossing),
                State::Preparing { .. }
                | State::Incoming { .. }
                | State::Answering { .. }
                | State::Connecting { .. }
                | State::Connected { .. }
                | State::Reconnecting { .. }
                | State::Ended => self.refuse_as_busy(crossing.offer.call),
            },
        }
    }
}

impl Crossing {
    fn new(now: Instant, mut offer: Box<Offer>, rules: &Rules) -> Self {
        let rings = offer.expires_in.unwrap_or(rules.ring_timeout).min(MAX_RING);
        let remote = HeldCandidates::from_list(std::mem::take(&mut offer.candidates));
        Self {
            offer,
            remote,
            expires_at: now + rings + RING_GUARD,
        }
    }

    fn into_parts(self) -> (Sides, String, HeldCandidates) {
        let sides = Sides {
            id: self.offer.call,
            me: self.offer.to,
            peer: self.offer.from,
            peer_name: self.offer.caller_name,
            video: self.offer.video,
            stream: self.offer.stream,
        };
        (sides, self.offer.sdp, self.remote)
    }
}

/// The last calls, so that a late or repeated offer does not ring again.
#[derive(Debug, Default)]
struct Tombstones(VecDeque<Tombstone>);

/// What is left of an ended call.
#[derive(Debug)]
struct Tombstone {
    call: CallId,
    outgoing: bool,
    /// Said again to a side that does not seem to have heard it.
    last_word: Option<Signal>,
}

impl Tombstones {
    /// Chosen: more than the repetitions that can be under way; the oldest is forgotten.
    const CAPACITY: usize = 64;

    fn add(&mut self, tombstone: Tombstone) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(tombstone);
    }

    fn get(&self, call: &CallId) -> Option<&Tombstone> {
        self.0.iter().find(|tombstone| tombstone.call == *call)
    }
}

impl Tombstone {
    fn of(call: Call) -> Self {
        Self {
            call: call.id,
            outgoing: call.outgoing,
            last_word: call.last_word,
        }
    }

    /// An incoming call that never rang here.
    fn silent(call: CallId) -> Self {
        Self {
            call,
            outgoing: false,
            last_word: None,
        }
    }
}
