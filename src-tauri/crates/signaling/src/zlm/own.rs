//! What two copies of Ahoy, or Ahoy and its own server, tell each other beside the protocol: the field `ahoy`.
//!
//! Servers relay unknown fields untouched and other clients do not look at them. What has no message of its own (ringing,
//! reports, re-offers of the callee) rides on a candidate that is none; it goes only to who has shown this field.

use super::wire::Map;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the field.
pub const FIELD: &str = "ahoy";
/// What stands for candidate, ufrag and pwd in a message that carries none; the server wants them not to be empty.
pub const NOTHING: &str = "-";

/// The field `ahoy`. Any part may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// The number of the offer or answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<u32>,
    /// A call that goes on, said again so that the server knows the way after a loss; its descriptions change nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resume: bool,
    /// What the sender wishes to receive, in the words of IM-Suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Value>,
    /// Why a call ended, in the words of IM-Suite; a bye without it was made by a server or by another client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<Say>,
    /// Of a register: tells the server to tell of the other rooms.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// Of a register: what the server wants to be told by everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_secret: Option<String>,
    /// Of the server: seconds for which the credentials of its relay hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Of the server: more addresses of the relay than other clients expect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relay_urls: Vec<String>,
    /// Of the server: the other rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Vec<Room>>,
}

/// What has no message of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    Ringing,
    /// A `call.status` of IM-Suite.
    Report(Value),
    /// Asks for a re-offer.
    Renegotiate {
        ice_restart: bool,
        video: Option<bool>,
    },
    /// A re-offer of the callee, who cannot call.
    Offer {
        sdp: String,
    },
    /// The answer to that.
    Answer {
        sdp: String,
    },
}

/// One room of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    pub room_id: String,
    /// It calls or is called.
    #[serde(default)]
    pub busy: bool,
}

impl Own {
    /// The field in what a message has beside its known ones; one that cannot be read still shows who sent it.
    pub fn of(extra: &Map) -> Option<Self> {
        let value = extra.get(FIELD)?;
        Some(serde_json::from_value(value.clone()).unwrap_or_default())
    }

    /// What a message has with this field in it.
    pub fn into_extra(self) -> Map {
        let value = serde_json::to_value(self).expect("texts and numbers make JSON");
        Map::from_iter([(FIELD.to_owned(), value)])
    }
}
