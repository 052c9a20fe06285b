//! What clients of ZLMediaKit rely on, over real sockets: against this server, and against a MediaServer where
//! `AHOY_ZLM_SERVER=ws://…` names one. Both have to pass the same tests, but for those about its faults.

use ahoy_server::{Server, ServerConfig};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Everything awaited here takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server to be tested; dropping it ends the one of this process.
struct Subject {
    url: String,
    server: Option<Server>,
}

impl Subject {
    async fn ours() -> Self {
        let server = Server::bind(ServerConfig {
            http_rate: 0,
            ..ServerConfig::default()
        });
        let server = server.await.expect("it starts");
        Self {
            url: server.rooms_url(),
            server: Some(server),
        }
    }

    /// The MediaServer of the environment; says on stderr that it is left out where there is none.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn theirs() -> Option<Self> {
        let Ok(url) = std::env::var("AHOY_ZLM_SERVER") else {
            eprintln!("SKIPPED against a MediaServer: AHOY_ZLM_SERVER is not set");
            return None;
        };
        Some(Self { url, server: None })
    }

    fn is_theirs(&self) -> bool {
        self.server.is_none()
    }

    async fn socket(&self) -> Socket {
        let (socket, _) = within(connect_async(&self.url)).await.expect("a connection");
        Socket(socket)
    }

    /// A socket with a room that is nobody else's, even on a server that others use; gives its name.
    async fn room(&self, name: &str) -> (Socket, String) {
        let room = format!("{name}-{}", fresh());
        let mut socket = self.socket().await;
        socket.say(register(Some(&room))).await;
        let answer = socket.hear().await;
        assert_eq!(
            (&answer["class"], &answer["room_id"]),
            (&json!("accept"), &json!(room))
        );
        (socket, room)
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn say(&mut self, message: Value) {
        self.text(&message.to_string()).await;
    }

    async fn text(&mut self, text: &str) {
        within(self.0.send(Message::text(text)))
            .await
            .expect("it is sent");
    }

    async fn hear(&mut self) -> Value {
        loop {
            let frame = within(self.0.next()).await.expect("no end").expect("no error");
            if let Message::Text(text) = frame {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Asserts that nothing was said before this moment: the answer to a fresh request comes next.
    async fn expect_silence(&mut self) {
        let unregister = json!({
            "class": "request", "method": "unregister", "transaction_id": "probe", "room_id": "of nobody"
        });
        self.say(unregister).await;
        let answer = self.hear().await;
        assert_eq!(
            (&answer["class"], &answer["transaction_id"]),
            (&json!("reject"), &json!("probe"))
        );
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

/// A name that nobody has used.
fn fresh() -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("random bytes");
    random.map(|byte| format!("{byte:02x}")).concat()
}

fn register(room: Option<&str>) -> Value {
    let mut message = json!({"class": "request", "method": "register", "transaction_id": fresh()});
    if let Some(room) = room {
        message["room_id"] = room.into();
    }
    message
}

/// A message of a call with all its fields, an unknown one among them.
fn about(class: &str, method: &str, guest: &str, room: &str) -> Value {
    let mut message = json!({
        "class": class, "method": method, "transaction_id": fresh(), "guest_id": guest, "room_id": room,
        "x_unknown": {"nested": ["kept", 1]}
    });
    let fields = match method {
        "call" => json!({
            "vhost": "__defaultVhost__", "app": "live", "stream": "test", "type": "play", "sdp": "v=0\r\n"
        }),
        "candidate" => json!({"candidate": "1 1 udp 9 192.0.2.1 9 typ host", "ufrag": "u", "pwd": "p"}),
        _ => json!({"reason": "hangup"}),
    };
    for (name, value) in fields.as_object().expect("an object") {
        message[name] = value.clone();
    }
    message
}

/// Runs a test against both servers.
async fn conforms<F: Future<Output = ()>>(test: impl Fn(Subject) -> F) {
    test(Subject::ours().await).await;
    if let Some(theirs) = Subject::theirs() {
        test(theirs).await;
    }
}

#[tokio::test]
async fn a_room_is_registered_once_and_the_answer_names_one_relay_at_most() {
    conforms(|subject| async move {
        let mut first = subject.socket().await;
        let room = fresh();
        let asked = register(Some(&room));
        first.say(asked.clone()).await;
        let answer = first.hear().await;
        assert_eq!(
            [
                &answer["class"],
                &answer["method"],
                &answer["transaction_id"],
                &answer["room_id"]
            ],
            [
                &json!("accept"),
                &json!("register"),
                &asked["transaction_id"],
                &json!(room)
            ]
        );
        assert!(answer["ice_servers"].as_array().expect("a list").len() <= 1);
        for socket in [&mut first, &mut subject.socket().await] {
            socket.say(register(Some(&room))).await;
            let refused = socket.hear().await;
            assert_eq!(
                [&refused["class"], &refused["reason"], &refused["room_id"]],
                [&json!("reject"), &json!("room id conflict"), &json!(room)]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_room_the_server_makes_one() {
    conforms(|subject| async move {
        let mut made = Vec::new();
        for _ in 0..2 {
            let mut socket = subject.socket().await;
            socket.say(register(None)).await;
            made.push(
                socket.hear().await["room_id"]
                    .as_str()
                    .expect("a room")
                    .to_owned(),
            );
        }
        assert!(!made[0].is_empty() && made[0] != made[1], "{made:?}");
    })
    .await;
}

#[tokio::test]
async fn unregistering_is_refused_for_other_rooms_and_before_a_register() {
    conforms(|subject| async move {
        let unregister = |room: &str| {
            json!({"class": "request", "method": "unregister", "transaction_id": "t", "room_id": room})
        };
        let mut nobody = subject.socket().await;
        nobody.say(unregister("x")).await;
        assert_eq!(nobody.hear().await["reason"], "unregistered");
        let (mut socket, room) = subject.room("alice").await;
        socket.say(unregister("x")).await;
        let reason = format!("room_id: \"x\" not match room_id:{room}");
        assert_eq!(socket.hear().await["reason"], reason);
        socket.say(unregister(&room)).await;
        let done = socket.hear().await;
        assert_eq!([&done["class"], &done["room_id"]], [&json!("accept"), &json!(room)]);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_relayed_as_it_came_in_both_directions() {
    conforms(|subject| async move {
        let (mut alice, room) = subject.room("alice").await;
        let (mut bob, own) = subject.room("bob").await;
        let guest = format!("{own}_{}", fresh());
        // A second call of the same guest is a re-offer.
        for method in ["call", "candidate", "call"] {
            let class = if method == "call" { "request" } else { "indication" };
            let message = about(class, method, &guest, &room);
            bob.say(message.clone()).await;
            assert_eq!(alice.hear().await, message);
        }
        for (class, method) in [
            ("accept", "call"),
            ("indication", "candidate"),
            ("accept", "call"),
        ] {
            let message = about(class, method, &guest, &room);
            alice.say(message.clone()).await;
            assert_eq!(bob.hear().await, message);
        }
        let bye = about("indication", "bye", &guest, &room);
        bob.say(bye.clone()).await;
        assert_eq!(alice.hear().await, bye);
    })
    .await;
}

#[tokio::test]
async fn a_rejected_call_comes_back_to_its_caller() {
    conforms(|subject| async move {
        let (mut alice, room) = subject.room("alice").await;
        let (mut bob, own) = subject.room("bob").await;
        let guest = format!("{own}_{}", fresh());
        bob.say(about("request", "call", &guest, &room)).await;
        alice.hear().await;
        let mut reject = about("reject", "call", &guest, &room);
        reject["reason"] = "busy".into();
        alice.say(reject.clone()).await;
        assert_eq!(bob.hear().await, reject);
    })
    .await;
}

#[tokio::test]
async fn a_call_to_a_room_that_nobody_has_is_rejected_with_its_fields() {
    conforms(|subject| async move {
        let (mut bob, own) = subject.room("bob").await;
        let room = fresh();
        let call = about("request", "call", &format!("{own}_1"), &room);
        bob.say(call.clone()).await;
        let rejected = bob.hear().await;
        for field in [
            "transaction_id",
            "guest_id",
            "room_id",
            "vhost",
            "app",
            "stream",
            "type",
        ] {
            assert_eq!(rejected[field], call[field], "{field}");
        }
        assert_eq!(rejected["reason"], format!("room_id: \"{room}\" unregistered"));
    })
    .await;
}

#[tokio::test]
async fn before_a_register_nothing_is_relayed() {
    conforms(|subject| async move {
        let (_alice, room) = subject.room("alice").await;
        let mut nobody = subject.socket().await;
        for (class, method) in [
            ("request", "call"),
            ("indication", "candidate"),
            ("indication", "bye"),
        ] {
            nobody.say(about(class, method, "g", &room)).await;
            let rejected = nobody.hear().await;
            assert_eq!(
                [&rejected["class"], &rejected["method"], &rejected["reason"]],
                [&json!("reject"), &json!(method), &json!("should register first")]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_dropped_in_silence() {
    conforms(|subject| async move {
        let (mut alice, room) = subject.room("alice").await;
        let (mut bob, own) = subject.room("bob").await;
        for field in [
            "class",
            "method",
            "transaction_id",
            "guest_id",
            "room_id",
            "app",
            "sdp",
            "type",
        ] {
            let mut call = about("request", "call", &format!("{own}_1"), &room);
            call[field] = "".into();
            bob.say(call).await;
        }
        bob.text("{\"class\":\"request\" \"method\":\"register\",}").await;
        bob.text("no JSON").await;
        bob.say(about("indication", "ringing", &format!("{own}_1"), &room))
            .await;
        for socket in [&mut bob, &mut alice] {
            socket.expect_silence().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_vanishes_is_a_bye_of_the_server_to_the_other_side() {
    conforms(|subject| async move {
        for caller_leaves in [true, false] {
            let (mut alice, room) = subject.room("alice").await;
            let (mut bob, own) = subject.room("bob").await;
            let guest = format!("{own}_{}", fresh());
            bob.say(about("request", "call", &guest, &room)).await;
            alice.hear().await;
            let (leaves, mut stays) = if caller_leaves { (bob, alice) } else { (alice, bob) };
            drop(leaves);
            let bye = stays.hear().await;
            assert_eq!(
                [
                    &bye["class"],
                    &bye["method"],
                    &bye["guest_id"],
                    &bye["room_id"],
                    &bye["reason"]
                ],
                [
                    &json!("indication"),
                    &json!("bye"),
                    &json!(guest),
                    &json!(room),
                    &json!("peer unregister")
                ]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_room_is_free_again_when_its_socket_has_gone() {
    conforms(|subject| async move {
        let (mut bob, own) = subject.room("bob").await;
        let (alice, room) = subject.room("alice").await;
        bob.say(about("request", "call", &format!("{own}_1"), &room))
            .await;
        drop(alice);
        // The bye says that the server has noticed; a MediaServer says it a moment before it gives the name up.
        assert_eq!(bob.hear().await["method"], "bye");
        let mut next = subject.socket().await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            next.say(register(Some(&room))).await;
            let answer = next.hear().await;
            if answer["class"] == "accept" {
                break;
            }
            assert!(subject.is_theirs() && Instant::now() < deadline, "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn numbers_are_texts_and_rooms_may_have_any_name() {
    conforms(|subject| async move {
        for room in [format!("蜂鸟 {}", fresh()), fresh()] {
            let mut socket = subject.socket().await;
            let mut asked = register(Some(&room));
            asked["transaction_id"] = 7.into();
            socket.say(asked).await;
            let answer = socket.hear().await;
            assert_eq!(
                [&answer["transaction_id"], &answer["room_id"]],
                [&json!("7"), &json!(room)]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn one_subprotocol_is_given_as_asked() {
    conforms(|subject| async move {
        // The whole of it: a field alone would leave the server to end here.
        let subject = subject;
        let mut request = subject
            .url
            .as_str()
            .into_client_request()
            .expect("a good address");
        let name = HeaderValue::from_static("webrtc-signaling");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", name.clone());
        let (_, response) = within(connect_async(request)).await.expect("a connection");
        assert_eq!(response.headers().get("Sec-WebSocket-Protocol"), Some(&name));
    })
    .await;
}

// What follows breaks a MediaServer down or shows its faults: only against this server.

#[tokio::test]
async fn the_own_room_cannot_be_called() {
    let subject = Subject::ours().await;
    let (mut alice, room) = subject.room("alice").await;
    alice
        .say(about("request", "call", &format!("{room}_1"), &room))
        .await;
    assert_eq!(alice.hear().await["class"], "reject");
    drop(alice);
    subject.room("bob").await;
}

#[tokio::test]
async fn nobody_ends_a_call_of_others() {
    let subject = Subject::ours().await;
    let (mut alice, room) = subject.room("alice").await;
    let (mut bob, own) = subject.room("bob").await;
    let (mut mallory, _) = subject.room("mallory").await;
    let guest = format!("{own}_1");
    bob.say(about("request", "call", &guest, &room)).await;
    alice.hear().await;
    mallory.say(about("indication", "bye", &guest, &room)).await;
    mallory.expect_silence().await;
    alice.expect_silence().await;
}

#[tokio::test]
async fn a_name_given_up_is_not_taken_from_the_next_one() {
    let subject = Subject::ours().await;
    let (mut first, room) = subject.room("alice").await;
    first
        .say(json!({"class": "request", "method": "unregister", "transaction_id": "t", "room_id": room}))
        .await;
    first.hear().await;
    let mut second = subject.socket().await;
    second.say(register(Some(&room))).await;
    assert_eq!(second.hear().await["class"], "accept");
    first.0.close(None).await.expect("a farewell");
    while let Some(Ok(_)) = within(first.0.next()).await {}
    let (mut bob, own) = subject.room("bob").await;
    bob.say(about("request", "call", &format!("{own}_1"), &room))
        .await;
    assert_eq!(second.hear().await["method"], "call");
}

#[tokio::test]
async fn the_secret_may_be_in_the_address() {
    let server = Server::bind(ServerConfig {
        room_secret: Some(ahoy_signaling::Secret::new("s3cret")),
        http_rate: 0,
        ..ServerConfig::default()
    });
    let server = server.await.expect("it starts");
    for (query, class) in [
        ("", "reject"),
        ("?secret=wrong", "reject"),
        ("?secret=s3cret", "accept"),
    ] {
        let subject = Subject {
            url: format!("{}{query}", server.rooms_url()),
            server: None,
        };
        let mut socket = subject.socket().await;
        socket.say(register(Some("alice"))).await;
        assert_eq!(socket.hear().await["class"], class, "{query}");
    }
}

#[tokio::test]
async fn a_stopping_server_says_goodbye() {
    let subject = Subject::ours().await;
    let (mut alice, _) = subject.room("alice").await;
    let Subject {
        server: Some(server), ..
    } = subject
    else {
        panic!("it is ours");
    };
    let stopping = tokio::spawn(server.shutdown());
    loop {
        match within(alice.0.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!(u16::from(frame.code), 1001);
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("no farewell but {other:?}"),
        }
    }
    within(stopping).await.expect("it ends");
}
