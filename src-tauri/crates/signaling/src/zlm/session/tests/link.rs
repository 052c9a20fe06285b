//! Registering, keepalive, the room that is still taken, the server's relays and rooms.

use super::*;

fn refused(bench: &mut Bench, reason: &str) -> Vec<Event> {
    let asked = bench.connect();
    refuse(bench, &asked, reason)
}

fn refuse(bench: &mut Bench, asked: &Value, reason: &str) -> Vec<Event> {
    bench.text(json!({
        "class": "reject", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "bob",
        "reason": reason
    }));
    bench.events()
}

#[test]
fn a_room_is_registered_and_the_relay_told() {
    let mut bench = Bench::new();
    let asked = bench.connect();
    assert_eq!(
        (&asked["class"], &asked["method"]),
        (&json!("request"), &json!("register"))
    );
    assert_eq!(asked["room_id"], "bob");
    assert_eq!(asked["transaction_id"].as_str().map(str::len), Some(32));
    bench.lose_link();
    bench.register();
    let events = bench.events();
    let [Event::IceServers(servers), Event::Ready { me, basic_mode, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((me, *basic_mode), (&Party::Room(room("bob")), true));
    assert_eq!(servers[0].username.as_deref(), Some("name"));
    assert_eq!(servers[0].urls, ["turn:10.77.0.1:3478?transport=udp"]);
}

#[test]
fn a_stun_server_gets_no_name_and_the_own_server_tells_more_addresses() {
    let mut bench = Bench::new();
    let asked = bench.connect();
    bench.text(json!({
        "class": "accept", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "bob",
        "ice_servers": [{"url": "stun:h:1", "ufrag": "a", "pwd": "b"}, {"url": "turn:h:1", "ufrag": "a", "pwd": "b"}, {}],
        "ahoy": {"relay_urls": ["turn:h:1?transport=tcp"]}
    }));
    let events = bench.events();
    let Event::IceServers(servers) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!((servers.len(), &servers[0].username), (2, &None));
    assert_eq!(servers[1].urls, ["turn:h:1", "turn:h:1?transport=tcp"]);
}

#[test]
fn without_a_room_the_server_makes_one_which_is_asked_for_again_after_a_loss() {
    let mut bench = Bench {
        session: Session::new(SessionConfig::default()),
        now: Instant::now(),
    };
    let asked = bench.connect();
    assert_eq!(asked.get("room_id"), None);
    bench.text(json!({
        "class": "accept", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "1_XBz3",
        "ice_servers": []
    }));
    bench.lose_link();
    assert_eq!(bench.connect()["room_id"], "1_XBz3");
}

#[test]
fn a_server_that_does_not_answer_is_given_up_after_ten_seconds() {
    let mut bench = Bench::new();
    bench.connect();
    bench.pass(9 * SECOND);
    assert_eq!(bench.events(), []);
    bench.pass(SECOND);
    assert_eq!(bench.events(), [Event::Silent]);
    bench.pass(60 * SECOND);
    assert_eq!(bench.events(), [], "it is said once");
}

#[test]
fn fifteen_seconds_of_silence_are_a_loss_and_pongs_are_life() {
    let mut bench = Bench::ready();
    bench.pass_alive(120 * SECOND);
    assert_eq!(bench.events(), []);
    bench.pass(13 * SECOND);
    assert_eq!(bench.events(), []);
    bench.pass(2 * SECOND);
    assert_eq!(bench.events(), [Event::Silent]);
}

#[test]
fn a_room_taken_at_the_first_try_is_told_at_once() {
    let mut bench = Bench::new();
    let events = refused(&mut bench, "room id conflict");
    assert_eq!(events, [Event::SignInRefused(SignInRefused::RoomTaken)]);
    bench.pass_alive(60 * SECOND);
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn after_a_loss_the_own_room_is_asked_for_until_the_server_lets_go_of_it() {
    let mut bench = Bench::ready();
    bench.lose_link();
    let mut asked = bench.connect();
    for _ in 0..10 {
        assert_eq!(refuse(&mut bench, &asked, "room id conflict"), []);
        bench.session.handle_alive(bench.now);
        bench.pass(2500 * SECOND / 1000);
        let sent = bench.sent();
        assert_eq!((sent.len(), &sent[0]["room_id"]), (1, &json!("bob")));
        asked = sent[0].clone();
    }
    bench.text(json!({
        "class": "accept", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "bob",
        "ice_servers": []
    }));
    assert!(
        bench
            .events()
            .iter()
            .any(|event| matches!(event, Event::Ready { .. }))
    );
}

#[test]
fn after_forty_seconds_the_user_is_told_that_the_room_is_taken() {
    let mut bench = Bench::ready();
    bench.lose_link();
    let mut asked = bench.connect();
    let start = bench.now;
    loop {
        let events = refuse(&mut bench, &asked, "room id conflict");
        if !events.is_empty() {
            assert_eq!(events, [Event::SignInRefused(SignInRefused::RoomTaken)]);
            break;
        }
        bench.session.handle_alive(bench.now);
        bench.pass(2500 * SECOND / 1000);
        asked = bench.sent().pop().expect("another try");
    }
    assert_eq!(bench.now - start, 40 * SECOND);
}

#[test]
fn a_wrong_secret_and_any_other_refusal_are_told_in_own_words() {
    let mut bench = Bench::new();
    let wrong = refused(&mut bench, WRONG_SECRET);
    assert_eq!(wrong, [Event::SignInRefused(SignInRefused::WrongSecret)]);
    let other = refused(&mut Bench::new(), "C++ says no");
    assert_eq!(other, [Event::SignInRefused(SignInRefused::Other)]);
}

#[test]
fn a_stale_answer_to_a_register_is_skipped() {
    let mut bench = Bench::new();
    bench.connect();
    bench.text(json!({
        "class": "accept", "method": "register", "transaction_id": "another", "room_id": "bob", "ice_servers": []
    }));
    assert_eq!(bench.events(), []);
}

#[test]
fn the_secret_goes_to_the_server_in_the_own_field() {
    let mut bench = Bench {
        session: Session::new(SessionConfig {
            room: Some(room("bob")),
            room_secret: Some(Secret::new("hunter2")),
            ..SessionConfig::default()
        }),
        now: Instant::now(),
    };
    assert_eq!(bench.connect()[FIELD]["room_secret"], "hunter2");
    assert!(!format!("{:?}", bench.session).contains("hunter2"));
}

#[test]
fn credentials_that_end_are_asked_for_again_in_time() {
    let mut bench = Bench::new();
    let asked = bench.connect();
    let accepted = |transaction: &Value| {
        json!({
            "class": "accept", "method": "register", "transaction_id": transaction, "room_id": "bob",
            "ice_servers": [{"url": "turn:h:1", "ufrag": "a", "pwd": "b"}], "ahoy": {"ttl": 3600}
        })
    };
    bench.text(accepted(&asked["transaction_id"]));
    bench.events();
    bench.pass_alive(44 * 60 * SECOND);
    assert_eq!(bench.sent(), [] as [Value; 0]);
    bench.pass_alive(61 * SECOND);
    let again = bench.sent();
    assert_eq!(again.len(), 1, "{again:?}");
    bench.text(accepted(&again[0]["transaction_id"]));
    assert!(
        matches!(bench.events()[..], [Event::IceServers(_)]),
        "no second sign-in"
    );
}

#[test]
fn rooms_are_told_without_the_own_one() {
    let mut bench = Bench::ready();
    bench.text(json!({
        "class": "indication", "method": "rooms", "transaction_id": "t",
        "ahoy": {"rooms": [{"room_id": "bob"}, {"room_id": "carol", "busy": true}]}
    }));
    let events = bench.events();
    let [Event::Rooms(rooms)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (rooms.len(), rooms[0].room_id.as_str(), rooms[0].busy),
        (1, "carol", true)
    );
}

#[test]
fn nonsense_is_a_problem_and_the_session_goes_on() {
    let mut bench = Bench::ready();
    for text in [
        "",
        "{",
        "[]",
        "1",
        r#"{"class":"request"}"#,
        r#"{"class":1,"method":{},"transaction_id":"t"}"#,
    ] {
        bench.session.handle_text(bench.now, text);
        assert!(
            matches!(bench.events()[..], [Event::Problem(Problem::Malformed(_))]),
            "{text}"
        );
    }
    bench.text(json!({"class": "a", "method": "b", "transaction_id": "t"}));
    bench.text(request("t1", None));
    assert_eq!(bench.signals().len(), 1);
}
