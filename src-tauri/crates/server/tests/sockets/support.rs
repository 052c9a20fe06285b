use ahoy_call::UserId;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::im_suite::encoding::{Encoding, Frame};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub const DEADLINE: Duration = Duration::from_secs(20);

pub fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub async fn server() -> Server {
    let users = vec![
        Account::new(user(1), "Ada", "secret"),
        Account::new(user(2), "Ben", "secret"),
    ];
    Server::bind(ServerConfig {
        users,
        http_rate: 0,
        ..ServerConfig::default()
    })
    .await
    .unwrap()
}

/// A client that speaks one encoding.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub encoding: Encoding,
}

impl Client {
    /// Signs a user in, asking for the subprotocols of a list; `None` asks for none.
    pub async fn connect(server: &Server, id: u64, offered: Option<&str>) -> Self {
        let mut request = server.ws_url().into_client_request().unwrap();
        let bearer = format!("Bearer {}", server.token_for(user(id)));
        request
            .headers_mut()
            .insert("authorization", bearer.parse().unwrap());
        if let Some(offered) = offered {
            request
                .headers_mut()
                .insert("sec-websocket-protocol", offered.parse().unwrap());
        }
        let (socket, response) = timeout(DEADLINE, connect_async(request)).await.unwrap().unwrap();
        let selected = response.headers().get("sec-websocket-protocol");
        let encoding = match selected {
            Some(name) => Encoding::of_subprotocol(name.to_str().unwrap()).unwrap(),
            None => Encoding::Json,
        };
        let mut client = Self { socket, encoding };
        assert_eq!(client.next_of("welcome").await["payload"]["user_id"], id);
        client
    }

    pub async fn with(server: &Server, id: u64, encoding: Encoding) -> Self {
        let client = Self::connect(server, id, Some(encoding.subprotocol())).await;
        assert_eq!(client.encoding, encoding);
        client
    }

    pub async fn send(&mut self, message: &Value) {
        let message = match self.encoding.encode(message.to_string()).unwrap() {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        };
        self.socket.send(message).await.unwrap();
    }

    pub async fn next(&mut self) -> Message {
        timeout(DEADLINE, self.socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    /// The next message of a type; others before it are skipped.
    pub async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let text = match self.next().await {
                Message::Text(text) => self.encoding.decode_text(&text).unwrap(),
                Message::Binary(bytes) => self.encoding.decode_binary(&bytes).unwrap(),
                other => {
                    assert!(
                        other.is_ping() || other.is_pong(),
                        "waiting for {name}: {other:?}"
                    );
                    continue;
                }
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == name {
                return message;
            }
        }
    }

    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.unwrap().code.into();
            }
        }
    }

    /// A request that is answered shows that everything before it was read.
    pub async fn is_served(&mut self) {
        self.send(&serde_json::json!({"type": "ping"})).await;
        self.next_of("pong").await;
    }
}

pub fn fixture(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/im_suite/");
    serde_json::from_str(&std::fs::read_to_string(format!("{path}{name}.json")).unwrap()).unwrap()
}
