//! What a signed-in user asks the server over REST (IM-Suite §11): who am I, my contacts, other users, relays, history.
//!
//! Requests block on tokio's blocking pool. Answers are read leniently: wrapped in `data` or bare, lists bare or in an
//! object, unusable entries skipped. It knows nothing of the WebSocket and keeps no state but open connections.

mod read;

use crate::http::{Answer, Http, HttpError, Request};
use crate::link::TargetError;
use crate::login::refusal_text;
use crate::secret::Secret;
use ahoy_call::{CallId, EndReason, UserId};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Most history records of one answer (§11).
pub const MOST_CALLS: usize = 100;

/// Asks one server; clones share their connections.
#[derive(Debug, Clone)]
pub struct Rest {
    http: Http,
}

/// A list of people that the server keeps for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Contacts,
    /// Whose calls never arrive; a question of our own server, others may not know it.
    Blocked,
}

impl List {
    fn path(self) -> &'static str {
        match self {
            List::Contacts => "/api/contacts",
            List::Blocked => "/api/blocks",
        }
    }
}

/// A user as the server describes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub id: UserId,
    /// For display; `None` = the server names none.
    pub name: Option<String>,
    /// A hint only (§11 `presence`).
    pub online: Option<bool>,
}

/// `GET /api/webrtc/config`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceConfig {
    pub servers: Vec<IceServerEntry>,
    /// How long the credentials hold, if the server says so.
    pub ttl: Option<Duration>,
    /// `ice_transport_policy` is `relay`.
    pub relay_only: bool,
}

/// STUN or TURN servers with one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServerEntry {
    /// `stun:`, `turn:` and `turns:` only.
    pub urls: Vec<String>,
    pub username: Option<String>,
    pub credential: Option<Secret>,
}

/// One line of the server's history of calls (§6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    pub call: CallId,
    pub from: UserId,
    pub to: UserId,
    /// It had video at some time.
    pub video: bool,
    pub status: RecordStatus,
    pub started_at: Option<Timestamp>,
    /// From answer to end.
    pub duration: Duration,
    pub reason: Option<EndReason>,
}

/// How far a recorded call came (§6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStatus {
    Pending,
    Answered,
    Rejected,
    Ended,
    Missed,
}

/// Why there is no answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// HTTP 401: the token is of no use, or has ended.
    #[error("server refused the token: {0}")]
    Unauthorized(String),
    /// HTTP 403, or a refusal inside the answer.
    #[error("server refuses this: {0}")]
    Refused(String),
    /// HTTP 404, 405 or 501: a server without this feature, or no such user.
    #[error("server does not know this")]
    Unsupported,
    /// HTTP 429.
    #[error("too many requests, try again later")]
    TooMany { retry_after: Option<Duration> },
    #[error("answer of the server cannot be read: {0}")]
    Unreadable(&'static str),
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Rest {
    /// The REST half of the server whose WebSocket URL is `server`; `insecure` allows plain HTTP to other machines.
    pub fn new(server: &str, insecure: bool) -> Result<Self, TargetError> {
        Ok(Self {
            http: Http::new(server, insecure)?,
        })
    }

    /// Who the token's user is.
    pub async fn me(&self, token: &Secret) -> Result<Profile, RestError> {
        let answer = self.get("/api/users/me", token, Vec::new()).await?;
        read::profile(&answer).ok_or(RestError::Unreadable("no user in it"))
    }

    /// Who is on one of the user's lists.
    pub async fn list(&self, token: &Secret, list: List) -> Result<Vec<Profile>, RestError> {
        let answer = self.get(list.path(), token, Vec::new()).await?;
        read::profiles(&answer).ok_or(RestError::Unreadable("no list of people"))
    }

    /// Puts somebody on a list; who is on it already stays there.
    pub async fn add(&self, token: &Secret, list: List, user: UserId) -> Result<(), RestError> {
        let body = json!({ "user_id": user.as_u64() }).to_string();
        self.ask(list.path().to_owned(), token, Request::Post(body))
            .await
            .map(|_| ())
    }

    /// Takes somebody off a list.
    pub async fn remove(&self, token: &Secret, list: List, user: UserId) -> Result<(), RestError> {
        let path = format!("{}/{}", list.path(), user.as_u64());
        self.ask(path, token, Request::Delete).await.map(|_| ())
    }

    /// Users of the server whose name holds the keyword.
    pub async fn search(&self, token: &Secret, keyword: &str) -> Result<Vec<Profile>, RestError> {
        let query = vec![("keyword", keyword.to_owned())];
        let answer = self.get("/api/users/search", token, query).await?;
        read::profiles(&answer).ok_or(RestError::Unreadable("no list of users"))
    }

    /// The STUN and TURN servers to use, with fresh credentials.
    pub async fn ice_config(&self, token: &Secret) -> Result<IceConfig, RestError> {
        let answer = self.get("/api/webrtc/config", token, Vec::new()).await?;
        read::ice_config(&answer).ok_or(RestError::Unreadable("no ICE servers"))
    }

    /// The user's calls, newest first, older than `before` if given; at most [`MOST_CALLS`].
    pub async fn calls(
        &self,
        token: &Secret,
        limit: usize,
        before: Option<&CallId>,
    ) -> Result<Vec<CallRecord>, RestError> {
        let mut query = vec![("limit", limit.clamp(1, MOST_CALLS).to_string())];
        query.extend(before.map(|call| ("before", call.as_str().to_owned())));
        let answer = self.get("/api/calls", token, query).await?;
        read::calls(&answer).ok_or(RestError::Unreadable("no list of calls"))
    }

    async fn get(
        &self,
        path: &str,
        token: &Secret,
        query: Vec<(&'static str, String)>,
    ) -> Result<Value, RestError> {
        self.ask(path.to_owned(), token, Request::Get(query)).await
    }

    async fn ask(&self, path: String, token: &Secret, request: Request) -> Result<Value, RestError> {
        let answer = self.http.ask(path, Some(token), request).await?;
        read_status(answer)
    }
}

/// Tells refusals from answers and takes the wrapping off.
fn read_status(answer: Answer) -> Result<Value, RestError> {
    let value: Option<Value> = serde_json::from_str(&answer.text).ok();
    match answer.status {
        401 => Err(RestError::Unauthorized(refusal_text(value.as_ref()))),
        404 | 405 | 501 => Err(RestError::Unsupported),
        429 => Err(RestError::TooMany {
            retry_after: answer.retry_after,
        }),
        200..=299 => match value {
            Some(value) if value["success"] == Value::Bool(false) => {
                Err(RestError::Refused(refusal_text(Some(&value))))
            }
            Some(mut value) => Ok(match value.get_mut("data") {
                Some(data) => data.take(),
                None => value,
            }),
            // An empty answer says that it is done.
            None if answer.text.trim().is_empty() => Ok(Value::Null),
            None => Err(RestError::Unreadable("not JSON")),
        },
        400..=499 => Err(RestError::Refused(refusal_text(value.as_ref()))),
        500..=599 => Err(HttpError::Unreachable(format!("HTTP status {}", answer.status)).into()),
        status => Err(HttpError::NotAServer(format!("HTTP status {status}")).into()),
    }
}

#[cfg(test)]
mod tests;
