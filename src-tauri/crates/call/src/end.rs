//! Why a call ended, as its own user is told, and how the words of the protocol map to it.

use crate::{EndDetail, EndReason, RefusalCode};
use std::time::Duration;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    pub cause: EndCause,
    /// The word of the protocol, as sent, received, or fitting best.
    pub reason: EndReason,
    pub detail: Option<EndDetail>,
    /// This side ended it: its user, its timer or its failure.
    pub by_us: bool,
    /// An answer was sent or received.
    pub answered: bool,
    /// From the answer to the end; zero without an answer.
    pub duration: Duration,
}

/// What to tell the user of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndCause {
    HungUp,
    /// The own call, given up before the answer.
    Cancelled,
    Declined,
    /// The callee is in another call; `by_us`: this user is, on another device.
    Busy,
    NoAnswer,
    /// It rang here and stopped without an answer.
    Missed,
    AnsweredElsewhere,
    /// The callee is not signed in or does not exist.
    NotReachable,
    NotPermitted,
    /// The server allows no further call for a while.
    RateLimited,
    /// The server cannot do calls at all (IM-Suite §13).
    CallsUnsupported,
    ConnectionLost,
    ServerProblem,
    /// A microphone or other needed media could not be opened; `by_us` tells whose.
    MediaFailed,
    /// One side cannot use the description of the other: too old, broken, or no common codec.
    IncompatibleOffer,
    /// Both sides called each other and the other call goes on.
    Glare,
    /// The media server has no such stream.
    StreamNotFound,
    /// Somebody else sends this stream already.
    StreamTaken,
}

impl EndCause {
    /// The stable word that events and windows are keyed by.
    pub fn as_str(self) -> &'static str {
        match self {
            EndCause::HungUp => "hung_up",
            EndCause::Cancelled => "cancelled",
            EndCause::Declined => "declined",
            EndCause::Busy => "busy",
            EndCause::NoAnswer => "no_answer",
            EndCause::Missed => "missed",
            EndCause::AnsweredElsewhere => "answered_elsewhere",
            EndCause::NotReachable => "not_reachable",
            EndCause::NotPermitted => "not_permitted",
            EndCause::RateLimited => "rate_limited",
            EndCause::CallsUnsupported => "calls_unsupported",
            EndCause::ConnectionLost => "connection_lost",
            EndCause::ServerProblem => "server_problem",
            EndCause::MediaFailed => "media_failed",
            EndCause::IncompatibleOffer => "too_old",
            EndCause::Glare => "glare",
            EndCause::StreamNotFound => "stream_not_found",
            EndCause::StreamTaken => "stream_taken",
        }
    }
}

/// How a call is about to end.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) cause: EndCause,
    pub(crate) reason: EndReason,
    pub(crate) detail: Option<EndDetail>,
    pub(crate) by_us: bool,
    /// The other side knows of the call and has to be told.
    pub(crate) tell: bool,
}

impl Ending {
    /// This side ends the call and tells the other.
    pub(crate) fn told(cause: EndCause, reason: EndReason, detail: Option<EndDetail>) -> Self {
        Self {
            cause,
            reason,
            detail,
            by_us: true,
            tell: true,
        }
    }

    /// The call is over without a word from this side.
    pub(crate) fn quiet(cause: EndCause, reason: EndReason, by_us: bool) -> Self {
        Self {
            cause,
            reason,
            detail: None,
            by_us,
            tell: false,
        }
    }

    pub(crate) fn with_detail(self, detail: EndDetail) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }

    /// The other side or the server ended it (table of IM-Suite §6).
    pub(crate) fn received(
        reason: EndReason,
        detail: Option<EndDetail>,
        outgoing: bool,
        answered: bool,
    ) -> Self {
        let cause = match reason {
            _ if detail == Some(EndDetail::MediaFailure) => EndCause::MediaFailed,
            _ if detail == Some(EndDetail::BadSdp) => EndCause::IncompatibleOffer,
            EndReason::UserHangup if answered => EndCause::HungUp,
            EndReason::UserHangup if outgoing => EndCause::Declined,
            EndReason::UserHangup => EndCause::Missed,
            // Words for a ringing call; one that is answered can only be hung up.
            EndReason::UserRejected | EndReason::UserBusy if outgoing && answered => EndCause::HungUp,
            EndReason::UserRejected => EndCause::Declined,
            EndReason::UserBusy if outgoing => EndCause::Busy,
            EndReason::UserBusy => EndCause::Missed,
            EndReason::Timeout if answered => EndCause::ConnectionLost,
            EndReason::Timeout if outgoing => EndCause::NoAnswer,
            EndReason::Timeout => EndCause::Missed,
            EndReason::NetworkError if answered || outgoing => EndCause::ConnectionLost,
            EndReason::NetworkError => EndCause::Missed,
            EndReason::ServerError => EndCause::ServerProblem,
        };
        Self {
            cause,
            reason,
            detail,
            by_us: false,
            tell: false,
        }
    }

    /// The server refused the first offer (table of IM-Suite §8); no `call.end` goes either way.
    pub(crate) fn refused(code: &RefusalCode) -> Self {
        let (cause, reason) = match code {
            RefusalCode::UserOffline | RefusalCode::UserNotFound => {
                (EndCause::NotReachable, EndReason::UserRejected)
            }
            RefusalCode::NotPermitted | RefusalCode::SelfCall => {
                (EndCause::NotPermitted, EndReason::UserRejected)
            }
            RefusalCode::AlreadyInCall => (EndCause::Busy, EndReason::UserBusy),
            RefusalCode::BadSdp => (EndCause::IncompatibleOffer, EndReason::NetworkError),
            RefusalCode::Glare => (EndCause::Glare, EndReason::UserBusy),
            RefusalCode::AnsweredElsewhere => (EndCause::AnsweredElsewhere, EndReason::UserHangup),
            RefusalCode::RateLimited => (EndCause::RateLimited, EndReason::ServerError),
            RefusalCode::CallsUnsupported => (EndCause::CallsUnsupported, EndReason::ServerError),
            RefusalCode::StreamNotFound => (EndCause::StreamNotFound, EndReason::UserRejected),
            RefusalCode::StreamTaken => (EndCause::StreamTaken, EndReason::UserRejected),
            RefusalCode::DuplicateCallId
            | RefusalCode::UnknownCall
            | RefusalCode::RenegotiationPending
            | RefusalCode::RenegotiationUnsupported
            | RefusalCode::Other(_) => (EndCause::ServerProblem, EndReason::ServerError),
        };
        Self::quiet(cause, reason, *code == RefusalCode::AlreadyInCall)
    }
}
