//! How a server ends.

use crate::support::*;
use futures_util::StreamExt;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn while_it_drains_it_is_not_healthy_and_takes_nobody_new() {
    let server = server().await;
    let address = server.address();
    let url = format!("{}?token={}", server.ws_url(), server.token_for(user(1)));
    // A client that does not answer the close keeps the server draining.
    let (mut ws, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert!(ws.next().await.unwrap().is_ok());
    let mut kept = TcpStream::connect(address).await.unwrap();
    assert!(health(&mut kept).await.starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    let ending = tokio::spawn(server.shutdown());
    let unhealthy = async { while !health(&mut kept).await.starts_with("HTTP/1.1 503") {} };
    timeout(DEADLINE, unhealthy).await.unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the listener is closed"
    );
    timeout(DEADLINE, ending).await.unwrap().unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert!((2.0..5.0).contains(&took), "{took} s");
}

/// The head of the answer to a request on a kept connection.
async fn health(socket: &mut TcpStream) -> String {
    socket
        .write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let mut part = [0; 1024];
    while !said.ends_with(b"}") {
        let count = timeout(DEADLINE, socket.read(&mut part)).await.unwrap().unwrap();
        assert!(count > 0, "closed after {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&part[..count]);
    }
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn with_nobody_connected_the_end_is_at_once() {
    let server = server().await;
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    assert!(health(&mut idle).await.starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    server.shutdown().await;
    assert!(begun.elapsed().as_secs_f64() < 2.0, "{:?}", begun.elapsed());
    assert_eq!(
        idle.read(&mut [0; 16]).await.unwrap(),
        0,
        "the idle connection is closed"
    );
}
