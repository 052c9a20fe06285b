//! Who may call whom, and who sees whom (IM-Suite §11).

use super::bench::*;
use crate::switchboard::{CallPolicy, CallStatus, CloseCode, ConnId, EndReason, Person, Rules};
use ahoy_call::UserId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

fn ids(ids: &[u64]) -> BTreeSet<UserId> {
    ids.iter().map(|id| user(*id)).collect()
}

fn person(id: u64) -> Person {
    Person::new(user(id), ["Ada", "Ben", "Cora", "Dan"][id as usize - 1])
}

fn with_contacts(id: u64, contacts: &[u64]) -> Person {
    Person {
        contacts: Some(ids(contacts)),
        ..person(id)
    }
}

fn blocking(id: u64, blocked: &[u64]) -> Person {
    Person {
        blocked: ids(blocked),
        ..person(id)
    }
}

fn banned(id: u64) -> Person {
    Person {
        banned: true,
        ..person(id)
    }
}

/// Who was said to be online or not, in order.
fn presences(bench: &mut Bench, conn: ConnId) -> Vec<(u64, bool)> {
    let messages = bench.received_all(conn);
    let presences = messages.iter().filter(|message| type_of(message) == "presence");
    presences
        .map(|message| {
            let payload = &message["payload"];
            (payload["user_id"].as_u64().unwrap(), payload["is_online"] == true)
        })
        .collect()
}

#[test]
fn the_restricted_may_be_called_but_not_call() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    bench.people(vec![Person {
        restricted: true,
        ..person(1)
    }]);
    bench.drop_all();
    bench.send(ada, offer());
    assert_eq!(bench.error(ada), ("not_permitted".into(), true));
    bench.assert_silent(&[ben]);
    bench.send(ben, offer_from(2, 1, "call_back"));
    assert_eq!(type_of(&bench.only(ada)), "call.offer");
}

#[test]
fn a_blocked_caller_hears_what_is_said_of_somebody_who_is_away() {
    let (mut away, [ada, ben, _]) = Bench::with_three();
    away.disconnect(ben);
    away.drop_all();
    away.send(ada, offer());
    let expected = away.received_all(ada);
    for callee_is_busy in [false, true] {
        let (mut bench, [ada, ben, cora]) = Bench::with_three();
        bench.people(vec![blocking(2, &[1])]);
        if callee_is_busy {
            bench.send(cora, offer_from(3, 2, "call_other"));
        }
        bench.drop_all();
        bench.send(ada, offer());
        assert_eq!(bench.received_all(ada), expected);
        bench.assert_silent(&[ben, cora]);
        assert!(bench.records.iter().all(|record| record.call_id.as_str() != CALL));
    }
}

#[test]
fn blocking_works_in_one_direction() {
    let (mut bench, [ada, ben, _]) = Bench::with_three();
    bench.people(vec![blocking(2, &[1])]);
    bench.drop_all();
    bench.send(ben, offer_from(2, 1, CALL));
    assert_eq!(type_of(&bench.only(ada)), "call.offer");
}

#[test]
fn with_the_policy_contacts_only_contacts_may_call() {
    let mut bench = Bench::with_rules(Rules {
        call_policy: CallPolicy::Contacts,
        ..Rules::default()
    });
    bench.people(vec![with_contacts(2, &[3]), with_contacts(1, &[2])]);
    let [ada, ben, cora] = [1, 2, 3].map(|id| bench.connect(id, "d1"));
    bench.drop_all();
    bench.send(ada, offer());
    assert_eq!(bench.error(ada), ("not_permitted".into(), true));
    bench.assert_silent(&[ben]);
    bench.send(cora, offer_from(3, 2, "call_contact"));
    assert_eq!(type_of(&bench.only(ben)), "call.offer");
    bench.send(
        cora,
        message(
            "call.end",
            json!({"reason": "user_hangup", "call_id": "call_contact"}),
        ),
    );
    bench.drop_all();
    bench.send(ben, offer_from(2, 3, "call_open"));
    assert_eq!(
        type_of(&bench.only(cora)),
        "call.offer",
        "an open list has everybody"
    );
}

#[test]
fn the_banned_do_not_get_in() {
    let mut bench = Bench::new();
    bench.people(vec![banned(1)]);
    let ada = bench.connect(1, "d1");
    assert_eq!(bench.closed.get(&ada), Some(&CloseCode::BANNED));
    assert!(bench.received_all(ada).is_empty());
    let stranger = bench.connect(77, "d1");
    assert_eq!(bench.closed.get(&stranger), Some(&CloseCode::POLICY));
}

#[test]
fn whoever_is_banned_is_cut_off_and_leaves_the_call() {
    for (banned_id, peer_is, start) in [
        (1, 1, Bench::active as fn() -> (Bench, [ConnId; 3])),
        (2, 0, Bench::active),
        (1, 1, Bench::ringing),
        (2, 0, Bench::ringing),
    ] {
        let (mut bench, conns) = start();
        let tablet = bench.connect(banned_id, "tablet");
        bench.drop_all();
        bench.people(vec![banned(banned_id)]);
        for conn in [conns[banned_id as usize - 1], tablet] {
            assert_eq!(bench.closed.get(&conn), Some(&CloseCode::BANNED));
        }
        let end = bench.only(conns[peer_is]);
        assert_eq!(type_of(&end), "call.end");
        assert_eq!(end["payload"]["reason"], "network_error");
        let record = bench.records.last().unwrap();
        assert_eq!(record.reason, Some(EndReason::NetworkError));
        assert!(matches!(record.status, CallStatus::Ended | CallStatus::Missed));
        assert_eq!(bench.board.poll_timeout(), None, "nobody waits for the banned");
        assert!(
            presences(&mut bench, conns[2]).contains(&(banned_id, false)),
            "to everybody else they have gone"
        );
        bench.people(vec![person(banned_id)]);
        let again = bench.connect(banned_id, "d1");
        assert_eq!(bench.received_all(again)[0]["payload"]["calls"], json!([]));
    }
}

#[test]
fn a_detached_side_that_is_banned_does_not_keep_the_call() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.people(vec![banned(2)]);
    assert_eq!(bench.only(ada)["payload"]["reason"], "network_error");
    assert_eq!(bench.board.poll_timeout(), None);
}

/// §1.6
#[test]
fn an_eleventh_connection_is_refused_and_an_eleventh_device_may_replace() {
    let mut bench = Bench::new();
    for device in 0..10 {
        bench.connect(1, &format!("d{device}"));
    }
    let eleventh = bench.connect(1, "d10");
    assert_eq!(bench.closed.get(&eleventh), Some(&CloseCode::POLICY));
    let again = bench.connect(1, "d0");
    assert_eq!(bench.closed.get(&again), None);
}

#[test]
fn presence_goes_to_contacts_only() {
    let mut bench = Bench::new();
    bench.people(vec![
        with_contacts(1, &[2]),
        with_contacts(2, &[1, 3]),
        with_contacts(3, &[]),
    ]);
    let ada = bench.connect(1, "d1");
    let ben = bench.connect(2, "d1");
    let cora = bench.connect(3, "d1");
    assert_eq!(presences(&mut bench, ada), [(2, false), (4, false), (2, true)]);
    assert_eq!(presences(&mut bench, ben), [(1, true), (4, false)]);
    assert_eq!(presences(&mut bench, cora), [(2, true), (4, false)]);
    bench.send(ada, offer());
    bench.disconnect(ada);
    let told = presences(&mut bench, ben);
    assert_eq!(told, [(1, true), (1, false)], "in a call, and gone");
    assert_eq!(presences(&mut bench, cora), [(2, true)], "Ben is in a call");
}

#[test]
fn the_blocked_see_nobody_coming() {
    let mut bench = Bench::new();
    bench.people(vec![blocking(2, &[1])]);
    let ada = bench.connect(1, "d1");
    let ben = bench.connect(2, "d1");
    assert_eq!(presences(&mut bench, ada), [(3, false), (4, false)]);
    assert_eq!(presences(&mut bench, ben), [(1, true), (3, false), (4, false)]);
}

#[test]
fn who_becomes_a_contact_is_shown_and_who_stops_is_not() {
    let mut bench = Bench::new();
    bench.people(vec![with_contacts(2, &[])]);
    let ada = bench.connect(1, "d1");
    bench.connect(2, "d1");
    bench.drop_all();
    bench.people(vec![with_contacts(2, &[1])]);
    assert_eq!(presences(&mut bench, ada), [(2, true)]);
    bench.people(vec![with_contacts(2, &[1])]);
    assert_eq!(presences(&mut bench, ada), [], "nothing has changed");
    bench.people(vec![Person {
        blocked: ids(&[1]),
        ..with_contacts(2, &[1])
    }]);
    assert_eq!(presences(&mut bench, ada), [(2, false)]);
    bench.people(vec![Person {
        name: "Benjamin".into(),
        ..with_contacts(2, &[1])
    }]);
    let got = bench.received_all(ada);
    assert_eq!(got[0]["payload"]["username"], "Benjamin");
}

#[test]
fn with_more_than_five_hundred_people_open_lists_are_empty() {
    let mut bench = Bench::new();
    let crowd = |range: std::ops::RangeInclusive<u64>| {
        range
            .map(|id| Person::new(user(id), format!("person {id}")))
            .collect()
    };
    bench.people(crowd(5..=500));
    let ada = bench.connect(1, "d1");
    assert_eq!(presences(&mut bench, ada).len(), 499);
    bench.connect(2, "d1");
    assert_eq!(presences(&mut bench, ada), [(2, true)]);
    bench.people(crowd(501..=501));
    let told = presences(&mut bench, ada);
    assert!(told.contains(&(2, false)) && told.iter().all(|(_, online)| !online));
    let cora = bench.connect(3, "d1");
    assert_eq!(presences(&mut bench, cora), []);
    assert_eq!(presences(&mut bench, ada), []);
    bench.people(vec![with_contacts(3, &[1])]);
    assert_eq!(presences(&mut bench, ada), [(3, true)]);
}

#[test]
fn last_seen_is_when_the_last_device_left() {
    let mut bench = Bench::new();
    let ada = bench.connect(1, "d1");
    let ben = bench.connect(2, "d1");
    bench.pass(Duration::from_secs(7));
    bench.disconnect(ben);
    let seen = |messages: Vec<Value>| -> Vec<Value> {
        let of_ben = messages.into_iter().filter(|m| m["payload"]["user_id"] == 2);
        of_ben.map(|mut m| m["payload"]["last_seen"].take()).collect()
    };
    assert_eq!(
        seen(bench.received_all(ada)),
        [
            json!(null),
            json!("2025-10-07T13:00:00Z"),
            json!("2025-10-07T13:00:07Z")
        ]
    );
    let cora = bench.connect(3, "d1");
    assert_eq!(seen(bench.received_all(cora)), [json!("2025-10-07T13:00:07Z")]);
}
