//! What goes into an endpoint and what comes out: commands of the user, events of the transport, and actions.

use crate::{
    CallEnd, CallId, Candidate, Constraints, Direction, EndDetail, EndReason, Party, Signal, StreamCall,
};
use std::collections::VecDeque;

/// What the user wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Calls somebody. `call` is fresh: an id is never used twice.
    PlaceCall {
        call: CallId,
        to: Party,
        video: bool,
        constraints: Constraints,
        /// No address of this machine is told before the other side answered.
        hide_addresses: bool,
        /// What a call to a room is for; `None` = a call between two people.
        stream: Option<Box<StreamCall>>,
    },
    /// Calls for a second stream, beside the live call: the two are one to the user, and neither makes the other busy.
    PlaceBeside {
        call: CallId,
        to: Party,
        video: bool,
        constraints: Constraints,
        hide_addresses: bool,
        stream: Box<StreamCall>,
    },
    /// Takes the ringing call; `video` = with the own camera, which only a video call can carry.
    Accept { call: CallId, video: bool },
    /// Refuses the ringing call.
    Decline { call: CallId },
    /// Refuses the ringing call because the user is in another one.
    Busy { call: CallId },
    /// Ends the call in any state; a ringing one is declined, an unanswered one cancelled.
    HangUp { call: CallId },
    /// The own camera; in a call of sound alone this asks for pictures (IM-Suite §9, upgrade).
    SetCamera { call: CallId, on: bool },
    /// Looks for a new path at once.
    RestartIce { call: CallId },
}

/// Why a command was not carried out. The call, if there is one, is untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("there is a call already")]
    AlreadyInCall,
    #[error("there is no call with this id")]
    UnknownCall,
    #[error("the call is not in a state that allows this")]
    WrongState,
    #[error("a user cannot call itself")]
    SelfCall,
}

/// What the local peer connection and the media of a call report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerInput {
    /// Answers [`Action::CreateOffer`] and [`Action::CreateReoffer`].
    LocalOffer { sdp: String },
    /// Answers [`Action::CreateAnswer`] and [`Action::CreateReanswer`].
    LocalAnswer { sdp: String },
    /// Both descriptions of a negotiation are applied: which way pictures go from here on.
    Negotiated { video: Direction },
    /// One more local candidate; `None` is the end of candidates.
    LocalCandidate(Option<Candidate>),
    /// ICE and DTLS are up, for the first time or again.
    Connected,
    /// After a restart: the old path is given up and a new one is looked for.
    Checking,
    /// ICE is lost but may come back by itself.
    Disconnected,
    /// ICE or DTLS is lost and does not come back without a restart.
    Failed,
    /// The address of this machine that the path begins at is gone, or a lost path has a new one to begin at.
    NetworkChanged,
    /// The other side closed the connection's own channel without a word: it may be gone.
    ChannelClosed,
    /// The other side ended the call over the connection itself, without signaling.
    RemoteEnd {
        reason: EndReason,
        detail: Option<EndDetail>,
    },
    /// A description could not be produced or applied.
    DescriptionFailed,
    /// Media that the call cannot do without could not be opened.
    MediaFailed,
}

/// What is heard while a call waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ring {
    /// The ring tone of an incoming call.
    Incoming,
    /// Ringback: the other side alerts its user.
    Outgoing,
    /// Nothing; stops either of the others.
    Silent,
}

/// One side effect. Actions are performed in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Opens a peer connection and produces an offer, answered by [`PeerInput::LocalOffer`].
    CreateOffer {
        call: CallId,
        video: bool,
    },
    /// Opens a peer connection, applies the offer and its candidates and produces an answer, answered by
    /// [`PeerInput::LocalAnswer`]. Never comes before the user accepted.
    CreateAnswer {
        call: CallId,
        offer_sdp: String,
        /// This side sends its camera.
        video: bool,
        /// The offer is a video call.
        remote_video: bool,
        candidates: Vec<Candidate>,
    },
    /// Applies the answer, then its candidates.
    ApplyAnswer {
        call: CallId,
        sdp: String,
        candidates: Vec<Candidate>,
    },
    /// Adds a candidate of the other side, or its end of candidates; always after the remote description.
    AddCandidate {
        call: CallId,
        candidate: Option<Candidate>,
    },
    /// Makes an offer for the connection that is there, answered by [`PeerInput::LocalOffer`]. It changes nothing before
    /// it is answered.
    CreateReoffer {
        call: CallId,
        /// With new ICE credentials.
        restart: bool,
        video: Direction,
    },
    /// Applies a re-offer and produces an answer, answered by [`PeerInput::LocalAnswer`].
    CreateReanswer {
        call: CallId,
        offer_sdp: String,
        /// This side sends pictures if the offer takes them.
        send_video: bool,
        candidates: Vec<Candidate>,
    },
    SendSignal(Signal),
    /// Tells the other side over the connection itself that the call is over; signaling is down, or may not carry it.
    SendInBand {
        call: CallId,
        reason: EndReason,
        detail: Option<EndDetail>,
    },
    /// The server has forgotten the call, which goes on without it: no re-offer can be made any more.
    SignalingLost {
        call: CallId,
    },
    /// Pictures go another way from here on: opens or closes what that takes. Only after [`Action::StartMedia`].
    VideoChanged {
        call: CallId,
        video: Direction,
    },
    /// Starts capture and playout; once per call, never before the call was accepted or answered.
    StartMedia {
        call: CallId,
        /// The own camera is sent.
        send_video: bool,
        /// The call is a video call.
        video: bool,
    },
    /// Frees the peer connection and the devices; once per call, only if there was anything to free.
    StopMedia {
        call: CallId,
    },
    /// Changes what is heard while waiting.
    Ring {
        call: CallId,
        ring: Ring,
    },
    /// The call is over; its last action.
    Ended {
        call: CallId,
        end: CallEnd,
    },
}

/// Actions not yet taken, and the count of inputs that had no meaning.
///
/// One input yields at most one action per held candidate and a handful more, and the driver takes all of them
/// before its next input, so the queue needs no limit of its own.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) actions: VecDeque<Action>,
    pub(crate) ignored: u64,
}

impl Outbox {
    pub(crate) fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn send(&mut self, signal: Signal) {
        self.push(Action::SendSignal(signal));
    }

    pub(crate) fn ignore(&mut self) {
        self.ignored += 1;
    }
}
