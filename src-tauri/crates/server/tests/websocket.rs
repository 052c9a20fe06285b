//! The server over real sockets: admission, sign-in, relaying, limits, shutdown.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ahoy_call::UserId;
use ahoy_server::{Account, Server, ServerConfig, ServerError};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const DEADLINE: Duration = Duration::from_secs(10);
const MESSAGE_LIMIT: usize = 256 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

async fn server() -> Server {
    let users = vec![
        Account::new(user(1), "Ada", "secret"),
        Account::new(user(2), "Ben", "secret"),
        Account::new(user(3), "Cora", "other"),
    ];
    Server::bind(ServerConfig {
        users,
        http_rate: 0,
        ..ServerConfig::default()
    })
    .await
    .unwrap()
}

/// Connects with the given addition to the address and the given headers.
async fn open(server: &Server, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, WsError> {
    let mut request = format!("{}{query}", server.ws_url())
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    timeout(DEADLINE, connect_async(request))
        .await
        .unwrap()
        .map(|(socket, _)| socket)
}

async fn sign_in(server: &Server, id: u64) -> Socket {
    let bearer = format!("Bearer {}", server.token_for(user(id)));
    let mut socket = open(server, "?device_id=d1", &[("authorization", &bearer)])
        .await
        .unwrap();
    assert_eq!(next_of(&mut socket, "welcome").await["payload"]["user_id"], id);
    socket
}

/// The next message of a type; others before it are skipped.
async fn next_of(socket: &mut Socket, name: &str) -> Value {
    loop {
        match next(socket).await {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == name {
                    return message;
                }
            }
            other => assert!(other.is_ping(), "waiting for {name}: {other:?}"),
        }
    }
}

async fn next(socket: &mut Socket) -> Message {
    timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap()
}

async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.unwrap().code.into();
        }
    }
}

async fn send(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The HTTP status and body of a refused upgrade.
fn refusal(result: Result<Socket, WsError>) -> (u16, Value) {
    match result {
        Err(WsError::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (
                response.status().as_u16(),
                serde_json::from_slice(&body).unwrap_or(Value::Null),
            )
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn fixture(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/im_suite/");
    serde_json::from_str(&std::fs::read_to_string(format!("{path}{name}.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn each_place_of_the_token_opens_the_socket() {
    let server = server().await;
    let token = server.token_for(user(1));
    let bearer = format!("Bearer {token}");
    let offered = format!("im-suite.v1.json, bearer.{token}");
    let query = format!("?token={token}");
    let no_headers: &[(&'static str, &str)] = &[];
    for (query, headers) in [
        ("", [("authorization", bearer.as_str())].as_slice()),
        (query.as_str(), no_headers),
        ("", &[("sec-websocket-protocol", offered.as_str())]),
        (query.as_str(), &[("authorization", bearer.as_str())]),
    ] {
        let mut socket = open(&server, query, headers).await.unwrap();
        assert_eq!(next_of(&mut socket, "welcome").await["payload"]["user_id"], 1);
    }
}

#[tokio::test]
async fn the_known_subprotocol_is_selected_and_the_token_not_echoed() {
    let server = server().await;
    let offered = format!(
        "bearer.{}, im-suite.v9.json, im-suite.v1.json",
        server.token_for(user(1))
    );
    let mut request = server.ws_url().into_client_request().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offered.parse().unwrap());
    let (_, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "im-suite.v1.json");
}

#[tokio::test]
async fn without_a_good_token_the_upgrade_is_refused() {
    let server = server().await;
    let stranger = format!("Bearer {}", server.token_for(user(99)));
    for headers in [
        [].as_slice(),
        &[("authorization", "Bearer nonsense")],
        &[("authorization", "Basic QWRhOnNlY3JldA==")],
        &[("authorization", stranger.as_str())],
    ] {
        let (status, body) = refusal(open(&server, "", headers).await);
        assert_eq!((status, &body["success"]), (401, &json!(false)), "{headers:?}");
        assert!(body["error"].is_string());
    }
}

#[tokio::test]
async fn two_tokens_and_bad_device_ids_are_bad_requests() {
    let server = server().await;
    let bearer = format!("Bearer {}", server.token_for(user(1)));
    let headers = [("authorization", bearer.as_str())];
    for query in ["?token=another", "?device_id=a%20b", "?device_id="] {
        let (status, body) = refusal(open(&server, query, &headers).await);
        assert_eq!((status, &body["success"]), (400, &json!(false)), "{query}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_forbidden() {
    let server = server().await;
    let bearer = format!("Bearer {}", server.token_for(user(1)));
    let foreign = [
        ("authorization", bearer.as_str()),
        ("origin", "https://evil.example"),
    ];
    let (status, body) = refusal(open(&server, "", &foreign).await);
    assert_eq!((status, &body["success"]), (403, &json!(false)));
    let own = server.http_url();
    open(
        &server,
        "",
        &[("authorization", bearer.as_str()), ("origin", own.as_str())],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_user_has_ten_connections_and_gets_them_back() {
    let server = server().await;
    let bearer = format!("Bearer {}", server.token_for(user(1)));
    let headers = [("authorization", bearer.as_str())];
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(open(&server, "", &headers).await.unwrap());
    }
    assert_eq!(refusal(open(&server, "", &headers).await).0, 429);
    let mut leaving = sockets.pop().unwrap();
    leaving.close(None).await.unwrap();
    let again = timeout(DEADLINE, async {
        loop {
            if let Ok(socket) = open(&server, "", &headers).await {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(again.await.is_ok());
}

#[tokio::test]
async fn sign_in_gives_a_token_that_opens_the_socket() {
    let server = server().await;
    let url = format!("{}/api/auth/login", server.http_url());
    let attempt = |body: Value| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into();
            let mut response = agent.post(&url).send_json(body).unwrap();
            (
                response.status().as_u16(),
                response.body_mut().read_json::<Value>().unwrap(),
            )
        })
    };
    for name in ["username", "phone"] {
        let (status, body) = attempt(json!({ name: "Ada", "password": "secret" }))
            .await
            .unwrap();
        assert_eq!((status, &body["success"]), (200, &json!(true)));
        let data = &body["data"];
        assert_eq!(data["token"], data["access_token"]);
        assert_eq!(data["expires_in"], 86_400);
        assert_eq!(data["user"], json!({"id": 1, "username": "Ada"}));
        let query = format!("?token={}", data["token"].as_str().unwrap());
        open(&server, &query, &[]).await.unwrap();
    }
    let wrong_password = attempt(json!({"username": "Ada", "password": "other"}))
        .await
        .unwrap();
    let wrong_name = attempt(json!({"username": "Eve", "password": "secret"}))
        .await
        .unwrap();
    assert_eq!(wrong_password.0, 401);
    assert_eq!(
        wrong_password, wrong_name,
        "nothing tells which of the two was wrong"
    );
    assert_eq!(attempt(json!({"username": "Ada"})).await.unwrap().0, 400);
    assert_eq!(attempt(json!([])).await.unwrap().0, 400);
}

#[tokio::test]
async fn health_is_answered() {
    let server = server().await;
    let url = format!("{}/health", server.http_url());
    let body = tokio::task::spawn_blocking(move || {
        ureq::get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_json::<Value>()
            .unwrap()
    });
    assert_eq!(body.await.unwrap()["success"], true);
}

#[tokio::test]
async fn a_call_is_relayed_from_offer_to_end() {
    let server = server().await;
    let mut ada = sign_in(&server, 1).await;
    let mut ben = sign_in(&server, 2).await;
    send(&mut ada, &json!({"type": "ping"})).await;
    next_of(&mut ada, "pong").await;
    send(&mut ada, &fixture("call.offer")).await;
    let offer = next_of(&mut ben, "call.offer").await;
    assert_eq!(offer["payload"]["sdp"], fixture("call.offer")["payload"]["sdp"]);
    send(&mut ben, &fixture("call.answer")).await;
    next_of(&mut ada, "call.answer").await;
    send(&mut ada, &fixture("call.ice")).await;
    next_of(&mut ben, "call.ice").await;
    send(&mut ada, &fixture("call.end")).await;
    assert_eq!(
        next_of(&mut ben, "call.end").await["payload"]["reason"],
        "user_hangup"
    );
}

#[tokio::test]
async fn the_largest_message_is_taken_and_one_byte_more_is_not() {
    let server = server().await;
    for id in [1, 2] {
        let mut ada = sign_in(&server, id).await;
        let mut exact = r#"{"type":"ping","x":""#.to_owned();
        exact.extend(std::iter::repeat_n('y', MESSAGE_LIMIT - exact.len() - 2));
        exact.push_str("\"}");
        assert_eq!(exact.len(), MESSAGE_LIMIT);
        ada.send(Message::text(exact.clone())).await.unwrap();
        next_of(&mut ada, "pong").await;
        exact.push(' ');
        ada.send(Message::text(exact)).await.unwrap();
        assert_eq!(close_code(&mut ada).await, 1009);
    }
}

#[tokio::test]
async fn a_frame_beyond_every_limit_is_closed_by_its_header() {
    use tokio::io::AsyncWriteExt;
    let server = server().await;
    let mut ada = sign_in(&server, 1).await;
    // A text frame that announces 2 MiB (RFC 6455 §5.2); its content never comes.
    let mut header = vec![0x81, 0xff];
    header.extend_from_slice(&(2_u64 << 20).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    let MaybeTlsStream::Plain(stream) = ada.get_mut() else {
        panic!("the connection is not encrypted");
    };
    stream.write_all(&header).await.unwrap();
    assert_eq!(close_code(&mut ada).await, 1009);
}

#[tokio::test]
async fn binary_frames_are_the_wrong_kind() {
    let server = server().await;
    let mut ada = sign_in(&server, 1).await;
    ada.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(close_code(&mut ada).await, 1003);
}

#[tokio::test]
async fn garbage_is_answered_and_the_connection_lives() {
    let server = server().await;
    let mut ada = sign_in(&server, 1).await;
    ada.send(Message::text("{")).await.unwrap();
    let error = next_of(&mut ada, "call.error").await;
    assert_eq!(error["payload"]["details"]["code"], "bad_message");
    send(&mut ada, &json!({"type": "ping"})).await;
    next_of(&mut ada, "pong").await;
}

#[tokio::test]
async fn the_same_device_replaces_its_connection() {
    let server = server().await;
    let mut first = sign_in(&server, 1).await;
    let mut second = sign_in(&server, 1).await;
    assert_eq!(close_code(&mut first).await, 4409);
    send(&mut second, &json!({"type": "ping"})).await;
    next_of(&mut second, "pong").await;
}

#[tokio::test]
async fn shutdown_ends_calls_says_goodbye_and_frees_the_port() {
    let server = server().await;
    let address = server.address();
    let mut ada = sign_in(&server, 1).await;
    let mut ben = sign_in(&server, 2).await;
    send(&mut ada, &fixture("call.offer")).await;
    next_of(&mut ben, "call.offer").await;
    let told = tokio::spawn(async move {
        for socket in [&mut ada, &mut ben] {
            assert_eq!(
                next_of(socket, "call.end").await["payload"]["reason"],
                "server_error"
            );
            assert_eq!(close_code(socket).await, 1001);
            // Completes the closing handshake.
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    timeout(DEADLINE, server.shutdown()).await.unwrap();
    timeout(DEADLINE, told).await.unwrap().unwrap();
    let config = ServerConfig {
        listen: address,
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_closes_its_connections() {
    let server = server().await;
    let mut ada = sign_in(&server, 1).await;
    drop(server);
    assert_eq!(close_code(&mut ada).await, 1001);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = server().await;
    let config = ServerConfig {
        listen: server.address(),
        ..ServerConfig::default()
    };
    match Server::bind(config).await {
        Err(ServerError::PortTaken { address }) => assert_eq!(address, server.address()),
        other => panic!("{other:?}"),
    }
}
