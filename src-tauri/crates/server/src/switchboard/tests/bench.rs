//! A switchboard with a clock of its own and connections that remember what they were sent.

use crate::switchboard::{
    CallRecord, CloseCode, ConnId, DeviceId, Frame, Input, Moment, Output, Person, Rules, Switchboard,
};
use ahoy_call::UserId;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

pub(super) const RING: Duration = Duration::from_secs(30);
pub(super) const GRACE: Duration = Duration::from_secs(30);
pub(super) const CALL: &str = "call_123456789";

/// Users 1 to 4 exist; 4 is nobody's friend.
pub(super) struct Bench {
    pub(super) board: Switchboard,
    /// Was written down and read again; is given the same inputs and must do the same.
    twin: Option<Switchboard>,
    pub(super) elapsed: Duration,
    next_conn: u64,
    inboxes: HashMap<ConnId, Vec<Value>>,
    pub(super) closed: HashMap<ConnId, CloseCode>,
    pub(super) records: Vec<CallRecord>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_rules(Rules::default())
    }

    pub(super) fn with_rules(rules: Rules) -> Self {
        let mut bench = Self {
            board: Switchboard::new(rules),
            twin: None,
            elapsed: Duration::ZERO,
            next_conn: 0,
            inboxes: HashMap::new(),
            closed: HashMap::new(),
            records: Vec::new(),
        };
        let people = ["Ada", "Ben", "Cora", "Dan"].iter().zip(1..);
        bench.people(people.map(|(name, id)| Person::new(user(id), *name)).collect());
        bench
    }

    pub(super) fn people(&mut self, people: Vec<Person>) {
        self.input(Input::People(people));
    }

    /// Users 1, 2 and 3 are connected with one device each.
    pub(super) fn with_three() -> (Self, [ConnId; 3]) {
        let mut bench = Self::new();
        let conns = [1, 2, 3].map(|id| bench.connect(id, "d1"));
        for conn in conns {
            bench.received(conn);
        }
        (bench, conns)
    }

    /// User 1 rings user 2; nobody has unread messages.
    pub(super) fn ringing() -> (Self, [ConnId; 3]) {
        let (mut bench, conns) = Self::with_three();
        bench.send(conns[0], offer());
        bench.drop_all();
        (bench, conns)
    }

    /// User 2 has answered user 1.
    pub(super) fn active() -> (Self, [ConnId; 3]) {
        let (mut bench, conns) = Self::ringing();
        bench.send(conns[1], answer());
        bench.drop_all();
        (bench, conns)
    }

    pub(super) fn now(&self) -> Moment {
        let wall = "2025-10-07T13:00:00Z".parse::<Timestamp>().unwrap();
        Moment {
            at: self.elapsed,
            wall: wall + self.elapsed,
        }
    }

    pub(super) fn connect(&mut self, id: u64, device: &str) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.input(Input::Connected {
            conn,
            user: user(id),
            device: DeviceId::new(device).unwrap(),
        });
        conn
    }

    pub(super) fn disconnect(&mut self, conn: ConnId) {
        self.input(Input::Disconnected { conn });
    }

    pub(super) fn send(&mut self, conn: ConnId, message: Value) {
        self.send_text(conn, &message.to_string());
    }

    pub(super) fn send_text(&mut self, conn: ConnId, text: &str) {
        self.input(Input::Message {
            conn,
            text: text.to_owned(),
        });
    }

    /// Lets time pass, with every timer at its moment.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(due) = self.board.poll_timeout().filter(|due| *due <= end) {
            self.elapsed = due.max(self.elapsed);
            self.input(Input::Time);
        }
        self.elapsed = end;
    }

    /// The `call.*` messages since the last look.
    pub(super) fn received(&mut self, conn: ConnId) -> Vec<Value> {
        let all = self.inboxes.remove(&conn).unwrap_or_default();
        all.into_iter()
            .filter(|message| type_of(message).starts_with("call."))
            .collect()
    }

    /// Everything since the last look.
    pub(super) fn received_all(&mut self, conn: ConnId) -> Vec<Value> {
        self.inboxes.remove(&conn).unwrap_or_default()
    }

    /// The one `call.*` message since the last look.
    pub(super) fn only(&mut self, conn: ConnId) -> Value {
        let mut messages = self.received(conn);
        assert_eq!(messages.len(), 1, "{messages:#?}");
        messages.remove(0)
    }

    /// The `details.code` of the one `call.error` since the last look, and whether it is fatal.
    pub(super) fn error(&mut self, conn: ConnId) -> (String, bool) {
        let message = self.only(conn);
        assert_eq!(type_of(&message), "call.error", "{message}");
        let details = &message["payload"]["details"];
        (
            details["code"].as_str().unwrap().to_owned(),
            details["fatal"].as_bool().unwrap(),
        )
    }

    pub(super) fn assert_silent(&mut self, conns: &[ConnId]) {
        for conn in conns {
            assert_eq!(self.received(*conn), Vec::<Value>::new(), "{conn:?}");
        }
    }

    pub(super) fn drop_all(&mut self) {
        self.inboxes.clear();
    }

    /// Everything sent and not yet looked at.
    pub(super) fn take_all(&mut self) -> HashMap<ConnId, Vec<Value>> {
        std::mem::take(&mut self.inboxes)
    }

    /// Writes the board down and lets the copy live beside it from here on.
    pub(super) fn begin_twin(&mut self) {
        let state = serde_json::to_string(&self.board).unwrap();
        let twin: Switchboard = serde_json::from_str(&state).unwrap();
        assert_eq!(twin, self.board);
        self.twin = Some(twin);
    }

    pub(super) fn assert_twin(&self) {
        if let Some(twin) = &self.twin {
            assert_eq!(*twin, self.board);
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let now = self.now();
        if let Some(twin) = &mut self.twin {
            twin.handle(now, input.clone());
        }
        self.board.handle(now, input);
        self.drain();
    }

    fn drain(&mut self) {
        if let Some(twin) = &mut self.twin {
            let mut board = self.board.clone();
            loop {
                let (ours, theirs) = (board.poll_record(), twin.poll_record());
                assert_eq!(ours, theirs);
                if ours.is_none() {
                    break;
                }
            }
            loop {
                let (ours, theirs) = (board.poll_output(), twin.poll_output());
                assert_eq!(ours, theirs);
                if ours.is_none() {
                    break;
                }
            }
            assert_eq!(twin.poll_timeout(), self.board.poll_timeout());
        }
        while let Some(record) = self.board.poll_record() {
            self.records.push(record);
        }
        while let Some(Output { conn, frame }) = self.board.poll_output() {
            assert!(
                !self.closed.contains_key(&conn),
                "{conn:?} is closed and is sent {frame:?}"
            );
            match frame {
                Frame::Text(text) => {
                    self.inboxes
                        .entry(conn)
                        .or_default()
                        .push(serde_json::from_str(&text).unwrap());
                }
                Frame::Close(code) => {
                    self.closed.insert(conn, code);
                }
            }
        }
    }
}

pub(super) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn type_of(message: &Value) -> &str {
    message["type"].as_str().unwrap()
}

pub(super) fn fixture(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/im_suite/");
    serde_json::from_str(&std::fs::read_to_string(format!("{path}{name}.json")).unwrap()).unwrap()
}

/// User 1 calls user 2.
pub(super) fn offer() -> Value {
    fixture("call.offer")
}

/// User 2 answers user 1.
pub(super) fn answer() -> Value {
    fixture("call.answer")
}

/// A first offer with another id and other users.
pub(super) fn offer_from(from: u64, to: u64, call: &str) -> Value {
    let mut offer = offer();
    offer["payload"]["from_user"] = from.into();
    offer["payload"]["to_user"] = to.into();
    offer["payload"]["call_id"] = call.into();
    offer
}

/// The same message with other SDP of the same kind.
pub(super) fn with_other_sdp(mut message: Value) -> Value {
    let sdp = message["payload"]["sdp"]["sdp"]
        .as_str()
        .unwrap()
        .replace("ice-ufrag:", "ice-ufrag:new");
    message["payload"]["sdp"]["sdp"] = sdp.into();
    message
}

/// A message that leaves the users to the server.
pub(super) fn message(name: &str, mut payload: Value) -> Value {
    if payload.get("call_id").is_none() {
        payload["call_id"] = CALL.into();
    }
    json!({ "type": name, "payload": payload, "timestamp": "2025-10-07T12:00:00Z" })
}

pub(super) fn ice() -> Value {
    message(
        "call.ice",
        json!({ "ice_candidate": { "candidate": "candidate:3 1 UDP 1 192.0.2.1 5 typ host", "sdpMid": "0" } }),
    )
}

pub(super) fn end(reason: &str) -> Value {
    message("call.end", json!({ "reason": reason }))
}

pub(super) fn status(word: &str) -> Value {
    message("call.status", json!({ "status": word }))
}

/// Compares two messages without the fields that belong to the server.
pub(super) fn assert_relayed(mut sent: Value, mut got: Value) {
    for message in [&mut sent, &mut got] {
        message["timestamp"].take();
        let payload = message["payload"].as_object_mut().unwrap();
        for field in [
            "created_at",
            "answered_at",
            "ended_at",
            "duration",
            "from_user",
            "to_user",
            "caller",
            "expires_in",
        ] {
            payload.remove(field);
        }
    }
    assert_eq!(sent, got);
}
