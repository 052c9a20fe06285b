use super::*;
use crate::link::Auth;
use std::future::Future;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};

use crate::im_suite::encoding::{FRAME_LIMIT, MESSAGE_LIMIT};

const WANTED: &str = "im-suite.v1.cbor.z, im-suite.v1.json";
const AFTER_FLOODING: Duration = Duration::from_millis(200);

/// Everything awaited here happens within milliseconds or not at all.
async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("in time")
}

/// A server that does what each test says.
struct Server {
    listener: TcpListener,
}

type Accepted = WebSocketStream<TcpStream>;

impl Server {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self { listener }
    }

    fn target(&self) -> Target {
        Target {
            url: format!("ws://{}/ws", self.listener.local_addr().expect("address")),
            token: Some(Secret::new("first")),
            device_id: Some("laptop".to_owned()),
            encodings: &[Encoding::CborZ, Encoding::Json],
            ping_every: None,
            insecure: false,
            auth: Auth::Header,
        }
    }

    fn client(&self) -> Connection {
        client(self.target())
    }

    async fn tcp(&self) -> TcpStream {
        within(self.listener.accept()).await.expect("a client").0
    }

    /// Accepts one WebSocket, with JSON if it asks for encodings.
    async fn accept(&self) -> (Accepted, HeaderMap) {
        self.accept_as(Encoding::Json).await
    }

    async fn accept_as(&self, encoding: Encoding) -> (Accepted, HeaderMap) {
        let mut headers = HeaderMap::new();
        #[allow(clippy::result_large_err)] // the callback's type is the library's
        let answer = |request: &Request, mut response: Response| {
            headers = request.headers().clone();
            if headers.contains_key("Sec-WebSocket-Protocol") {
                response.headers_mut().insert(
                    "Sec-WebSocket-Protocol",
                    HeaderValue::from_static(encoding.subprotocol()),
                );
            }
            Ok(response)
        };
        let socket = within(tokio_tungstenite::accept_hdr_async(self.tcp().await, answer)).await;
        (socket.expect("an upgrade"), headers)
    }

    /// Answers one upgrade with a status, and gives back what was asked.
    async fn refuse(&self, status: &str) -> String {
        let mut tcp = self.tcp().await;
        let mut bytes = [0; 4096];
        let count = within(tcp.read(&mut bytes)).await.expect("a request");
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        within(tcp.write_all(answer.as_bytes())).await.expect("an answer");
        String::from_utf8_lossy(&bytes[..count]).to_ascii_lowercase()
    }
}

fn client(target: Target) -> Connection {
    let pace = Pace {
        backoff: Backoff::new(Duration::from_millis(10), Duration::from_millis(40)),
        after_flooding: AFTER_FLOODING,
        ..Pace::default()
    };
    Connection::start_at_pace(target, pace).expect("a good target")
}

impl Connection {
    async fn next(&mut self) -> LinkEvent {
        within(self.incoming.recv()).await.expect("an event")
    }

    async fn down(&mut self) -> (DownCause, Option<Instant>) {
        loop {
            match self.next().await {
                LinkEvent::Down { cause, retry_at } => return (cause, retry_at),
                LinkEvent::Up | LinkEvent::Alive => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn close_with(socket: &mut Accepted, code: u16) {
    let frame = CloseFrame {
        code: code.into(),
        reason: "".into(),
    };
    within(socket.close(Some(frame))).await.expect("a farewell");
}

/// The code the client says goodbye with.
async fn farewell(socket: &mut Accepted) -> Option<u16> {
    loop {
        match within(socket.next()).await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test]
async fn a_link_carries_texts_both_ways_and_shows_who_it_is() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, headers) = server.accept().await;
    assert_eq!(headers["authorization"], "Bearer first");
    assert_eq!(headers["x-device-id"], "laptop");
    assert_eq!(headers["sec-websocket-protocol"], WANTED);
    assert!(!headers.contains_key("origin"), "native clients send none");
    assert_eq!(client.next().await, LinkEvent::Up);
    within(socket.send(Message::text("hello"))).await.expect("sent");
    assert_eq!(client.next().await, LinkEvent::Text("hello".to_owned()));
    within(socket.send(Message::Ping(vec![1].into())))
        .await
        .expect("sent");
    assert_eq!(client.next().await, LinkEvent::Alive);
    client.outgoing.send("back".to_owned()).await.expect("taken");
    let received = [within(socket.next()).await, within(socket.next()).await]
        .map(|m| m.expect("open").expect("a message"));
    assert!(received.contains(&Message::Pong(vec![1].into())) && received.contains(&Message::text("back")));
}

#[tokio::test]
async fn a_refused_token_waits_for_another_one() {
    let server = Server::new().await;
    let mut client = server.client();
    server.refuse("401 Unauthorized").await;
    assert_eq!(client.down().await, (DownCause::Unauthorized, None));
    client.retry_now();
    client.set_token(Secret::new("second")).expect("a token");
    let (_socket, headers) = server.accept().await;
    assert_eq!(headers["authorization"], "Bearer second");
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn a_server_made_for_browsers_is_asked_once_more_with_the_token_in_the_query() {
    let server = Server::new().await;
    let mut target = server.target();
    target.auth = Auth::Auto;
    let mut client = client(target);
    let first = server.refuse("401 Unauthorized").await;
    assert!(
        first.starts_with("get /ws http") && first.contains("authorization: bearer first"),
        "{first}"
    );
    let second = server.refuse("401 Unauthorized").await;
    assert!(second.starts_with("get /ws?token=first http"), "{second}");
    assert!(!second.contains("authorization:"), "{second}");
    assert_eq!(client.down().await, (DownCause::Unauthorized, None), "only once");
}

#[tokio::test]
async fn a_live_link_is_made_anew_with_a_renewed_token() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    client.set_token(Secret::new("second")).expect("a token");
    client.retry_now();
    assert_eq!(farewell(&mut socket).await, Some(1001));
    assert_eq!(client.down().await.0, DownCause::TokenRenewed);
    let (_socket, headers) = server.accept().await;
    assert_eq!(headers["authorization"], "Bearer second");
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn a_refused_token_that_has_ended_is_told_apart_from_a_wrong_one() {
    // {"exp":1} and {"exp":99999999999}
    for (token, expected) in [
        ("e30.eyJleHAiOjF9.", DownCause::TokenExpired),
        ("e30.eyJleHAiOjk5OTk5OTk5OTk5fQ.", DownCause::Unauthorized),
    ] {
        let server = Server::new().await;
        let mut target = server.target();
        target.token = Some(Secret::new(token));
        let mut client = client(target);
        server.refuse("401 Unauthorized").await;
        assert_eq!(client.down().await, (expected, None));
        client.set_token(Secret::new("second")).expect("a token");
        let (_socket, headers) = server.accept().await;
        assert_eq!(headers["authorization"], "Bearer second");
    }
}

#[tokio::test]
async fn a_refused_user_is_given_up_and_too_many_requests_wait() {
    let server = Server::new().await;
    let mut client = server.client();
    server.refuse("429 Too Many Requests").await;
    let (cause, retry_at) = client.down().await;
    assert_eq!(cause, DownCause::TooMany);
    let wait = retry_at
        .expect("a time")
        .saturating_duration_since(Instant::now());
    assert!(wait > AFTER_FLOODING / 2, "{wait:?}");
    server.refuse("403 Forbidden").await;
    assert_eq!(client.next().await, LinkEvent::GivenUp(DownCause::Forbidden));
    assert_eq!(within(client.incoming.recv()).await, None);
    within(client.outgoing.closed()).await;
}

#[tokio::test]
async fn something_else_at_the_address_is_told_and_asked_again() {
    let server = Server::new().await;
    let mut client = server.client();
    server.refuse("404 Not Found").await;
    let (cause, retry_at) = client.down().await;
    assert_eq!(cause, DownCause::NotAServer("HTTP status 404".to_owned()));
    assert!(retry_at.is_some());
    let (_socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn close_codes_decide_what_follows() {
    for (code, cause) in [(4403, DownCause::Banned), (4409, DownCause::Replaced)] {
        let server = Server::new().await;
        let mut client = server.client();
        let (mut socket, _) = server.accept().await;
        close_with(&mut socket, code).await;
        assert_eq!(client.next().await, LinkEvent::Up);
        assert_eq!(client.next().await, LinkEvent::GivenUp(cause));
        assert_eq!(within(client.incoming.recv()).await, None);
    }
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    close_with(&mut socket, 1012).await;
    let (cause, retry_at) = client.down().await;
    assert_eq!((cause, retry_at.is_some()), (DownCause::Closed(1012), true));
    let (mut socket, _) = server.accept().await;
    close_with(&mut socket, 4401).await;
    assert_eq!(client.down().await, (DownCause::TokenExpired, None));
    client.set_token(Secret::new("second")).expect("a token");
    let (_socket, headers) = server.accept().await;
    assert_eq!(headers["authorization"], "Bearer second");
}

#[tokio::test]
async fn flooding_is_waited_out_even_if_the_user_is_in_a_hurry() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    close_with(&mut socket, 4429).await;
    let (cause, _) = client.down().await;
    let closed = Instant::now();
    assert_eq!(cause, DownCause::Flooding);
    client.retry_now();
    let (_socket, _) = server.accept().await;
    // The client began to wait before the test heard of it.
    assert!(closed.elapsed() > AFTER_FLOODING / 2, "{:?}", closed.elapsed());
}

#[tokio::test]
async fn texts_handed_over_while_the_link_is_down_arrive_in_order() {
    let server = Server::new().await;
    let mut client = server.client();
    let (socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    drop(socket);
    let (cause, _) = client.down().await;
    assert!(matches!(cause, DownCause::Lost(_)), "{cause:?}");
    for n in 0..3 {
        client.outgoing.send(n.to_string()).await.expect("taken");
    }
    let (mut socket, _) = server.accept().await;
    for n in 0..3 {
        let text = within(socket.next()).await.expect("open").expect("a message");
        assert_eq!(text, Message::text(n.to_string()));
    }
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_link_with_1009() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    let limit = MESSAGE_LIMIT;
    within(socket.send(Message::text("x".repeat(limit))))
        .await
        .expect("sent");
    assert_eq!(client.next().await, LinkEvent::Text("x".repeat(limit)));
    within(socket.send(Message::text("x".repeat(limit + 1))))
        .await
        .expect("sent");
    assert_eq!(farewell(&mut socket).await, Some(1009));
    let (cause, retry_at) = client.down().await;
    assert!(
        matches!(cause, DownCause::TooBig(_)) && retry_at.is_some(),
        "{cause:?}"
    );
}

#[tokio::test]
async fn a_binary_message_ends_the_link_with_1003() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    within(socket.send(Message::binary(vec![0]))).await.expect("sent");
    assert_eq!(farewell(&mut socket).await, Some(1003));
    let (cause, _) = client.down().await;
    assert!(matches!(cause, DownCause::BadFrame(_)), "{cause:?}");
}

#[tokio::test]
async fn the_encoding_that_the_server_selects_is_used_both_ways() {
    let text = format!(r#"{{"long":"{}"}}"#, "x".repeat(1000));
    for encoding in [Encoding::CborZ, Encoding::Json] {
        let server = Server::new().await;
        let mut client = server.client();
        let (mut socket, _) = server.accept_as(encoding).await;
        assert_eq!(client.next().await, LinkEvent::Up);
        for text in [r#"{"short":1}"#, &text] {
            let message = match encoding.encode(text.to_owned()).expect("encodes") {
                Frame::Text(text) => Message::text(text),
                Frame::Binary(bytes) => Message::binary(bytes),
            };
            within(socket.send(message.clone())).await.expect("sent");
            assert_eq!(client.next().await, LinkEvent::Text(text.to_owned()));
            client.outgoing.send(text.to_owned()).await.expect("taken");
            let received = within(socket.next()).await.expect("open").expect("a message");
            assert_eq!(received, message, "{encoding:?}");
        }
    }
}

#[tokio::test]
async fn the_largest_frame_of_each_encoding_is_taken_and_a_bomb_is_not() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept_as(Encoding::CborZ).await;
    assert_eq!(client.next().await, LinkEvent::Up);
    // {"t": "xx…"} as CBOR behind its mark; with its quotes the JSON is just within the limit.
    let text_length = u32::try_from(MESSAGE_LIMIT - 8).expect("fits");
    let mut largest = vec![0, 0xa1, 0x61, b't', 0x7a];
    largest.extend_from_slice(&text_length.to_be_bytes());
    largest.resize(FRAME_LIMIT, b'x');
    within(socket.send(Message::binary(largest))).await.expect("sent");
    match client.next().await {
        LinkEvent::Text(text) => assert_eq!(text.len(), MESSAGE_LIMIT),
        other => panic!("{other:?}"),
    }
    let bomb = flate2::write::DeflateEncoder::new(vec![1], flate2::Compression::fast());
    let bomb = {
        let mut bomb = bomb;
        std::io::Write::write_all(&mut bomb, &vec![0; 4 * MESSAGE_LIMIT]).expect("memory");
        bomb.finish().expect("memory")
    };
    within(socket.send(Message::binary(bomb))).await.expect("sent");
    assert_eq!(farewell(&mut socket).await, Some(1009));
}

#[tokio::test]
async fn what_cannot_be_decoded_ends_the_link_with_1007_and_text_with_1003() {
    for (message, code) in [
        (Message::binary(vec![0, 0xff]), 1007),
        (Message::binary(vec![]), 1007),
        (Message::text("{}"), 1003),
    ] {
        let server = Server::new().await;
        let mut client = server.client();
        let (mut socket, _) = server.accept_as(Encoding::CborZ).await;
        within(socket.send(message)).await.expect("sent");
        assert_eq!(farewell(&mut socket).await, Some(code));
        assert!(client.down().await.1.is_some(), "tries again");
    }
}

#[tokio::test]
async fn a_server_without_subprotocols_is_asked_again_without() {
    let server = Server::new().await;
    let mut client = server.client();
    let tcp = server.tcp().await;
    // The client hangs up on an answer that selects none.
    let _ = within(tokio_tungstenite::accept_async(tcp)).await;
    let (_socket, headers) = server.accept().await;
    assert!(!headers.contains_key("sec-websocket-protocol"));
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn a_silent_link_is_dropped_and_made_anew() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    client.drop_link();
    assert_eq!(farewell(&mut socket).await, Some(1001));
    assert_eq!(client.down().await.0, DownCause::Silent);
    let (_socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    client.retry_now();
    assert_eq!(client.down().await.0, DownCause::NetworkChanged);
    let (_socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn retrying_now_cuts_the_wait_short() {
    let server = Server::new().await;
    let hour = Duration::from_secs(3600);
    let pace = Pace {
        backoff: Backoff::new(hour, hour),
        ..Pace::default()
    };
    let mut client = Connection::start_at_pace(server.target(), pace).expect("a good target");
    server.refuse("503 Service Unavailable").await;
    let (_, retry_at) = client.down().await;
    assert!(retry_at.expect("a time") > Instant::now() + hour / 2);
    client.retry_now();
    let (_socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
}

#[tokio::test]
async fn closing_says_goodbye_and_dropping_ends_the_task() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    let (code, ()) = tokio::join!(farewell(&mut socket), within(client.close()));
    assert_eq!(code, Some(1000));
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    drop(client);
    assert_eq!(farewell(&mut socket).await, Some(1000));
}

#[tokio::test]
async fn closing_waits_for_the_answer_so_that_lost_last_words_are_sent_again() {
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    assert_eq!(client.next().await, LinkEvent::Up);
    let mut closing = tokio::spawn(client.close());
    assert_eq!(farewell(&mut socket).await, Some(1000));
    // The answer to a farewell leaves with the next look at the socket.
    tokio::time::timeout(Duration::from_millis(300), &mut closing)
        .await
        .expect_err("nothing was answered");
    assert_eq!(farewell(&mut socket).await, None);
    within(closing).await.expect("closed");
}

#[tokio::test]
async fn what_was_handed_over_before_the_close_is_still_sent() {
    let server = Server::new().await;
    // Which of two ready inputs the task sees first is left to chance, so once would prove little.
    for _ in 0..20 {
        let mut client = server.client();
        let (mut socket, _) = server.accept().await;
        assert_eq!(client.next().await, LinkEvent::Up);
        client
            .outgoing
            .send("the last word".to_owned())
            .await
            .expect("taken");
        let heard = async {
            let message = within(socket.next()).await.expect("open").expect("a message");
            (message, farewell(&mut socket).await)
        };
        let ((message, code), ()) = tokio::join!(heard, within(client.close()));
        assert_eq!(message, Message::text("the last word"));
        assert_eq!(code, Some(1000));
    }
}

#[tokio::test]
async fn two_full_channels_do_not_block_each_other() {
    const TEXTS: usize = 20 * INCOMING;
    let server = Server::new().await;
    let mut client = server.client();
    let (mut socket, _) = server.accept().await;
    let echo = tokio::spawn(async move {
        let mut heard = 0;
        for n in 0..TEXTS {
            socket.send(Message::text(n.to_string())).await.expect("sent");
        }
        while heard < TEXTS {
            socket.next().await.expect("open").expect("a message");
            heard += 1;
        }
        socket
    });
    assert_eq!(client.next().await, LinkEvent::Up);
    // Nothing more is read until everything is written.
    for n in 0..TEXTS {
        within(client.outgoing.send(n.to_string())).await.expect("taken");
    }
    for n in 0..TEXTS {
        assert_eq!(client.next().await, LinkEvent::Text(n.to_string()));
    }
    within(echo).await.expect("the server");
}

#[tokio::test]
async fn an_unreachable_a_mute_and_a_plain_server_are_told_apart() {
    let server = Server::new().await;
    let mut target = server.target();
    let mute = Pace {
        connect_limit: Duration::from_millis(50),
        ..Pace::default()
    };
    let mut client = Connection::start_at_pace(target.clone(), mute).expect("a good target");
    assert_eq!(client.down().await.0, DownCause::ConnectTimeout);
    drop(client);

    let plain = Server::new().await;
    let mut tls = plain.target();
    tls.url = tls.url.replace("ws://", "wss://");
    let mut client = self::client(tls);
    let mut tcp = plain.tcp().await;
    within(tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        .await
        .expect("an answer");
    let (cause, _) = client.down().await;
    assert!(matches!(cause, DownCause::Tls(_)), "{cause:?}");

    drop(server);
    target.token = Some(Secret::new("third"));
    let mut client = self::client(target);
    let (cause, _) = client.down().await;
    assert!(matches!(cause, DownCause::Unreachable(_)), "{cause:?}");
}

#[tokio::test]
async fn a_server_of_rooms_is_asked_for_nothing_and_pinged_again_and_again() {
    let server = Server::new().await;
    let mut client = client(Target {
        token: None,
        device_id: None,
        encodings: crate::ProtocolKind::Zlm.encodings(),
        ping_every: Some(Duration::from_millis(20)),
        ..server.target()
    });
    let (mut socket, headers) = server.accept().await;
    for name in ["Authorization", "X-Device-Id", "Sec-WebSocket-Protocol"] {
        assert_eq!(headers.get(name), None, "{name}");
    }
    assert_eq!(client.next().await, LinkEvent::Up);
    // Reading answers pings.
    let reader = tokio::spawn(async move {
        while let Some(Ok(frame)) = socket.next().await {
            assert_eq!(frame, Message::Ping(Default::default()));
        }
    });
    for _ in 0..2 {
        assert_eq!(client.next().await, LinkEvent::Alive);
    }
    reader.abort();
}
