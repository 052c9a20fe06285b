//! The messages as they travel: flat objects of texts, told apart by `class` and `method`.
//!
//! Numbers are taken as texts, empty texts count as missing, and what is not read here is kept in `extra`.

use super::lenient;
use crate::Secret;
use serde_json::{Value, json};

/// A JSON object.
pub type Map = serde_json::Map<String, Value>;

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("not an object")]
    NotAnObject,
    #[error("field {0} is missing, empty or not a text")]
    Missing(&'static str),
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub transaction_id: String,
    pub body: Body,
    /// `sender`, the own field `ahoy`, and what nobody here knows.
    pub extra: Map,
}

/// What a message says, by its `class` and `method`.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Without a room the server makes one.
    Register {
        room_id: Option<String>,
    },
    Registered {
        room_id: String,
        ice_servers: Vec<IceServer>,
    },
    Unregister {
        room_id: String,
    },
    Unregistered {
        room_id: String,
    },
    Call(Call),
    CallAccepted(Answer),
    Candidate(Candidate),
    Bye(Bye),
    Rejected(Rejected),
    /// Any other pair of class and method, known to nobody here.
    Other {
        class: String,
        method: String,
    },
}

/// Which call: the callee's room, and the caller's name for the call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tour {
    pub guest_id: String,
    pub room_id: String,
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    pub vhost: String,
    pub app: String,
    pub stream: String,
}

/// `request call`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub tour: Tour,
    pub stream: Stream,
    /// `play`, `push`, or any other word that the two sides agree on.
    pub kind: String,
    pub sdp: String,
}

/// `accept call`. The server asks for no `sdp` here; without one it is no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub tour: Tour,
    pub stream: Stream,
    pub kind: Option<String>,
    pub sdp: Option<String>,
}

/// `indication candidate`.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub tour: Tour,
    /// With or without the `candidate:` prefix.
    pub candidate: String,
    /// The sender's own ICE credentials.
    pub ufrag: String,
    pub pwd: Secret,
}

/// `indication bye`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bye {
    pub tour: Tour,
    pub reason: Option<String>,
}

/// Any `reject`; which fields there are depends on what was rejected, and by whom.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rejected {
    /// Missing in the server's answer to an `accept` before a register.
    pub method: Option<String>,
    pub room_id: Option<String>,
    pub guest_id: Option<String>,
    pub stream: Option<Stream>,
    pub kind: Option<String>,
    pub reason: Option<String>,
}

/// One of `ice_servers`; `ufrag` and `pwd` are name and password for TURN.
#[derive(Debug, Clone, PartialEq)]
pub struct IceServer {
    pub url: String,
    pub ufrag: String,
    pub pwd: Secret,
}

impl Message {
    pub fn new(transaction_id: impl Into<String>, body: Body) -> Self {
        Self {
            transaction_id: transaction_id.into(),
            body,
            extra: Map::new(),
        }
    }

    /// Reads one message of a server or a peer, with the commas of the protocol document if need be.
    pub fn read(text: &str) -> Result<Self, WireError> {
        let value = lenient::read(text).map_err(|error| WireError::NotJson(error.to_string()))?;
        Self::from_value(value)
    }

    /// Reads one message as a server does: what is not JSON is nothing.
    pub fn read_strictly(text: &str) -> Result<Self, WireError> {
        let value = serde_json::from_str(text).map_err(|error| WireError::NotJson(error.to_string()))?;
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Result<Self, WireError> {
        let Value::Object(map) = value else {
            return Err(WireError::NotAnObject);
        };
        let mut fields = Fields(map);
        let class = fields.required("class")?;
        let method = fields.optional("method");
        let transaction_id = fields.required("transaction_id")?;
        let body = match (class.as_str(), method.as_deref()) {
            ("reject", _) => Body::Rejected(fields.rejected(method)),
            (_, None) => return Err(WireError::Missing("method")),
            ("request", Some("register")) => Body::Register {
                room_id: fields.optional("room_id"),
            },
            ("accept", Some("register")) => Body::Registered {
                room_id: fields.required("room_id")?,
                ice_servers: fields.ice_servers(),
            },
            ("request", Some("unregister")) => Body::Unregister {
                room_id: fields.required("room_id")?,
            },
            ("accept", Some("unregister")) => Body::Unregistered {
                room_id: fields.required("room_id")?,
            },
            ("request", Some("call")) => Body::Call(Call {
                tour: fields.tour()?,
                stream: fields.stream()?,
                kind: fields.required("type")?,
                sdp: fields.required("sdp")?,
            }),
            ("accept", Some("call")) => Body::CallAccepted(Answer {
                tour: fields.tour()?,
                stream: fields.stream()?,
                kind: fields.optional("type"),
                sdp: fields.optional("sdp"),
            }),
            ("indication", Some("candidate")) => Body::Candidate(Candidate {
                tour: fields.tour()?,
                candidate: fields.required("candidate")?,
                ufrag: fields.required("ufrag")?,
                pwd: Secret::new(fields.required("pwd")?),
            }),
            ("indication", Some("bye")) => Body::Bye(Bye {
                tour: fields.tour()?,
                reason: fields.optional("reason"),
            }),
            (_, Some(method)) => Body::Other {
                method: method.to_owned(),
                class,
            },
        };
        Ok(Self {
            transaction_id,
            body,
            extra: fields.0,
        })
    }

    /// The message as a JSON value.
    pub fn to_value(&self) -> Value {
        let mut map = self.extra.clone();
        let mut put = |name: &str, text: &str| {
            map.insert(name.to_owned(), text.into());
        };
        let (class, method) = self.body.class_and_method();
        put("class", class);
        if let Some(method) = method {
            put("method", method);
        }
        put("transaction_id", &self.transaction_id);
        for (name, text) in self.body.texts() {
            put(name, text);
        }
        if let Body::Registered { ice_servers, .. } = &self.body {
            let servers = ice_servers.iter().map(
                |server| json!({ "url": server.url, "ufrag": server.ufrag, "pwd": server.pwd.expose() }),
            );
            map.insert("ice_servers".to_owned(), servers.collect());
        }
        Value::Object(map)
    }

    /// The message as it is sent.
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }
}

impl Body {
    /// The two words that tell messages apart.
    pub fn class_and_method(&self) -> (&str, Option<&str>) {
        match self {
            Body::Register { .. } => ("request", Some("register")),
            Body::Registered { .. } => ("accept", Some("register")),
            Body::Unregister { .. } => ("request", Some("unregister")),
            Body::Unregistered { .. } => ("accept", Some("unregister")),
            Body::Call(_) => ("request", Some("call")),
            Body::CallAccepted(_) => ("accept", Some("call")),
            Body::Candidate(_) => ("indication", Some("candidate")),
            Body::Bye(_) => ("indication", Some("bye")),
            Body::Rejected(rejected) => ("reject", rejected.method.as_deref()),
            Body::Other { class, method } => (class, Some(method)),
        }
    }

    /// The texts beside class, method and transaction.
    fn texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Body::Register { room_id } => some("room_id", room_id).collect(),
            Body::Registered { room_id, .. }
            | Body::Unregister { room_id }
            | Body::Unregistered { room_id } => vec![("room_id", room_id)],
            Body::Call(call) => tour(&call.tour)
                .into_iter()
                .chain(stream(&call.stream))
                .chain([("type", call.kind.as_str()), ("sdp", &call.sdp)])
                .collect(),
            Body::CallAccepted(answer) => tour(&answer.tour)
                .into_iter()
                .chain(stream(&answer.stream))
                .chain(some("type", &answer.kind))
                .chain(some("sdp", &answer.sdp))
                .collect(),
            Body::Candidate(candidate) => tour(&candidate.tour)
                .into_iter()
                .chain([
                    ("candidate", candidate.candidate.as_str()),
                    ("ufrag", &candidate.ufrag),
                    ("pwd", candidate.pwd.expose()),
                ])
                .collect(),
            Body::Bye(bye) => tour(&bye.tour)
                .into_iter()
                .chain(some("reason", &bye.reason))
                .collect(),
            Body::Rejected(rejected) => some("room_id", &rejected.room_id)
                .chain(some("guest_id", &rejected.guest_id))
                .chain(rejected.stream.iter().flat_map(stream))
                .chain(some("type", &rejected.kind))
                .chain(some("reason", &rejected.reason))
                .collect(),
            Body::Other { .. } => Vec::new(),
        }
    }
}

fn some<'a>(name: &'static str, text: &'a Option<String>) -> impl Iterator<Item = (&'static str, &'a str)> {
    text.iter().map(move |text| (name, text.as_str()))
}

fn tour(tour: &Tour) -> [(&'static str, &str); 2] {
    [("guest_id", &tour.guest_id), ("room_id", &tour.room_id)]
}

fn stream(stream: &Stream) -> [(&'static str, &str); 3] {
    [
        ("vhost", &stream.vhost),
        ("app", &stream.app),
        ("stream", &stream.stream),
    ]
}

/// The fields of a message that were not read yet.
struct Fields(Map);

impl Fields {
    /// A text that is not empty, or a number as a text.
    fn optional(&mut self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => return None,
        };
        self.0.remove(name);
        Some(text).filter(|text| !text.is_empty())
    }

    fn required(&mut self, name: &'static str) -> Result<String, WireError> {
        self.optional(name).ok_or(WireError::Missing(name))
    }

    fn tour(&mut self) -> Result<Tour, WireError> {
        Ok(Tour {
            guest_id: self.required("guest_id")?,
            room_id: self.required("room_id")?,
        })
    }

    fn stream(&mut self) -> Result<Stream, WireError> {
        Ok(Stream {
            vhost: self.required("vhost")?,
            app: self.required("app")?,
            stream: self.required("stream")?,
        })
    }

    fn rejected(&mut self, method: Option<String>) -> Rejected {
        Rejected {
            method,
            room_id: self.optional("room_id"),
            guest_id: self.optional("guest_id"),
            stream: self.stream().ok(),
            kind: self.optional("type"),
            reason: self.optional("reason"),
        }
    }

    /// Entries without an address are left out.
    fn ice_servers(&mut self) -> Vec<IceServer> {
        let Some(Value::Array(entries)) = self.0.remove("ice_servers") else {
            return Vec::new();
        };
        let read = |entry| {
            let Value::Object(map) = entry else { return None };
            let mut fields = Fields(map);
            Some(IceServer {
                url: fields.optional("url")?,
                ufrag: fields.optional("ufrag").unwrap_or_default(),
                pwd: Secret::new(fields.optional("pwd").unwrap_or_default()),
            })
        };
        entries.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_texts_and_empty_texts_are_missing() {
        let read = |value: Value| Message::from_value(value);
        let message =
            read(json!({"class": "request", "method": "register", "transaction_id": 7, "room_id": 42}))
                .expect("a message");
        assert_eq!(message.transaction_id, "7");
        assert_eq!(
            message.body,
            Body::Register {
                room_id: Some("42".to_owned())
            }
        );
        let without = |name: &'static str| Err(WireError::Missing(name));
        assert_eq!(
            read(json!({"class": "request", "method": "register", "transaction_id": ""})),
            without("transaction_id")
        );
        assert_eq!(
            read(json!({"class": "indication", "method": "bye", "transaction_id": "t", "guest_id": "g"})),
            without("room_id")
        );
        assert_eq!(
            read(json!({"method": "bye", "transaction_id": "t"})),
            without("class")
        );
        assert_eq!(
            read(json!({"class": "accept", "transaction_id": "t"})),
            without("method")
        );
        assert_eq!(read(json!([])), Err(WireError::NotAnObject));
    }

    #[test]
    fn a_rejection_is_read_whatever_it_lacks() {
        let text =
            r#"{"class":"reject","transaction_id":"t","room_id":"r","reason":"should register first"}"#;
        let message = Message::read(text).expect("a message");
        let Body::Rejected(rejected) = &message.body else {
            panic!("{message:?}");
        };
        assert_eq!(
            (rejected.method.as_deref(), rejected.guest_id.as_deref()),
            (None, None)
        );
        assert_eq!(
            serde_json::from_str::<Value>(text).expect("json"),
            message.to_value()
        );
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let text = r#"{"class":"indication","method":"candidate","transaction_id":"t","guest_id":"g","room_id":"r",
            "candidate":"c","ufrag":"u","pwd":"hunter2"}"#;
        assert!(!format!("{:?}", Message::read(text).expect("a message")).contains("hunter2"));
    }
}
