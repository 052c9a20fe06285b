//! Anything may arrive: nothing panics, nobody hears of a foreign call, nothing is left over.

use super::bench::*;
use crate::switchboard::{CallRecord, CallStatus, ConnId, Limits, Person, Rules};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Below the time after which an id may be used again.
const LONGEST_PAUSE_MS: u64 = 40_000;

#[derive(Debug, Clone)]
enum Step {
    Connect { user: u64, device: u8 },
    Disconnect { nth: usize },
    Send { nth: usize, message: Value },
    Garbage { nth: usize, text: String },
    Pass { ms: u64 },
    Change { person: Person },
}

fn call_message() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "offer",
        "answer",
        "ice",
        "end",
        "status",
        "error",
        "renegotiate",
        "hold",
    ]);
    let call = prop::sample::select(vec!["a", "b", "c"]);
    let reason = prop::sample::select(vec![
        "user_hangup",
        "user_busy",
        "user_rejected",
        "media",
        "ringing",
        "connected",
        "answered",
    ]);
    (
        name,
        call,
        reason,
        prop::option::of(1..=5u64),
        prop::option::weighted(0.2, 1..=5u64),
        0..3u8,
        (-1e6..1e6f64, any::<bool>()),
    )
        .prop_map(|(name, call, word, to, from, variant, (number, muted))| {
            let mut sent = match name {
                "offer" => offer(),
                "answer" => answer(),
                _ => message(
                    &format!("call.{name}"),
                    json!({
                        "reason": word, "status": word, "ice_candidate": null,
                        "error_code": "MEDIA_ERROR", "error_message": "x",
                    }),
                ),
            };
            for _ in 0..variant {
                if name == "offer" || name == "answer" {
                    sent = with_other_sdp(sent);
                }
            }
            let payload = sent["payload"].as_object_mut().unwrap();
            payload.insert("call_id".into(), call.into());
            payload.insert("x".into(), number.into());
            if muted {
                payload.insert("media".into(), json!({ "audio": "muted", "level": number / 3.0 }));
            }
            for (field, value) in [("to_user", to), ("from_user", from)] {
                payload.remove(field);
                if let Some(value) = value {
                    payload.insert(field.into(), value.into());
                }
            }
            sent
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1..=4u64, 0..2u8).prop_map(|(user, device)| Step::Connect { user, device }),
        1 => (0..8usize).prop_map(|nth| Step::Disconnect { nth }),
        12 => (0..8usize, call_message()).prop_map(|(nth, message)| Step::Send { nth, message }),
        1 => (0..8usize, "\\PC{0,60}").prop_map(|(nth, text)| Step::Garbage { nth, text }),
        2 => (0..LONGEST_PAUSE_MS).prop_map(|ms| Step::Pass { ms }),
        1 => person().prop_map(|person| Step::Change { person }),
    ]
}

fn person() -> impl Strategy<Value = Person> {
    let some = || prop::collection::btree_set((1..=4u64).prop_map(user), 0..3);
    (
        1..=4u64,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop::option::of(some()),
        some(),
    )
        .prop_map(|(id, banned, restricted, contacts, blocked)| Person {
            banned,
            restricted,
            contacts,
            blocked: if id % 2 == 0 { blocked } else { BTreeSet::new() },
            ..Person::new(user(id), format!("person {id}"))
        })
}

fn rules() -> impl Strategy<Value = Rules> {
    any::<bool>().prop_map(|limited| Rules {
        limits: if limited { Limits::default() } else { Limits::NONE },
        ..Rules::default()
    })
}

/// What an onlooker of all connections knows.
#[derive(Default)]
struct Witness {
    users: HashMap<ConnId, u64>,
    devices: HashMap<ConnId, (u64, String)>,
    open: Vec<ConnId>,
    /// Caller and callee by call id, from the first delivered offer.
    participants: HashMap<String, [u64; 2]>,
    /// Where media were negotiated, by call id.
    bound: HashMap<String, BTreeSet<(u64, String)>>,
    answered: BTreeSet<String>,
    /// Records looked at.
    read: usize,
    newest: HashMap<String, CallRecord>,
}

impl Witness {
    fn connected(&mut self, bench: &mut Bench, id: u64, device: String) -> ConnId {
        let conn = bench.connect(id, &device);
        self.users.insert(conn, id);
        self.devices.insert(conn, (id, device));
        self.open.push(conn);
        conn
    }

    /// Pending, answered any number of times, one end, and nothing after it.
    fn check_records(&mut self, bench: &Bench) {
        for record in &bench.records[self.read..] {
            let id = record.call_id.as_str().to_owned();
            let is_busy = record.status == CallStatus::Missed && record.reason.is_some();
            match self.newest.insert(id, record.clone()) {
                None => assert!(record.status == CallStatus::Pending || is_busy, "{record:?}"),
                Some(older) => {
                    assert!(!older.is_final(), "{older:?}, then {record:?}");
                    assert_eq!(
                        (older.from_user, older.to_user, older.started_at),
                        (record.from_user, record.to_user, record.started_at)
                    );
                    assert!(
                        older.status != CallStatus::Answered
                            || matches!(record.status, CallStatus::Answered | CallStatus::Ended),
                        "{older:?}, then {record:?}"
                    );
                }
            }
        }
        self.read = bench.records.len();
    }

    fn check(&mut self, bench: &mut Bench) {
        self.check_records(bench);
        let inboxes = bench.take_all();
        for message in inboxes
            .values()
            .flatten()
            .filter(|message| type_of(message) == "call.offer")
        {
            let payload = &message["payload"];
            let users = [
                payload["from_user"].as_u64().unwrap(),
                payload["to_user"].as_u64().unwrap(),
            ];
            self.participants
                .entry(payload["call_id"].as_str().unwrap().into())
                .or_insert(users);
        }
        for (conn, messages) in inboxes {
            let user = self.users[&conn];
            for message in messages
                .iter()
                .filter(|message| type_of(message).starts_with("call."))
            {
                self.check_message(user, message);
                self.note_device(conn, message);
            }
        }
    }

    /// From its answer on, a call has two devices.
    fn note_device(&mut self, conn: ConnId, message: &Value) {
        let payload = &message["payload"];
        let Some(call) = payload["call_id"].as_str() else {
            return;
        };
        if payload["by"] == "server" {
            return;
        }
        if type_of(message) == "call.answer" {
            self.answered.insert(call.to_owned());
        }
        if self.answered.contains(call) && type_of(message) != "call.end" {
            let bound = self.bound.entry(call.to_owned()).or_default();
            bound.insert(self.devices[&conn].clone());
            assert!(bound.len() <= 2, "a third device in the call: {message}");
        }
    }

    fn check_message(&self, user: u64, message: &Value) {
        let payload = &message["payload"];
        assert_eq!(payload["to_user"], user, "{message}");
        let winner = &payload["details"]["call_id_winner"];
        if let Some(winner) = winner.as_str() {
            assert!(self.participants[winner].contains(&user), "{message}");
        }
        let is_own_refusal = type_of(message) == "call.error" && payload["by"] == "server";
        let is_busy = payload["reason"] == "user_busy" && payload["by"] == "server";
        if !is_own_refusal && !is_busy {
            let participants = self.participants[payload["call_id"].as_str().unwrap()];
            assert!(
                participants.contains(&user),
                "an outsider heard of a call: {message}"
            );
            let from = payload["from_user"].as_u64().unwrap();
            assert!(participants.contains(&from) && from != user, "{message}");
        } else if let Some(from) = payload.get("from_user").filter(|_| is_own_refusal) {
            let participants = self.participants[payload["call_id"].as_str().unwrap()];
            assert!(
                participants.contains(&user) && participants.contains(&from.as_u64().unwrap()),
                "{message}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_breaks_a_promise(
        rules in rules(),
        steps in prop::collection::vec(step(), 1..80),
        written_down_at in 0..80usize,
    ) {
        let mut bench = Bench::with_rules(rules);
        let mut witness = Witness::default();
        for user in 1..=3 {
            witness.connected(&mut bench, user, "d0".into());
        }
        let mut passed = Duration::ZERO;
        for (number, step) in steps.into_iter().enumerate() {
            if number == written_down_at {
                bench.begin_twin();
            }
            match step {
                Step::Connect { user, device } => {
                    witness.connected(&mut bench, user, format!("d{device}"));
                }
                Step::Disconnect { nth } if !witness.open.is_empty() => {
                    let conn = witness.open.remove(nth % witness.open.len());
                    bench.disconnect(conn);
                }
                Step::Send { nth, message } if !witness.open.is_empty() => {
                    bench.send(witness.open[nth % witness.open.len()], message);
                }
                Step::Garbage { nth, text } if !witness.open.is_empty() => {
                    bench.send_text(witness.open[nth % witness.open.len()], &text);
                }
                Step::Pass { ms } if passed < Duration::from_secs(500) => {
                    bench.pass(Duration::from_millis(ms));
                    passed += Duration::from_millis(ms);
                }
                Step::Change { person } => bench.people(vec![person]),
                Step::Disconnect { .. } | Step::Send { .. } | Step::Garbage { .. } | Step::Pass { .. } => {}
            }
            witness.check(&mut bench);
            let closed: Vec<_> = bench.closed.keys().copied().collect();
            witness.open.retain(|conn| !closed.contains(conn));
        }
        for conn in witness.open.drain(..) {
            bench.disconnect(conn);
        }
        bench.pass(Duration::from_secs(1300));
        witness.check(&mut bench);
        bench.assert_twin();
        for record in witness.newest.values() {
            prop_assert!(record.is_final(), "a call without an end: {:?}", record);
        }
        prop_assert_eq!(bench.board.poll_timeout(), None, "no timer outlives its call");
        bench.people((1..=2).map(|id| Person::new(user(id), "anew")).collect());
        let fresh = bench.connect(1, "fresh");
        let ben = bench.connect(2, "fresh");
        bench.drop_all();
        bench.send(fresh, offer_from(1, 2, "call_fresh"));
        let rung = bench.only(ben);
        prop_assert_eq!(type_of(&rung), "call.offer", "nobody stays in a dead call");
    }

    #[test]
    fn mutated_examples_are_answered_or_ignored(
        name in prop::sample::select(vec![
            "call.offer", "call.answer", "call.ice", "call.end", "call.status", "call.error.media",
        ]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = fixture(name).to_string().into_bytes();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        let (mut bench, conns) = Bench::active();
        bench.send_text(conns[0], &String::from_utf8_lossy(&bytes));
        bench.assert_silent(&conns[2..]);
    }
}
