use ahoy_call::{CallId, Constraints, Offer, Party, RoomId, Signal};
use ahoy_signaling::zlm::wire::Message;
use ahoy_signaling::{Protocol, ProtocolKind, SessionConfig, Timestamp};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Steps end with a zero byte, because what the protocol's document prints has several lines.
pub fn rooms(bytes: &[u8]) {
    for (_, text) in steps(bytes) {
        if let Ok(text) = std::str::from_utf8(text) {
            read(text);
        }
    }
    ahoy_server::fuzz::hear_rooms(steps(bytes));
    to_client(bytes);
}

/// The lenient reader reads right messages as the strict one does, and what it read is written so that the strict one,
/// which every server is, reads the same.
fn read(text: &str) {
    let leniently = Message::read(text);
    if let Ok(strictly) = Message::read_strictly(text) {
        assert_eq!(leniently.as_ref(), Ok(&strictly), "{text}");
    }
    if let Ok(message) = leniently {
        let written = message.to_text();
        assert_eq!(Message::read_strictly(&written), Ok(message), "{text}");
    }
}

/// The room `room_1`, registered and with a call of its own on the way to `alice`, hears whatever comes.
fn to_client(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut session = ProtocolKind::Zlm.session(SessionConfig {
        room: Some(room("room_1")),
        ..SessionConfig::default()
    });
    register(&mut *session, now);
    let call = Signal::Offer(Box::new(Offer {
        call: CallId::from_random([7; 16]),
        from: Party::Room(room("room_1")),
        to: Party::Room(room("alice")),
        video: false,
        sdp: "v=0\r\na=ice-ufrag:uu\r\na=ice-pwd:pp\r\nm=audio 9 X 111\r\n".to_owned(),
        candidates: Vec::new(),
        constraints: Constraints::default(),
        negotiation: 0,
        expires_in: None,
        caller_name: None,
        stream: None,
    }));
    session
        .handle_signal(now, Timestamp::UNIX_EPOCH, call)
        .expect("a room can be called");
    drain(&mut *session);
    for (first, rest) in steps(bytes) {
        now += Duration::from_millis(50);
        match first >> 2 & 0x3 {
            0 | 1 => {
                if let Ok(text) = std::str::from_utf8(rest) {
                    session.handle_text(now, text);
                }
            }
            2 => {
                session.handle_disconnected(now);
                register(&mut *session, now);
            }
            _ => {
                now = session.poll_timeout().map_or(now, |due| due.max(now));
                session.handle_timeout(now);
            }
        }
        drain(&mut *session);
    }
}

/// Connects and has the room accepted, as the server would.
fn register(session: &mut dyn Protocol, now: Instant) {
    session.handle_connected(now);
    let asked = session.poll_text().expect("a register");
    let asked: Value = serde_json::from_str(&asked).expect("the client sends JSON");
    let accept = json!({
        "class": "accept", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "room_1",
        "ice_servers": [{"url": "turn:h:1?transport=udp", "ufrag": "u", "pwd": "p"}]
    });
    session.handle_text(now, &accept.to_string());
    drain(session);
}

/// Whatever came in, what goes out is a message that a server takes.
fn drain(session: &mut dyn Protocol) {
    while session.poll_event().is_some() {}
    while let Some(text) = session.poll_text() {
        Message::read_strictly(&text).expect("the client sends messages");
    }
}

fn room(name: &str) -> RoomId {
    RoomId::new(name).expect("a good name")
}

fn steps(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|step| step.split_first().map(|(first, rest)| (*first, rest)))
}
