//! What a server says outside calls: `welcome` (§1.7) and `presence` (§11).

use super::call::CallType;
use super::fields::{Fields, FromFields, Map, WireError, call_id, some_user_id, user_id};
use ahoy_call::{CallId, UserId};
use serde::Serialize;

/// `welcome`, nested or flat, and `connect`; every field may be missing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Welcome {
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_time: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_timeout: Option<u64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_grace: Option<u64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<u64>,
    pub calls: Vec<LiveCall>,
    #[serde(flatten)]
    pub extra: Map,
}

/// One of `welcome.calls`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveCall {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    /// `caller` or `callee`.
    pub role: String,
    #[serde(serialize_with = "user_id")]
    pub peer: UserId,
    pub call_type: CallType,
    /// `ringing` or `active`.
    pub state: String,
    pub bound_here: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `presence` of one user; names, `busy` and `in_call` are additions some servers make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Presence {
    #[serde(serialize_with = "user_id")]
    pub user_id: UserId,
    pub is_online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_call: Option<bool>,
    #[serde(flatten)]
    pub extra: Map,
}

impl Welcome {
    /// A server that sends `connect` shows no features, whatever else it says (§1.7).
    pub(super) fn without_features(self) -> Self {
        Self {
            features: Vec::new(),
            ..self
        }
    }
}

impl FromFields for Welcome {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            user_id: fields.lenient("user_id"),
            device_id: fields.lenient("device_id"),
            server_time: fields.lenient("server_time"),
            features: fields.lenient("features").unwrap_or_default(),
            ring_timeout: fields.lenient("ring_timeout"),
            resume_grace: fields.lenient("resume_grace"),
            heartbeat: fields.lenient("heartbeat"),
            max_message: fields.lenient("max_message"),
            calls: fields.lenient("calls").unwrap_or_default(),
            extra: fields.rest(),
        })
    }
}

impl FromFields for LiveCall {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            role: fields.required("role")?,
            peer: fields.required("peer")?,
            call_type: fields.required("call_type")?,
            state: fields.required("state")?,
            bound_here: fields.required("bound_here")?,
            answered_at: fields.lenient("answered_at"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for Presence {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            user_id: fields.required("user_id")?,
            is_online: fields.required("is_online")?,
            username: fields.lenient("username"),
            nickname: fields.lenient("nickname"),
            busy: fields.lenient("busy"),
            in_call: fields.lenient("in_call"),
            extra: fields.rest(),
        })
    }
}
