//! Makes two rooms of this program one room of a MediaServer for a caller: what is pushed to it goes to one, what is played
//! comes from the other. As of a MediaServer, nothing is heard of this program's own field `ahoy`, and some streams are not
//! there, are somebody else's, or are waited for.

use crate::Party;
use crate::relay::{Passed, Relay, relay};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The room that a caller calls.
pub const KEEPER: &str = "keeper";
/// A stream that cannot be played because there is none.
pub const MISSING: &str = "missing";
/// A stream that cannot be pushed because somebody pushes it.
pub const TAKEN: &str = "taken";
/// A stream that a MediaServer waits for before it answers.
pub const AWAITED: &str = "awaited";

const TAKES_PUSHES: &str = "keeper-of-pushes";
const GIVES_STREAMS: &str = "keeper-of-streams";

/// How long a goodbye may be on its way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stand-in for one caller.
pub struct MediaServer {
    /// The address for the caller in place of the signaling server's.
    pub url: String,
    /// Takes what is pushed, and says what it hears and sees.
    pub pushed: Party,
    /// Sends what is played: a tone of 660 Hz and a pattern.
    pub played: Party,
    byes: Byes,
}

/// The guest ids of the calls that the caller has ended itself.
type Byes = Arc<(Mutex<BTreeSet<String>>, Condvar)>;

impl MediaServer {
    /// Beside the signaling server `rooms`; it takes one connection and lasts as long as that.
    pub fn start(rooms: &str) -> Self {
        let switch = Switch::default();
        Self {
            pushed: Party::in_room(rooms, TAKES_PUSHES),
            played: Party::in_room(rooms, GIVES_STREAMS),
            byes: switch.byes.clone(),
            url: relay(rooms, switch),
        }
    }

    /// To how many calls the caller has said goodbye, once they are so many as expected or nothing more comes. The
    /// signaling server says its own when a caller is gone.
    pub fn byes(&self, expected: usize) -> usize {
        let (byes, more) = &*self.byes;
        let byes = byes.lock().unwrap_or_else(PoisonError::into_inner);
        let few = |byes: &mut BTreeSet<String>| byes.len() < expected;
        let (byes, _) = more
            .wait_timeout_while(byes, PATIENCE, few)
            .unwrap_or_else(PoisonError::into_inner);
        byes.len()
    }

    /// The room of `played`, for another that answers the next call.
    pub fn played_room(&self) -> &'static str {
        GIVES_STREAMS
    }
}

/// Knows which room stands for the keeper in which call.
#[derive(Default)]
struct Switch {
    rooms: HashMap<String, &'static str>,
    byes: Byes,
}

impl Relay for Switch {
    fn up(&mut self, text: String) -> Passed {
        let Some((guest, mut message)) = of_a_call(&text) else {
            return Passed::On(text);
        };
        if message["class"] == "request" && message["method"] == "call" {
            match message["stream"].as_str() {
                Some(MISSING) => return Passed::Answered(rejected(&message, "stream not found")),
                Some(TAKEN) => return Passed::Answered(rejected(&message, "already publishing")),
                Some(AWAITED) => return Passed::KeptBack,
                Some(_) | None => {}
            }
            let room = if message["type"] == "push" {
                TAKES_PUSHES
            } else {
                GIVES_STREAMS
            };
            self.rooms.insert(guest.clone(), room);
        }
        if message["method"] == "bye" {
            let (byes, more) = &*self.byes;
            let mut byes = byes.lock().unwrap_or_else(PoisonError::into_inner);
            byes.insert(guest.clone());
            more.notify_all();
        }
        let Some(room) = self.rooms.get(&guest) else {
            return Passed::KeptBack;
        };
        message["room_id"] = json!(room);
        Passed::On(message.to_string())
    }

    fn down(&mut self, text: String) -> Passed {
        match of_a_call(&text) {
            Some((guest, mut message)) if self.rooms.contains_key(&guest) => {
                message["room_id"] = json!(KEEPER);
                Passed::On(message.to_string())
            }
            Some(_) | None => Passed::On(text),
        }
    }
}

/// A message about a call without what only this program understands, and the call's guest id.
fn of_a_call(text: &str) -> Option<(String, Value)> {
    let mut message: Value = serde_json::from_str(text).ok()?;
    let guest = message["guest_id"].as_str()?.to_owned();
    message.as_object_mut()?.remove("ahoy");
    Some((guest, message))
}

fn rejected(request: &Value, reason: &str) -> String {
    let mut answer = request.clone();
    answer["class"] = json!("reject");
    answer["reason"] = json!(reason);
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("sdp");
    }
    answer.to_string()
}
