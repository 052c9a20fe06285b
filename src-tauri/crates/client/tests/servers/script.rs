//! A server that says what a test tells it to: REST answers from a table, WebSockets handed to the test.

use crate::settings::settings;
use ahoy_call::{Party, UserId};
use ahoy_client::{Client, ClientEvent, ClientHandle, Credentials, Snapshot};
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_signaling::Secret;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Everything awaited here happens within seconds or not at all.
pub const LIMIT: Duration = Duration::from_secs(30);

/// {"alg":"HS256"} . {"user_id":1} . sig
pub const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2ln";

pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, wait).await {
        Ok(done) => done,
        Err(_) => panic!("no {what} within {LIMIT:?}"),
    }
}

/// Status and body by method and path, the query left out.
type Answers = HashMap<String, (u16, Value)>;

pub struct ScriptedServer {
    pub url: String,
    answers: Arc<Mutex<Answers>>,
    /// Request lines with the bearer behind them, in order.
    asked: watch::Sender<Vec<String>>,
    sockets: mpsc::Receiver<Socket>,
}

/// One WebSocket of the client, and what it signed in with.
pub struct Socket {
    pub bearer: String,
    stream: WebSocketStream<TcpStream>,
}

impl ScriptedServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/ws", listener.local_addr().expect("address"));
        let answers = Arc::<Mutex<Answers>>::default();
        let asked = watch::Sender::<Vec<String>>::default();
        let (socket_tx, sockets) = mpsc::channel(8);
        let server = Self {
            url,
            answers: answers.clone(),
            asked: asked.clone(),
            sockets,
        };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, answers.clone(), asked.clone(), socket_tx.clone()));
            }
        });
        server
    }

    /// Sets what a question is answered with; everything else is 404.
    pub fn answer(&self, question: &str, status: u16, body: Value) {
        self.answers
            .lock()
            .expect("nobody panics with it")
            .insert(question.to_owned(), (status, body));
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Waits for the request that makes so many whose line has this in it.
    pub async fn asked_for(&self, part: &str, times: usize) {
        let so_many = |asked: &Vec<String>| asked.iter().filter(|line| line.contains(part)).count() >= times;
        let mut asked = self.asked.subscribe();
        within(part, asked.wait_for(so_many))
            .await
            .expect("the server runs");
    }

    /// The next WebSocket the client opens.
    pub async fn socket(&mut self) -> Socket {
        within("connection", self.sockets.recv())
            .await
            .expect("the server runs")
    }

    /// The next WebSocket, greeted as by a server with every feature.
    pub async fn welcomed(&mut self) -> Socket {
        let mut socket = self.socket().await;
        socket.welcome(json!([])).await;
        socket
    }
}

async fn serve(
    mut tcp: TcpStream,
    answers: Arc<Mutex<Answers>>,
    asked: watch::Sender<Vec<String>>,
    sockets: mpsc::Sender<Socket>,
) {
    let mut seen = [0; 8192];
    let head = loop {
        let count = tcp.peek(&mut seen).await.expect("a request");
        let text = String::from_utf8_lossy(&seen[..count]).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            break head.to_owned();
        }
        if count == 0 {
            return;
        }
        tokio::task::yield_now().await;
    };
    let field = |name: &str| {
        head.lines()
            .find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
            .unwrap_or_default()
    };
    let bearer = field("authorization").trim_start_matches("Bearer ").to_owned();
    if field("upgrade").eq_ignore_ascii_case("websocket") {
        #[allow(clippy::result_large_err)] // the callback's type is the library's
        let select_json = |_: &Request, mut response: Response| {
            let json = HeaderValue::from_static("im-suite.v1.json");
            response.headers_mut().insert("Sec-WebSocket-Protocol", json);
            Ok(response)
        };
        let upgraded = tokio_tungstenite::accept_hdr_async(tcp, select_json).await;
        let stream = upgraded.expect("an upgrade");
        // The test may be over.
        sockets.send(Socket { bearer, stream }).await.ok();
        return;
    }
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    asked.send_modify(|asked| asked.push(format!("{method} {target} {bearer}")));
    let length = head.len() + 4 + field("content-length").parse::<usize>().unwrap_or(0);
    let mut request = vec![0; length];
    tcp.read_exact(&mut request).await.expect("the whole request");
    let path = target.split('?').next().unwrap_or_default();
    let answer = answers
        .lock()
        .expect("nobody panics with it")
        .get(&format!("{method} {path}"))
        .cloned();
    let (status, body) = answer.unwrap_or((404, Value::Null));
    let body = body.to_string();
    let text = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // The client may have given up.
    tcp.write_all(text.as_bytes()).await.ok();
}

impl Socket {
    pub async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: String) {
        within("room for a message", self.stream.send(Message::text(text)))
            .await
            .expect("the client reads");
    }

    pub async fn welcome(&mut self, calls: Value) {
        let features = ["status_relay", "renegotiate", "resume", "multi_device"];
        self.say(json!({"type": "welcome", "payload": {
            "user_id": 1, "features": features, "ring_timeout": 30, "calls": calls,
        }}))
        .await;
    }

    /// The next message of this type; others are passed over.
    pub async fn hear(&mut self, kind: &str) -> Value {
        let heard = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let message: Value = serde_json::from_str(text.as_str()).expect("JSON");
                        if message["type"] == kind {
                            return message;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => panic!("{error} instead of {kind}"),
                    None => panic!("the client left instead of {kind}"),
                }
            }
        };
        within(kind, heard).await
    }

    pub async fn close(&mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        within("farewell", self.stream.close(Some(frame)))
            .await
            .expect("the client is there");
    }
}

pub struct Party1 {
    pub client: ClientHandle,
    events: mpsc::Receiver<ClientEvent>,
}

impl Party1 {
    pub fn start(url: &str, credentials: Credentials) -> Self {
        let settings = settings(url.to_owned(), credentials);
        let (client, events) = Client::start(settings, Arc::new(SyntheticDevices::new()));
        Self { client, events }
    }

    pub fn with_token(server: &ScriptedServer) -> Self {
        Self::start(&server.url, Credentials::Token(Secret::new(TOKEN)))
    }

    pub fn with_password(url: &str) -> Self {
        let credentials = Credentials::Password {
            name: "ann".to_owned(),
            password: Secret::new("pass"),
        };
        Self::start(url, credentials)
    }

    /// The first event that is wanted; others are passed over.
    pub async fn event<T>(&mut self, what: &str, wanted: impl Fn(&ClientEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the client runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        within(what, found).await
    }

    pub async fn signed_in(&mut self) {
        self.event("sign-in", |event| {
            matches!(event, ClientEvent::SignedIn { .. }).then_some(())
        })
        .await;
    }

    /// Events that came and were not awaited yet.
    pub fn left_over(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// The first snapshot that is wanted.
    pub async fn shows(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.client.snapshots();
        let shown = snapshots.wait_for(|snapshot| wanted(snapshot));
        within(what, shown).await.expect("the client runs").clone()
    }
}

pub fn user(n: u64) -> Party {
    Party::User(UserId::new(n).expect("id"))
}

/// An offer as a server delivers it.
pub fn offer(call: &str, from: u64) -> Value {
    let sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=fingerprint:sha-256 00\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";
    json!({"type": "call.offer", "timestamp": "2025-10-07T12:00:00Z", "payload": {
        "call_id": call, "from_user": from, "to_user": 1, "call_type": "audio",
        "sdp": {"type": "offer", "sdp": sdp}, "expires_in": 30,
    }})
}
