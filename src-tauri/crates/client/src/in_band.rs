//! The end of a call as it is told over the connection itself, when signaling is down. Pure.
//!
//! The words are those of `call.end` (IM-Suite §4.4, §6); nothing else is understood.

use ahoy_call::{CallId, EndDetail, EndReason, PeerInput};
use serde_json::{Value, json};

const KIND: &str = "call.end";

pub(crate) fn end(call: &CallId, reason: EndReason, detail: Option<&EndDetail>) -> String {
    let mut message = json!({ "type": KIND, "call_id": call.as_str(), "reason": reason.as_str() });
    if let Some(detail) = detail {
        message["detail"] = json!(detail.as_str());
    }
    message.to_string()
}

/// What the other side said about `call`; `None` for anything but its end.
pub(crate) fn read(call: &CallId, text: &str) -> Option<PeerInput> {
    let message: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| message.get(name).and_then(Value::as_str);
    let about_this = word("type") == Some(KIND) && word("call_id") == Some(call.as_str());
    about_this.then(|| PeerInput::RemoteEnd {
        reason: EndReason::from_word(word("reason").unwrap_or_default()),
        detail: word("detail").map(EndDetail::from_word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_this_call_is_understood() {
        let call = CallId::new("call_1").expect("an id");
        let text = end(&call, EndReason::NetworkError, Some(&EndDetail::IceFailed));
        let told = PeerInput::RemoteEnd {
            reason: EndReason::NetworkError,
            detail: Some(EndDetail::IceFailed),
        };
        assert_eq!(read(&call, &text), Some(told));
        let hung_up = end(&call, EndReason::UserHangup, None);
        assert_eq!(
            hung_up,
            r#"{"call_id":"call_1","reason":"user_hangup","type":"call.end"}"#
        );
        let other = CallId::new("call_2").expect("an id");
        for text in [
            end(&other, EndReason::UserHangup, None).as_str(),
            r#"{"type":"call.answer","call_id":"call_1"}"#,
            r#"{"call_id":"call_1"}"#,
            "[]",
            "call.end",
            "",
        ] {
            assert_eq!(read(&call, text), None, "{text}");
        }
    }
}
