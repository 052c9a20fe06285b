//! One endpoint, user 1, with a clock that a test moves by hand.

use ahoy_call::*;
use std::time::{Duration, Instant};

pub struct Rig {
    pub endpoint: Endpoint,
    pub now: Instant,
}

pub fn user(number: u64) -> Party {
    Party::User(UserId::new(number).expect("a valid user id"))
}

pub fn id(text: &str) -> CallId {
    CallId::new(text).expect("a valid call id")
}

pub fn candidate(text: &str) -> Candidate {
    Candidate {
        candidate: text.into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: None,
    }
}

/// The offer `call` of user 2 to user 1.
pub fn offer(call: &str, video: bool) -> Offer {
    Offer {
        call: id(call),
        from: user(2),
        to: user(1),
        video,
        sdp: format!("offer of {call}"),
        candidates: vec![candidate("in the offer")],
        constraints: Constraints::default(),
        negotiation: 0,
        expires_in: Some(Duration::from_secs(30)),
        caller_name: Some("Maya".into()),
        stream: None,
    }
}

pub fn answer(call: &str) -> Signal {
    Signal::Answer {
        call: id(call),
        sdp: "their answer".into(),
        candidates: vec![candidate("in the answer")],
        constraints: None,
        negotiation: None,
    }
}

pub fn end(call: &str, reason: EndReason, detail: Option<EndDetail>) -> Signal {
    Signal::End {
        call: id(call),
        reason,
        detail,
    }
}

pub fn refused(call: Option<&str>, code: RefusalCode, fatal: bool, winner: Option<&str>) -> Signal {
    Signal::Refused {
        call: call.map(id),
        refusal: Refusal {
            group: RefusalGroup::Signaling,
            code,
            fatal,
            text: "no".into(),
            winner: winner.map(id),
            retry_after: None,
        },
    }
}

impl Rig {
    pub fn new() -> Self {
        Self::with(false)
    }

    pub fn basic() -> Self {
        Self::with(true)
    }

    fn with(basic_mode: bool) -> Self {
        let config = EndpointConfig {
            me: user(1),
            ring_timeout: Duration::from_secs(30),
            basic_mode,
        };
        Self {
            endpoint: Endpoint::new(config),
            now: Instant::now(),
        }
    }

    /// Takes all actions.
    pub fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.endpoint.poll_action()).collect()
    }

    pub fn command(&mut self, command: Command) -> Vec<Action> {
        self.endpoint
            .handle_command(self.now, command)
            .expect("the command is allowed");
        self.actions()
    }

    pub fn place(&mut self, call: &str, video: bool) -> Vec<Action> {
        self.command(Command::PlaceCall {
            call: id(call),
            to: user(2),
            video,
            constraints: Constraints::default(),
            hide_addresses: false,
            stream: None,
        })
    }

    pub fn accept(&mut self, call: &str, video: bool) -> Vec<Action> {
        self.command(Command::Accept {
            call: id(call),
            video,
        })
    }

    pub fn hang_up(&mut self, call: &str) -> Vec<Action> {
        self.command(Command::HangUp { call: id(call) })
    }

    pub fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.endpoint.handle_signal(self.now, signal);
        self.actions()
    }

    pub fn offer(&mut self, offer: Offer) -> Vec<Action> {
        self.signal(Signal::Offer(Box::new(offer)))
    }

    pub fn peer(&mut self, call: &str, input: PeerInput) -> Vec<Action> {
        self.endpoint.handle_peer(self.now, &id(call), input);
        self.actions()
    }

    pub fn local_offer(&mut self, call: &str) -> Vec<Action> {
        self.peer(
            call,
            PeerInput::LocalOffer {
                sdp: "our offer".into(),
            },
        )
    }

    pub fn local_answer(&mut self, call: &str) -> Vec<Action> {
        self.peer(
            call,
            PeerInput::LocalAnswer {
                sdp: "our answer".into(),
            },
        )
    }

    /// Moves the clock and runs what is due on the way.
    pub fn pass(&mut self, seconds: u64) -> Vec<Action> {
        let until = self.now + Duration::from_secs(seconds);
        let mut all = Vec::new();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            all.extend(self.actions());
        }
        self.now = until;
        all
    }

    /// Signaling goes down or comes back.
    pub fn link(&mut self, up: bool) -> Vec<Action> {
        self.endpoint.handle_link(self.now, up);
        self.actions()
    }

    /// The server lists the calls it holds for this user.
    pub fn listed(&mut self, calls: Vec<ListedCall>) -> Vec<Action> {
        self.endpoint.handle_live_calls(self.now, calls);
        self.actions()
    }

    pub fn state(&self) -> Option<CallState> {
        self.endpoint.snapshot().map(|call| call.state)
    }

    /// Places `call` and sends its offer.
    pub fn calling(call: &str, video: bool) -> Self {
        let mut rig = Self::new();
        rig.place(call, video);
        rig.local_offer(call);
        rig
    }

    /// Rings for the offer `call` of user 2.
    pub fn ringing(call: &str, video: bool) -> Self {
        let mut rig = Self::new();
        rig.offer(offer(call, video));
        rig
    }

    /// Is the caller of an answered call.
    pub fn connecting(call: &str) -> Self {
        let mut rig = Self::calling(call, false);
        rig.signal(answer(call));
        rig
    }

    /// Is the caller of a connected call.
    pub fn connected(call: &str) -> Self {
        let mut rig = Self::connecting(call);
        rig.peer(call, PeerInput::Connected);
        rig
    }

    /// Is the callee of a connected call.
    pub fn callee_connected(call: &str) -> Self {
        let mut rig = Self::answered(call);
        rig.peer(call, PeerInput::Connected);
        rig
    }

    /// Is the callee that accepted and sent its answer.
    pub fn answered(call: &str) -> Self {
        let mut rig = Self::ringing(call, false);
        rig.accept(call, false);
        rig.local_answer(call);
        rig
    }
}

/// How the actions end a call; panics unless `Ended` is the last one and the only one.
pub fn ended(actions: &[Action]) -> CallEnd {
    let ends = actions.iter().filter(|it| matches!(it, Action::Ended { .. }));
    assert_eq!(ends.count(), 1, "{actions:#?}");
    match actions.last() {
        Some(Action::Ended { end, .. }) => end.clone(),
        other => panic!("the end is not the last action but {other:?}"),
    }
}

/// How calls end among these actions.
pub fn ends(actions: &[Action]) -> Vec<CallEnd> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Ended { end, .. } => Some(end.clone()),
            _ => None,
        })
        .collect()
}

pub fn signals(actions: &[Action]) -> Vec<Signal> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::SendSignal(signal) => Some(signal.clone()),
            _ => None,
        })
        .collect()
}

/// How often the media is freed.
pub fn stops(actions: &[Action]) -> usize {
    let stops = |it: &&Action| matches!(it, Action::StopMedia { .. });
    actions.iter().filter(stops).count()
}

/// Asserts that a call is over without a trace: no call, no timer.
pub fn assert_idle(rig: &Rig) {
    assert_eq!(rig.endpoint.snapshot(), None);
    assert_eq!(rig.endpoint.poll_timeout(), None);
}
