//! How fast clients may talk and call (IM-Suite §12, §16.21).

use super::bench::*;
use crate::switchboard::{CloseCode, ConnId};
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn exhaust(bench: &mut Bench, conn: ConnId) {
    for _ in 0..200 {
        bench.send_text(conn, r#"{"type":"ping"}"#);
    }
    bench.drop_all();
}

fn retry_after(error: &Value) -> Duration {
    assert_eq!(error["payload"]["details"]["code"], "rate_limited", "{error}");
    Duration::from_millis(error["payload"]["details"]["retry_after_ms"].as_u64().unwrap())
}

#[test]
fn two_hundred_messages_at_once_and_then_twenty_a_second() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    exhaust(&mut bench, ada);
    bench.send(ada, ice());
    assert_eq!(retry_after(&bench.only(ada)), Duration::from_millis(50));
    bench.assert_silent(&[ben]);
    bench.pass(SECOND);
    for _ in 0..20 {
        bench.send(ada, ice());
    }
    assert_eq!(bench.received(ben).len(), 20);
    bench.send(ada, ice());
    assert_eq!(bench.error(ada), ("rate_limited".into(), false));
    bench.send(ben, ice());
    assert_eq!(
        type_of(&bench.only(ada)),
        "call.ice",
        "another connection has its own rate"
    );
}

/// §16.21: accepted or not, and pings too.
#[test]
fn every_message_counts() {
    for text in [
        r#"{"type":"ping"}"#,
        r#"{"type":"unheard.of"}"#,
        "rubbish",
        r#"{"type":"call.ice","payload":{}}"#,
        r#"{"type":7}"#,
    ] {
        let (mut bench, [ada, ben, _]) = Bench::with_three();
        for _ in 0..200 {
            bench.send_text(ada, text);
        }
        bench.drop_all();
        bench.send(ada, offer());
        assert_eq!(bench.error(ada), ("rate_limited".into(), true), "{text}");
        bench.assert_silent(&[ben]);
    }
}

/// §3: the rate comes first. What is no call.* stays without an answer.
#[test]
fn over_the_rate_nothing_else_is_looked_at() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    exhaust(&mut bench, ada);
    let mut bad = offer();
    bad["payload"]["sdp"] = 7.into();
    bad["id"] = "m-9".into();
    bench.send(ada, bad);
    let error = bench.only(ada);
    assert_eq!(retry_after(&error), Duration::from_millis(50));
    assert_eq!(error["payload"]["details"]["ref"], "m-9");
    assert_eq!(error["payload"]["call_id"], CALL);
    for text in [r#"{"type":"ping"}"#, "rubbish", r#"{"type":"unheard.of"}"#] {
        bench.send_text(ada, text);
        assert_eq!(bench.received_all(ada), Vec::<Value>::new());
    }
}

#[test]
fn ten_seconds_of_flood_close_the_connection() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    exhaust(&mut bench, ada);
    for _ in 0..199 {
        bench.pass(Duration::from_millis(50));
        bench.send(ada, ice());
        bench.send(ada, ice());
    }
    assert_eq!(bench.closed.get(&ada), None);
    bench.pass(Duration::from_millis(150));
    for _ in 0..5 {
        bench.send(ada, ice());
    }
    assert_eq!(bench.closed.get(&ada), Some(&CloseCode::FLOODING));
    bench.drop_all();
    bench.pass(GRACE - SECOND);
    bench.assert_silent(&[ben]);
    let ada = bench.connect(1, "d1");
    assert_eq!(
        bench.received_all(ada)[0]["payload"]["calls"][0]["bound_here"],
        true,
        "a flood is a lost connection"
    );
}

#[test]
fn a_pause_begins_the_ten_seconds_anew() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    for _ in 0..5 {
        for _ in 0..201 {
            bench.send_text(ada, "rubbish");
        }
        bench.pass(6 * SECOND);
    }
    assert!(bench.closed.is_empty());
}

fn call(number: u64) -> Value {
    offer_from(1, 2, &format!("call_{number}"))
}

#[test]
fn six_calls_a_minute() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    for number in 0..6 {
        bench.send(ada, call(number));
        assert_eq!(type_of(&bench.only(ben)), "call.offer", "{number}");
        bench.send(
            ada,
            message(
                "call.end",
                json!({"reason": "user_hangup", "call_id": format!("call_{number}")}),
            ),
        );
        bench.drop_all();
        bench.pass(SECOND);
    }
    bench.send(ada, call(6));
    let error = bench.only(ada);
    assert_eq!(error["payload"]["details"]["fatal"], true);
    assert_eq!(error["payload"]["details"]["retry_after_ms"], 55_000);
    bench.assert_silent(&[ben]);
    bench.pass(retry_after(&error));
    bench.send(ada, call(6));
    assert_eq!(
        type_of(&bench.only(ben)),
        "call.offer",
        "the id is free and the time over"
    );
}

#[test]
fn another_user_has_another_rate() {
    let (mut bench, [ada, ben, cora]) = Bench::with_three();
    for number in 0..7 {
        bench.send(ada, offer_from(1, 4, &format!("call_{number}")));
    }
    bench.drop_all();
    bench.send(cora, offer_from(3, 2, "call_cora"));
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}

/// S15: nobody can ask who exists, or who is there, faster than that.
#[test]
fn refused_offers_count_except_bad_messages() {
    let cases = [
        ("user_not_found", offer_from(1, 99, CALL)),
        ("user_offline", offer_from(1, 4, CALL)),
        ("self_call", offer_from(1, 1, CALL)),
        ("from_user_mismatch", offer_from(3, 2, CALL)),
        ("bad_sdp", {
            let mut offer = offer();
            offer["payload"]["sdp"]["sdp"] = "v=0".into();
            offer
        }),
    ];
    for (code, refused) in cases {
        let (mut bench, [ada, ..]) = Bench::with_three();
        for _ in 0..6 {
            bench.send(ada, refused.clone());
            assert_eq!(bench.error(ada), (code.into(), true));
        }
        bench.send(ada, refused);
        assert_eq!(bench.error(ada), ("rate_limited".into(), true), "{code}");
    }
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    for _ in 0..20 {
        let mut bad = offer();
        bad["payload"]["call_type"] = 7.into();
        bench.send(ada, bad);
        assert_eq!(bench.error(ada), ("bad_message".into(), true));
    }
    bench.send(ada, offer());
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}

#[test]
fn busy_answers_count_and_re_offers_do_not() {
    let (mut bench, [ada, ben, cora]) = Bench::active();
    for number in 0..6 {
        bench.send(cora, offer_from(3, 2, &format!("call_{number}")));
        assert_eq!(type_of(&bench.only(cora)), "call.end");
    }
    bench.send(cora, offer_from(3, 2, "call_6"));
    assert_eq!(bench.error(cora), ("rate_limited".into(), true));
    for _ in 0..20 {
        bench.send(ada, with_other_sdp(offer()));
        assert_eq!(type_of(&bench.only(ben)), "call.offer");
    }
}

#[test]
fn sixty_calls_an_hour() {
    let (mut bench, [ada, ..]) = Bench::with_three();
    for number in 0..60 {
        bench.send(ada, offer_from(1, 4, &format!("call_{number}")));
        assert_eq!(bench.error(ada), ("user_offline".into(), true), "{number}");
        bench.pass(11 * SECOND);
    }
    bench.send(ada, offer_from(1, 4, "call_60"));
    let wait = retry_after(&bench.only(ada));
    assert_eq!(wait, Duration::from_secs(3600 - 59 * 11));
}

#[test]
fn three_calls_in_ten_minutes_to_somebody_who_declined() {
    let (mut bench, [ada, ben, cora]) = Bench::with_three();
    for number in 0..3 {
        bench.send(ada, call(number));
        bench.drop_all();
        let declined = json!({"reason": "user_rejected", "call_id": format!("call_{number}")});
        bench.send(ben, message("call.end", declined));
        assert_eq!(bench.only(ada)["payload"]["reason"], "user_rejected");
        bench.pass(61 * SECOND);
    }
    bench.send(ada, call(3));
    let wait = retry_after(&bench.only(ada));
    bench.assert_silent(&[ben]);
    bench.send(ada, offer_from(1, 3, "call_cora"));
    assert_eq!(
        type_of(&bench.only(cora)),
        "call.offer",
        "somebody else may be called"
    );
    bench.send(
        ada,
        message(
            "call.end",
            json!({"reason": "user_hangup", "call_id": "call_cora"}),
        ),
    );
    bench.drop_all();
    bench.pass(wait);
    bench.send(ada, call(4));
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
}
