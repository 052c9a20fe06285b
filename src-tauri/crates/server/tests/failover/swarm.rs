//! Many clients that reconnect as IM-Suite §1.9 says: after 1 s, doubling, ±20 %, to the addresses in turn.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// For anything that has to happen.
const DEADLINE: Duration = Duration::from_secs(60);
/// For one attempt to connect.
const ATTEMPT: Duration = Duration::from_secs(10);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What one client has been told.
#[derive(Default)]
pub struct Seen {
    pub welcomes: Vec<Welcome>,
    /// Types and call ids of `call.*`.
    messages: Vec<(String, String)>,
}

pub struct Welcome {
    pub at: Instant,
    pub calls: Value,
}

pub struct Swarm {
    urls: [String; 2],
    tokens: Vec<String>,
    clients: HashMap<u64, mpsc::UnboundedSender<String>>,
    pub seen: HashMap<u64, Seen>,
    told_tx: mpsc::UnboundedSender<(u64, Value)>,
    told: mpsc::UnboundedReceiver<(u64, Value)>,
}

impl Seen {
    pub fn has(&self, kind: &str, call: &str) -> bool {
        self.messages.iter().any(|(k, c)| k == kind && c == call)
    }
}

impl Swarm {
    /// The token of user 1 is the first.
    pub fn new(urls: [String; 2], tokens: Vec<String>) -> Self {
        let (told_tx, told) = mpsc::unbounded_channel();
        Self {
            urls,
            tokens,
            clients: HashMap::new(),
            seen: HashMap::new(),
            told_tx,
            told,
        }
    }

    /// Starts a client that goes to this address first.
    pub fn connect(&mut self, user: u64, first: usize) {
        let (tx, rx) = mpsc::unbounded_channel();
        let token = &self.tokens[usize::try_from(user - 1).unwrap()];
        let urls = self
            .urls
            .clone()
            .map(|url| format!("{url}?device_id=d{user}&token={token}"));
        self.clients.insert(user, tx);
        self.seen.insert(user, Seen::default());
        tokio::spawn(client(user, urls, first, rx, self.told_tx.clone()));
    }

    /// Sends when the client is connected.
    pub fn send(&mut self, user: u64, message: Value) {
        self.clients[&user].send(message.to_string()).unwrap();
    }

    pub async fn got(&mut self, user: u64, kind: &str, call: &str) {
        self.until(&format!("{user} got {kind} of {call}"), |seen| {
            seen[&user].has(kind, call)
        })
        .await;
    }

    pub async fn until(&mut self, what: &str, is_so: impl Fn(&HashMap<u64, Seen>) -> bool) {
        while !is_so(&self.seen) {
            let told = timeout(DEADLINE, self.told.recv()).await;
            let (user, message) = told.unwrap_or_else(|_| panic!("not: {what}")).unwrap();
            let seen = self.seen.get_mut(&user).unwrap();
            let kind = message["type"].as_str().unwrap_or_default();
            if kind == "welcome" {
                seen.welcomes.push(Welcome {
                    at: Instant::now(),
                    calls: message["payload"]["calls"].clone(),
                });
            } else if let Some(call) = message["payload"]["call_id"].as_str() {
                seen.messages.push((kind.to_owned(), call.to_owned()));
            }
        }
    }
}

async fn client(
    user: u64,
    urls: [String; 2],
    first: usize,
    mut rx: mpsc::UnboundedReceiver<String>,
    told: mpsc::UnboundedSender<(u64, Value)>,
) {
    let mut wait = FIRST_WAIT;
    for attempt in first.. {
        if let Ok(Ok((mut socket, _))) = timeout(ATTEMPT, connect_async(&urls[attempt % 2])).await {
            let mut is_welcome = false;
            loop {
                tokio::select! {
                    Some(text) = rx.recv(), if is_welcome => {
                        if socket.send(Message::text(text)).await.is_err() {
                            break;
                        }
                    }
                    message = socket.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let message: Value = serde_json::from_str(&text).unwrap();
                            if message["type"] == "welcome" {
                                is_welcome = true;
                                wait = FIRST_WAIT;
                            }
                            if told.send((user, message)).is_err() {
                                return;
                            }
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                }
            }
        }
        // 80 to 120 % of it.
        let jitter = u32::try_from(RandomState::new().hash_one(user) % 41).unwrap();
        sleep(wait * (80 + jitter) / 100).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
