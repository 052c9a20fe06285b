//! Reading IM-Suite messages: lenient where the specification says so, precise about what is wrong, and never a panic.

use ahoy_signaling::im_suite::wire::{Constraints, Envelope, Message, WireError};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(value: Value) -> Result<Envelope, WireError> {
    Envelope::read(&value.to_string())
}

fn offer() -> Value {
    json!({"type": "call.offer", "timestamp": "2025-10-07T12:00:00Z", "payload": {
        "call_id": "c1", "from_user": 1, "to_user": 2, "call_type": "audio",
        "sdp": {"type": "offer", "sdp": "v=0\r\n"}, "ice_candidates": []}})
}

fn ice(fields: Value) -> Value {
    let mut payload = json!({"call_id": "c1"});
    for (name, value) in fields.as_object().expect("fields") {
        payload[name] = value.clone();
    }
    json!({"type": "call.ice", "payload": payload})
}

#[test]
fn an_error_names_the_field() {
    let cases = [
        ("/payload/call_id", json!(7), "call_id"),
        ("/payload/call_id", json!("a b"), "call_id"),
        ("/payload/from_user", json!("1"), "from_user"),
        ("/payload/to_user", json!(0), "to_user"),
        ("/payload/to_user", json!(1.5), "to_user"),
        ("/payload/call_type", json!("hologram"), "call_type"),
        ("/payload/sdp", json!(null), "sdp"),
        ("/payload/sdp/type", json!("answer"), "sdp.type"),
        ("/payload/sdp/sdp", json!([]), "sdp.sdp"),
        ("/payload/ice_candidates", json!({}), "ice_candidates"),
        (
            "/payload/ice_candidates",
            json!([{"candidate": 1}]),
            "ice_candidates.0.candidate",
        ),
        ("/payload", json!("text"), "payload"),
        ("/type", json!(1), "type"),
    ];
    for (pointer, wrong, field) in cases {
        let mut message = offer();
        *message.pointer_mut(pointer).expect(pointer) = wrong.clone();
        let error = read(message).expect_err(&format!("{pointer} = {wrong}"));
        assert_eq!(error.field(), Some(field), "{pointer} = {wrong}: {error}");
    }
}

#[test]
fn a_missing_field_is_named() {
    for field in ["call_id", "call_type", "sdp"] {
        let mut message = offer();
        message["payload"].as_object_mut().expect("payload").remove(field);
        assert_eq!(read(message), Err(WireError::Missing(field.to_owned())));
    }
    assert_eq!(
        read(json!({"type": "call.end"})),
        Err(WireError::Missing("payload".to_owned()))
    );
    assert_eq!(read(json!({})), Err(WireError::Missing("type".to_owned())));
}

#[test]
fn the_forms_of_older_clients_mean_the_same() {
    let mut old = offer();
    let mut payload = old["payload"].take();
    payload["sdp"] = "v=0\r\n".into();
    for name in ["from_user", "to_user"] {
        let user = payload
            .as_object_mut()
            .expect("payload")
            .remove(name)
            .expect(name);
        payload[format!("{name}_id")] = user;
    }
    let map = old.as_object_mut().expect("envelope");
    map.remove("payload");
    map.insert("data".to_owned(), payload);
    assert_eq!(read(old), read(offer()));
}

#[test]
fn a_candidate_may_be_an_object_or_text_under_either_name() {
    let full = json!({"candidate": "candidate:1 1 UDP 1 192.0.2.1 9 typ host", "sdpMLineIndex": 0});
    let expected = read(ice(json!({"ice_candidate": full})));
    assert!(expected.is_ok());
    assert_eq!(read(ice(json!({"candidate": full}))), expected);
    assert_eq!(read(ice(json!({"candidate": full["candidate"]}))), expected);
    let with_mid = read(ice(json!({"candidate": full["candidate"], "sdpMid": "1"}))).expect("with sdpMid");
    let Message::Ice(with_mid) = with_mid.message else {
        panic!("a candidate")
    };
    let candidate = with_mid.ice_candidate.expect("not the end");
    assert_eq!(
        (candidate.sdp_mid.as_deref(), candidate.sdp_m_line_index),
        (Some("1"), None)
    );
}

#[test]
fn the_end_of_candidates_travels_as_null() {
    let end = read(ice(json!({"ice_candidate": null}))).expect("null");
    assert_eq!(end.to_value()["payload"]["ice_candidate"], Value::Null);
    assert!(
        end.to_value()["payload"]
            .as_object()
            .expect("payload")
            .contains_key("ice_candidate")
    );
    assert_eq!(
        read(ice(json!({}))),
        Err(WireError::Missing("ice_candidate".to_owned()))
    );
}

#[test]
fn a_welcome_is_read_nested_flat_and_as_connect() {
    let fields = json!({"user_id": 7, "features": ["resume"], "ring_timeout": 20, "calls": []});
    let welcome = |message: Value| match read(message).expect("welcome").message {
        Message::Welcome(welcome) => welcome,
        other => panic!("{other:?}"),
    };
    let nested = welcome(json!({"type": "welcome", "payload": fields}));
    assert_eq!(
        (nested.user_id.map(|user| user.as_u64()), nested.ring_timeout),
        (Some(7), Some(20))
    );
    assert_eq!(nested.features, ["resume"]);
    let flat = welcome(json!({"type": "welcome", "user_id": 7, "features": ["resume"], "message": "hi"}));
    assert_eq!((flat.user_id, flat.features), (nested.user_id, nested.features));
    let connect = welcome(json!({"type": "connect", "data": fields}));
    assert_eq!(connect.user_id.map(|user| user.as_u64()), Some(7));
    assert!(connect.features.is_empty());
}

#[test]
fn nesting_ends_at_sixteen() {
    // The envelope and the payload are two.
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth - 2), "]".repeat(depth - 2));
    let text = |depth| format!(r#"{{"type":"x","payload":{{"a":{}}}}}"#, nested(depth));
    assert!(Envelope::read(&text(16)).is_ok());
    assert_eq!(Envelope::read(&text(17)), Err(WireError::TooDeep));
    assert!(Envelope::read(&"[".repeat(100_000)).is_err());
}

#[test]
fn malformed_constraints_never_cost_the_offer() {
    let odd =
        json!({"audio": 7, "video": {"frame_rate": "fast", "codecs": ["VP8", 9]}, "max_bandwidth": "all"});
    let mut message = offer();
    message["payload"]["constraints"] = odd.clone();
    let envelope = read(message).expect("an offer");
    assert_eq!(envelope.to_value()["payload"]["constraints"], odd);
}

/// Any JSON, with keys and words that the readers look for.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(
        &[
            "call_id",
            "from_user",
            "to_user",
            "sdp",
            "type",
            "offer",
            "answer",
            "candidate",
            "ice_candidate",
            "sdpMid",
            "ice_candidates",
            "constraints",
            "audio",
            "video",
            "resolution",
            "width",
            "height",
            "network",
            "features",
            "calls",
            "details",
            "code",
            "status",
            "connected",
            "network_stats",
            "media",
            "reason",
            "error_code",
            "call_type",
            "user_id",
            "is_online",
            "payload",
            "data",
            "call.offer",
            "video_params",
            "codecs",
            "sdpMLineIndex",
        ][..],
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        // Eighths are exact in text, which the reader does not promise for every fraction.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        ".{0,8}".prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..8).prop_map(|map| Value::Object(
                map.into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn garbage_text_is_an_error_and_never_a_panic(text in ".{0,200}") {
        prop_assert!(Envelope::read(&text).is_err());
    }

    #[test]
    fn any_payload_of_any_type_is_read_or_refused(
        kind in prop::sample::select(&["call.offer", "call.answer", "call.ice", "call.end", "call.status", "call.error",
            "call.renegotiate", "welcome", "connect", "presence", "ping", "pong", "echo", "x"][..]),
        payload in any_json(),
    ) {
        // What is read can be written, and means the same when it is read again.
        if let Ok(envelope) = read(json!({"type": kind, "payload": payload})) {
            prop_assert_eq!(Envelope::read(&envelope.to_text()).map(|again| again.to_value()), Ok(envelope.to_value()));
        }
    }

    #[test]
    fn any_constraints_are_kept_as_they_came(value in any_json()) {
        if let Ok(constraints) = Constraints::from_value(value) {
            let written = serde_json::to_value(&constraints).expect("constraints");
            let again = Constraints::from_value(written).expect("what was written");
            prop_assert_eq!(again, constraints);
        }
    }

    #[test]
    fn one_changed_field_of_an_offer_never_panics(pointer in prop::sample::select(&["/payload/call_id",
        "/payload/from_user", "/payload/sdp", "/payload/sdp/sdp", "/payload/ice_candidates", "/payload", "/type",
        "/timestamp"][..]), value in any_json()) {
        let mut message = offer();
        *message.pointer_mut(pointer).expect(pointer) = value;
        if let Err(error) = read(message) {
            // A fault is always named: the message as a whole is well-formed.
            prop_assert!(error.field().is_some() || error == WireError::TooDeep, "{}", error);
        }
    }
}
