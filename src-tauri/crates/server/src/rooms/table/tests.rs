use super::*;
use serde_json::{Value, json};

/// A table with its own clock, and what its sockets were sent.
struct Bench {
    table: Table,
    now: Now,
}

fn conn(n: u32) -> ConnId {
    ConnId::new(0, n)
}

impl Bench {
    fn new() -> Self {
        Self::with(None, Limits::default())
    }

    fn with(secret: Option<&str>, limits: Limits) -> Self {
        let mut made = 0;
        let issue = |conn: ConnId, unix| {
            Some(Issued {
                urls: vec!["turn:h:1".to_owned(), "turn:h:1?transport=tcp".to_owned()],
                username: format!("{}:{}", unix + 3600, conn.0),
                credential: "x".to_owned(),
                ttl: Duration::from_secs(3600),
            })
        };
        let random = move || {
            made += 1;
            format!("r{made}")
        };
        Self {
            table: Table::new(limits, secret.map(Secret::new), Box::new(issue), Box::new(random)),
            now: Now {
                since: Duration::ZERO,
                unix: 1000,
            },
        }
    }

    /// Sockets 1, 2, … with these rooms.
    fn rooms(names: &[&str]) -> Self {
        let mut bench = Self::new();
        for (n, name) in (1..).zip(names) {
            bench.table.handle_connected(conn(n), None);
            let sent = bench.say(n, register(name));
            assert_eq!(sent[0].1["class"], "accept");
        }
        bench
    }

    fn say(&mut self, from: u32, message: Value) -> Vec<(u32, Value)> {
        self.text(from, message.to_string())
    }

    /// What is sent because of a text, to whom; closes are `null`.
    fn text(&mut self, from: u32, text: String) -> Vec<(u32, Value)> {
        self.table.handle_text(self.now, conn(from), text);
        self.sent()
    }

    fn leave(&mut self, n: u32) -> Vec<(u32, Value)> {
        self.table.handle_disconnected(self.now, conn(n));
        self.sent()
    }

    fn sent(&mut self) -> Vec<(u32, Value)> {
        let outputs = std::iter::from_fn(|| self.table.poll_output());
        let sent = outputs.map(|output| {
            let value = match output.frame {
                Frame::Text(text) => serde_json::from_str(&text).expect("JSON"),
                Frame::Close(_) => Value::Null,
            };
            let numbers = 1..1000;
            let to = numbers
                .into_iter()
                .find(|n| conn(*n) == output.conn)
                .expect("one of ours");
            (to, value)
        });
        sent.collect()
    }
}

fn register(room: &str) -> Value {
    json!({"class": "request", "method": "register", "transaction_id": "t1", "room_id": room})
}

fn about(class: &str, method: &str, guest: &str, room: &str) -> Value {
    json!({
        "class": class, "method": method, "transaction_id": "t2", "guest_id": guest, "room_id": room, "type": "play",
        "vhost": "__defaultVhost__", "app": "live", "stream": "test", "sdp": "v=0", "candidate": "c", "ufrag": "u",
        "pwd": "p", "x": {"own": [1, 2]}
    })
}

#[test]
fn a_register_is_answered_with_one_relay_and_its_credentials() {
    let mut bench = Bench::new();
    bench.table.handle_connected(conn(1), None);
    let sent = bench.say(1, register("alice"));
    assert_eq!(
        sent,
        [(
            1,
            json!({
                "class": "accept", "method": "register", "transaction_id": "t1", "room_id": "alice",
                "ice_servers": [{"url": "turn:h:1", "ufrag": format!("4600:{}", conn(1).0), "pwd": "x"}]
            })
        )]
    );
}

#[test]
fn without_a_name_the_server_makes_one() {
    let mut bench = Bench::new();
    bench.table.handle_connected(conn(1), None);
    let sent = bench.say(
        1,
        json!({"class": "request", "method": "register", "transaction_id": 5}),
    );
    assert_eq!(
        (&sent[0].1["room_id"], &sent[0].1["transaction_id"]),
        (&json!("1_r1"), &json!("5"))
    );
}

#[test]
fn a_room_is_one_sockets_and_a_socket_has_one_room() {
    let mut bench = Bench::rooms(&["alice", "bob"]);
    for (from, room) in [(2, "alice"), (1, "alice"), (1, "carol")] {
        let sent = bench.say(from, register(room));
        let reason = &sent[0].1["reason"];
        assert_eq!((sent[0].0, reason), (from, &json!("room id conflict")), "{room}");
    }
    bench.leave(1);
    bench.table.handle_connected(conn(3), None);
    assert_eq!(bench.say(3, register("alice"))[0].1["class"], "accept");
}

#[test]
fn unregistering_has_the_answers_of_a_media_server() {
    let mut bench = Bench::rooms(&["alice"]);
    let unregister = |room: &str| json!({"class": "request", "method": "unregister", "transaction_id": "t", "room_id": room});
    let wrong = bench.say(1, unregister("bob"));
    assert_eq!(wrong[0].1["reason"], "room_id: \"bob\" not match room_id:alice");
    assert_eq!(
        bench.say(1, unregister("alice"))[0].1,
        json!({"class": "accept", "method": "unregister", "transaction_id": "t", "room_id": "alice"})
    );
    assert_eq!(bench.say(1, unregister("alice"))[0].1["reason"], "unregistered");
}

#[test]
fn everything_about_a_call_goes_to_the_other_side_as_it_came() {
    let mut bench = Bench::rooms(&["alice", "bob"]);
    for (from, to, message) in [
        (2, 1, about("request", "call", "bob_1", "alice")),
        (2, 1, about("indication", "candidate", "bob_1", "alice")),
        (1, 2, about("indication", "candidate", "bob_1", "alice")),
        (1, 2, about("accept", "call", "bob_1", "alice")),
        (2, 1, about("request", "call", "bob_1", "alice")),
        (1, 2, about("accept", "call", "bob_1", "alice")),
        (2, 1, about("indication", "bye", "bob_1", "alice")),
    ] {
        assert_eq!(bench.say(from, message.clone()), [(to, message)]);
    }
    assert_eq!(
        bench.say(1, about("indication", "candidate", "bob_1", "alice")),
        [],
        "it is over"
    );
}

#[test]
fn the_text_itself_is_passed_on() {
    let mut bench = Bench::rooms(&["alice", "bob"]);
    let text = "{\n\t\"stream\" : 7, \"app\":\"a\",\"vhost\":\"v\",\"type\":\"call\",\"sdp\":\"\\u0041\",\"class\":\"request\",\
                \"method\":\"call\",\"transaction_id\":\"t\",\"guest_id\":\"g\",\"room_id\":\"alice\"}";
    bench.table.handle_text(bench.now, conn(2), text.to_owned());
    let output = bench.table.poll_output().expect("a message");
    assert_eq!(output.frame, Frame::Text(text.to_owned()));
}

#[test]
fn a_rejected_call_is_forgotten() {
    let mut bench = Bench::rooms(&["alice", "bob"]);
    bench.say(2, about("request", "call", "bob_1", "alice"));
    let reject = about("reject", "call", "bob_1", "alice");
    assert_eq!(bench.say(1, reject.clone()), [(2, reject)]);
    assert_eq!(bench.table.counts(), (2, 0));
    assert_eq!(bench.leave(1), [], "nobody is told of a call that is over");
}

#[test]
fn calls_to_nobody_and_before_a_register_are_rejected_with_their_fields() {
    let mut bench = Bench::rooms(&["alice"]);
    let sent = bench.say(1, about("request", "call", "alice_1", "zoe"));
    assert_eq!(
        sent[0].1,
        json!({
            "class": "reject", "method": "call", "transaction_id": "t2", "guest_id": "alice_1", "room_id": "zoe",
            "type": "play", "vhost": "__defaultVhost__", "app": "live", "stream": "test",
            "reason": "room_id: \"zoe\" unregistered"
        })
    );
    bench.table.handle_connected(conn(9), None);
    for (class, method) in [
        ("request", "call"),
        ("indication", "candidate"),
        ("indication", "bye"),
    ] {
        let sent = bench.say(9, about(class, method, "g", "alice"));
        assert_eq!(sent[0].0, 9);
        assert_eq!(
            (&sent[0].1["method"], &sent[0].1["reason"]),
            (&json!(method), &json!("should register first"))
        );
    }
    let sent = bench.say(9, about("accept", "call", "g", "alice"));
    assert_eq!(
        (sent[0].1.get("method"), &sent[0].1["class"]),
        (None, &json!("reject"))
    );
}

#[test]
fn the_own_room_cannot_be_called() {
    let mut bench = Bench::rooms(&["alice"]);
    let sent = bench.say(1, about("request", "call", "alice_1", "alice"));
    assert_eq!((sent[0].0, &sent[0].1["class"]), (1, &json!("reject")));
    assert_eq!(bench.leave(1), []);
}

#[test]
fn a_guest_id_is_one_callers() {
    let mut bench = Bench::rooms(&["alice", "bob", "mallory"]);
    bench.say(2, about("request", "call", "g", "alice"));
    let sent = bench.say(3, about("request", "call", "g", "alice"));
    assert_eq!(
        (sent[0].0, &sent[0].1["reason"]),
        (3, &json!("guest id conflict"))
    );
    let accept = about("accept", "call", "g", "alice");
    assert_eq!(bench.say(1, accept.clone()), [(2, accept)]);
}

#[test]
fn nobody_speaks_in_a_call_of_others() {
    let mut bench = Bench::rooms(&["alice", "bob", "mallory"]);
    bench.say(2, about("request", "call", "g", "alice"));
    for (class, method) in [
        ("indication", "bye"),
        ("indication", "candidate"),
        ("accept", "call"),
        ("reject", "call"),
    ] {
        assert_eq!(
            bench.say(3, about(class, method, "g", "alice")),
            [],
            "{class} {method}"
        );
    }
    let candidate = about("indication", "candidate", "g", "alice");
    assert_eq!(
        bench.say(1, candidate.clone()),
        [(2, candidate)],
        "the call goes on"
    );
}

#[test]
fn a_vanished_side_is_a_bye_to_the_other_of_each_call_and_frees_the_room() {
    let bye = |guest: &str, room: &str, transaction: &str| {
        json!({
            "class": "indication", "method": "bye", "transaction_id": transaction, "guest_id": guest, "room_id": room,
            "reason": "peer unregister"
        })
    };
    let mut bench = Bench::rooms(&["alice", "bob", "carol"]);
    bench.say(2, about("request", "call", "bob_1", "alice"));
    bench.say(1, about("request", "call", "alice_1", "carol"));
    let mut sent = bench.leave(1);
    sent.sort_by_key(|(to, _)| *to);
    assert_eq!(
        sent,
        [
            (2, bye("bob_1", "alice", "r1")),
            (3, bye("alice_1", "carol", "r2"))
        ]
    );
    assert_eq!(bench.table.counts(), (2, 0));
    assert_eq!([bench.leave(2), bench.leave(3)], [[], []]);
}

#[test]
fn after_an_unregister_the_name_is_not_the_sockets_any_more() {
    let mut bench = Bench::rooms(&["alice"]);
    bench.say(
        1,
        json!({"class": "request", "method": "unregister", "transaction_id": "t", "room_id": "alice"}),
    );
    bench.table.handle_connected(conn(2), None);
    bench.say(2, register("alice"));
    bench.leave(1);
    bench.table.handle_connected(conn(3), None);
    assert_eq!(bench.say(3, register("alice"))[0].1["reason"], "room id conflict");
}

#[test]
fn what_has_something_missing_or_is_no_json_is_dropped_in_silence() {
    let mut bench = Bench::rooms(&["alice", "bob"]);
    for name in [
        "class",
        "transaction_id",
        "guest_id",
        "room_id",
        "vhost",
        "app",
        "stream",
        "type",
        "sdp",
    ] {
        let mut message = about("request", "call", "bob_1", "alice");
        message.as_object_mut().expect("an object").remove(name);
        assert_eq!(bench.say(2, message.clone()), [], "{name} missing");
        message[name] = "".into();
        assert_eq!(bench.say(2, message), [], "{name} empty");
    }
    for text in ["", "{", "[]", "{\"class\":\"request\" \"method\":\"register\"}"] {
        assert_eq!(bench.text(2, text.to_owned()), []);
    }
    assert_eq!(bench.say(2, about("indication", "ringing", "bob_1", "alice")), []);
}

#[test]
fn a_secret_is_asked_of_everybody_and_taken_in_both_ways() {
    let mut bench = Bench::with(Some("s3cret"), Limits::default());
    bench.table.handle_connected(conn(1), None);
    bench.table.handle_connected(conn(2), Some("wrong"));
    bench.table.handle_connected(conn(3), Some("s3cret"));
    for n in [1, 2] {
        assert_eq!(
            bench.say(n, register("alice"))[0].1["reason"],
            "room secret wrong"
        );
    }
    assert_eq!(bench.say(3, register("alice"))[0].1["class"], "accept");
    let mut own = register("bob");
    own["ahoy"] = json!({"room_secret": "s3cret"});
    assert_eq!(bench.say(1, own)[0].1["class"], "accept");
}

#[test]
fn rooms_are_told_to_who_asks_at_most_once_a_second_and_made_up_names_to_nobody() {
    let mut bench = Bench::rooms(&["alice", "ringing_XXXXXXXXXXXXXXXX"]);
    bench.table.handle_connected(conn(3), None);
    bench.say(
        3,
        json!({"class": "request", "method": "register", "transaction_id": "t"}),
    );
    bench.table.handle_connected(conn(4), None);
    let mut own = register("bob");
    own["ahoy"] = json!({"list": true});
    let sent = bench.say(4, own);
    let room = |name: &str, busy: bool| json!({"room_id": name, "busy": busy});
    assert_eq!(
        sent[0].1["ahoy"]["rooms"],
        json!([room("alice", false), room("bob", false)])
    );
    assert_eq!(sent[0].1["ahoy"]["relay_urls"], json!(["turn:h:1?transport=tcp"]));
    bench.table.handle_timeout(bench.now);
    bench.sent();
    bench.say(4, about("request", "call", "bob_1", "alice"));
    let due = bench.table.poll_timeout().expect("a list is due");
    assert_eq!(due, Duration::from_secs(1));
    bench.now.since = due;
    bench.table.handle_timeout(bench.now);
    let sent = bench.sent();
    assert_eq!(
        (sent.len(), sent[0].0, &sent[0].1["method"]),
        (1, 4, &json!("rooms"))
    );
    assert_eq!(
        sent[0].1["ahoy"]["rooms"],
        json!([room("alice", true), room("bob", true)])
    );
    assert_eq!(bench.table.poll_timeout(), None);
}

#[test]
fn new_credentials_are_given_to_who_registers_the_own_room_again_and_is_ahoy() {
    let mut bench = Bench::rooms(&["alice"]);
    let mut again = register("alice");
    again["ahoy"] = json!({"list": true});
    bench.now.unix = 2000;
    let sent = bench.say(1, again);
    assert_eq!(
        sent[0].1["ice_servers"][0]["ufrag"],
        format!("5600:{}", conn(1).0)
    );
    assert_eq!(sent[0].1["ahoy"]["ttl"], 3600);
}

#[test]
fn a_flood_is_cut_off() {
    let limits = Limits {
        messages_per_second: 10,
        message_burst: 20,
        ..Limits::default()
    };
    let mut bench = Bench::with(None, limits);
    bench.table.handle_connected(conn(1), None);
    let mut closed = false;
    for _ in 0..200 * 20 {
        bench.now.since += Duration::from_millis(5);
        let sent = bench.text(1, "{}".to_owned());
        closed |= sent.iter().any(|(_, value)| value.is_null());
    }
    assert!(closed);
}

#[test]
fn a_socket_has_a_bounded_number_of_calls() {
    let mut bench = Bench::with(None, Limits::NONE);
    for (n, name) in [(1, "alice"), (2, "bob")] {
        bench.table.handle_connected(conn(n), None);
        bench.say(n, register(name));
    }
    for n in 0..CALLS {
        let sent = bench.say(2, about("request", "call", &format!("g{n}"), "alice"));
        assert_eq!(sent[0].0, 1);
    }
    let sent = bench.say(2, about("request", "call", "one more", "alice"));
    assert_eq!((sent[0].0, &sent[0].1["reason"]), (2, &json!("too many calls")));
    let again = bench.say(2, about("request", "call", "g0", "alice"));
    assert_eq!(again[0].0, 1, "a re-offer of one of them");
}
