//! A server with three people, and a plain HTTP client.

use ahoy_call::UserId;
use ahoy_server::{Account, Server, ServerConfig};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use ureq::http;

pub const DEADLINE: Duration = Duration::from_secs(20);

pub fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// Without a limit of requests, because all tests come from one address.
pub fn config() -> ServerConfig {
    ServerConfig {
        users: vec![
            Account::new(user(1), "Ada", "secret"),
            Account::new(user(2), "Ben", "secret"),
            Account::new(user(3), "Cora", "other"),
        ],
        http_rate: 0,
        ..ServerConfig::default()
    }
}

pub async fn server() -> Server {
    Server::bind(config()).await.unwrap()
}

/// What HTTP answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub retry_after: Option<String>,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Asks `METHOD URL` with a token and a body, either of which may be empty.
pub async fn ask(method: &str, url: String, token: &str, body: impl Into<Vec<u8>>) -> Answer {
    let mut request = http::Request::builder().method(method).uri(url);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(body.into()).unwrap();
    tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .into();
        let mut response = agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            retry_after: response
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap().to_owned()),
        }
    })
    .await
    .unwrap()
}

pub async fn get(server: &Server, path: &str, token: &str) -> Answer {
    ask("GET", format!("{}{path}", server.http_url()), token, "").await
}

pub async fn post(server: &Server, path: &str, token: &str, body: Value) -> Answer {
    let url = format!("{}{path}", server.http_url());
    ask("POST", url, token, body.to_string()).await
}

/// A folder that is removed at the end.
pub struct TempFolder(pub PathBuf);

impl TempFolder {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ahoy-edge-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
