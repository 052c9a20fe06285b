//! `call.status` and `call.error` (§4.5, §4.6).

use super::fields::{Fields, FromFields, Map, WireError, call_id, some_call_id, some_user_id};
use ahoy_call::{CallId, UserId};
use serde::Serialize;
use serde_json::Number;

/// `call.status` (§4.5). Numbers are kept as they were written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallStatus {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    /// `ringing`, `answered`, `connected`, `disconnected`, `failed`, or a word to ignore.
    pub status: String,
    /// Seconds since the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_quality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_quality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_stats: Option<NetworkStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaStatus>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `network_stats` of a status.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NetworkStats {
    /// Fraction from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_loss: Option<Number>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Number>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_in: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_out: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_out: Option<Number>,
    /// Frames per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<Number>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Number>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Number>,
    /// `host`, `srflx`, `prflx` or `relay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `media` of a status: what its sender sends.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MediaStatus {
    /// `on` or `muted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// `on` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<String>,
    /// `on` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.error` (§4.6).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallError {
    #[serde(serialize_with = "some_call_id", skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    /// `SIGNALING_ERROR`, `MEDIA_ERROR` or `NETWORK_ERROR`; any other word counts as signaling.
    pub error_code: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<ErrorDetails>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `details` of an error; programs use `code` only.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ErrorDetails {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A word of §8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The call is over for the receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fatal: Option<bool>,
    /// The `id` of the offending message.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The `type` of the offending message.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Path of the offending field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// With `glare`: the call that goes on (§9).
    #[serde(serialize_with = "some_call_id", skip_serializing_if = "Option::is_none")]
    pub call_id_winner: Option<CallId>,
    #[serde(flatten)]
    pub extra: Map,
}

impl FromFields for CallStatus {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            status: fields.required("status")?,
            duration: fields.optional("duration")?,
            audio_quality: fields.optional("audio_quality")?,
            video_quality: fields.optional("video_quality")?,
            network_stats: fields.optional("network_stats")?,
            media: fields.optional("media")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for NetworkStats {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            packet_loss: fields.optional("packet_loss")?,
            jitter: fields.optional("jitter")?,
            rtt: fields.optional("rtt")?,
            bitrate_in: fields.optional("bitrate_in")?,
            bitrate_out: fields.optional("bitrate_out")?,
            available_out: fields.optional("available_out")?,
            fps: fields.optional("fps")?,
            width: fields.optional("width")?,
            height: fields.optional("height")?,
            path: fields.optional("path")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for MediaStatus {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            audio: fields.optional("audio")?,
            video: fields.optional("video")?,
            screen: fields.optional("screen")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for CallError {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.optional("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            error_code: fields.required("error_code")?,
            error_message: fields.lenient("error_message"),
            details: fields.lenient("details"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for ErrorDetails {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            reason: fields.lenient("reason"),
            code: fields.lenient("code"),
            fatal: fields.lenient("fatal"),
            reference: fields.lenient("ref"),
            kind: fields.lenient("type"),
            field: fields.lenient("field"),
            retry_after_ms: fields.lenient("retry_after_ms"),
            call_id_winner: fields.lenient("call_id_winner"),
            extra: fields.rest(),
        })
    }
}
