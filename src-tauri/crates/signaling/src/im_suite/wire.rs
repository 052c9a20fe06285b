//! The messages of IM-Suite as they travel: one struct per payload, unknown fields kept.
//!
//! Reading is lenient as §13 says (`data` for `payload`, an SDP as plain text, …) and names the field it stumbles over;
//! writing is strict. Pure; knows nothing of calls, users signed in or time.

mod call;
mod constraints;
mod fields;
mod greeting;
mod report;

pub use call::{
    CallAnswer, CallEnd, CallIce, CallOffer, CallRenegotiate, CallType, Caller, Candidate, Sdp, SdpType,
};
pub use constraints::{AudioParams, Constraints, MediaWish, NetworkWish, Size, VideoParams};
pub use fields::{Map, WireError};
pub use greeting::{LiveCall, Presence, Welcome};
pub use report::{CallError, CallStatus, ErrorDetails, MediaStatus, NetworkStats};

use ahoy_call::UserId;
use fields::{Fields, FromFields};
use serde::Serialize;
use serde_json::Value;

/// The deepest nesting of a message, the envelope being 1 (§2).
pub const MAX_DEPTH: usize = 16;

/// One message with its envelope (§2).
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub message: Message,
    /// RFC 3339; for display only (§2).
    pub timestamp: Option<String>,
    /// The sender's id of the message.
    pub id: Option<String>,
    pub extra: Map,
}

/// The body of a message, by its `type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Offer(CallOffer),
    Answer(CallAnswer),
    Ice(CallIce),
    End(CallEnd),
    Status(CallStatus),
    Error(CallError),
    Renegotiate(CallRenegotiate),
    Welcome(Welcome),
    Presence(Presence),
    Ping,
    /// The server's answer to a ping; its `time` stays in the envelope.
    Pong,
    /// Any other type, known to nobody here (§2: ignored).
    Other {
        kind: String,
        payload: Option<Value>,
    },
}

impl Envelope {
    /// Puts a message into an envelope without `id`.
    pub fn new(message: Message, timestamp: Option<String>) -> Self {
        Self {
            message,
            timestamp,
            id: None,
            extra: Map::new(),
        }
    }

    /// Reads one text message; errors name the field.
    pub fn read(text: &str) -> Result<Self, WireError> {
        let value = serde_json::from_str(text).map_err(|error| WireError::NotJson(error.to_string()))?;
        if depth(&value) > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        Self::from_value(value)
    }

    /// Reads one message that is parsed already.
    pub fn from_value(value: Value) -> Result<Self, WireError> {
        let mut fields = Fields::root(value)?;
        let kind: String = fields.required("type")?;
        let payload = fields.take("payload").or_else(|| fields.take("data"));
        let timestamp = fields.lenient("timestamp");
        let id = fields.lenient("id");
        let message = match kind.as_str() {
            "call.offer" => Message::Offer(body(payload)?),
            "call.answer" => Message::Answer(body(payload)?),
            "call.ice" => Message::Ice(body(payload)?),
            "call.end" => Message::End(body(payload)?),
            "call.status" => Message::Status(body(payload)?),
            "call.error" => Message::Error(body(payload)?),
            "call.renegotiate" => Message::Renegotiate(body(payload)?),
            // A flat `welcome`, a flat `presence` and a `connect` carry their fields beside the type (§1.7).
            "welcome" => Message::Welcome(flat_or_nested(payload, &fields)?),
            "connect" => Message::Welcome(flat_or_nested::<Welcome>(payload, &fields)?.without_features()),
            "presence" => Message::Presence(flat_or_nested(payload, &fields)?),
            "ping" => Message::Ping,
            "pong" => Message::Pong,
            _ => Message::Other { kind, payload },
        };
        Ok(Self {
            message,
            timestamp,
            id,
            extra: fields.rest(),
        })
    }

    /// The message as a JSON value.
    pub fn to_value(&self) -> Value {
        let mut map = self.extra.clone();
        map.insert("type".to_owned(), self.message.kind().into());
        if let Some(payload) = self.message.payload() {
            map.insert("payload".to_owned(), payload);
        }
        if let Some(timestamp) = &self.timestamp {
            map.insert("timestamp".to_owned(), timestamp.as_str().into());
        }
        if let Some(id) = &self.id {
            map.insert("id".to_owned(), id.as_str().into());
        }
        Value::Object(map)
    }

    /// The message as it is sent.
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }
}

impl Message {
    /// The `type` of the envelope.
    pub fn kind(&self) -> &str {
        match self {
            Message::Offer(_) => "call.offer",
            Message::Answer(_) => "call.answer",
            Message::Ice(_) => "call.ice",
            Message::End(_) => "call.end",
            Message::Status(_) => "call.status",
            Message::Error(_) => "call.error",
            Message::Renegotiate(_) => "call.renegotiate",
            Message::Welcome(_) => "welcome",
            Message::Presence(_) => "presence",
            Message::Ping => "ping",
            Message::Pong => "pong",
            Message::Other { kind, .. } => kind,
        }
    }

    /// The sender of a `call.*` message, if it says so.
    pub fn from_user(&self) -> Option<UserId> {
        self.users().0
    }

    /// The receiver of a `call.*` message, if it says so.
    pub fn to_user(&self) -> Option<UserId> {
        self.users().1
    }

    fn users(&self) -> (Option<UserId>, Option<UserId>) {
        match self {
            Message::Offer(body) => (body.from_user, body.to_user),
            Message::Answer(body) => (body.from_user, body.to_user),
            Message::Ice(body) => (body.from_user, body.to_user),
            Message::End(body) => (body.from_user, body.to_user),
            Message::Status(body) => (body.from_user, body.to_user),
            Message::Error(body) => (body.from_user, body.to_user),
            Message::Renegotiate(body) => (body.from_user, body.to_user),
            Message::Welcome(_)
            | Message::Presence(_)
            | Message::Ping
            | Message::Pong
            | Message::Other { .. } => (None, None),
        }
    }

    fn payload(&self) -> Option<Value> {
        match self {
            Message::Offer(body) => Some(json(body)),
            Message::Answer(body) => Some(json(body)),
            Message::Ice(body) => Some(json(body)),
            Message::End(body) => Some(json(body)),
            Message::Status(body) => Some(json(body)),
            Message::Error(body) => Some(json(body)),
            Message::Renegotiate(body) => Some(json(body)),
            Message::Welcome(body) => Some(json(body)),
            Message::Presence(body) => Some(json(body)),
            Message::Ping | Message::Pong => None,
            Message::Other { payload, .. } => payload.clone(),
        }
    }
}

fn json(body: &impl Serialize) -> Value {
    serde_json::to_value(body).expect("payload structs have text keys and finite numbers only")
}

fn body<T: FromFields>(payload: Option<Value>) -> Result<T, WireError> {
    let payload = payload.ok_or_else(|| WireError::Missing("payload".to_owned()))?;
    T::from_fields(&mut Fields::payload(payload)?)
}

fn flat_or_nested<T: FromFields>(payload: Option<Value>, envelope: &Fields) -> Result<T, WireError> {
    match payload {
        Some(payload) => T::from_fields(&mut Fields::payload(payload)?),
        None => T::from_fields(&mut envelope.clone()),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
