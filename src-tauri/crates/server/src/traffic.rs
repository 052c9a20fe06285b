//! What messages and records are counted as. Pure.

use crate::switchboard::{CallRecord, CallStatus};
use ahoy_call::CallId;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashSet;

/// The types that are counted by name: whoever sends others shall not make the metrics grow.
const KINDS: [&str; 8] = [
    "call.offer",
    "call.answer",
    "call.ice",
    "call.end",
    "call.status",
    "call.error",
    "call.renegotiate",
    "ping",
];
const OTHER: &str = "other";
const UNREADABLE: &str = "unreadable";

/// The type of a message from a client, as it is counted.
pub(crate) fn kind(text: &str) -> &'static str {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "type", borrow)]
        name: Cow<'a, str>,
    }
    match serde_json::from_str::<Envelope<'_>>(text) {
        Ok(envelope) => known(&envelope.name),
        Err(_) => UNREADABLE,
    }
}

fn known(name: &str) -> &'static str {
    KINDS.into_iter().find(|kind| *kind == name).unwrap_or(OTHER)
}

/// What the server refused, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: &'static str,
    /// One of IM-Suite §8: only the server makes these.
    pub(crate) code: String,
}

/// Reads a message to a client; `None` unless it is an error by the server.
pub(crate) fn refusal(text: &str) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Envelope {
        r#type: String,
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        by: Option<String>,
        details: Details,
    }
    #[derive(Deserialize)]
    struct Details {
        code: String,
        r#type: Option<String>,
    }
    // Nearly every message is something else, and is not to be parsed for this.
    if !text.contains("\"call.error\"") {
        return None;
    }
    let Envelope { r#type, payload } = serde_json::from_str(text).ok()?;
    let is_ours = r#type == "call.error" && payload.by.as_deref() == Some("server");
    is_ours.then(|| Refusal {
        kind: payload.details.r#type.as_deref().map_or(UNREADABLE, known),
        code: payload.details.code,
    })
}

/// The calls that go on, as their records tell.
#[derive(Debug, Default)]
pub(crate) struct OpenCalls {
    ringing: HashSet<CallId>,
    active: HashSet<CallId>,
}

impl OpenCalls {
    pub(crate) fn take(&mut self, record: &CallRecord) {
        let id = &record.call_id;
        self.ringing.remove(id);
        self.active.remove(id);
        match record.status {
            CallStatus::Pending => _ = self.ringing.insert(id.clone()),
            CallStatus::Answered => _ = self.active.insert(id.clone()),
            CallStatus::Rejected | CallStatus::Ended | CallStatus::Missed => {}
        }
    }

    pub(crate) fn ringing(&self) -> usize {
        self.ringing.len()
    }

    pub(crate) fn active(&self) -> usize {
        self.active.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switchboard::CallType;
    use ahoy_call::UserId;
    use jiff::Timestamp;

    #[test]
    fn messages_are_counted_by_a_bounded_set_of_names() {
        for (text, expected) in [
            (
                r#"{"payload":{"sdp":{"type":"offer"}},"type":"call.offer"}"#,
                "call.offer",
            ),
            (r#"{"type":"ping"}"#, "ping"),
            (r#"{"type":"call.\u006fffer"}"#, "call.offer"),
            (r#"{"type":"call.x"}"#, "other"),
            (r#"{"type":1}"#, "unreadable"),
            ("{", "unreadable"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn only_errors_by_the_server_are_refusals() {
        let error = |by: &str, details: &str| {
            format!(r#"{{"type":"call.error","payload":{{{by}"details":{details}}}}}"#)
        };
        let by_server = r#""by":"server","#;
        let details = r#"{"code":"bad_sdp","type":"call.offer"}"#;
        assert_eq!(
            refusal(&error(by_server, details)),
            Some(Refusal {
                kind: "call.offer",
                code: "bad_sdp".into()
            })
        );
        assert_eq!(refusal(&error("", details)), None, "from the other side");
        assert_eq!(
            refusal(r#"{"type":"call.end","payload":{"x":"call.error"}}"#),
            None
        );
        let unread = refusal(&error(by_server, r#"{"code":"bad_message"}"#)).unwrap();
        assert_eq!(unread.kind, "unreadable");
    }

    #[test]
    fn a_call_is_counted_where_its_last_record_puts_it() {
        let mut calls = OpenCalls::default();
        let mut record = CallRecord {
            call_id: CallId::new("a").unwrap(),
            from_user: UserId::new(1).unwrap(),
            to_user: UserId::new(2).unwrap(),
            call_type: CallType::Audio,
            status: CallStatus::Pending,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            duration: 0,
            reason: None,
        };
        for (status, expected) in [
            (CallStatus::Pending, (1, 0)),
            (CallStatus::Pending, (1, 0)),
            (CallStatus::Answered, (0, 1)),
            (CallStatus::Ended, (0, 0)),
            (CallStatus::Missed, (0, 0)),
        ] {
            record.status = status;
            calls.take(&record);
            assert_eq!((calls.ringing(), calls.active()), expected, "{status:?}");
        }
    }
}
