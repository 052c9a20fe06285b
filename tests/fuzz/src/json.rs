use ahoy_call::UserId;
use ahoy_server::switchboard::{ConnId, DeviceId, Frame, Input, Moment, Person, Rules, Switchboard};
use ahoy_signaling::{ProtocolKind, SessionConfig, Timestamp};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Who is connected: user and device of each connection. Users 1 and 2 are those of the fixtures.
const SEATS: [(u64, &str); 4] = [(1, "d1"), (2, "d2"), (2, "d3"), (3, "d4")];

/// Each line is one event; its first byte says which connection, and whether it sends the rest of the line, breaks,
/// comes back, or time passes.
pub fn json(bytes: &[u8]) {
    to_server(bytes);
    to_client(bytes);
}

fn to_server(bytes: &[u8]) {
    let mut at = Duration::ZERO;
    let mut switchboard = Switchboard::new(Rules::default());
    let mut conns = [0, 1, 2, 3].map(ConnId);
    let people = (1..=3).map(|id| Person::new(user(id), "x")).collect();
    switchboard.handle(moment(at), Input::People(people));
    for seat in 0..SEATS.len() {
        connect(&mut switchboard, at, seat, conns[seat]);
    }
    drain(&mut switchboard);
    for (number, line) in lines(bytes).enumerate() {
        at += Duration::from_millis(10);
        let (event, seat) = (line.0 >> 2 & 0x3, usize::from(line.0 & 0x3));
        match event {
            // Digits and most letters: whatever is written by hand is a message.
            0 | 1 => {
                let Ok(text) = std::str::from_utf8(line.1) else {
                    continue;
                };
                let text = text.to_owned();
                switchboard.handle(
                    moment(at),
                    Input::Message {
                        conn: conns[seat],
                        text,
                    },
                );
            }
            2 => {
                let conn = conns[seat];
                switchboard.handle(moment(at), Input::Disconnected { conn });
                conns[seat] = ConnId(4 + number as u64);
                connect(&mut switchboard, at, seat, conns[seat]);
            }
            _ => {
                at = switchboard.poll_timeout().map_or(at, |due| due.max(at));
                switchboard.handle(moment(at), Input::Time);
            }
        }
        drain(&mut switchboard);
    }
    switchboard.handle(moment(at), Input::Shutdown);
    drain(&mut switchboard);
}

fn connect(switchboard: &mut Switchboard, at: Duration, seat: usize, conn: ConnId) {
    let (id, device) = SEATS[seat];
    let device = DeviceId::new(device).expect("a good name");
    let user = user(id);
    switchboard.handle(moment(at), Input::Connected { conn, user, device });
}

/// Whatever came in, what goes out is a message.
fn drain(switchboard: &mut Switchboard) {
    while switchboard.poll_record().is_some() {}
    while let Some(output) = switchboard.poll_output() {
        if let Frame::Text(text) = output.frame {
            let message: Value = serde_json::from_str(&text).expect("the server sends JSON");
            assert!(message["type"].is_string(), "{text}");
        }
    }
}

fn to_client(bytes: &[u8]) {
    let now = Instant::now();
    let mut session = ProtocolKind::ImSuite.session(SessionConfig {
        user: Some(user(2)),
        ..SessionConfig::default()
    });
    session.handle_connected(now);
    for (first, line) in lines(bytes) {
        match first >> 2 & 0x3 {
            0 | 1 => {
                if let Ok(text) = std::str::from_utf8(line) {
                    session.handle_text(now, text);
                }
            }
            2 => {
                session.handle_disconnected(now);
                session.handle_connected(now);
            }
            _ => session.handle_timeout(session.poll_timeout().unwrap_or(now)),
        }
        while session.poll_event().is_some() {}
        while let Some(text) = session.poll_text() {
            serde_json::from_str::<Value>(&text).expect("the client sends JSON");
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split_first().map(|(first, rest)| (*first, rest)))
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("small ids are good")
}

fn moment(at: Duration) -> Moment {
    Moment {
        at,
        wall: Timestamp::UNIX_EPOCH,
    }
}
