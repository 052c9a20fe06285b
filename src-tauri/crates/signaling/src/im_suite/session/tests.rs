use super::*;
use ahoy_call::{EndDetail, EndReason, Offer, RefusalCode};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// A session with its own clock.
struct Bench {
    session: Session,
    now: Instant,
}

fn user(n: u64) -> UserId {
    UserId::new(n).expect("id")
}

fn call(name: &str) -> CallId {
    CallId::new(name).expect("id")
}

fn wall() -> Timestamp {
    "2025-10-07T12:00:00Z".parse().expect("time")
}

fn welcome() -> Value {
    json!({"type": "welcome", "user_id": 1, "payload": {"user_id": 1, "features": ["status_relay", "renegotiate"],
        "ring_timeout": 30, "calls": []}})
}

fn offer_to(peer: Party) -> Signal {
    Signal::Offer(Box::new(Offer {
        call: call("c1"),
        from: Party::User(user(1)),
        to: peer,
        video: false,
        sdp: "v=0\r\n".to_owned(),
        candidates: Vec::new(),
        constraints: ahoy_call::Constraints::default(),
        negotiation: 0,
        expires_in: None,
        caller_name: None,
        stream: None,
    }))
}

fn answer() -> Value {
    json!({"type": "call.answer", "payload": {"call_id": "c1", "from_user": 2, "to_user": 1, "sdp": "v=0"}})
}

fn end() -> Signal {
    Signal::End {
        call: call("c1"),
        reason: EndReason::UserHangup,
        detail: None,
    }
}

impl Bench {
    /// Not connected; the token says user 1.
    fn new() -> Self {
        let config = SessionConfig {
            user: Some(user(1)),
            ..SessionConfig::default()
        };
        Self {
            session: Session::new(config),
            now: Instant::now(),
        }
    }

    /// Connected to a server with features.
    fn ready() -> Self {
        let mut bench = Self::new();
        bench.connect();
        bench.text(welcome());
        assert!(matches!(
            bench.events()[..],
            [Event::Ready {
                basic_mode: false,
                ..
            }]
        ));
        bench
    }

    /// Connected to a server that said nothing for two seconds.
    fn basic() -> Self {
        let mut bench = Self::new();
        bench.connect();
        bench.pass(2 * SECOND);
        assert!(matches!(
            bench.events()[..],
            [Event::Ready { basic_mode: true, .. }]
        ));
        bench
    }

    fn connect(&mut self) {
        self.session.handle_connected(self.now);
    }

    fn text(&mut self, message: Value) {
        self.session.handle_text(self.now, &message.to_string());
    }

    fn say(&mut self, signal: Signal) -> Result<(), ProtocolError> {
        self.session.handle_signal(self.now, wall(), signal)
    }

    /// Lets time pass, waking the session whenever it asks.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn sent(&mut self) -> Vec<Value> {
        let texts = std::iter::from_fn(|| self.session.poll_text());
        texts
            .map(|text| serde_json::from_str(&text).expect("JSON"))
            .collect()
    }

    fn sent_kinds(&mut self) -> Vec<String> {
        self.sent()
            .iter()
            .map(|message| message["type"].as_str().expect("a type").to_owned())
            .collect()
    }
}

#[test]
fn ready_tells_what_the_welcome_says() {
    let mut bench = Bench::new();
    bench.connect();
    assert!(bench.events().is_empty());
    bench.text(json!({"type": "welcome", "payload": {"user_id": 9, "features": ["resume"], "ring_timeout": 20, "calls": [
        {"call_id": "c7", "role": "callee", "peer": 3, "call_type": "video", "state": "active", "bound_here": true,
            "answered_at": "2025-10-07T12:00:00Z"}]}}));
    let expected = Event::Ready {
        me: Party::User(user(9)),
        ring_timeout: Some(20 * SECOND),
        basic_mode: false,
        live_calls: vec![LiveCall {
            call: call("c7"),
            outgoing: false,
            peer: Party::User(user(3)),
            video: true,
            state: LiveCallState::Active,
            bound_here: true,
            answered_at: Some(wall()),
        }],
    };
    assert_eq!(bench.events(), [expected]);
}

#[test]
fn silence_of_two_seconds_means_basic_mode_with_the_tokens_user() {
    let mut bench = Bench::new();
    bench.connect();
    bench.pass(SECOND + SECOND / 2);
    assert!(bench.events().is_empty());
    bench.pass(SECOND / 2);
    let ready = |basic_mode: bool| Event::Ready {
        me: Party::User(user(1)),
        ring_timeout: (!basic_mode).then_some(30 * SECOND),
        basic_mode,
        live_calls: Vec::new(),
    };
    assert_eq!(bench.events(), [ready(true)]);
    bench.text(welcome());
    assert_eq!(bench.events(), [ready(false)], "a late welcome counts");
}

#[test]
fn nobody_knows_the_user_is_a_problem() {
    let mut session = Session::new(SessionConfig::default());
    let now = Instant::now();
    session.handle_connected(now);
    assert_eq!(
        session.handle_signal(now, wall(), end()),
        Err(ProtocolError::NotReady)
    );
    session.handle_timeout(now + 2 * SECOND);
    assert_eq!(session.poll_event(), Some(Event::Problem(Problem::UnknownUser)));
}

#[test]
fn a_user_found_out_elsewhere_is_ready_and_the_servers_word_counts_more() {
    let mut session = Session::new(SessionConfig::default());
    let now = Instant::now();
    session.handle_connected(now);
    session.handle_timeout(now + 2 * SECOND);
    assert_eq!(session.poll_event(), Some(Event::Problem(Problem::UnknownUser)));
    session.handle_user(now + 3 * SECOND, user(7));
    let me = |event| match event {
        Some(Event::Ready { me, .. }) => Some(me),
        _ => None,
    };
    assert_eq!(me(session.poll_event()), Some(Party::User(user(7))));
    session.handle_text(now + 4 * SECOND, &welcome().to_string());
    assert_eq!(me(session.poll_event()), Some(Party::User(user(1))));
    session.handle_user(now + 5 * SECOND, user(7));
    assert_eq!(session.poll_event(), None);
}

#[test]
fn pings_are_closer_in_a_call() {
    let mut bench = Bench::ready();
    bench.pass(29 * SECOND);
    assert!(bench.sent().is_empty());
    bench.pass(SECOND);
    assert_eq!(bench.sent(), [json!({"type": "ping"})]);
    bench.text(json!({"type": "pong", "time": 1}));
    bench.session.set_in_call(bench.now, true);
    for _ in 0..3 {
        bench.pass(10 * SECOND);
        assert_eq!(bench.sent_kinds(), ["ping"]);
        bench.text(json!({"type": "pong", "time": 1}));
    }
    assert!(bench.events().is_empty());
}

#[test]
fn silence_is_told_once_after_a_minute_or_after_25_seconds_in_a_call() {
    for (in_call, limit) in [(false, 60), (true, 25)] {
        let mut bench = Bench::ready();
        bench.session.set_in_call(bench.now, in_call);
        bench.pass((limit - 1) * SECOND);
        assert!(bench.events().is_empty());
        bench.pass(SECOND);
        assert_eq!(bench.events(), [Event::Silent]);
        bench.sent();
        bench.pass(600 * SECOND);
        assert!(bench.events().is_empty() && bench.sent().is_empty());
    }
}

#[test]
fn any_sign_of_life_counts() {
    let mut bench = Bench::ready();
    for _ in 0..10 {
        bench.pass(50 * SECOND);
        bench.session.handle_alive(bench.now);
    }
    assert!(bench.events().is_empty());
    assert!(bench.session.poll_timeout().is_some());
    bench.session.handle_disconnected(bench.now);
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn messages_name_both_users_and_the_time_talked() {
    let mut bench = Bench::ready();
    bench.say(offer_to(Party::User(user(2)))).expect("an offer");
    bench.text(answer());
    bench.pass(20 * SECOND);
    bench.say(end()).expect("an end");
    let sent = bench.sent();
    let kinds: Vec<_> = sent
        .iter()
        .map(|message| message["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(kinds, ["call.offer", "call.end"]);
    for message in &sent {
        assert_eq!(message["timestamp"], "2025-10-07T12:00:00.000Z");
        assert_eq!(
            (&message["payload"]["from_user"], &message["payload"]["to_user"]),
            (&json!(1), &json!(2))
        );
    }
    assert_eq!(sent[1]["payload"]["duration"], 20);
}

#[test]
fn the_callee_answers_to_whoever_called() {
    let mut bench = Bench::ready();
    bench.text(
        json!({"type": "call.offer", "payload": {"call_id": "c1", "from_user": 5, "to_user": 1,
        "call_type": "audio", "sdp": "v=0"}}),
    );
    assert!(matches!(bench.events()[..], [Event::Signal(Signal::Offer(_))]));
    bench.say(Signal::Ringing { call: call("c1") }).expect("ringing");
    assert_eq!(bench.sent()[0]["payload"]["to_user"], 5);
}

#[test]
fn messages_of_a_broadcasting_server_for_others_are_dropped() {
    let mut bench = Bench::basic();
    for (from, to) in [(2, 3), (1, 2), (1, 1)] {
        let mut message = answer();
        message["payload"]["from_user"] = from.into();
        message["payload"]["to_user"] = to.into();
        bench.text(message);
    }
    assert!(bench.events().is_empty());
    bench.text(answer());
    assert_eq!(bench.events().len(), 1);
}

/// Every message about call `c1` that only its other party may send.
fn messages_of(from: u64) -> Vec<Value> {
    let bodies = [
        ("call.answer", json!({"sdp": "v=0"})),
        ("call.ice", json!({"ice_candidate": null})),
        ("call.status", json!({"status": "ringing"})),
        ("call.renegotiate", json!({"reason": "ice_restart"})),
        (
            "call.error",
            json!({"error_code": "SIGNALING_ERROR", "details": {"fatal": true}}),
        ),
        ("call.end", json!({"reason": "user_hangup"})),
    ];
    let message = |(kind, mut payload): (&str, Value)| {
        payload["call_id"] = "c1".into();
        payload["from_user"] = from.into();
        payload["to_user"] = 1.into();
        json!({"type": kind, "payload": payload})
    };
    bodies.map(message).to_vec()
}

fn offer_from(peer: u64) -> Value {
    json!({"type": "call.offer", "payload": {"call_id": "c1", "from_user": peer, "to_user": 1, "call_type": "audio",
        "sdp": "v=0"}})
}

#[test]
fn nobody_but_the_other_party_speaks_of_a_call() {
    let ways: [fn(&mut Bench); 3] = [
        |bench| bench.say(offer_to(Party::User(user(2)))).expect("an offer"),
        |bench| bench.text(offer_from(2)),
        |bench| {
            let mut welcome = welcome();
            welcome["payload"]["calls"] = json!([{"call_id": "c1", "role": "callee", "peer": 2,
                "call_type": "audio", "state": "active", "bound_here": true}]);
            bench.text(welcome);
        },
    ];
    for begin in ways {
        let mut bench = Bench::ready();
        begin(&mut bench);
        bench.events();
        for (count, message) in messages_of(3).into_iter().enumerate() {
            bench.text(message.clone());
            let dropped = Event::Problem(Problem::Stranger(count as u64 + 1));
            assert_eq!(bench.events(), [dropped], "{message}");
        }
        bench.sent();
        bench.say(end()).expect("an end");
        let sent = &bench.sent()[0]["payload"];
        assert_eq!(
            (&sent["to_user"], &sent["duration"]),
            (&json!(2), &json!(0)),
            "the answer of a stranger is none"
        );
        for mut message in messages_of(2) {
            bench.text(message.clone());
            assert!(matches!(bench.events()[..], [Event::Signal(_)]), "{message}");
            message["payload"]["by"] = "server".into();
            bench.text(message.clone());
            assert!(matches!(bench.events()[..], [Event::Signal(_)]), "{message}");
            message["payload"]["from_user"] = Value::Null;
            bench.text(message.clone());
            assert!(matches!(bench.events()[..], [Event::Signal(_)]), "{message}");
        }
    }
}

#[test]
fn a_message_before_the_offer_passes_and_makes_nobody_the_other_party() {
    let mut bench = Bench::ready();
    for message in messages_of(3) {
        bench.text(message.clone());
        assert!(matches!(bench.events()[..], [Event::Signal(_)]), "{message}");
    }
    bench.text(offer_from(2));
    bench.text(offer_from(3));
    bench.events();
    for (from, expected) in [(2, true), (3, false)] {
        for message in messages_of(from) {
            bench.text(message.clone());
            let passed = matches!(bench.events()[..], [Event::Signal(_)]);
            assert_eq!(passed, expected, "{message}");
        }
    }
    bench.say(end()).expect("an end");
    assert_eq!(bench.sent()[0]["payload"]["to_user"], 2);
}

#[test]
fn a_connection_given_up_is_said_before_the_end_of_a_call_that_was_answered() {
    let given_up = || Signal::End {
        call: call("c1"),
        reason: EndReason::NetworkError,
        detail: Some(EndDetail::IceFailed),
    };
    for (is_answered, last, expected) in [
        (true, given_up(), &["call.status", "call.end"][..]),
        (true, end(), &["call.end"]),
        (false, given_up(), &["call.end"]),
    ] {
        let mut bench = Bench::ready();
        bench.say(offer_to(Party::User(user(2)))).expect("an offer");
        if is_answered {
            bench.text(answer());
        }
        bench.sent();
        bench.say(last).expect("an end");
        let sent = bench.sent();
        let kinds: Vec<_> = sent.iter().map(|message| &message["type"]).collect();
        assert_eq!(kinds, expected);
        if expected.len() == 2 {
            let payload = &sent[0]["payload"];
            assert_eq!(
                (&payload["status"], &payload["to_user"]),
                (&json!("failed"), &json!(2))
            );
        }
    }
}

#[test]
fn a_repeated_id_is_dropped_for_five_minutes() {
    let mut bench = Bench::ready();
    let mut message = answer();
    message["id"] = "m1".into();
    bench.text(message.clone());
    bench.pass(SECOND);
    bench.text(message.clone());
    assert_eq!(bench.events().len(), 1);
    bench.text(answer());
    bench.text(answer());
    assert_eq!(bench.events().len(), 2, "without an id nothing is a repetition");
    bench.now += 301 * SECOND;
    bench.text(message);
    assert_eq!(bench.events().len(), 1);
}

#[test]
fn an_echo_of_a_call_message_means_this_server_cannot_do_calls() {
    let echoed = json!({"type": "call.offer", "payload": {"call_id": "c1"}});
    let forms = [
        json!({"type": "echo", "payload": echoed}),
        json!({"type": "echo", "data": {"original": echoed}}),
        json!({"type": "echo", "message": echoed.to_string()}),
        json!({"type": "echo", "data": {"call_id": "c1"}}),
    ];
    for form in forms {
        let mut bench = Bench::basic();
        bench.text(form.clone());
        let [
            Event::Signal(Signal::Refused {
                call: Some(refused),
                refusal,
            }),
        ] = &bench.events()[..]
        else {
            panic!("{form}")
        };
        assert_eq!(
            (refused, &refusal.code, refusal.fatal),
            (&call("c1"), &RefusalCode::CallsUnsupported, true)
        );
    }
    let mut bench = Bench::basic();
    bench.text(json!({"type": "echo", "payload": {"type": "chat", "payload": {"text": "call.offer"}}}));
    assert!(bench.events().is_empty());
}

#[test]
fn renegotiation_is_asked_for_only_where_the_server_has_it() {
    let wish = || Signal::Renegotiate {
        call: call("c1"),
        ice_restart: true,
        video: None,
    };
    assert_eq!(
        Bench::basic().say(wish()),
        Err(ProtocolError::Unsupported("renegotiate"))
    );
    assert_eq!(Bench::ready().say(wish()), Ok(()));
}

#[test]
fn what_cannot_be_addressed_is_refused() {
    let room = Party::Room(ahoy_call::RoomId::new("r").expect("room"));
    let mut bench = Bench::ready();
    assert_eq!(
        bench.say(offer_to(room.clone())),
        Err(ProtocolError::WrongAddress(room))
    );
    let elsewhere = Signal::AnsweredElsewhere { call: call("c1") };
    assert!(matches!(bench.say(elsewhere), Err(ProtocolError::ServerOnly(_))));
    assert!(bench.sent().is_empty());
}

#[test]
fn malformed_messages_are_told_and_the_session_goes_on() {
    let mut bench = Bench::ready();
    bench.session.handle_text(bench.now, "{nonsense");
    bench.text(json!({"type": "call.end", "payload": {"call_id": "c1"}}));
    bench.text(json!({"type": "something.new", "payload": 1}));
    let events = bench.events();
    let [
        Event::Problem(Problem::Malformed(_)),
        Event::Problem(Problem::Malformed(second)),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(second, "field reason is missing");
    bench.text(answer());
    assert_eq!(bench.events().len(), 1);
}

#[test]
fn presence_carries_what_the_server_knows() {
    let mut bench = Bench::ready();
    for (word, busy) in [("busy", Some(true)), ("in_call", Some(true)), ("mood", None)] {
        let mut payload = json!({"user_id": 2, "is_online": true, "last_seen": null, "username": "bob"});
        payload[word] = true.into();
        bench.text(json!({"type": "presence", "payload": payload}));
        let expected = Event::Presence {
            user: user(2),
            name: Some("bob".to_owned()),
            online: true,
            busy,
        };
        assert_eq!(bench.events(), [expected]);
    }
}

#[test]
fn what_may_be_lost_is_said_again_after_the_next_welcome() {
    let mut bench = Bench::ready();
    bench.say(offer_to(Party::User(user(2)))).expect("an offer");
    let offer = bench.sent();
    bench.session.handle_disconnected(bench.now);
    let candidate = Signal::Candidate {
        call: call("c1"),
        candidate: None,
    };
    bench.say(candidate).expect("a candidate");
    assert!(bench.sent().is_empty(), "the link is down");
    bench.connect();
    assert!(bench.sent().is_empty(), "the server has not introduced itself");
    bench.text(welcome());
    let sent = bench.sent();
    assert_eq!(sent[0], offer[0]);
    assert_eq!(sent[1]["type"], "call.ice");
    assert_eq!(sent.len(), 2);
}

#[test]
fn an_answered_ping_ends_the_repetition() {
    let mut bench = Bench::ready();
    bench.say(end()).expect("an end");
    bench.pass(30 * SECOND);
    assert_eq!(bench.sent_kinds(), ["call.end", "ping"]);
    bench.text(json!({"type": "pong", "time": 1}));
    bench.session.handle_disconnected(bench.now);
    bench.connect();
    bench.text(welcome());
    assert!(bench.sent().is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_a_session(texts in proptest::collection::vec(".{0,80}", 0..8)) {
        let mut bench = Bench::ready();
        for text in texts {
            bench.session.handle_text(bench.now, &text);
            bench.session.handle_text(bench.now, &format!(r#"{{"type":"call.offer","payload":{{"call_id":{text:?}}}}}"#));
        }
        bench.text(answer());
        let answered = bench.events().iter().any(|event| matches!(event, Event::Signal(Signal::Answer { .. })));
        proptest::prop_assert!(answered);
    }
}
