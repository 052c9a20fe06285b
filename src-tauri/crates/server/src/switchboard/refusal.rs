//! Why the server does not do what a message asks: the signaling codes of IM-Suite §8.

use ahoy_call::CallId;
use std::time::Duration;

/// A `details.code` that this server gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Code {
    BadMessage,
    BadSdp,
    FromUserMismatch,
    ToUserMismatch,
    SelfCall,
    UserNotFound,
    UserOffline,
    AlreadyInCall,
    Glare,
    DuplicateCallId,
    UnknownCall,
    AnsweredElsewhere,
    WrongDevice,
    BadState,
    RenegotiationPending,
    TooLarge,
    RateLimited,
    NotPermitted,
}

impl Code {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Code::BadMessage => "bad_message",
            Code::BadSdp => "bad_sdp",
            Code::FromUserMismatch => "from_user_mismatch",
            Code::ToUserMismatch => "to_user_mismatch",
            Code::SelfCall => "self_call",
            Code::UserNotFound => "user_not_found",
            Code::UserOffline => "user_offline",
            Code::AlreadyInCall => "already_in_call",
            Code::Glare => "glare",
            Code::DuplicateCallId => "duplicate_call_id",
            Code::UnknownCall => "unknown_call",
            Code::AnsweredElsewhere => "answered_elsewhere",
            Code::WrongDevice => "wrong_device",
            Code::BadState => "bad_state",
            Code::RenegotiationPending => "renegotiation_pending",
            Code::TooLarge => "too_large",
            Code::RateLimited => "rate_limited",
            Code::NotPermitted => "not_permitted",
        }
    }

    /// `details.reason`: a sentence for the person who reads a log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Code::BadMessage => "the message is not parseable, or a field is missing or mistyped",
            Code::BadSdp => "the session description is not one of a DTLS-SRTP session",
            Code::FromUserMismatch => "from_user is not the signed-in user",
            Code::ToUserMismatch => "to_user is not the other participant of the call",
            Code::SelfCall => "nobody can call themselves",
            Code::UserNotFound => "there is no such user",
            Code::UserOffline => "the user has no connected device",
            Code::AlreadyInCall => "the caller is in another call",
            Code::Glare => "the callee is calling the caller at this moment",
            Code::DuplicateCallId => "the call id was used before",
            Code::UnknownCall => "there is no such call",
            Code::AnsweredElsewhere => "another device of the user answered",
            Code::WrongDevice => "another device of the user is in the call",
            Code::BadState => "the call is not in a state that allows this",
            Code::RenegotiationPending => "an earlier re-offer is not answered yet",
            Code::TooLarge => "the message is larger than its type allows",
            Code::RateLimited => "too many messages or calls in a short time",
            Code::NotPermitted => "the caller may not make this call",
        }
    }

    /// Whether the code ends the call when it answers a first offer (IM-Suite §8, column f).
    pub(super) fn refuses_call(self) -> bool {
        match self {
            Code::UnknownCall | Code::WrongDevice | Code::BadState | Code::RenegotiationPending => false,
            Code::BadMessage
            | Code::BadSdp
            | Code::FromUserMismatch
            | Code::ToUserMismatch
            | Code::SelfCall
            | Code::UserNotFound
            | Code::UserOffline
            | Code::AlreadyInCall
            | Code::Glare
            | Code::DuplicateCallId
            | Code::AnsweredElsewhere
            | Code::TooLarge
            | Code::RateLimited
            | Code::NotPermitted => true,
        }
    }
}

/// One refused message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// The offending field as a dotted path inside the payload, or an envelope field (IM-Suite §16.12).
    pub(super) field: Option<String>,
    /// With [`Code::Glare`]: the call that goes on.
    pub(super) winner: Option<CallId>,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn later(code: Code, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..Self::from(code)
        }
    }

    pub(super) fn field(code: Code, path: impl Into<String>) -> Self {
        Self {
            field: Some(path.into()),
            ..Self::from(code)
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            field: None,
            winner: None,
            retry_after: None,
        }
    }
}
