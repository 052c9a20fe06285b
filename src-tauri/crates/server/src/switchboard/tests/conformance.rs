//! What a conforming server passes at least (IM-Suite §15), and what was left open until §16 settled it, as far as the
//! other files here do not say it already; with the cases S3, S5, S6, S7 and S15 of the product's promises.

use super::bench::*;
use crate::switchboard::ConnId;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// §15: each fixture goes through unchanged except for the server's fields.
#[test]
fn each_example_reaches_the_peer_unchanged() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let by_user = |mut message: Value, sender: u64| {
        let payload = message["payload"].as_object_mut().unwrap();
        if payload.contains_key("from_user") {
            payload.insert("from_user".into(), sender.into());
            payload.insert("to_user".into(), (3 - sender).into());
        }
        payload.insert("call_id".into(), CALL.into());
        message
    };
    let mut offer = by_user(fixture("call.offer"), 1);
    for constraints in ["audio", "video", "network"] {
        offer["payload"]["constraints"][format!("x_{constraints}")] =
            fixture(&format!("constraints.{constraints}"));
    }
    let script = [
        (1, offer),
        (1, by_user(fixture("call.ice"), 1)),
        (2, by_user(fixture("call.answer"), 2)),
        (2, by_user(fixture("call.ice"), 2)),
        (1, by_user(fixture("call.status"), 1)),
        (2, by_user(fixture("call.status"), 2)),
        (1, by_user(fixture("call.error.signaling"), 1)),
        (2, by_user(fixture("call.error.media"), 2)),
        (1, by_user(fixture("call.error.network"), 1)),
        (2, by_user(fixture("call.end"), 2)),
    ];
    for (sender, sent) in script {
        let (from, to) = if sender == 1 { (ada, ben) } else { (ben, ada) };
        bench.send(from, sent.clone());
        assert_relayed(sent, bench.only(to));
        bench.assert_silent(&[from]);
    }
}

/// §16.5: also in the middle of a call.
#[test]
fn no_client_speaks_as_the_server() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    for mut forged in [ice(), end("user_hangup")] {
        forged["payload"]["by"] = "server".into();
        forged["payload"]["expires_in"] = 5.into();
        forged["payload"]["caller"] = json!({"id": 1});
        bench.send(ada, forged);
        let got = bench.only(ben);
        for field in ["by", "expires_in", "caller"] {
            assert!(got["payload"].get(field).is_none(), "{field}");
        }
    }
}

/// §3: times and durations are the server's, wherever they stand.
#[test]
fn a_client_cannot_lie_about_time() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.pass(5 * SECOND);
    let mut sent = end("user_hangup");
    for field in ["created_at", "answered_at", "ended_at"] {
        sent["payload"][field] = "1999-01-01T00:00:00Z".into();
    }
    sent["payload"]["duration"] = 86_400.into();
    sent["timestamp"] = "1999-01-01T00:00:00Z".into();
    bench.send(ada, sent);
    let got = bench.only(ben);
    assert_eq!(got["payload"]["created_at"], "2025-10-07T13:00:00Z");
    assert_eq!(got["payload"]["answered_at"], "2025-10-07T13:00:00Z");
    assert_eq!(got["payload"]["ended_at"], "2025-10-07T13:00:05Z");
    assert_eq!(got["payload"]["duration"], 5);
    assert_eq!(got["timestamp"], "2025-10-07T13:00:05Z");
}

/// §16.7: a call without media is the clients' affair.
#[test]
fn the_server_does_not_end_a_call_that_does_not_connect() {
    let (mut bench, [ada, ben, cora]) = Bench::active();
    bench.pass(3600 * SECOND);
    bench.assert_silent(&[ada, ben, cora]);
}

/// §16.9: receivers drop a repeated id, the server does not; `ping` needs no timestamp.
#[test]
fn a_repeated_id_is_no_matter_for_the_server() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    let mut sent = ice();
    sent["id"] = "same".into();
    bench.send(ada, sent.clone());
    bench.send(ada, sent);
    assert_eq!(bench.received(ben).len(), 2);
}

/// §16.9: sixteen levels pass, seventeen do not.
#[test]
fn depth_counts_the_envelope() {
    for (levels, passes) in [(16, true), (17, false)] {
        let (mut bench, [ada, ben, _]) = Bench::active();
        let mut sent = ice();
        let nested = levels - 2;
        sent["payload"]["x"] =
            serde_json::from_str(&format!("{}{}", "[".repeat(nested), "]".repeat(nested))).unwrap();
        bench.send(ada, sent);
        if passes {
            assert_eq!(type_of(&bench.only(ben)), "call.ice");
        } else {
            assert_eq!(bench.error(ada), ("bad_message".into(), false));
        }
    }
}

/// §16.10: what a later version says is not touched beyond the users and the server's own fields.
#[test]
fn a_later_message_keeps_its_fields() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    let sent = message(
        "call.hold",
        json!({"duration": "long", "created_at": 1, "answered_at": [], "by": "me", "to_user": 2}),
    );
    bench.send(ada, sent);
    let payload = bench.only(ben)["payload"].take();
    assert_eq!(
        payload,
        json!({"call_id": CALL, "duration": "long", "created_at": 1, "answered_at": [],
            "from_user": 1, "to_user": 2})
    );
    for (field, value) in [("from_user", 2), ("to_user", 3), ("to_user", 1)] {
        let mut wrong = message("call.hold", json!({}));
        wrong["payload"][field] = value.into();
        bench.send(ada, wrong);
        bench.assert_silent(&[ada, ben]);
    }
}

/// §16.11: outside a call an error comes from nobody; in a call from the other participant. Every error has its code,
/// and a wrong field is named.
#[test]
fn errors_say_from_whom_and_why() {
    let (mut bench, [ada, _, cora]) = Bench::active();
    let mut stray = ice();
    stray["payload"].as_object_mut().unwrap().remove("ice_candidate");
    bench.send(ada, stray.clone());
    let error = bench.only(ada);
    assert_eq!(error["payload"]["from_user"], 2);
    assert_eq!(error["payload"]["by"], "server");
    assert_eq!(error["payload"]["error_code"], "SIGNALING_ERROR");
    assert_eq!(error["payload"]["details"]["field"], "ice_candidate");
    bench.send(cora, stray);
    let error = bench.only(cora);
    assert!(error["payload"].get("from_user").is_none());
    assert_eq!(error["payload"]["details"]["code"], "bad_message");
}

/// §16.16: one device has left, the other is only disconnected; the call rings on until its timer.
#[test]
fn a_disconnected_device_keeps_the_call_ringing() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let tablet = bench.connect(2, "tablet");
    bench.send(ada, offer());
    bench.drop_all();
    bench.disconnect(tablet);
    bench.send(ben, end("user_busy"));
    bench.pass(29 * SECOND);
    bench.assert_silent(&[ada]);
    let tablet = bench.connect(2, "tablet");
    assert_eq!(type_of(&bench.only(tablet)), "call.offer", "and it rings again");
    bench.send(tablet, answer());
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

/// §16.17: of refused offers only a busy one uses up its id.
#[test]
fn an_id_lost_to_glare_is_free_again() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.send(ben, offer_from(2, 1, "call_glare"));
    assert_eq!(bench.error(ben), ("glare".into(), true));
    bench.send(ada, end("user_hangup"));
    bench.drop_all();
    bench.send(ben, offer_from(2, 1, "call_glare"));
    assert_eq!(type_of(&bench.only(ada)), "call.offer");
}

/// What is due comes before what arrives at the same moment.
#[test]
fn an_answer_at_the_last_moment_is_too_late() {
    let (mut bench, [ada, ben, _]) = Bench::ringing();
    bench.elapsed += RING;
    bench.send(ben, answer());
    assert_eq!(bench.only(ada)["payload"]["reason"], "timeout");
    let got = bench.received(ben);
    assert_eq!(
        got.iter().map(type_of).collect::<Vec<_>>(),
        ["call.end", "call.error"]
    );
}

/// S3: neither the caller nor anybody else becomes a third in a call.
#[test]
fn nobody_joins_a_call() {
    for (mut bench, [ada, ben, cora]) in [Bench::ringing(), Bench::active()] {
        let phone = bench.connect(1, "phone");
        bench.drop_all();
        let mut own_answer = answer();
        own_answer["payload"]["from_user"] = 1.into();
        own_answer["payload"]["to_user"] = 2.into();
        bench.send(ada, own_answer.clone());
        assert_eq!(bench.error(ada).0, "bad_state");
        bench.send(phone, own_answer);
        assert_eq!(bench.error(phone).0, "wrong_device");
        for from in [2, 3] {
            let mut answer = answer();
            answer["payload"]["from_user"] = from.into();
            bench.send(cora, answer);
            let expected = if from == 3 {
                "unknown_call"
            } else {
                "from_user_mismatch"
            };
            assert_eq!(bench.error(cora).0, expected);
        }
        let mut to_third = ice();
        to_third["payload"]["to_user"] = 3.into();
        bench.send(ada, to_third);
        assert_eq!(bench.error(ada).0, "to_user_mismatch");
        bench.assert_silent(&[ben, cora]);
    }
}

/// S5, the server's half: what comes too late, too early or from somebody else leaves the current call alone.
#[test]
fn stale_and_foreign_messages_do_not_touch_the_current_call() {
    let old = "call_of_before";
    let (mut bench, [ada, ben, cora]) = Bench::with_three();
    bench.send(ada, offer_from(1, 2, old));
    bench.send(
        ada,
        message("call.end", json!({"call_id": old, "reason": "user_hangup"})),
    );
    bench.send(ada, offer());
    bench.send(ben, answer());
    bench.drop_all();
    // An offer after its hang-up.
    bench.send(ada, offer_from(1, 2, old));
    assert_eq!(bench.error(ada), ("duplicate_call_id".into(), true));
    // Hang-up, busy, candidates and reports of a stale call, by those who were in it.
    for conn in [ada, ben] {
        for reason in ["user_hangup", "user_busy"] {
            bench.send(
                conn,
                message("call.end", json!({"call_id": old, "reason": reason})),
            );
        }
        let mut stale = ice();
        stale["payload"]["call_id"] = old.into();
        bench.send(conn, stale);
    }
    // A candidate of a call that was never offered, and the same from a wrong peer in the current one.
    let mut early = ice();
    early["payload"]["call_id"] = "call_of_later".into();
    bench.send(ada, early);
    for reason in ["user_hangup", "user_busy", "user_rejected"] {
        bench.send(cora, end(reason));
    }
    bench.send(cora, ice());
    bench.assert_silent(&[ada, ben, cora]);
    bench.send(ada, ice());
    assert_eq!(type_of(&bench.only(ben)), "call.ice", "the call goes on");
}

/// S5: an offer does not ring for longer than its time, whoever is away meanwhile.
#[test]
fn an_aged_offer_does_not_ring() {
    let (mut bench, [_, ben, _]) = Bench::ringing();
    bench.disconnect(ben);
    bench.pass(61 * SECOND);
    let ben = bench.connect(2, "d1");
    bench.assert_silent(&[ben]);
    bench.send(ben, answer());
    assert_eq!(bench.error(ben), ("unknown_call".into(), false));
}

/// S6: whatever the ids, the first of two crossing calls is the one, for both.
#[test]
fn of_two_calls_at_once_one_remains() {
    for (first, second) in [("call_a", "call_b"), ("call_b", "call_a"), ("call_a", "call_a")] {
        let (mut bench, [ada, ben, _]) = Bench::with_three();
        bench.send(ada, offer_from(1, 2, first));
        assert_eq!(bench.only(ben)["payload"]["call_id"], first);
        bench.send(ben, offer_from(2, 1, second));
        let error = bench.only(ben);
        if first == second {
            // The id makes it a message of the ringing call, from its callee.
            assert_eq!(error["payload"]["details"]["code"], "bad_state");
        } else {
            assert_eq!(error["payload"]["details"]["code"], "glare");
            assert_eq!(error["payload"]["details"]["call_id_winner"], first);
        }
        bench.assert_silent(&[ada]);
        let mut yes = answer();
        yes["payload"]["call_id"] = first.into();
        bench.send(ben, yes);
        assert_eq!(bench.only(ada)["payload"]["call_id"], first);
        // After it is answered, a further offer is none of a glare.
        bench.send(ben, offer_from(2, 1, "call_c"));
        assert_eq!(bench.error(ben), ("already_in_call".into(), true));
    }
}

/// S7: the moment one device answers, the others are told; one that was away finds no call that rings.
#[test]
fn one_device_answers_and_the_others_stop() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    let tablet = bench.connect(2, "tablet");
    let laptop = bench.connect(2, "laptop");
    bench.send(ada, offer());
    bench.disconnect(laptop);
    bench.drop_all();
    bench.send(tablet, answer());
    let told = bench.only(ben);
    assert_eq!(
        (&told["payload"]["status"], &told["payload"]["by"]),
        (&json!("answered"), &json!("server"))
    );
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
    let laptop = bench.connect(2, "laptop");
    let welcome = bench.received_all(laptop).remove(0);
    let call = &welcome["payload"]["calls"][0];
    assert_eq!(
        (&call["state"], &call["bound_here"]),
        (&json!("active"), &json!(false)),
        "answered elsewhere"
    );
    bench.assert_silent(&[laptop]);
    bench.send(laptop, answer());
    assert_eq!(bench.error(laptop), ("answered_elsewhere".into(), true));
}

/// S15: to a stranger a call that exists, one that ended and one that never was are the same.
#[test]
fn a_stranger_learns_nothing_of_calls() {
    let probes = |call: &str| {
        let with_id = |mut message: Value| {
            message["payload"]["call_id"] = call.into();
            let payload = message["payload"].as_object_mut().unwrap();
            payload.remove("from_user");
            payload.remove("to_user");
            message
        };
        [
            end("user_hangup"),
            ice(),
            answer(),
            status("connected"),
            message("call.renegotiate", json!({"reason": "media"})),
            message("call.hold", json!({})),
            fixture("call.error.media"),
        ]
        .map(with_id)
    };
    let ask = |bench: &mut Bench, cora: ConnId, call: &str| {
        bench.drop_all();
        for probe in probes(call) {
            bench.send(cora, probe);
        }
        let mut answers = bench.received(cora);
        for answer in &mut answers {
            answer["payload"]["call_id"].take();
        }
        answers
    };
    let (mut bench, [ada, ben, cora]) = Bench::active();
    let of_none = ask(&mut bench, cora, "call_that_never_was");
    let of_active = ask(&mut bench, cora, CALL);
    bench.assert_silent(&[ada, ben]);
    bench.send(ada, end("user_hangup"));
    let of_ended = ask(&mut bench, cora, CALL);
    assert_eq!(of_none, of_active);
    assert_eq!(of_none, of_ended);
    assert_eq!(
        of_none.len(),
        2,
        "only the answer and the wish for a re-offer have one"
    );
}
