//! `call.offer`, `call.answer`, `call.ice`, `call.end` and `call.renegotiate` (§4).

use super::constraints::Constraints;
use super::fields::{Fields, FromFields, FromJson, Map, WireError, call_id, mistyped, some_user_id};
use ahoy_call::{CallId, UserId};
use serde::Serialize;
use serde_json::Value;

/// `call_type`: what a call is, or becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallType {
    Audio,
    Video,
}

/// The side of the exchange a session description takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SdpType {
    Offer,
    Answer,
}

/// A session description with its type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sdp {
    #[serde(rename = "type")]
    pub kind: SdpType,
    pub sdp: String,
    #[serde(flatten)]
    pub extra: Map,
}

/// An ICE candidate (§4.1).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    pub candidate: String,
    #[serde(rename = "sdpMLineIndex", skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// Who calls, for display (§4.1).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caller {
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.offer` (§4.1).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallOffer {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    pub call_type: CallType,
    pub sdp: Sdp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_candidates: Option<Vec<Candidate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// 0 for the first offer, +1 for each re-offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<u32>,
    /// Seconds of ringing left; from the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// From the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.answer` (§4.2).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallAnswer {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    pub sdp: Sdp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_candidates: Option<Vec<Candidate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<u32>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.ice` (§4.3).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallIce {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    /// `None` travels as null and ends the candidates.
    pub ice_candidate: Option<Candidate>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.end` (§4.4). Unknown words of `reason` and `detail` are legal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallEnd {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    pub reason: String,
    /// Seconds from answer to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `call.renegotiate` (§4.7).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRenegotiate {
    #[serde(serialize_with = "call_id")]
    pub call_id: CallId,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserId>,
    #[serde(serialize_with = "some_user_id", skip_serializing_if = "Option::is_none")]
    pub to_user: Option<UserId>,
    /// `ice_restart`, `media` or `network`.
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<CallType>,
    #[serde(flatten)]
    pub extra: Map,
}

impl FromFields for CallOffer {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            call_type: fields.required("call_type")?,
            sdp: sdp(fields, SdpType::Offer)?,
            ice_candidates: fields.optional("ice_candidates")?,
            constraints: fields.optional("constraints")?,
            created_at: fields.lenient("created_at"),
            negotiation: fields.optional("negotiation")?,
            expires_in: fields.lenient("expires_in"),
            caller: fields.lenient("caller"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for CallAnswer {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            sdp: sdp(fields, SdpType::Answer)?,
            ice_candidates: fields.optional("ice_candidates")?,
            constraints: fields.optional("constraints")?,
            answered_at: fields.lenient("answered_at"),
            negotiation: fields.optional("negotiation")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for CallIce {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            ice_candidate: trickled(fields)?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for CallEnd {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            reason: fields.required("reason")?,
            duration: fields.lenient("duration"),
            ended_at: fields.lenient("ended_at"),
            detail: fields.lenient("detail"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for CallRenegotiate {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            call_id: fields.required("call_id")?,
            from_user: fields.optional_or("from_user", "from_user_id")?,
            to_user: fields.optional_or("to_user", "to_user_id")?,
            reason: fields.required("reason")?,
            call_type: fields.optional("call_type")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for Candidate {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            candidate: fields.required("candidate")?,
            sdp_m_line_index: fields.optional("sdpMLineIndex")?,
            sdp_mid: fields.optional("sdpMid")?,
            username_fragment: fields.optional("usernameFragment")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for Caller {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            id: fields.lenient("id"),
            username: fields.lenient("username"),
            nickname: fields.lenient("nickname"),
            avatar: fields.lenient("avatar"),
            extra: fields.rest(),
        })
    }
}

impl FromJson for CallType {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        match value.as_str() {
            Some("audio") => Ok(CallType::Audio),
            Some("video") => Ok(CallType::Video),
            _ => Err(mistyped(path, "\"audio\" or \"video\"")),
        }
    }
}

/// Takes `sdp` as an object, or as plain text whose type the message tells (§13).
fn sdp(fields: &mut Fields, expected: SdpType) -> Result<Sdp, WireError> {
    let (kind, text, extra) = match fields.take("sdp") {
        None | Some(Value::Null) => return Err(WireError::Missing(fields.path("sdp"))),
        Some(Value::String(text)) => (None, text, Map::new()),
        Some(value) => {
            let SdpObject { kind, sdp, extra } = SdpObject::from_json(value, &fields.path("sdp"))?;
            (kind, sdp, extra)
        }
    };
    let named = match expected {
        SdpType::Offer => "offer",
        SdpType::Answer => "answer",
    };
    if kind.is_some_and(|kind| kind != named) {
        let right = match expected {
            SdpType::Offer => "\"offer\"",
            SdpType::Answer => "\"answer\"",
        };
        return Err(mistyped(&fields.path("sdp.type"), right));
    }
    Ok(Sdp {
        kind: expected,
        sdp: text,
        extra,
    })
}

struct SdpObject {
    kind: Option<String>,
    sdp: String,
    extra: Map,
}

impl FromFields for SdpObject {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            kind: fields.optional("type")?,
            sdp: fields.required("sdp")?,
            extra: fields.rest(),
        })
    }
}

/// Takes `ice_candidate`, or `candidate` as an object or as text with its section beside it (§13).
fn trickled(fields: &mut Fields) -> Result<Option<Candidate>, WireError> {
    let (name, value) = match fields.take("ice_candidate") {
        Some(value) => ("ice_candidate", value),
        None => match fields.take("candidate") {
            Some(value) => ("candidate", value),
            None => return Err(WireError::Missing(fields.path("ice_candidate"))),
        },
    };
    match value {
        Value::Null => Ok(None),
        Value::String(candidate) => {
            let sdp_mid = fields.optional("sdpMid")?;
            let sdp_m_line_index = fields.optional("sdpMLineIndex")?;
            Ok(Some(Candidate {
                candidate,
                // Everything is bundled into the first section, so a candidate without any section means that one.
                sdp_m_line_index: sdp_m_line_index.or(sdp_mid.is_none().then_some(0)),
                sdp_mid,
                username_fragment: fields.optional("usernameFragment")?,
                extra: Map::new(),
            }))
        }
        value => Candidate::from_json(value, &fields.path(name)).map(Some),
    }
}
