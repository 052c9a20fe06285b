//! The history of calls (IM-Suite §6, §11): what is kept of a call after its end.

use super::message::Message;
use ahoy_call::{CallId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the history. A later record of the same `call_id` replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    pub call_id: CallId,
    pub from_user: UserId,
    pub to_user: UserId,
    pub call_type: CallType,
    pub status: CallStatus,
    /// When it was offered, in whole milliseconds.
    pub started_at: Timestamp,
    /// `None` while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Seconds since the answer; 0 without one.
    pub duration: u64,
    /// `None` while it goes on.
    pub reason: Option<EndReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallType {
    Audio,
    /// It was with video at any time.
    Video,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    Pending,
    Answered,
    Rejected,
    Ended,
    Missed,
}

/// Why a call ended (IM-Suite §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    UserHangup,
    UserRejected,
    UserBusy,
    Timeout,
    NetworkError,
    ServerError,
}

impl CallRecord {
    /// Whether the call is over, so that no other record of it follows.
    pub fn is_final(&self) -> bool {
        match self.status {
            CallStatus::Pending | CallStatus::Answered => false,
            CallStatus::Rejected | CallStatus::Ended | CallStatus::Missed => true,
        }
    }
}

impl EndReason {
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::UserHangup => "user_hangup",
            EndReason::UserRejected => "user_rejected",
            EndReason::UserBusy => "user_busy",
            EndReason::Timeout => "timeout",
            EndReason::NetworkError => "network_error",
            EndReason::ServerError => "server_error",
        }
    }

    /// The reason of a `call.end`; a word of a later version counts as hanging up (IM-Suite §4.4).
    pub(super) fn of(end: &Message) -> Self {
        match end.text_field("reason") {
            Some("user_rejected") => EndReason::UserRejected,
            Some("user_busy") => EndReason::UserBusy,
            Some("timeout") => EndReason::Timeout,
            Some("network_error") => EndReason::NetworkError,
            Some("server_error") => EndReason::ServerError,
            Some(_) | None => EndReason::UserHangup,
        }
    }

    /// The status of a call that ended while it rang (IM-Suite §6).
    pub(super) fn unanswered(self) -> CallStatus {
        match self {
            EndReason::UserRejected => CallStatus::Rejected,
            EndReason::UserHangup
            | EndReason::UserBusy
            | EndReason::Timeout
            | EndReason::NetworkError
            | EndReason::ServerError => CallStatus::Missed,
        }
    }
}

/// The wall clock as far as it is displayed.
pub(super) fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
