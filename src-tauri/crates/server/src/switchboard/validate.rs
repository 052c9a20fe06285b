//! Field types of `call.*` messages from clients (IM-Suite §4), the second check of §3.

use super::message::{Kind, Message};
use super::refusal::{Code, Refusal};
use ahoy_call::{CallId, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Bytes of a session description (IM-Suite §4.1).
const MAX_SDP: usize = 65_536;
/// Candidates inside an offer or answer (IM-Suite §4.1).
const MAX_CANDIDATES: usize = 64;
/// Bytes of one candidate (IM-Suite §4.1).
const MAX_CANDIDATE: usize = 1024;

type Checked = Result<(), Refusal>;

/// Checks envelope and payload; the refusal names the first field that is wrong.
pub(super) fn message(message: &Message) -> Checked {
    if !message.has_payload {
        return bad("payload");
    }
    match message.envelope.get("timestamp") {
        Some(Value::String(text)) if text.ends_with('Z') && text.parse::<Timestamp>().is_ok() => {}
        Some(_) | None => return bad("timestamp"),
    }
    match message.envelope.get("id") {
        Some(Value::String(id)) if (1..=64).contains(&id.len()) => {}
        None => {}
        Some(_) => return bad("id"),
    }
    let payload = &message.payload;
    match payload.get("call_id") {
        Some(Value::String(id)) if CallId::new(id.as_str()).is_ok() => {}
        None if message.kind == Kind::Error => {}
        Some(_) | None => return bad("call_id"),
    }
    optional(payload, "from_user", is_user)?;
    optional(payload, "to_user", is_user)?;
    match message.kind {
        Kind::Offer => {
            required(payload, "call_type", is_call_type)?;
            description(payload, "offer")?;
            candidates(payload)?;
            optional(payload, "constraints", Value::is_object)?;
            optional(payload, "negotiation", Value::is_u64)
        }
        Kind::Answer => {
            description(payload, "answer")?;
            candidates(payload)?;
            optional(payload, "constraints", Value::is_object)?;
            optional(payload, "negotiation", Value::is_u64)
        }
        Kind::Ice => match payload.get("ice_candidate") {
            Some(Value::Null) => Ok(()),
            Some(value) => candidate(value, "ice_candidate"),
            None => bad("ice_candidate"),
        },
        Kind::End => {
            required(payload, "reason", Value::is_string)?;
            optional(payload, "detail", Value::is_string)
        }
        Kind::Status => {
            required(payload, "status", Value::is_string)?;
            optional(payload, "audio_quality", Value::is_string)?;
            optional(payload, "video_quality", Value::is_string)?;
            optional(payload, "network_stats", Value::is_object)?;
            if let Some(Value::Object(stats)) = payload.get("network_stats") {
                for name in ["packet_loss", "jitter", "rtt"] {
                    if stats.get(name).is_some_and(|value| !value.is_number()) {
                        return bad(format!("network_stats.{name}"));
                    }
                }
            }
            optional(payload, "media", Value::is_object)
        }
        Kind::Error => {
            required(payload, "error_code", Value::is_string)?;
            required(payload, "error_message", Value::is_string)?;
            optional(payload, "details", Value::is_object)
        }
        Kind::Renegotiate => {
            required(payload, "reason", |v| {
                matches!(v.as_str(), Some("ice_restart" | "media" | "network"))
            })?;
            optional(payload, "call_type", is_call_type)
        }
        Kind::Other => Ok(()),
    }
}

fn description(payload: &Map<String, Value>, kind: &str) -> Checked {
    let Some(Value::Object(description)) = payload.get("sdp") else {
        return bad("sdp");
    };
    if description.get("type").and_then(Value::as_str) != Some(kind) {
        return bad("sdp.type");
    }
    match description.get("sdp") {
        Some(Value::String(sdp)) if is_dtls_srtp(sdp) => Ok(()),
        Some(Value::String(_)) => Err(Refusal::field(Code::BadSdp, "sdp.sdp")),
        Some(_) | None => bad("sdp.sdp"),
    }
}

fn is_dtls_srtp(sdp: &str) -> bool {
    let has = |start: &str| sdp.lines().any(|line| line.starts_with(start));
    sdp.len() <= MAX_SDP
        && sdp.starts_with("v=0")
        && has("m=")
        && has("a=fingerprint:")
        && has("a=ice-ufrag:")
}

fn candidates(payload: &Map<String, Value>) -> Checked {
    match payload.get("ice_candidates") {
        None => Ok(()),
        Some(Value::Array(list)) if list.len() <= MAX_CANDIDATES => list
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| candidate(value, &format!("ice_candidates.{index}"))),
        Some(_) => bad("ice_candidates"),
    }
}

fn candidate(value: &Value, path: &str) -> Checked {
    let Value::Object(fields) = value else {
        return bad(path);
    };
    let text = match fields.get("candidate") {
        Some(Value::String(text)) if text.len() <= MAX_CANDIDATE => text,
        Some(_) | None => return bad(format!("{path}.candidate")),
    };
    let index = match fields.get("sdpMLineIndex") {
        Some(Value::Null) | None => false,
        Some(value) if value.as_u64().is_some_and(|index| index <= u64::from(u16::MAX)) => true,
        Some(_) => return bad(format!("{path}.sdpMLineIndex")),
    };
    let mid = match fields.get("sdpMid") {
        Some(Value::Null) | None => false,
        Some(Value::String(_)) => true,
        Some(_) => return bad(format!("{path}.sdpMid")),
    };
    match fields.get("usernameFragment") {
        Some(Value::Null | Value::String(_)) | None => {}
        Some(_) => return bad(format!("{path}.usernameFragment")),
    }
    // An empty candidate is the end of candidates and may belong to all media (IM-Suite §4.3).
    if index || mid || text.is_empty() {
        Ok(())
    } else {
        bad(format!("{path}.sdpMid"))
    }
}

fn is_user(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| UserId::new(number).is_ok())
}

fn is_call_type(value: &Value) -> bool {
    matches!(value.as_str(), Some("audio" | "video"))
}

fn required(payload: &Map<String, Value>, name: &str, is_right: impl Fn(&Value) -> bool) -> Checked {
    if payload.get(name).is_some_and(is_right) {
        Ok(())
    } else {
        bad(name)
    }
}

fn optional(payload: &Map<String, Value>, name: &str, is_right: impl Fn(&Value) -> bool) -> Checked {
    if payload.get(name).is_none_or(is_right) {
        Ok(())
    } else {
        bad(name)
    }
}

fn bad(path: impl Into<String>) -> Checked {
    Err(Refusal::field(Code::BadMessage, path))
}
