//! Messages as JSON objects: reading the envelope, and writing what the server says by itself.
//!
//! A message stays a JSON object from arrival to delivery, so fields that this version does not know reach the other
//! side unchanged (IM-Suite §2). What the fields must look like is in `validate.rs`.

use super::record::EndReason;
use super::refusal::Refusal;
use super::{CALL_REPORT_LIMIT, Moment, UNKNOWN_CALL_MESSAGE_LIMIT};
use ahoy_call::{CallId, UserId};
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The deepest nesting, the envelope counted as 1 (IM-Suite §2, §16.9).
const MAX_DEPTH: usize = 16;
/// Characters of an `id` or a `type` (IM-Suite §2).
const MAX_ID: usize = 64;

/// What a `call.*` message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Offer,
    Answer,
    Ice,
    End,
    Status,
    Error,
    Renegotiate,
    /// A `call.*` of a later version, relayed in an active call.
    Other,
}

/// One text from a client.
#[derive(Debug)]
pub(super) enum Incoming {
    Ping,
    /// Unknown or malformed `type`: neither answered nor forwarded.
    Ignored,
    /// Not a JSON object, or too deep.
    Unreadable,
    Call(Message),
}

/// A `call.*` message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The whole text in bytes.
    size: usize,
    /// The envelope without its payload.
    pub(super) envelope: Map<String, Value>,
    /// Empty when the envelope has none; `has_payload` tells.
    pub(super) payload: Map<String, Value>,
    pub(super) has_payload: bool,
}

/// Reads one text. Total: every text has an answer.
pub(super) fn read(text: &str) -> Incoming {
    let Ok(Value::Object(mut envelope)) = serde_json::from_str::<Value>(text) else {
        return Incoming::Unreadable;
    };
    let Some(Value::String(name)) = envelope.get("type") else {
        return Incoming::Ignored;
    };
    let kind = match name.as_str() {
        "ping" => return Incoming::Ping,
        "call.offer" => Kind::Offer,
        "call.answer" => Kind::Answer,
        "call.ice" => Kind::Ice,
        "call.end" => Kind::End,
        "call.status" => Kind::Status,
        "call.error" => Kind::Error,
        "call.renegotiate" => Kind::Renegotiate,
        other if other.starts_with("call.") && is_type_name(other) => Kind::Other,
        _ => return Incoming::Ignored,
    };
    if !envelope.values().all(|value| is_shallow(value, MAX_DEPTH - 1)) {
        return Incoming::Unreadable;
    }
    let (payload, has_payload) = match envelope.remove("payload") {
        Some(Value::Object(payload)) => (payload, true),
        Some(_) | None => (Map::new(), false),
    };
    Incoming::Call(Message {
        kind,
        size: text.len(),
        envelope,
        payload,
        has_payload,
    })
}

fn is_type_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|item| is_shallow(item, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

impl Message {
    pub(super) fn call_id(&self) -> Option<CallId> {
        self.payload
            .get("call_id")
            .and_then(Value::as_str)
            .and_then(|text| CallId::new(text).ok())
    }

    pub(super) fn user(&self, field: &str) -> Option<u64> {
        self.payload.get(field).and_then(Value::as_u64)
    }

    pub(super) fn text_field(&self, field: &str) -> Option<&str> {
        self.payload.get(field).and_then(Value::as_str)
    }

    pub(super) fn sdp_mark(&self) -> SdpMark {
        let sdp = self.payload.get("sdp").and_then(|sdp| sdp.get("sdp"));
        SdpMark::of(sdp.and_then(Value::as_str).unwrap_or_default())
    }

    pub(super) fn negotiation(&self) -> Option<u64> {
        self.payload.get("negotiation").and_then(Value::as_u64)
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.payload.insert(field.to_owned(), value.into());
    }

    /// Sets a field of the server's own if the client sent it (IM-Suite §3).
    pub(super) fn replace(&mut self, field: &str, value: impl Into<Value>) {
        if let Some(slot) = self.payload.get_mut(field) {
            *slot = value.into();
        }
    }

    /// Takes out what only the server may say (IM-Suite §16.5).
    pub(super) fn remove_server_fields(&mut self) {
        for field in ["by", "caller", "expires_in"] {
            self.payload.remove(field);
        }
    }

    /// The size limit of this type (IM-Suite §2, §12).
    pub(super) fn is_too_large(&self) -> bool {
        match self.kind {
            Kind::Ice | Kind::Status | Kind::Error => self.size > CALL_REPORT_LIMIT,
            Kind::Other => self.size > UNKNOWN_CALL_MESSAGE_LIMIT,
            Kind::Offer | Kind::Answer | Kind::End | Kind::Renegotiate => false,
        }
    }

    /// The text as it is delivered, with the server's time.
    pub(super) fn to_text(&self, now: Moment) -> String {
        let delivered = Delivered {
            message: self,
            time: time_text(now.wall),
        };
        // Maps with text keys cannot fail to be written.
        serde_json::to_string(&delivered).unwrap_or_default()
    }

    /// How a refusal of this message refers to it.
    pub(super) fn reference(&self) -> Reference {
        let text = |field: &str| match self.envelope.get(field) {
            Some(Value::String(text)) => Some(text.chars().take(MAX_ID).collect()),
            Some(_) | None => None,
        };
        Reference {
            name: text("type").unwrap_or_default(),
            id: text("id"),
            call: self.call_id(),
        }
    }
}

struct Delivered<'a> {
    message: &'a Message,
    time: String,
}

impl Serialize for Delivered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.message.envelope {
            if name != "timestamp" {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("timestamp", &self.time)?;
        map.serialize_entry("payload", &self.message.payload)?;
        map.end()
    }
}

/// Tells whether a description is the one of before. A call keeps this in place of the up to 64 KiB themselves. Whoever
/// makes two descriptions with one mark only has the second taken for a repeat of their own first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SdpMark {
    bytes: usize,
    /// FNV-1a, 64 bits: the same on every node and in every version.
    hash: u64,
}

impl SdpMark {
    fn of(sdp: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self {
            bytes: sdp.len(),
            hash: sdp.bytes().fold(0xcbf2_9ce4_8422_2325, step),
        }
    }
}

/// What a `call.error` says of the message it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reference {
    name: String,
    id: Option<String>,
    pub(super) call: Option<CallId>,
}

/// Changes the payload of a text that waited. State holds texts, not objects: numbers go out of and into a text in only
/// one way, so a switchboard that was written down meanwhile delivers the same.
pub(super) fn with_payload(text: &str, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut message: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(Value::Object(payload)) = message.get_mut("payload") {
        change(payload);
    }
    message.to_string()
}

/// Gives a `call.status` the `media` of the older one that it replaces, if it has none itself, so that no mute is lost
/// (IM-Suite §16.13).
pub(super) fn with_media_of(older: &str, newer: String) -> String {
    let mut media = None;
    with_payload(older, |payload| media = payload.remove("media"));
    match media {
        Some(media) => with_payload(&newer, |payload| {
            payload.entry("media").or_insert(media);
        }),
        None => newer,
    }
}

/// Rounded up, so that the time is over when they are.
fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn time_text(time: Timestamp) -> String {
    Timestamp::from_millisecond(time.as_millisecond())
        .unwrap_or(time)
        .to_string()
}

pub(super) fn server_text(now: Moment, name: &str, payload: Value) -> String {
    json!({ "type": name, "timestamp": time_text(now.wall), "payload": payload }).to_string()
}

/// `pong` (IM-Suite §1.8).
pub(super) fn pong(now: Moment) -> String {
    json!({ "type": "pong", "time": now.wall.as_second(), "timestamp": time_text(now.wall) }).to_string()
}

/// A `call.end` made by the server; `from` is the other participant (IM-Suite §3).
pub(super) fn end(
    now: Moment,
    call: &CallId,
    (from, to): (UserId, UserId),
    reason: EndReason,
    detail: Option<&str>,
    duration: u64,
) -> String {
    let mut payload = json!({
        "call_id": call.as_str(),
        "from_user": from.as_u64(),
        "to_user": to.as_u64(),
        "reason": reason.as_str(),
        "duration": duration,
        "ended_at": time_text(now.wall),
        "by": "server",
    });
    if let Some(detail) = detail {
        payload["detail"] = detail.into();
    }
    server_text(now, "call.end", payload)
}

/// The `call.error` that answers a refused message. `from` is the other participant of a call known to the sender, else
/// `None` (IM-Suite §16.11).
pub(super) fn error(
    now: Moment,
    to: UserId,
    from: Option<UserId>,
    about: Option<&Reference>,
    refusal: &Refusal,
    fatal: bool,
) -> String {
    let mut details = Map::new();
    details.insert("code".into(), refusal.code.as_str().into());
    details.insert("reason".into(), refusal.code.reason().into());
    details.insert("fatal".into(), fatal.into());
    if let Some(field) = &refusal.field {
        details.insert("field".into(), field.as_str().into());
    }
    if let Some(winner) = &refusal.winner {
        details.insert("call_id_winner".into(), winner.as_str().into());
    }
    if let Some(wait) = refusal.retry_after {
        details.insert("retry_after_ms".into(), whole_milliseconds(wait).into());
    }
    let mut payload = json!({
        "to_user": to.as_u64(),
        "by": "server",
        "error_code": "SIGNALING_ERROR",
        "error_message": "信令处理失败",
    });
    if let Some(from) = from {
        payload["from_user"] = from.as_u64().into();
    }
    if let Some(about) = about {
        details.insert("type".into(), about.name.as_str().into());
        if let Some(id) = &about.id {
            details.insert("ref".into(), id.as_str().into());
        }
        if let Some(call) = &about.call {
            payload["call_id"] = call.as_str().into();
        }
    }
    payload["details"] = Value::Object(details);
    server_text(now, "call.error", payload)
}
