//! Recognises a `call.*` message that a server without calls sends back in an `echo` (§13). The echo's form is not
//! specified, so the message is looked for anywhere in it, even as text.

use ahoy_call::CallId;
use serde_json::Value;

/// How deep the echoed message is looked for: envelope, wrapper, text, message, payload, call id.
const DEPTH: usize = 6;

/// `None`: no `call.*` is in it. `Some(None)`: one is, but its call id is not readable.
pub(super) fn echoed_call(echo: &Value) -> Option<Option<CallId>> {
    find(echo, DEPTH)
}

fn find(value: &Value, depth: usize) -> Option<Option<CallId>> {
    let deeper = depth.checked_sub(1)?;
    match value {
        Value::Object(map) => {
            let is_call = |kind: &Value| kind.as_str().is_some_and(|kind| kind.starts_with("call."));
            if map.get("type").is_some_and(is_call) {
                return Some(call_id(value, deeper));
            }
            if map.contains_key("call_id") {
                return Some(call_id(value, 1));
            }
            map.values().find_map(|inner| find(inner, deeper))
        }
        Value::String(text) if text.trim_start().starts_with('{') => {
            find(&serde_json::from_str(text).ok()?, deeper)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn call_id(value: &Value, depth: usize) -> Option<CallId> {
    let deeper = depth.checked_sub(1)?;
    let map = value.as_object()?;
    match map.get("call_id").and_then(Value::as_str) {
        Some(text) => CallId::new(text).ok(),
        None => map.values().find_map(|inner| call_id(inner, deeper)),
    }
}
