//! Sockets that break and return (IM-Suite §9 resume, §16.18).

use super::bench::*;
use crate::switchboard::{CloseCode, ConnId};
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn reason(bench: &mut Bench, conn: ConnId) -> String {
    let message = bench.only(conn);
    assert_eq!(type_of(&message), "call.end", "{message}");
    message["payload"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_caller_lost_while_ringing_ends_the_call_after_ten_seconds() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.disconnect(ada);
    bench.pass(10 * SECOND - Duration::from_millis(1));
    bench.assert_silent(&[ben]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(reason(&mut bench, ben), "network_error");
}

#[test]
fn a_caller_back_in_time_hears_what_it_missed() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.disconnect(ada);
    bench.send(ben, status("ringing"));
    bench.pass(9 * SECOND);
    bench.send(ben, answer());
    bench.pass(20 * SECOND);
    let ada = bench.connect(1, "d1");
    let got = bench.received_all(ada);
    assert_eq!(got[0]["payload"]["calls"][0]["state"], "active");
    assert_eq!(got[0]["payload"]["calls"][0]["bound_here"], true);
    assert_eq!(
        [type_of(&got[1]), type_of(&got[2])],
        ["call.status", "call.answer"]
    );
    bench.pass(60 * SECOND);
    bench.drop_all();
    bench.send(ada, ice());
    assert_eq!(type_of(&bench.only(ben)), "call.ice", "the call goes on");
}

#[test]
fn callee_devices_may_come_and_go_while_ringing() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.disconnect(ben);
    bench.pass(20 * SECOND);
    bench.assert_silent(&[ada]);
    let ben = bench.connect(2, "d1");
    let offered = bench.only(ben);
    assert_eq!(
        (type_of(&offered), &offered["payload"]["expires_in"]),
        ("call.offer", &json!(10))
    );
    bench.send(ben, answer());
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

#[test]
fn an_active_call_waits_for_the_grace_and_not_longer() {
    for lost in [0, 1] {
        let (mut bench, conns) = Bench::active();
        let peer = conns[1 - lost];
        bench.disconnect(conns[lost]);
        bench.pass(GRACE - Duration::from_millis(1));
        bench.assert_silent(&[peer]);
        bench.pass(Duration::from_millis(1));
        let end = bench.only(peer);
        assert_eq!(end["payload"]["reason"], "network_error");
        assert_eq!(end["payload"]["detail"], "signaling_lost");
        assert_eq!(end["payload"]["duration"], 30);
        let back = bench.connect(lost as u64 + 1, "d1");
        assert_eq!(bench.received_all(back)[0]["payload"]["calls"], json!([]));
    }
}

#[test]
fn what_was_missed_comes_after_the_welcome_in_order() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.send(ada, status("connected"));
    bench.send(ada, with_other_sdp(offer()));
    bench.send(ada, ice());
    bench.pass(SECOND);
    bench.send(ada, status("connected"));
    bench.send(ada, end("user_hangup"));
    bench.assert_silent(&[ada]);
    let ben = bench.connect(2, "d1");
    let got = bench.received_all(ben);
    let types: Vec<_> = got
        .iter()
        .map(type_of)
        .filter(|name| *name != "presence")
        .collect();
    assert_eq!(
        types,
        ["welcome", "call.offer", "call.ice", "call.status", "call.end"]
    );
    assert_eq!(got[0]["payload"]["calls"], json!([]), "the call is over");
}

#[test]
fn another_device_does_not_take_the_call_over() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    let tablet = bench.connect(2, "tablet");
    assert_eq!(
        bench.received_all(tablet)[0]["payload"]["calls"][0]["bound_here"],
        false
    );
    bench.send(ada, ice());
    bench.send(tablet, ice());
    assert_eq!(bench.error(tablet), ("wrong_device".into(), false));
    bench.pass(GRACE);
    assert_eq!(reason(&mut bench, ada), "network_error");
}

#[test]
fn fresh_reports_of_the_peer_extend_the_grace_up_to_ten_minutes() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    for _ in 0..119 {
        bench.pass(5 * SECOND);
        bench.send(ada, status("connected"));
    }
    bench.assert_silent(&[ada]);
    bench.pass(5 * SECOND);
    assert_eq!(reason(&mut bench, ada), "network_error", "600 s are over");

    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.pass(25 * SECOND);
    bench.send(ada, status("connected"));
    bench.pass(14 * SECOND);
    bench.assert_silent(&[ada]);
    bench.pass(SECOND);
    assert_eq!(
        reason(&mut bench, ada),
        "network_error",
        "the report is no longer fresh"
    );
}

#[test]
fn a_backlog_that_overflows_ends_the_grace() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.send(ada, status("connected"));
    let mut re_offer = with_other_sdp(offer());
    re_offer["payload"]["x"] = "y".repeat(100_000).into();
    for _ in 0..3 {
        bench.send(ada, re_offer.clone());
    }
    bench.pass(Duration::ZERO);
    assert_eq!(reason(&mut bench, ada), "network_error");
}

#[test]
fn the_same_device_again_replaces_its_connection() {
    let (mut bench, [ada, ben, cora]) = Bench::active();
    let again = bench.connect(2, "d1");
    assert_eq!(bench.closed.get(&ben), Some(&CloseCode::REPLACED));
    bench.disconnect(ben);
    bench.drop_all();
    bench.send(ada, ice());
    assert_eq!(type_of(&bench.only(again)), "call.ice");
    bench.pass(60 * SECOND);
    bench.assert_silent(&[ada, cora]);
    bench.send_text(ben, r#"{"type":"ping"}"#);
    assert!(
        bench.received_all(ben).is_empty(),
        "the replaced connection is dead"
    );
}

#[test]
fn both_sides_away_end_with_the_first_grace() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ada);
    bench.pass(10 * SECOND);
    bench.disconnect(ben);
    bench.pass(21 * SECOND);
    let ben = bench.connect(2, "d1");
    let got = bench.received_all(ben);
    assert_eq!(got[0]["payload"]["calls"], json!([]));
    assert_eq!(got[1]["payload"]["reason"], "network_error");
    let ada = bench.connect(1, "d1");
    bench.drop_all();
    bench.send(ada, offer_from(1, 2, "call_next"));
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}
