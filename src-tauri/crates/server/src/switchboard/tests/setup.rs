//! Rows "-" and "Ringing" of the server table (IM-Suite §10), and §7.

use super::bench::*;
use serde_json::json;
use std::time::Duration;

#[test]
fn the_example_offer_reaches_the_callee_with_the_servers_times() {
    let (mut bench, [ada, ben, cora]) = Bench::with_three();
    bench.send(ada, offer());
    let got = bench.only(ben);
    assert_relayed(offer(), got.clone());
    assert_eq!(got["payload"]["from_user"], 1);
    assert_eq!(got["payload"]["to_user"], 2);
    assert_eq!(got["payload"]["created_at"], "2025-10-07T13:00:00Z");
    assert_eq!(got["timestamp"], "2025-10-07T13:00:00Z");
    assert_eq!(got["payload"]["expires_in"], 30);
    assert_eq!(got["payload"]["caller"], json!({"id": 1, "username": "Ada"}));
    bench.assert_silent(&[ada, cora]);
}

#[test]
fn every_device_of_the_callee_rings() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let tablet = bench.connect(2, "tablet");
    bench.drop_all();
    bench.send(ada, offer());
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
    assert_eq!(type_of(&bench.only(tablet)), "call.offer");
}

#[test]
fn a_device_that_connects_while_ringing_gets_the_offer_and_the_candidates() {
    let (mut bench, [ada, ..]) = Bench::ringing();
    bench.send(ada, ice());
    bench.pass(Duration::from_millis(9_500));
    let tablet = bench.connect(2, "tablet");
    let got = bench.received(tablet);
    assert_eq!(
        got.iter().map(type_of).collect::<Vec<_>>(),
        ["call.offer", "call.ice"]
    );
    assert_eq!(got[0]["payload"]["expires_in"], 21);
    assert_eq!(
        got[0]["payload"]["created_at"], "2025-10-07T13:00:00Z",
        "when the call began"
    );
}

#[test]
fn an_offline_callee_is_an_error_and_leaves_the_id_free() {
    let mut bench = Bench::new();
    let ada = bench.connect(1, "d1");
    bench.drop_all();
    bench.send(ada, offer());
    let error = bench.only(ada);
    assert_eq!(error["payload"]["details"]["code"], "user_offline");
    assert_eq!(error["payload"]["details"]["fatal"], true);
    assert_eq!(error["payload"]["call_id"], CALL);
    assert!(error["payload"].get("from_user").is_none());
    let ben = bench.connect(2, "d1");
    bench.drop_all();
    bench.send(ada, offer());
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}

#[test]
fn a_callee_in_a_call_is_busy_and_is_not_rung() {
    for (mut bench, [_, ben, cora]) in [Bench::ringing(), Bench::active()] {
        bench.send(cora, offer_from(3, 2, "call_other"));
        let got = bench.only(cora);
        assert_eq!(type_of(&got), "call.end");
        assert_eq!(got["payload"]["reason"], "user_busy");
        assert_eq!(got["payload"]["from_user"], 2);
        assert_eq!(got["payload"]["by"], "server");
        bench.assert_silent(&[ben]);
        bench.send(cora, offer_from(3, 2, "call_other"));
        assert_eq!(
            bench.error(cora),
            ("duplicate_call_id".into(), true),
            "a busy call has a record"
        );
    }
}

#[test]
fn a_caller_in_a_call_cannot_begin_another() {
    for (mut bench, [ada, ben, cora]) in [Bench::ringing(), Bench::active()] {
        bench.send(ada, offer_from(1, 3, "call_other"));
        assert_eq!(bench.error(ada), ("already_in_call".into(), true));
        bench.assert_silent(&[ben, cora]);
    }
}

#[test]
fn of_two_crossing_offers_the_first_wins() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ben, offer_from(2, 1, "call_crossing"));
    let error = bench.only(ben);
    assert_eq!(error["payload"]["details"]["code"], "glare");
    assert_eq!(error["payload"]["details"]["call_id_winner"], CALL);
    assert_eq!(error["payload"]["details"]["fatal"], true);
    assert_eq!(error["payload"]["call_id"], "call_crossing");
    bench.assert_silent(&[ada]);
    bench.send(ben, answer());
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

#[test]
fn in_an_active_call_the_callees_new_offer_is_no_glare() {
    let (mut bench, [_, ben, _]) = Bench::active();
    bench.send(ben, offer_from(2, 1, "call_crossing"));
    assert_eq!(bench.error(ben), ("already_in_call".into(), true));
}

#[test]
fn ring_timeout_ends_the_call_for_both() {
    let (mut bench, [ada, ben, cora]) = Bench::ringing();
    bench.pass(RING - Duration::from_millis(1));
    bench.assert_silent(&[ada, ben]);
    bench.pass(Duration::from_millis(1));
    for (conn, other) in [(ada, 2), (ben, 1)] {
        let got = bench.only(conn);
        assert_eq!(type_of(&got), "call.end");
        assert_eq!(got["payload"]["reason"], "timeout");
        assert_eq!(got["payload"]["detail"], "ring");
        assert_eq!(got["payload"]["duration"], 0);
        assert_eq!(got["payload"]["from_user"], other);
    }
    bench.assert_silent(&[cora]);
    bench.send(ben, answer());
    assert_eq!(bench.error(ben), ("unknown_call".into(), false));
}

#[test]
fn a_repeated_offer_does_not_ring_again() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ada, offer());
    bench.assert_silent(&[ada, ben]);
    bench.send(ada, with_other_sdp(offer()));
    assert_eq!(
        bench.error(ada),
        ("duplicate_call_id".into(), false),
        "not fatal to the ringing call"
    );
    bench.send(ben, answer());
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

#[test]
fn an_id_is_refused_for_ten_minutes_after_its_call() {
    let (mut bench, [ada, ben, cora]) = Bench::ringing();
    bench.send(ada, end("user_hangup"));
    bench.drop_all();
    bench.send(ada, offer());
    assert_eq!(bench.error(ada), ("duplicate_call_id".into(), true));
    bench.send(cora, offer_from(3, 2, CALL));
    assert_eq!(bench.error(cora), ("duplicate_call_id".into(), true));
    bench.pass(Duration::from_secs(599));
    bench.send(ada, offer());
    assert_eq!(bench.error(ada), ("duplicate_call_id".into(), true));
    bench.pass(Duration::from_secs(1));
    bench.send(ada, offer());
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}

#[test]
fn only_the_first_ringing_is_forwarded() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ben, status("ringing"));
    let got = bench.only(ada);
    assert_eq!(got["payload"]["status"], "ringing");
    assert_eq!(got["payload"]["from_user"], 2);
    for word in ["ringing", "answered", "connected", "failed"] {
        bench.send(ben, status(word));
        bench.send(ada, status(word));
    }
    bench.assert_silent(&[ada, ben]);
}

#[test]
fn candidates_flow_before_the_answer_from_the_caller_only() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ada, fixture("call.ice"));
    assert_relayed(fixture("call.ice"), bench.only(ben));
    bench.send(ben, ice());
    bench.assert_silent(&[ada, ben]);
}

#[test]
fn the_example_answer_reaches_the_caller() {
    let (mut bench, [ada, ben, cora]) = Bench::ringing();
    bench.pass(Duration::from_secs(3));
    bench.send(ben, answer());
    let got = bench.only(ada);
    assert_relayed(answer(), got.clone());
    assert_eq!(got["payload"]["answered_at"], "2025-10-07T13:00:03Z");
    bench.assert_silent(&[ben, cora]);
}

#[test]
fn the_winning_answer_stops_the_other_devices() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let tablet = bench.connect(2, "tablet");
    bench.send(ada, offer());
    bench.drop_all();
    bench.send(tablet, answer());
    let got = bench.only(ben);
    assert_eq!(
        (type_of(&got), &got["payload"]["status"]),
        ("call.status", &json!("answered"))
    );
    bench.drop_all();
    bench.send(ben, answer());
    assert_eq!(bench.error(ben), ("answered_elsewhere".into(), true));
    bench.send(ben, end("user_hangup"));
    assert_eq!(bench.error(ben), ("wrong_device".into(), false));
    bench.assert_silent(&[ada, tablet]);
}

#[test]
fn a_cancel_reaches_the_callee() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ada, end("timeout"));
    let got = bench.only(ben);
    assert_eq!(got["payload"]["reason"], "user_hangup");
    assert_eq!(got["payload"]["duration"], 0);
    bench.send(ada, end("user_hangup"));
    bench.assert_silent(&[ada, ben]);
}

#[test]
fn one_device_declines_for_all() {
    for word in ["user_rejected", "user_hangup", "network_error", "whatever"] {
        let (mut bench, [ada, ben, _]) = Bench::with_three();
        let tablet = bench.connect(2, "tablet");
        bench.send(ada, offer());
        bench.drop_all();
        bench.send(ben, end(word));
        assert_eq!(bench.only(ada)["payload"]["reason"], "user_rejected");
        let told = bench.only(tablet);
        assert_eq!(
            (&told["payload"]["reason"], &told["payload"]["by"]),
            (&json!("user_rejected"), &json!("server"))
        );
        bench.assert_silent(&[ben]);
    }
}

#[test]
fn the_call_is_busy_when_the_last_device_is() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let tablet = bench.connect(2, "tablet");
    bench.send(ada, offer());
    bench.drop_all();
    bench.send(ben, end("user_busy"));
    bench.assert_silent(&[ada, tablet]);
    bench.disconnect(ben);
    let again = bench.connect(2, "d1");
    bench.assert_silent(&[again]);
    bench.send(again, answer());
    assert_eq!(bench.error(again), ("bad_state".into(), false), "it has left");
    bench.send(
        tablet,
        message(
            "call.end",
            json!({"reason": "user_rejected", "detail": "media_failure"}),
        ),
    );
    let got = bench.only(ada);
    assert_eq!(got["payload"]["reason"], "user_rejected");
    assert_eq!(got["payload"]["detail"], "media_failure");
}

#[test]
fn while_ringing_only_the_callee_may_answer() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    let mut own = answer();
    own["payload"]["from_user"] = 1.into();
    own["payload"]["to_user"] = 2.into();
    bench.send(ada, own);
    assert_eq!(bench.error(ada), ("bad_state".into(), false));
    bench.send(ben, offer_from(2, 1, CALL));
    assert_eq!(bench.error(ben), ("bad_state".into(), false));
    for conn in [ada, ben] {
        bench.send(conn, message("call.renegotiate", json!({"reason": "media"})));
        assert_eq!(bench.error(conn), ("bad_state".into(), false));
    }
    let phone = bench.connect(1, "phone");
    bench.send(phone, end("user_hangup"));
    assert_eq!(bench.error(phone), ("wrong_device".into(), false));
}
