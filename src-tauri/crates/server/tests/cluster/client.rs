//! A client of one node.

use ahoy_call::UserId;
use ahoy_server::Server;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than any takeover or reconnection of a bus on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
pub const CALL: &str = "call_123456789";
pub const TIME: &str = "2026-01-01T00:00:00Z";
const SDP: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\na=ice-ufrag:x\r\n";

pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub welcome: Value,
}

pub fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

impl Client {
    pub async fn sign_in(node: &Server, id: u64) -> Self {
        let url = format!(
            "{}?device_id=d{id}&token={}",
            node.ws_url(),
            node.token_for(user(id))
        );
        let (socket, _) = timeout(DEADLINE, connect_async(url)).await.unwrap().unwrap();
        let mut client = Self {
            socket,
            welcome: Value::Null,
        };
        client.welcome = client.next_of("welcome").await;
        client
    }

    pub async fn send(&mut self, message: &Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next message of a type; others before it are skipped.
    pub async fn next_of(&mut self, name: &str) -> Value {
        self.next_matching(name, |_| true).await
    }

    pub async fn next_matching(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next(name).await {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == name && wanted(&message["payload"]) {
                        return message;
                    }
                }
                other => assert!(other.is_ping(), "waiting for {name}: {other:?}"),
            }
        }
    }

    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next("close").await {
                // Completes the closing handshake.
                while let Some(Ok(_)) = self.socket.next().await {}
                return frame.unwrap().code.into();
            }
        }
    }

    async fn next(&mut self, waiting_for: &str) -> Message {
        let next = timeout(DEADLINE, self.socket.next()).await;
        next.unwrap_or_else(|_| panic!("no {waiting_for}"))
            .unwrap()
            .unwrap()
    }
}

pub fn offer(call: &str, from: u64, to: u64) -> Value {
    json!({"type": "call.offer", "timestamp": TIME, "payload": {
        "call_id": call, "from_user": from, "to_user": to, "call_type": "audio",
        "sdp": {"type": "offer", "sdp": SDP},
    }})
}

pub fn answer(call: &str) -> Value {
    json!({"type": "call.answer", "timestamp": TIME, "payload": {
        "call_id": call, "sdp": {"type": "answer", "sdp": SDP},
    }})
}

pub fn ice(call: &str, number: u32) -> Value {
    json!({"type": "call.ice", "id": number.to_string(), "timestamp": TIME, "payload": {
        "call_id": call,
        "ice_candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMLineIndex": 0, "sdpMid": "0"},
    }})
}

pub fn end(call: &str) -> Value {
    json!({"type": "call.end", "timestamp": TIME, "payload": {"call_id": call, "reason": "user_hangup"}})
}
