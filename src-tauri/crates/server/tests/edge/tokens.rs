//! S14 of the goals: bad tokens are refused at every door, all in the same way.

use crate::support::*;
use ahoy_server::{JwtSecret, Server, ServerConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const KEY: [u8; 32] = [7; 32];

fn claims() -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({ "user_id": 1, "exp": now + 60, "iat": now, "nbf": now, "iss": "ahoy", "token_type": "access" })
}

fn signed(change: impl FnOnce(&mut Header, &mut Value)) -> String {
    let (mut header, mut claims) = (Header::new(Algorithm::HS256), claims());
    change(&mut header, &mut claims);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&KEY)).unwrap()
}

fn with(name: &'static str, value: Value) -> String {
    signed(|_, claims| claims[name] = value)
}

#[tokio::test]
async fn every_bad_token_is_refused_alike() {
    let server = Server::bind(ServerConfig {
        jwt_secret: JwtSecret::new(KEY),
        ..config()
    })
    .await
    .unwrap();
    let good = signed(|_, _| {});
    assert_eq!(get(&server, "/api/users/me", &good).await.status, 200);
    let now = jiff::Timestamp::now().as_second();
    let (head, rest) = good.split_once('.').unwrap();
    let body = rest.split_once('.').unwrap().0;
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let bad = [
        ("none with signature", format!("{none}.{rest}")),
        ("none without", format!("{none}.{body}.")),
        ("unsigned", format!("{head}.{body}.")),
        ("HS512", signed(|header, _| header.alg = Algorithm::HS512)),
        ("issuer", with("iss", json!("other"))),
        ("audience", with("aud", json!("other"))),
        ("expired", with("exp", json!(now - 60))),
        ("future", with("nbf", json!(now + 60))),
        ("endless expiry", with("exp", json!(u64::MAX))),
        ("kid", signed(|header, _| header.kid = Some("' OR 1=1 --".into()))),
        ("refresh", with("token_type", json!("refresh"))),
        ("kind", with("token_type", json!(["access"]))),
        ("stranger", with("user_id", json!(99))),
        ("old version", with("ver", json!(5))),
        ("9 KiB", with("username", json!("x".repeat(9 * 1024)))),
        ("garbage", "a.b.c".to_owned()),
        ("dots", "...".to_owned()),
    ];
    let uniform = get(&server, "/api/users/me", "").await;
    assert_eq!(uniform.status, 401);
    for (name, token) in &bad {
        assert_eq!(get(&server, "/api/users/me", token).await, uniform, "{name}");
        let query = format!("/ws?token={}", token.replace('\'', "%27"));
        assert_eq!(get(&server, &query, "").await, uniform, "{name} for a WebSocket");
        assert_eq!(
            post(&server, "/api/auth/refresh", token, json!({})).await,
            uniform,
            "{name} as a refresh token"
        );
    }
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_refused_before_it_is_read() {
    let server = server().await;
    let token = "x".repeat(1 << 20);
    let (address, request) = (
        server.address(),
        format!("GET /api/users/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"),
    );
    let status = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        // The server may close before it has all.
        socket.write_all(request.as_bytes()).ok();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap();
    assert!(
        status.starts_with("HTTP/1.1 4") || status.starts_with('\0'),
        "{status:?}"
    );
    assert_eq!(
        get(&server, "/health", "").await.status,
        200,
        "the server is well"
    );
}
