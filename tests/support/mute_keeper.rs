//! Makes a room of this program answer as a MediaServer does whose stream has AAC: with the sound inactive. It stands
//! between the room and its server and passes everything else on as it is.

use crate::relay::{Passed, Relay, relay};
use serde_json::Value;

/// The address for the room in place of the server's; it takes one connection and lasts as long as that.
pub fn mute_keeper(server: &str) -> String {
    relay(server, MuteKeeper)
}

struct MuteKeeper;

impl Relay for MuteKeeper {
    fn up(&mut self, text: String) -> Passed {
        Passed::On(with_inactive_sound(&text))
    }

    fn down(&mut self, text: String) -> Passed {
        Passed::On(text)
    }
}

fn with_inactive_sound(text: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    if message["class"] != "accept" || message["method"] != "call" {
        return text.to_owned();
    }
    let sdp = message["sdp"]
        .as_str()
        .expect("an answer has a description")
        .to_owned();
    let mut in_sound = false;
    let lines = sdp.lines().map(|line| {
        if let Some(media) = line.strip_prefix("m=") {
            in_sound = media.starts_with("audio");
        }
        match line {
            "a=sendonly" | "a=sendrecv" | "a=recvonly" if in_sound => "a=inactive\r\n".to_owned(),
            line => format!("{line}\r\n"),
        }
    });
    message["sdp"] = lines.collect::<String>().into();
    message.to_string()
}
