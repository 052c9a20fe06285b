//! A switchboard with a clock of its own and connections that remember what they were sent.

use crate::switchboard::{CloseCode, ConnId, DeviceId, Frame, Moment, Output, Switchboard, Timing};
use ahoy_call::UserId;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub(super) const RING: Duration = Duration::from_secs(30);
pub(super) const GRACE: Duration = Duration::from_secs(30);
pub(super) const CALL: &str = "call_123456789";

/// Users 1 to 4 exist; 4 is nobody's friend.
pub(super) struct Bench {
    pub(super) board: Switchboard,
    start: Instant,
    pub(super) elapsed: Duration,
    next_conn: u64,
    inboxes: HashMap<ConnId, Vec<Value>>,
    pub(super) closed: HashMap<ConnId, CloseCode>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let timing = Timing {
            ring_timeout: RING,
            resume_grace: GRACE,
            heartbeat: Duration::from_secs(30),
        };
        let people = ["Ada", "Ben", "Cora", "Dan"].iter().zip(1..);
        Self {
            board: Switchboard::new(timing, people.map(|(name, id)| (user(id), name.to_string()))),
            start: Instant::now(),
            elapsed: Duration::ZERO,
            next_conn: 0,
            inboxes: HashMap::new(),
            closed: HashMap::new(),
        }
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
            at: self.start + self.elapsed,
            wall: wall + self.elapsed,
        }
    }

    pub(super) fn connect(&mut self, id: u64, device: &str) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.board
            .handle_connect(self.now(), conn, user(id), DeviceId::new(device).unwrap());
        self.drain();
        conn
    }

    pub(super) fn disconnect(&mut self, conn: ConnId) {
        self.board.handle_disconnect(self.now(), conn);
        self.drain();
    }

    pub(super) fn send(&mut self, conn: ConnId, message: Value) {
        self.send_text(conn, &message.to_string());
    }

    pub(super) fn send_text(&mut self, conn: ConnId, text: &str) {
        self.board.handle_message(self.now(), conn, text);
        self.drain();
    }

    /// Lets time pass, with every timer at its moment.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(due) = self.board.poll_timeout().filter(|due| *due <= self.start + end) {
            self.elapsed = due.saturating_duration_since(self.start).max(self.elapsed);
            self.board.handle_timeout(self.now());
            self.drain();
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

    fn drain(&mut self) {
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
