//! The rules that hold at every single action of one endpoint.

use ahoy_call::*;
use std::collections::HashMap;
use std::time::Instant;

#[derive(Default)]
pub struct Audit {
    calls: HashMap<CallId, Record>,
    /// An own call just gave way to the other side's: its user wanted the winner, with the camera or without.
    gave_way: Option<(CallId, bool)>,
    /// Own calls that gave way, each with the call of the other side that took its place.
    pub glares: Vec<(CallId, CallId)>,
}

#[derive(Default, Clone)]
struct Record {
    outgoing: bool,
    video: bool,
    end: Option<(Instant, CallEnd)>,
    /// The user accepted, or the other side answered.
    consent: bool,
    ringing: bool,
    offered: bool,
    answered: bool,
    remote_described: bool,
    peer_open: bool,
    hides: bool,
    /// A video call from the start, or the user asked for the camera.
    camera_allowed: bool,
    forgotten: bool,
    /// Re-offers that the peer connection was told to make, and answers to the other side's.
    reoffers: u32,
    reanswers: u32,
    /// Re-offers of this side that wait for an answer: never more than one.
    unanswered: u32,
    started: u32,
    stopped: u32,
}

impl Audit {
    pub fn placed(&mut self, call: &CallId, video: bool, hides: bool) {
        let record = self.calls.entry(call.clone()).or_default();
        assert!(!record.outgoing, "an id is used twice");
        record.outgoing = true;
        record.video = video;
        record.hides = hides;
        record.camera_allowed = video;
    }

    pub fn camera_asked(&mut self, call: &CallId) {
        self.calls.entry(call.clone()).or_default().camera_allowed = true;
    }

    pub fn accepted(&mut self, call: &CallId) {
        self.calls.entry(call.clone()).or_default().consent = true;
    }

    /// A signal is about to be given to the endpoint.
    pub fn delivered(&mut self, signal: &Signal) {
        if let Signal::Answer { call, .. } = signal
            && let Some(record) = self.calls.get_mut(call)
            && record.outgoing
            && record.offered
        {
            record.consent = true;
        }
    }

    pub fn action(&mut self, now: Instant, action: &Action) {
        let (call, what) = match action {
            Action::SendSignal(signal) => return self.sent(signal),
            Action::CreateOffer { call, .. } => (call, "offer"),
            Action::CreateAnswer { call, .. } => (call, "answer"),
            Action::ApplyAnswer { call, .. } => (call, "apply"),
            Action::AddCandidate { call, .. } => (call, "candidate"),
            Action::StartMedia { call, .. } => (call, "start"),
            Action::StopMedia { call } => (call, "stop"),
            Action::Ring { call, .. } => (call, "ring"),
            Action::Ended { call, .. } => (call, "ended"),
            Action::CreateReoffer { call, .. } => (call, "re-offer"),
            Action::CreateReanswer { call, .. } => (call, "answer to a re-offer"),
            Action::SendInBand { call, .. } => (call, "in-band end"),
            Action::SignalingLost { call } => (call, "signaling lost"),
            Action::VideoChanged { call, .. } => (call, "video changed"),
        };
        let gave_way = self.gave_way.clone();
        let record = self.calls.entry(call.clone()).or_default();
        assert!(record.end.is_none(), "{what} after the end of {call}");
        match action {
            Action::CreateOffer { .. } => {
                assert!(record.outgoing && !record.peer_open);
                record.peer_open = true;
            }
            Action::CreateAnswer {
                video, remote_video, ..
            } => {
                record.camera_allowed |= *remote_video;
                if !record.consent {
                    let (loser, own) = gave_way.expect("an answer without the user's consent");
                    assert!(!video || own, "a camera the user did not ask for");
                    record.consent = true;
                    self.glares.push((loser, call.clone()));
                }
                assert!(!record.outgoing && !record.peer_open);
                record.peer_open = true;
                record.remote_described = true;
            }
            Action::ApplyAnswer { .. } if record.remote_described => {
                assert_eq!(record.unanswered, 1, "an answer to nothing");
                record.unanswered = 0;
            }
            Action::ApplyAnswer { .. } => {
                assert!(record.offered && record.consent);
                record.remote_described = true;
            }
            Action::CreateReoffer { video, .. } => {
                assert!(record.remote_described && record.consent);
                record.reoffers += 1;
                assert!(
                    !video.sends() || record.camera_allowed,
                    "a camera the user did not ask for"
                );
            }
            Action::CreateReanswer { send_video, .. } => {
                assert!(record.remote_described && record.consent);
                assert!(
                    !send_video || record.camera_allowed,
                    "a camera the user did not ask for"
                );
                record.reanswers += 1;
                record.unanswered = 0;
            }
            Action::VideoChanged { .. } => assert_eq!(record.started, 1),
            Action::SendInBand { .. } => assert!(record.remote_described && record.stopped == 0),
            Action::SignalingLost { .. } => {
                assert!(record.consent && !record.forgotten, "told twice");
                record.forgotten = true;
            }
            Action::AddCandidate { .. } => assert!(record.remote_described),
            Action::StartMedia { .. } => {
                assert!(record.consent, "media before accept or answer");
                record.started += 1;
                assert_eq!(record.started, 1, "media is started twice");
            }
            Action::StopMedia { .. } => {
                assert!(record.peer_open, "nothing to free");
                record.stopped += 1;
            }
            Action::Ring { ring, .. } => {
                assert_eq!(record.ringing, *ring == Ring::Silent, "{ring:?}");
                record.ringing = *ring != Ring::Silent;
            }
            Action::Ended { end, .. } => {
                assert!(!record.ringing, "the tone goes on after the end");
                assert_eq!(record.stopped, u32::from(record.peer_open));
                record.end = Some((now, end.clone()));
                if end.cause == EndCause::Glare && record.outgoing {
                    self.gave_way = Some((call.clone(), record.video));
                }
            }
            Action::SendSignal(_) => unreachable!("handled above"),
        }
    }

    /// All actions of one input are taken; `idle` = the endpoint says that there is no call.
    pub fn input_done(&mut self, idle: bool) {
        self.gave_way = None;
        if idle {
            for (call, record) in &self.calls {
                let touched = record.outgoing || record.ringing || record.peer_open;
                assert!(!touched || record.end.is_some(), "{call} never ended");
            }
        }
    }

    fn sent(&mut self, signal: &Signal) {
        let call = signal.call().expect("every own signal names its call");
        let record = self.calls.entry(call.clone()).or_default();
        if record.end.is_some() {
            let repeats = matches!(signal, Signal::End { .. });
            assert!(repeats, "{signal:?} after the end");
            return;
        }
        match signal {
            Signal::Offer(offer) if offer.negotiation > 0 => {
                assert!(record.consent && record.reoffers > 0);
                record.unanswered = 1;
            }
            Signal::Offer(_) => {
                assert!(record.outgoing && !record.remote_described);
                record.offered = true;
            }
            Signal::Answer { .. } => {
                let first = record.consent && !record.answered && !record.outgoing;
                assert!(first || record.reanswers > 0, "an answer nobody waits for");
                record.answered = true;
            }
            Signal::Candidate { candidate, .. } => {
                assert!(record.offered || record.answered, "an address is told too early");
                let tells_nothing = candidate.as_ref().is_some_and(Candidate::is_relay);
                assert!(
                    !record.hides || record.consent || tells_nothing,
                    "a hidden address is told"
                );
            }
            Signal::Ringing { .. } => assert!(!record.outgoing),
            Signal::End { .. } => assert!(!record.outgoing || record.offered),
            Signal::Renegotiate { .. } => assert!(record.answered && !record.outgoing),
            Signal::AnsweredElsewhere { .. } | Signal::Refused { .. } | Signal::Report { .. } => {
                panic!("{signal:?} is not ours to send")
            }
        }
    }

    /// The calls that ended here: when, how, and whether this side had placed them.
    pub fn ends(&self) -> impl Iterator<Item = (&CallId, &(Instant, CallEnd), bool)> {
        self.calls
            .iter()
            .filter_map(|(id, record)| record.end.as_ref().map(|end| (id, end, record.outgoing)))
    }

    pub fn end_of(&self, call: &CallId) -> Option<&(Instant, CallEnd)> {
        self.calls.get(call).and_then(|record| record.end.as_ref())
    }
}
