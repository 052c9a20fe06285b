//! The checks of IM-Suite §3, the envelope of §2, welcome and presence.

use super::bench::*;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn the_example_offer_sent_by_somebody_else_is_refused() {
    let (mut bench, [_, ben, cora]) = Bench::with_three();
    bench.send(cora, offer());
    assert_eq!(bench.error(cora), ("from_user_mismatch".into(), true));
    bench.assert_silent(&[ben]);
}

#[test]
fn the_callee_must_be_somebody_else_who_exists() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    bench.send(ada, offer_from(1, 1, CALL));
    assert_eq!(bench.error(ada), ("self_call".into(), true));
    bench.send(ada, offer_from(1, 99, CALL));
    assert_eq!(bench.error(ada), ("user_not_found".into(), true));
    let mut nobody = offer();
    nobody["payload"].as_object_mut().unwrap().remove("to_user");
    bench.send(ada, nobody);
    let error = bench.only(ada);
    assert_eq!(error["payload"]["details"]["code"], "bad_message");
    assert_eq!(error["payload"]["details"]["field"], "to_user");
}

#[test]
fn the_users_are_filled_in() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let mut first = offer();
    first["payload"].as_object_mut().unwrap().remove("from_user");
    bench.send(ada, first);
    assert_eq!(bench.only(ben)["payload"]["from_user"], 1);
    let mut reply = answer();
    reply["payload"].as_object_mut().unwrap().remove("from_user");
    reply["payload"].as_object_mut().unwrap().remove("to_user");
    bench.send(ben, reply);
    let got = bench.only(ada);
    assert_eq!(
        (&got["payload"]["from_user"], &got["payload"]["to_user"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn a_message_of_a_call_goes_to_its_other_participant_only() {
    let (mut bench, [ada, ben, cora]) = Bench::active();
    let mut stray = ice();
    stray["payload"]["to_user"] = 3.into();
    bench.send(ada, stray);
    assert_eq!(bench.error(ada), ("to_user_mismatch".into(), false));
    bench.assert_silent(&[ben, cora]);
}

#[test]
fn a_foreign_call_does_not_exist() {
    for (mut bench, [ada, ben, cora]) in [Bench::ringing(), Bench::active()] {
        for quiet in [
            end("user_hangup"),
            ice(),
            status("connected"),
            message("call.hold", json!({})),
        ] {
            bench.send(cora, quiet);
        }
        bench.assert_silent(&[ada, ben, cora]);
        let mut foreign = answer();
        foreign["payload"]["from_user"] = 3.into();
        bench.send(cora, foreign);
        assert_eq!(bench.error(cora), ("unknown_call".into(), false));
        bench.send(cora, message("call.renegotiate", json!({"reason": "media"})));
        assert_eq!(bench.error(cora), ("unknown_call".into(), false));
        bench.send(cora, offer_from(3, 1, CALL));
        assert_eq!(bench.error(cora), ("duplicate_call_id".into(), true));
        bench.assert_silent(&[ada, ben]);
        bench.send(ada, end("user_hangup"));
        assert_eq!(type_of(&bench.only(ben)), "call.end", "the call is untouched");
    }
}

#[test]
fn what_only_the_server_says_is_taken_out() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let mut forged = offer();
    forged["payload"]["by"] = "server".into();
    forged["payload"]["caller"] = json!({"id": 1, "username": "The King"});
    forged["payload"]["expires_in"] = 9999.into();
    bench.send(ada, forged);
    let got = bench.only(ben);
    assert!(got["payload"].get("by").is_none());
    assert_eq!(got["payload"]["caller"]["username"], "Ada");
    assert_eq!(got["payload"]["expires_in"], 30);
}

#[test]
fn unknown_fields_are_kept_and_unknown_types_ignored() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    for text in [
        r#"{"type":"chat.message","payload":{}}"#,
        r#"{"type":"Call.Offer!","payload":{}}"#,
        r#"{"type":7}"#,
        r#"{"payload":{}}"#,
        r#"{"type":"call.future"}"#,
    ] {
        bench.send_text(ada, text);
    }
    assert_eq!(bench.received_all(ada), Vec::<Value>::new());
    let mut sent = offer();
    sent["x_envelope"] = json!({"a": [1, 2.5, null]});
    sent["payload"]["x_payload"] = "ü".into();
    sent["payload"]["sdp"]["x_nested"] = true.into();
    sent["id"] = "m-1".into();
    bench.send(ada, sent.clone());
    assert_relayed(sent, bench.only(ben));
}

#[test]
fn an_unreadable_text_is_one_error() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    let deep = format!(
        r#"{{"type":"call.offer","payload":{}1{}}}"#,
        "[".repeat(16),
        "]".repeat(16)
    );
    for text in ["", "{", "[]", "7", "null", &deep, &"[".repeat(100_000)] {
        bench.send_text(ada, text);
        let error = bench.only(ada);
        assert_eq!(error["payload"]["details"]["code"], "bad_message", "{text:.40}");
        assert!(error["payload"].get("call_id").is_none());
    }
}

#[test]
fn the_first_wrong_field_is_named() {
    let candidate = json!({"candidate": "c", "sdpMid": "0"});
    let cases: Vec<(Value, &str, Value)> = vec![
        (offer(), "call_id", json!("a b")),
        (offer(), "call_id", json!(7)),
        (offer(), "from_user", json!("1")),
        (offer(), "from_user", json!(1.5)),
        (offer(), "to_user", json!(0)),
        (offer(), "to_user", json!(9_007_199_254_740_992_u64)),
        (offer(), "call_type", json!("screen")),
        (offer(), "sdp", json!("v=0")),
        (offer(), "sdp.type", json!("answer")),
        (offer(), "sdp.sdp", json!(null)),
        (offer(), "ice_candidates", json!({})),
        (offer(), "ice_candidates", json!(vec![candidate.clone(); 65])),
        (offer(), "ice_candidates.1", json!(7)),
        (offer(), "ice_candidates.0.candidate", json!("x".repeat(1025))),
        (offer(), "ice_candidates.0.sdpMLineIndex", json!(-1)),
        (offer(), "ice_candidates.0.sdpMid", json!(0)),
        (offer(), "ice_candidates.0.usernameFragment", json!(0)),
        (offer(), "constraints", json!([])),
        (offer(), "negotiation", json!(-1)),
        (answer(), "sdp.type", json!("offer")),
        (fixture("call.ice"), "ice_candidate", json!("candidate:1")),
        (fixture("call.end"), "reason", json!(null)),
        (fixture("call.end"), "detail", json!(1)),
        (fixture("call.status"), "status", json!(1)),
        (fixture("call.status"), "network_stats.jitter", json!("5")),
        (fixture("call.status"), "media", json!("on")),
        (fixture("call.error.media"), "error_code", json!(1)),
        (fixture("call.error.media"), "details", json!("x")),
        (
            message("call.renegotiate", json!({"reason": "media"})),
            "reason",
            json!("because"),
        ),
    ];
    for (mut sent, field, value) in cases {
        let (mut bench, [ada, ben, _]) = Bench::with_three();
        let pointer = format!("/payload/{}", field.replace('.', "/"));
        if sent.pointer(&pointer).is_some() {
            *sent.pointer_mut(&pointer).unwrap() = value.clone();
        } else {
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            sent.pointer_mut(parent).unwrap()[last] = value.clone();
        }
        bench.send(ada, sent);
        let error = bench.only(ada);
        assert_eq!(
            error["payload"]["details"]["code"], "bad_message",
            "{field} {value}"
        );
        assert_eq!(error["payload"]["details"]["field"], field, "{value}");
        bench.assert_silent(&[ben]);
    }
}

#[test]
fn envelope_fields_are_checked() {
    for (field, value) in [
        ("payload", json!([])),
        ("timestamp", json!(null)),
        ("timestamp", json!("2025-10-07T12:00:00+02:00")),
        ("timestamp", json!("yesterday Z")),
        ("id", json!("")),
        ("id", json!(7)),
    ] {
        let (mut bench, [ada, ..]) = Bench::with_three();
        let mut sent = offer();
        sent[field] = value.clone();
        bench.send(ada, sent);
        assert_eq!(bench.only(ada)["payload"]["details"]["field"], field, "{value}");
    }
}

#[test]
fn errors_refer_to_the_message() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    let mut sent = offer_from(1, 99, CALL);
    sent["id"] = "m-7".into();
    bench.send(ada, sent);
    let details = bench.only(ada)["payload"]["details"].take();
    assert_eq!(
        (&details["ref"], &details["type"]),
        (&json!("m-7"), &json!("call.offer"))
    );
}

#[test]
fn descriptions_without_dtls_srtp_are_refused() {
    let good = offer()["payload"]["sdp"]["sdp"].as_str().unwrap().to_owned();
    for bad in [
        String::new(),
        good.replacen("v=0", "v=1", 1),
        good.replace("m=", "x="),
        good.replace("a=fingerprint:", "a=crypto:"),
        good.replace("a=ice-ufrag:", "a=x:"),
        format!("{good}\r\na={}", "x".repeat(65_536)),
    ] {
        let (mut bench, [ada, ben, _]) = Bench::with_three();
        let mut sent = offer();
        sent["payload"]["sdp"]["sdp"] = bad.into();
        bench.send(ada, sent);
        assert_eq!(bench.error(ada), ("bad_sdp".into(), true));
        bench.assert_silent(&[ben]);
    }
}

#[test]
fn small_messages_must_be_small() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    let padded = |mut sent: Value, size: usize| {
        sent["x"] = "".into();
        sent["x"] = "y".repeat(size - sent.to_string().len()).into();
        sent
    };
    bench.send(ada, padded(ice(), 8 * 1024));
    assert_eq!(type_of(&bench.only(ben)), "call.ice");
    bench.send(ada, padded(ice(), 8 * 1024 + 1));
    assert_eq!(bench.error(ada), ("too_large".into(), false));
    bench.send(ada, padded(message("call.hold", json!({})), 16 * 1024));
    assert_eq!(type_of(&bench.only(ben)), "call.hold");
    bench.send(ada, padded(message("call.hold", json!({})), 16 * 1024 + 1));
    bench.assert_silent(&[ada, ben]);
}

#[test]
fn ping_is_answered_at_once() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    bench.send_text(ada, r#"{"type":"ping"}"#);
    let pong = bench.received_all(ada).remove(0);
    assert_eq!(
        pong,
        json!({"type": "pong", "time": 1_759_842_000, "timestamp": "2025-10-07T13:00:00Z"})
    );
}

#[test]
fn the_first_frame_is_a_welcome() {
    let mut bench = Bench::new();
    let ada = bench.connect(1, "d1");
    let welcome = bench.received_all(ada).remove(0);
    assert_eq!(type_of(&welcome), "welcome");
    let payload = &welcome["payload"];
    assert_eq!(payload["user_id"], 1);
    assert_eq!(payload["device_id"], "d1");
    assert_eq!(payload["server_time"], "2025-10-07T13:00:00Z");
    assert_eq!(
        payload["features"],
        json!([
            "status_relay",
            "renegotiate",
            "resume",
            "multi_device",
            "cbor",
            "z"
        ])
    );
    assert_eq!(
        (&payload["ring_timeout"], &payload["resume_grace"]),
        (&json!(30), &json!(30))
    );
    assert_eq!(
        (&payload["heartbeat"], &payload["max_message"]),
        (&json!(30), &json!(262_144))
    );
    assert_eq!(
        (&welcome["user_id"], &welcome["time"], &welcome["timestamp"]),
        (&json!(1), &json!(1_759_842_000), &json!("2025-10-07T13:00:00Z"))
    );
    assert_eq!(payload["calls"], json!([]));
}

#[test]
fn a_welcome_lists_the_live_call() {
    let (mut bench, _) = Bench::ringing();
    let tablet = bench.connect(2, "tablet");
    let calls = bench.received_all(tablet)[0]["payload"]["calls"].take();
    let expected = json!([{"call_id": CALL, "role": "callee", "peer": 1, "call_type": "video",
        "state": "ringing", "bound_here": false}]);
    assert_eq!(calls, expected);
    let (mut bench, _) = Bench::active();
    let again = bench.connect(1, "d1");
    let calls = bench.received_all(again)[0]["payload"]["calls"].take();
    let expected = json!([{"call_id": CALL, "role": "caller", "peer": 2, "call_type": "video",
        "state": "active", "bound_here": true, "answered_at": "2025-10-07T13:00:00Z"}]);
    assert_eq!(calls, expected);
}

#[test]
fn presence_tells_who_is_there_and_who_is_in_a_call() {
    let mut bench = Bench::new();
    let ada = bench.connect(1, "d1");
    let seen = |messages: Vec<Value>| -> Vec<(u64, bool, bool)> {
        let presences = messages.iter().filter(|message| type_of(message) == "presence");
        let payloads = presences.map(|message| &message["payload"]);
        payloads
            .map(|p| {
                (
                    p["user_id"].as_u64().unwrap(),
                    p["is_online"] == true,
                    p["in_call"] == true,
                )
            })
            .collect()
    };
    assert_eq!(
        seen(bench.received_all(ada)),
        [(2, false, false), (3, false, false), (4, false, false)]
    );
    let ben = bench.connect(2, "d1");
    let got = bench.received_all(ada);
    assert_eq!(got[0]["payload"]["username"], "Ben");
    assert_eq!(seen(got), [(2, true, false)]);
    assert_eq!(
        seen(bench.received_all(ben)),
        [(1, true, false), (3, false, false), (4, false, false)]
    );
    bench.send(ada, offer());
    assert_eq!(seen(bench.received_all(ada)), [(2, true, true)]);
    assert_eq!(seen(bench.received_all(ben)), [(1, true, true)]);
    bench.send(ben, end("user_rejected"));
    assert_eq!(seen(bench.received_all(ada)), [(2, true, false)]);
    let second = bench.connect(2, "tablet");
    bench.disconnect(ben);
    assert_eq!(seen(bench.received_all(ada)), [], "another device is still there");
    bench.pass(Duration::from_secs(5));
    bench.disconnect(second);
    let got = bench.received_all(ada);
    assert_eq!(got[0]["payload"]["last_seen"], "2025-10-07T13:00:05Z");
    assert_eq!(seen(got), [(2, false, false)]);
}
