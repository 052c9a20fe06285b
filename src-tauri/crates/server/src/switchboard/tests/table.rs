//! The server table of IM-Suite §10, cell by cell: in a state, something happens; these hear of it; that is the state then.

use super::bench::*;
use crate::switchboard::ConnId;
use serde_json::{Value, json};
use std::time::Duration;

/// Lines are `state | what leads to the event | event | what is heard | next state`; lines with `#` quote IM-Suite §10.
///
/// A is the caller's device and A2 another one of the caller; B and B2 are the callee's devices, of which B answers; C is
/// somebody else. `offer'` has another description than `offer`. What is heard has its kind and its
/// word: the code of an error (`error!` when it is fatal), the reason of an end, the word of a status. `A/B` stands for
/// one line of each, and `~` for whoever spoke.
const TABLE: &str = r"
# - | first offer ok | record `pending`, start ring timer, deliver | Ringing
-       |                   | A offer         | B offer, B2 offer                           | Ringing
# - | offer refused | call.error or call.end busy | -   (a busy call has a record, so its id is used: §16.17)
-       | B lost; B2 lost   | A offer         | A error! user_offline                       | -
-       |                   | C A's offer     | C error! from_user_mismatch                 | -
-       | B other call      | A offer         | A error! glare                              | -
-       | A other call      | A offer         | A error! already_in_call                    | -
-       | C other call      | A offer         | A end user_busy                             | Ended

# Ringing | ice from caller | deliver to devices + buffer | Ringing
Ringing |                   | A ice           | B ice, B2 ice                               | Ringing
Ringing | B2 lost; A ice    | B2 back         | B2 offer, B2 ice                            | Ringing
# Ringing | status ringing from callee | forward the first | Ringing
Ringing |                   | B ringing       | A status ringing                            | Ringing
Ringing | B ringing         | B2 ringing      |                                             | Ringing
Ringing |                   | B connected/failed |                                          | Ringing
Ringing |                   | A ringing/connected |                                         | Ringing
# Ringing | answer from callee | bind device, forward, `answered` to other devices, record `answered` | Active
Ringing |                   | B answer        | A answer, B2 status answered                | Active
# Ringing | end from caller / reject / last device left / timer / caller lost 10 s | call.end to all others | Ended
Ringing |                   | A hangup        | B end user_hangup, B2 end user_hangup       | Ended
Ringing |                   | B rejected      | A end user_rejected, B2 end user_rejected   | Ended
Ringing |                   | B busy          |                                             | Ringing
Ringing | B busy            | B2 busy         | A end user_busy                             | Ended
Ringing |                   | 29 s            |                                             | Ringing
Ringing |                   | 30 s            | A end timeout, B end timeout, B2 end timeout | Ended
Ringing |                   | A lost          |                                             | Ringing
Ringing | A lost            | 9 s             |                                             | Ringing
Ringing | A lost            | 10 s            | B end network_error, B2 end network_error   | Ended
Ringing | A lost; 9 s       | A back          |                                             | Ringing
Ringing | B lost            | B2 lost         |                                             | Ringing
# Ringing | re-offer, ice from callee | `bad_state` / drop | Ringing   (the caller's own offer again: §16.2)
Ringing |                   | B offer         | B error bad_state                           | Ringing
Ringing |                   | B ice           |                                             | Ringing
Ringing |                   | A offer         |                                             | Ringing
Ringing |                   | A offer'        | A error duplicate_call_id                   | Ringing
Ringing |                   | A answer        | A error bad_state                           | Ringing
Ringing |                   | A/B/B2 renegotiate | ~ error bad_state                        | Ringing
Ringing |                   | A/B/B2 error/hold |                                           | Ringing

# Active | ice, status, renegotiate, error(fatal), unknown call.* | forward to bound peer device | Active
Active  |                   | A ice           | B ice                                       | Active
Active  |                   | B ice           | A ice                                       | Active
Active  |                   | A connected     | B status connected                          | Active
Active  |                   | B failed        | A status failed                             | Active
Active  |                   | A/B ringing/answered |                                        | Active
Active  |                   | B renegotiate   | A renegotiate media                         | Active
Active  |                   | A renegotiate   | A error bad_state                           | Active
Active  |                   | A error         | B error                                     | Active
Active  |                   | B error         | A error                                     | Active
Active  |                   | A hold          | B hold                                      | Active
Active  |                   | B hold          | A hold                                      | Active
# Active | re-offer; its answer | mark pending, forward; clear, forward | Active
Active  |                   | A offer'        | B offer                                     | Active
Active  | A offer'          | B answer'       | A answer                                    | Active
Active  |                   | B offer'        | A offer                                     | Active
Active  | B offer'          | A answer'       | B answer                                    | Active
Active  | A offer'          | A offer'        | B offer                                     | Active
Active  | A offer'          | A offer''       | A error renegotiation_pending               | Active
Active  | A offer'; B answer' | A offer''     | B offer                                     | Active
Active  | A offer'          | B offer'        | B error renegotiation_pending               | Active
Active  | B offer'          | A offer'        | B error renegotiation_pending, B offer      | Active
Active  |                   | A offer         |                                             | Active
# Active | same answer again from the bound device | ignore | Active
Active  |                   | B answer        |                                             | Active
Active  | A offer'; B answer' | B answer'     |                                             | Active
# Active | answer, none pending | `bad_state` (other device: `answered_elsewhere`) | Active
Active  |                   | B answer'       | B error bad_state                           | Active
Active  |                   | A answer        | A error bad_state                           | Active
Active  |                   | B2 answer       | B2 error! answered_elsewhere                | Active
Active  |                   | A2 answer       | A2 error wrong_device                       | Active
# Active | bound socket lost / back / grace over | detach / resume / call.end | Active / Active / Ended
Active  |                   | A/B/A2/B2 lost  |                                             | Active
Active  | A lost; B ice; 29 s | A back        | A ice                                       | Active
Active  | B lost; A ice; 29 s | B back        | B ice                                       | Active
Active  | A lost            | 29 s            |                                             | Active
Active  | A lost            | 30 s            | B end network_error                         | Ended
Active  | B lost            | 30 s            | A end network_error                         | Ended
# Active | end from bound device | forward, `duration`, record `ended` | Ended
Active  |                   | A hangup        | B end user_hangup                           | Ended
Active  |                   | B hangup        | A end user_hangup                           | Ended
Active  |                   | B rejected      | A end user_rejected                         | Ended

# Ended | end, ice, status | ignore | Ended
Ended   |                   | A/A2/B/B2 hangup/rejected/busy/ice/connected/ringing/error/hold |  | Ended
# Ended | offer / answer | `duplicate_call_id` / `unknown_call` | Ended
Ended   |                   | A/A2/B/B2/C offer/offer' | ~ error! duplicate_call_id         | Ended
Ended   |                   | A/A2/B/B2 answer/answer'/renegotiate | ~ error unknown_call   | Ended

# §3 rule 5: to whom it is not known, a call that goes on is like one that ended or never was.
-/Ringing/Active/Ended |    | C hangup/rejected/busy/ice/connected/ringing/error/hold |     | same
-/Ringing/Active/Ended |    | C answer/renegotiate | ~ error unknown_call                   | same
Ringing/Active |            | C offer/offer'  | ~ error! duplicate_call_id                  | same
-       |                   | A hangup/ice/connected/error/hold |                           | -
-       |                   | A answer/renegotiate | ~ error unknown_call                   | -
# §3 rule 7, §16.6: of each side only the bound device speaks; what a later version says is dropped silently.
Ringing/Active |            | A2 ice/hangup/connected/renegotiate/offer/offer'/error | ~ error wrong_device | same
Active  |                   | B2 ice/hangup/connected/renegotiate/offer/offer'/error | ~ error wrong_device | Active
Ringing/Active |            | A2 hold         |                                             | same
Active  |                   | B2 hold         |                                             | Active
";

const EVERYBODY: [&str; 5] = ["A", "A2", "B", "B2", "C"];

#[test]
fn every_cell_of_the_server_table() {
    let mut cells = 0;
    for line in TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [states, before, event, heard, next] = columns[..] else {
            panic!("a line of the table has five columns: {line}");
        };
        for state in states.split('/') {
            for (who, what) in events(event) {
                let mut stage = Stage::new(state);
                for step in before.split(';').filter(|step| !step.is_empty()) {
                    let (who, what) = step.trim().split_once(' ').unwrap();
                    stage.take(who, what);
                }
                stage.take(who, what);
                let title = format!("{line}\nin {state}, {who} {what}");
                assert_eq!(stage.heard(), heard.replace('~', who), "{title}");
                let next = if next == "same" { state } else { next };
                assert_eq!(stage.state(), next, "{title}");
                cells += 1;
            }
        }
    }
    assert!(cells > 200, "the table is read to its end");
}

/// `A/B x/y` is four events.
fn events(event: &str) -> Vec<(&str, &str)> {
    let (who, what) = event.split_once(' ').unwrap();
    who.split('/')
        .flat_map(|who| what.split('/').map(move |what| (who, what)))
        .collect()
}

struct Stage {
    bench: Bench,
    conns: Vec<(String, ConnId)>,
}

impl Stage {
    fn new(state: &str) -> Self {
        let mut stage = Self {
            bench: Bench::new(),
            conns: Vec::new(),
        };
        for who in EVERYBODY {
            stage.take(who, "back");
        }
        let script = [("A", "offer"), ("B", "answer"), ("A", "hangup")];
        let states = ["-", "Ringing", "Active", "Ended"];
        let taken = states.iter().position(|known| *known == state).unwrap();
        for (who, what) in &script[..taken] {
            stage.take(who, what);
        }
        stage
    }

    /// Does one step; what was heard before it is forgotten.
    fn take(&mut self, who: &str, what: &str) {
        self.bench.drop_all();
        match what {
            "s" => self.bench.pass(Duration::from_secs(who.parse().unwrap())),
            "lost" => self.bench.disconnect(self.conn(who)),
            "back" => {
                let conn = match who {
                    "A" => self.bench.connect(1, "d1"),
                    "A2" => self.bench.connect(1, "phone"),
                    "B" => self.bench.connect(2, "d1"),
                    "B2" => self.bench.connect(2, "tablet"),
                    _ => self.bench.connect(3, "d1"),
                };
                self.conns.retain(|(own, _)| own != who);
                self.conns.push((who.to_owned(), conn));
            }
            said => self.bench.send(self.conn(who), spoken(who, said)),
        }
    }

    fn conn(&self, who: &str) -> ConnId {
        self.conns.iter().find(|(own, _)| own == who).unwrap().1
    }

    fn heard(&mut self) -> String {
        let mut heard = Vec::new();
        for who in EVERYBODY {
            for message in self.bench.received(self.conn(who)) {
                heard.push(format!("{who} {}", in_short(&message)));
            }
        }
        heard.join(", ")
    }

    /// What the history and a device that connects now say of the call; they must agree.
    fn state(&mut self) -> &'static str {
        let mut records = self.bench.records.iter();
        let record = records.rfind(|record| record.call_id.as_str() == CALL);
        let by_history = record.map_or("-".into(), |record| format!("{:?}", record.status));
        let probe = self.bench.connect(1, "probe");
        let welcome = self.bench.received_all(probe).remove(0);
        let calls = welcome["payload"]["calls"].as_array().unwrap();
        let call = calls.iter().find(|call| call["call_id"] == CALL);
        let by_welcome = call.map_or("none", |call| call["state"].as_str().unwrap());
        match (by_history.as_str(), by_welcome) {
            ("-", "none") => "-",
            ("Pending", "ringing") => "Ringing",
            ("Answered", "active") => "Active",
            ("Ended" | "Missed" | "Rejected", "none") => "Ended",
            other => panic!("the history and the welcome disagree: {other:?}"),
        }
    }
}

fn spoken(who: &str, said: &str) -> Value {
    let (from, to) = match who {
        "A" | "A2" => (1, 2),
        "B" | "B2" => (2, 1),
        _ => (3, 2),
    };
    let mut answer = answer();
    let users_left_out = answer["payload"].as_object_mut().unwrap();
    users_left_out.remove("from_user");
    users_left_out.remove("to_user");
    match said {
        "A's offer" => offer(),
        "other call" => offer_from(from, to, "call_other"),
        "offer" => offer_from(from, to, CALL),
        "offer'" => with_other_sdp(offer_from(from, to, CALL)),
        "offer''" => with_other_sdp(with_other_sdp(offer_from(from, to, CALL))),
        "answer" => answer,
        "answer'" => with_other_sdp(answer),
        "ice" => ice(),
        "hangup" => end("user_hangup"),
        "rejected" => end("user_rejected"),
        "busy" => end("user_busy"),
        "ringing" | "answered" | "connected" | "failed" => status(said),
        "renegotiate" => message("call.renegotiate", json!({ "reason": "media" })),
        "error" => message(
            "call.error",
            json!({ "error_code": "MEDIA_ERROR", "error_message": "no microphone" }),
        ),
        "hold" => message("call.hold", json!({})),
        unknown => panic!("nobody says {unknown}"),
    }
}

fn in_short(message: &Value) -> String {
    let kind = type_of(message).trim_start_matches("call.");
    let payload = &message["payload"];
    let fatal = if payload["details"]["fatal"] == true {
        "!"
    } else {
        ""
    };
    let words = [
        &payload["details"]["code"],
        &payload["reason"],
        &payload["status"],
    ];
    let word = words.into_iter().find_map(Value::as_str).unwrap_or_default();
    format!("{kind}{fatal} {word}").trim_end().to_owned()
}
