//! Measures the switchboard alone on this machine: what a connection costs to keep, and what a message costs to decide.
#![allow(clippy::print_stdout)]

use ahoy_call::UserId;
use ahoy_server::switchboard::{ConnId, DeviceId, Input, Limits, Moment, Person, Rules, Switchboard};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const USERS: u64 = 20_000;
/// Contacts of each user, all of them online.
const CONTACTS: u64 = 20;
const CALLS: u64 = 2_000;
const MESSAGES: u64 = 100_000;

fn main() {
    let mut load = Load {
        board: Switchboard::new(Rules {
            limits: Limits::NONE,
            ..Rules::default()
        }),
        start: Instant::now(),
        outputs: 0,
    };
    let people: Vec<_> = (1..=USERS).map(person).collect();
    load.input(Input::People(people));

    let before = resident();
    let connecting = Instant::now();
    for id in 1..=USERS {
        load.input(Input::Connected {
            conn: conn(id),
            user: user(id),
            device: DeviceId::new(format!("device-{id:016x}")).expect("a device id"),
        });
    }
    let each = connecting.elapsed() / u32::try_from(USERS).unwrap_or(u32::MAX);
    match before.zip(resident()) {
        Some((before, after)) => println!(
            "{USERS} connections with {CONTACTS} contacts: {each:?} each, {} bytes each",
            after.saturating_sub(before) / USERS
        ),
        None => println!("{USERS} connections: {each:?} each; this system does not tell the memory"),
    }

    for call in 0..CALLS {
        load.say(caller(call), &with_ids(offer(), call));
        load.say(callee(call), &with_ids(answer(), call));
    }
    let kinds: [(&str, Value); 4] = [
        ("candidate", ice()),
        ("report", report()),
        ("re-offer", offer()),
        ("re-answer", answer()),
    ];
    for (name, message) in kinds {
        let texts: Vec<_> = (0..CALLS)
            .map(|call| {
                let message = with_ids(message.clone(), call);
                message.to_string().replace("ice-ufrag:", "ice-ufrag:new")
            })
            .collect();
        let from: fn(u64) -> u64 = if name == "re-answer" { callee } else { caller };
        let rounds = if name.starts_with("re-") { CALLS } else { MESSAGES };
        let mut times: Vec<_> = (0..rounds)
            .map(|number| {
                let call = number % CALLS;
                load.say_text(from(call), texts[call as usize].clone())
            })
            .collect();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 1000];
        println!(
            "{name} of {} bytes: median {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
            texts[0].len(),
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
    let writing = Instant::now();
    let state = serde_json::to_vec(&load.board).expect("the state can be written down");
    println!(
        "written down: {} bytes in {:?}; {} outputs in all",
        state.len(),
        writing.elapsed(),
        load.outputs
    );
}

struct Load {
    board: Switchboard,
    start: Instant,
    outputs: u64,
}

impl Load {
    /// Gives an input and drains what it leads to; tells how long both took.
    fn input(&mut self, input: Input) -> Duration {
        let begin = Instant::now();
        let now = Moment {
            at: self.start.elapsed(),
            wall: Timestamp::UNIX_EPOCH + self.start.elapsed(),
        };
        self.board.handle(now, input);
        while self.board.poll_record().is_some() {}
        while self.board.poll_output().is_some() {
            self.outputs += 1;
        }
        begin.elapsed()
    }

    fn say(&mut self, from: u64, message: &Value) {
        self.say_text(from, message.to_string());
    }

    fn say_text(&mut self, from: u64, text: String) -> Duration {
        self.input(Input::Message {
            conn: conn(from),
            text,
        })
    }
}

fn person(id: u64) -> Person {
    let contacts: BTreeSet<_> = (1..=CONTACTS)
        .map(|step| user((id + step * 7) % USERS + 1))
        .collect();
    Person {
        contacts: Some(contacts),
        ..Person::new(user(id), format!("Person {id}"))
    }
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("a user id")
}

fn conn(id: u64) -> ConnId {
    ConnId(id)
}

fn caller(call: u64) -> u64 {
    2 * call + 1
}

fn callee(call: u64) -> u64 {
    2 * call + 2
}

fn with_ids(mut message: Value, call: u64) -> Value {
    message["payload"]["call_id"] = format!("call_{call:032x}").into();
    let is_answer = message["type"] == "call.answer";
    message["payload"]["to_user"] = if is_answer { caller(call) } else { callee(call) }.into();
    message
}

fn message(name: &str, payload: Value) -> Value {
    json!({ "type": name, "payload": payload, "timestamp": "2025-10-07T12:00:00Z" })
}

/// As long as the one of the specification.
fn sdp(kind: &str) -> Value {
    let attributes = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n".repeat(50);
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 00\r\na=ice-ufrag:abcd\r\nm=audio 9 \
         UDP/TLS/RTP/SAVPF 111\r\n{attributes}"
    );
    json!({ "type": kind, "sdp": sdp })
}

fn offer() -> Value {
    message("call.offer", json!({ "call_type": "video", "sdp": sdp("offer") }))
}

fn answer() -> Value {
    message("call.answer", json!({ "sdp": sdp("answer") }))
}

fn ice() -> Value {
    let candidate = json!({
        "candidate": "candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 10.0.0.7 rport 46154",
        "sdpMLineIndex": 0, "sdpMid": "0", "usernameFragment": "abcd",
    });
    message("call.ice", json!({ "ice_candidate": candidate }))
}

fn report() -> Value {
    let stats = json!({
        "packet_loss": 0.01, "jitter": 5.3, "rtt": 50.1, "bitrate_in": 1_900_000, "bitrate_out": 1_800_000,
        "fps": 30, "width": 1280, "height": 720, "path": "srflx",
    });
    message(
        "call.status",
        json!({ "status": "connected", "audio_quality": "good", "network_stats": stats,
            "media": { "audio": "on", "video": "on", "screen": "off" } }),
    )
}

/// Bytes of this process in memory (proc(5), statm, pages of 4 KiB); Linux only.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}
