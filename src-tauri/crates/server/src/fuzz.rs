//! One entry for fuzzers: the table of rooms hears whatever texts they make up.

use crate::rooms::{Issued, Now, Table};
use crate::switchboard::{ConnId, Frame, Limits};
use serde_json::Value;
use std::time::Duration;

/// Sockets at once; the first three have the rooms that the examples of the protocol's document name.
const SOCKETS: u32 = 4;
const ROOMS: [&str; 3] = ["room_1", "alice", "bob"];

/// Each step is one event: its first byte says which socket, and whether it sends the rest, breaks and comes back, or time
/// passes. Whatever came in, what goes out is a message, and nobody keeps a room without its socket.
pub fn hear_rooms<'a>(steps: impl Iterator<Item = (u8, &'a [u8])>) {
    let issue = |_, _| {
        Some(Issued {
            urls: vec!["turn:h:1".to_owned(), "turn:h:1?transport=tcp".to_owned()],
            username: "9:room-1".to_owned(),
            credential: "x".to_owned(),
            ttl: Duration::from_secs(3600),
        })
    };
    let mut made = 0;
    let random = move || {
        made += 1;
        format!("r{made}")
    };
    let mut table = Table::new(Limits::default(), None, Box::new(issue), Box::new(random));
    let mut now = Now {
        since: Duration::ZERO,
        unix: 1000,
    };
    let mut sockets: Vec<ConnId> = (0..SOCKETS).map(|n| ConnId::new(0, n)).collect();
    for socket in &sockets {
        table.handle_connected(*socket, None);
    }
    for (socket, room) in sockets.iter().zip(ROOMS) {
        let register = serde_json::json!({
            "class": "request", "method": "register", "transaction_id": "t", "room_id": room, "ahoy": {"list": true}
        });
        table.handle_text(now, *socket, register.to_string());
    }
    drain(&mut table);
    for (number, (first, rest)) in (SOCKETS..).zip(steps) {
        now.since += Duration::from_millis(50);
        let at = usize::from(first & 0x3);
        match first >> 2 & 0x3 {
            0 | 1 => {
                if let Ok(text) = std::str::from_utf8(rest) {
                    table.handle_text(now, sockets[at], text.to_owned());
                }
            }
            2 => {
                table.handle_disconnected(now, sockets[at]);
                sockets[at] = ConnId::new(0, number);
                table.handle_connected(sockets[at], None);
            }
            _ => {
                now.since = table.poll_timeout().map_or(now.since, |due| due.max(now.since));
                table.handle_timeout(now);
            }
        }
        drain(&mut table);
    }
    for socket in sockets {
        table.handle_disconnected(now, socket);
    }
    assert_eq!(table.counts(), (0, 0), "rooms or calls without sockets");
}

fn drain(table: &mut Table) {
    while let Some(output) = table.poll_output() {
        if let Frame::Text(text) = output.frame {
            let message: Value = serde_json::from_str(&text).expect("the server sends JSON");
            assert!(message["class"].is_string(), "{text}");
        }
    }
}
