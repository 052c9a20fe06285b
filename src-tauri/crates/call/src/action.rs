//! What goes into an endpoint and what comes out: commands of the user, events of the transport, and actions.

use crate::{CallEnd, CallId, Candidate, Constraints, Party, Signal};
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
    },
    /// Takes the ringing call; `video` = with the own camera, which only a video call can carry.
    Accept { call: CallId, video: bool },
    /// Refuses the ringing call.
    Decline { call: CallId },
    /// Refuses the ringing call because the user is in another one.
    Busy { call: CallId },
    /// Ends the call in any state; a ringing one is declined, an unanswered one cancelled.
    HangUp { call: CallId },
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
    /// Answers [`Action::CreateOffer`].
    LocalOffer { sdp: String },
    /// Answers [`Action::CreateAnswer`].
    LocalAnswer { sdp: String },
    /// One more local candidate; `None` is the end of candidates.
    LocalCandidate(Option<Candidate>),
    /// ICE and DTLS are up, for the first time or again.
    Connected,
    /// ICE is lost but may come back by itself.
    Disconnected,
    /// ICE or DTLS is lost for good.
    Failed,
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
    SendSignal(Signal),
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
