//! Rows "Active" and "Ended" of the server table (IM-Suite §10), re-offers (§9).

use super::bench::*;
use crate::switchboard::Input;
use serde_json::{Value, json};
use std::time::Duration;

fn from(user: u64, mut message: Value) -> Value {
    message["payload"]["from_user"] = user.into();
    message["payload"]["to_user"] = (3 - user).into();
    message
}

#[test]
fn candidates_reports_and_errors_go_to_the_peer() {
    let (mut bench, [ada, ben, cora]) = Bench::active();
    let mut unknown = message("call.hold", json!({"on": true, "duration": "as it was"}));
    unknown["future"] = json!([1, 2]);
    for sent in [
        ice(),
        message("call.ice", json!({"ice_candidate": null})),
        fixture("call.status"),
        fixture("call.error.media"),
        fixture("call.error.network"),
        unknown,
    ] {
        for (sender, receiver, peer) in [(ada, ben, 1), (ben, ada, 2)] {
            bench.send(sender, sent.clone());
            let got = bench.only(receiver);
            assert_eq!(got["payload"]["from_user"], peer);
            assert_relayed(sent.clone(), got);
        }
    }
    bench.assert_silent(&[cora]);
}

#[test]
fn durations_are_the_servers() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.pass(Duration::from_millis(7_900));
    bench.send(ada, fixture("call.status"));
    assert_eq!(bench.only(ben)["payload"]["duration"], 7);
    bench.send(ada, fixture("call.end"));
    let got = bench.only(ben);
    assert_relayed(fixture("call.end"), got.clone());
    assert_eq!(got["payload"]["duration"], 7);
    assert_eq!(got["payload"]["ended_at"], "2025-10-07T13:00:07.9Z");
}

#[test]
fn clients_cannot_say_ringing_or_answered_in_a_call() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    for word in ["ringing", "answered"] {
        bench.send(ben, status(word));
    }
    bench.assert_silent(&[ada, ben]);
}

#[test]
fn after_the_end_everything_is_over() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ben, end("user_hangup"));
    assert_eq!(type_of(&bench.only(ada)), "call.end");
    for conn in [ada, ben] {
        bench.send(conn, end("user_hangup"));
        bench.send(conn, ice());
        bench.send(conn, status("connected"));
        bench.send(conn, message("call.hold", json!({})));
    }
    bench.assert_silent(&[ada, ben]);
    bench.send(ben, answer());
    assert_eq!(bench.error(ben), ("unknown_call".into(), false));
    bench.send(ada, offer());
    assert_eq!(bench.error(ada), ("duplicate_call_id".into(), true));
    bench.send(ada, offer_from(1, 2, "call_next"));
    assert_eq!(type_of(&bench.only(ben)), "call.offer", "both are free again");
}

#[test]
fn a_repeated_answer_or_first_offer_is_ignored() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ben, answer());
    bench.send(ada, offer());
    bench.assert_silent(&[ada, ben]);
    bench.send(ben, with_other_sdp(answer()));
    assert_eq!(bench.error(ben), ("bad_state".into(), false));
    bench.send(ada, from(1, answer()));
    assert_eq!(bench.error(ada), ("bad_state".into(), false));
}

#[test]
fn a_re_offer_and_its_answer_are_forwarded() {
    for (mut bench, role) in [(Bench::active(), 1), (Bench::active(), 2)]
        .map(|((bench, [ada, ben, _]), role)| ((bench, ada, ben), role))
        .map(|((bench, ada, ben), role)| {
            (
                Pair {
                    bench,
                    conns: [ada, ben],
                },
                role,
            )
        })
    {
        let (offerer, answerer) = (role, 3 - role);
        let re_offer = from(offerer, with_other_sdp(offer()));
        bench.send(offerer, re_offer.clone());
        let got = bench.only(answerer);
        assert_relayed(re_offer.clone(), got.clone());
        assert!(got["payload"].get("expires_in").is_none(), "it does not ring");
        bench.send(offerer, re_offer);
        assert_eq!(
            type_of(&bench.only(answerer)),
            "call.offer",
            "an identical one is forwarded again"
        );
        bench.send(offerer, with_other_sdp(with_other_sdp(from(offerer, offer()))));
        let error = bench.only(offerer);
        assert_eq!(error["payload"]["details"]["code"], "renegotiation_pending");
        assert!(error["payload"]["details"]["retry_after_ms"].is_u64());
        let re_answer = from(answerer, with_other_sdp(answer()));
        bench.send(answerer, re_answer.clone());
        assert_relayed(re_answer.clone(), bench.only(offerer));
        bench.send(answerer, re_answer);
        bench.assert_silent();
    }
}

/// An active call, addressed by user id.
struct Pair {
    bench: Bench,
    conns: [crate::switchboard::ConnId; 2],
}

impl Pair {
    fn conn(&self, user: u64) -> crate::switchboard::ConnId {
        self.conns[user as usize - 1]
    }

    fn send(&mut self, user: u64, message: Value) {
        self.bench.send(self.conn(user), message);
    }

    fn only(&mut self, user: u64) -> Value {
        self.bench.only(self.conn(user))
    }

    fn assert_silent(&mut self) {
        self.bench.assert_silent(&self.conns);
    }
}

#[test]
fn of_two_crossing_re_offers_the_callers_wins() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ben, from(2, with_other_sdp(offer())));
    assert_eq!(type_of(&bench.only(ada)), "call.offer");
    let winner = with_other_sdp(with_other_sdp(offer()));
    bench.send(ada, winner.clone());
    let got = bench.received(ben);
    assert_eq!(got[0]["payload"]["details"]["code"], "renegotiation_pending");
    assert_relayed(winner, got[1].clone());
    bench.send(ben, from(2, with_other_sdp(offer())));
    assert_eq!(bench.error(ben), ("renegotiation_pending".into(), false));
    bench.send(ben, with_other_sdp(answer()));
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

#[test]
fn an_answer_to_an_older_re_offer_is_dropped() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    let mut re_offer = with_other_sdp(offer());
    re_offer["payload"]["negotiation"] = 2.into();
    bench.send(ada, re_offer);
    bench.drop_all();
    let mut re_answer = with_other_sdp(answer());
    re_answer["payload"]["negotiation"] = 1.into();
    bench.send(ben, re_answer.clone());
    bench.assert_silent(&[ada, ben]);
    re_answer["payload"]["negotiation"] = 2.into();
    bench.send(ben, re_answer);
    assert_eq!(type_of(&bench.only(ada)), "call.answer");
}

#[test]
fn only_the_callee_asks_for_a_re_offer() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    let ask = message("call.renegotiate", json!({"reason": "ice_restart"}));
    bench.send(ben, ask.clone());
    assert_eq!(type_of(&bench.only(ada)), "call.renegotiate");
    bench.send(ada, ask);
    assert_eq!(bench.error(ada), ("bad_state".into(), false));
}

#[test]
fn a_shutdown_ends_calls_and_closes_connections() {
    let (mut bench, conns) = Bench::active();
    bench.input(Input::Shutdown);
    bench.send_text(conns[2], "{}");
    for conn in &conns[..2] {
        assert_eq!(bench.only(*conn)["payload"]["reason"], "server_error");
    }
    assert_eq!(bench.closed.len(), 3);
    assert!(bench.closed.values().all(|code| code.0 == 1001));
}
