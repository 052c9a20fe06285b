//! Limits of the door: rates, slow clients, TLS, metrics.

use crate::support::*;
use ahoy_server::{Server, ServerConfig, TlsFiles, TurnConfig, TurnSecret};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_flood_of_requests_is_told_when_to_come_back() {
    let server = Server::bind(ServerConfig {
        http_rate: 10,
        ..config()
    })
    .await
    .unwrap();
    let mut refused = None;
    for _ in 0..200 {
        let answer = get(&server, "/health", "").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("200 requests are more than 20 and 10 a second");
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    // An upgrade is a request like any other.
    let upgrade = get(&server, "/ws", &server.token_for(user(1))).await;
    assert!([429, 400].contains(&upgrade.status), "{upgrade:?}");
}

/// Reads until the server closes.
async fn until_closed(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset is a close, too.
    tokio::time::timeout(DEADLINE, socket.read_to_end(&mut said))
        .await
        .expect("the server closes")
        .ok();
    said
}

#[tokio::test]
async fn a_hello_of_one_byte_a_second_is_cut_off_after_ten() {
    let server = server().await;
    let begun = Instant::now();
    let (mut silent, slow) = (
        TcpStream::connect(server.address()).await.unwrap(),
        TcpStream::connect(server.address()).await.unwrap(),
    );
    let (mut read, mut write) = slow.into_split();
    let typing = tokio::spawn(async move {
        for byte in b"GET /health HTTP/1.1\r\nHost: a\r\nX: 0123456789".iter() {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            // The attack itself, not a wait for something.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    tokio::join!(until_closed(&mut silent), until_closed(&mut read));
    typing.abort();
    let took = begun.elapsed();
    assert!((9.0..14.0).contains(&took.as_secs_f64()), "{took:?}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = server().await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let said = until_closed(&mut socket).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
}

#[tokio::test]
async fn with_a_certificate_everything_is_tls() {
    let folder = TempFolder::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        certificates: folder.0.join("cert.pem"),
        key: folder.0.join("key.pem"),
    };
    std::fs::write(&files.certificates, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let server = Server::bind(ServerConfig {
        tls: Some(files),
        ..config()
    })
    .await
    .unwrap();
    assert!(server.ws_url().starts_with("wss://"), "{}", server.ws_url());
    assert!(server.http_url().starts_with("https://"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let connect = async || {
        let socket = TcpStream::connect(server.address()).await.unwrap();
        connector
            .connect("localhost".try_into().unwrap(), socket)
            .await
            .unwrap()
    };
    let mut socket = connect().await;
    socket
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let said = until_closed(&mut socket).await;
    assert!(
        said.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&said)
    );

    let url = format!("wss://localhost/ws?token={}", server.token_for(user(1)));
    let (mut ws, _) = tokio_tungstenite::client_async(url, connect().await)
        .await
        .unwrap();
    let welcome = ws.next().await.unwrap().unwrap();
    assert!(welcome.to_text().unwrap().contains("welcome"));

    // Plain HTTP is not understood, and a client that says nothing is not waited for.
    let mut plain = TcpStream::connect(server.address()).await.unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\n\r\n").await.unwrap();
    let said = until_closed(&mut plain).await;
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn metrics_have_their_own_address_and_name_no_paths() {
    let server = Server::bind(ServerConfig {
        metrics: Some("127.0.0.1:0".parse().unwrap()),
        turn: Some(TurnConfig::new(
            "127.0.0.1:0".parse().unwrap(),
            TurnSecret::new(*b"north"),
        )),
        ..config()
    })
    .await
    .unwrap();
    let metrics = server.metrics_address().unwrap();
    assert_eq!(
        get(&server, "/metrics", "").await.status,
        404,
        "not on the public address"
    );
    get(&server, "/api/secret-path?token=t", "").await;
    post(&server, "/api/auth/login", "", json!({})).await;
    let url = format!("{}?token={}", server.ws_url(), server.token_for(user(1)));
    let (mut ws, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for text in [r#"{"type":"ping"}"#, "{"] {
        ws.send(Message::text(text)).await.unwrap();
    }
    while !ws
        .next()
        .await
        .unwrap()
        .unwrap()
        .to_text()
        .unwrap()
        .contains("bad_message")
    {}
    let text = tokio::task::spawn_blocking(move || {
        let mut response = ureq::get(format!("http://{metrics}/metrics")).call().unwrap();
        response.body_mut().read_to_string().unwrap()
    })
    .await
    .unwrap();
    for line in [
        "ahoy_connections 1",
        "ahoy_messages_total{kind=\"ping\",result=\"received\"} 1",
        "ahoy_messages_total{kind=\"unreadable\",result=\"refused\"} 1",
        "ahoy_refused_total{code=\"bad_message\"} 1",
        "ahoy_relay_allocations 0",
        "ahoy_relay_bytes_from_clients_total 0",
        "ahoy_http_requests_total{route=\"/api/auth/login\",status=\"400\"} 1",
        "ahoy_http_requests_total{route=\"none\",status=\"404\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(text.contains("ahoy_store_latency_seconds_count"));
    assert!(!text.contains("secret-path"));
}
