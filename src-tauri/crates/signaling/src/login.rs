//! Trades a name and a password, or a refresh token, for a token over REST (IM-Suite §11).

use crate::http::{Http, HttpError, Request};
use crate::link::TargetError;
use crate::secret::Secret;
use ahoy_call::UserId;
use serde_json::{Value, json};
use std::time::Duration;

/// What a login gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub token: Secret,
    pub refresh_token: Option<Secret>,
    /// From now until the token ends.
    pub expires_in: Option<Duration>,
    pub user: Option<UserId>,
    /// The user's name for display.
    pub name: Option<String>,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("name or password is wrong: {0}")]
    WrongCredentials(String),
    /// HTTP 403.
    #[error("server refuses this user")]
    Forbidden,
    /// HTTP 429.
    #[error("too many attempts, try again later")]
    TooMany,
    /// The account has a second factor (IM-Suite §11), which this version cannot give.
    #[error("account needs a second factor")]
    SecondFactor,
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Logs in at the server whose WebSocket URL is `server`. `insecure` allows plain HTTP to other machines.
pub async fn login(server: &str, name: &str, password: &Secret, insecure: bool) -> Result<Login, LoginError> {
    let field = if is_phone(name) { "phone" } else { "username" };
    let body = json!({ field: name, "password": password.expose() }).to_string();
    let answer = Http::new(server, insecure)?
        .ask("/api/auth/login".to_owned(), None, Request::Post(body))
        .await?;
    read_answer(answer.status, &answer.text)
}

/// Trades a refresh token for a new token, and mostly for a new refresh token, which then replaces the old one.
/// [`LoginError::WrongCredentials`] means that the refresh token is of no use any more.
pub async fn refresh(server: &str, refresh_token: &Secret, insecure: bool) -> Result<Login, LoginError> {
    let answer = Http::new(server, insecure)?
        .ask(
            "/api/auth/refresh".to_owned(),
            Some(refresh_token),
            Request::Post("{}".to_owned()),
        )
        .await?;
    match answer.status {
        404 | 405 | 501 => Err(LoginError::WrongCredentials(
            "server does not refresh tokens".to_owned(),
        )),
        status => read_answer(status, &answer.text),
    }
}

/// Seven digits are the shortest international subscriber numbers in use (ITU-T E.164 sets no minimum).
fn is_phone(name: &str) -> bool {
    let digits = name.strip_prefix('+').unwrap_or(name);
    digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit())
}

fn read_answer(status: u16, text: &str) -> Result<Login, LoginError> {
    let answer: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    match (status, answer) {
        (401, answer) => Err(LoginError::WrongCredentials(refusal_text(answer.as_ref()))),
        (403, _) => Err(LoginError::Forbidden),
        (429, _) => Err(LoginError::TooMany),
        (200..=299 | 400..=499, Some(answer)) if answer["success"] == Value::Bool(false) => {
            Err(LoginError::WrongCredentials(refusal_text(Some(&answer))))
        }
        (200..=299, Some(answer)) => read_login(if answer["data"].is_object() {
            &answer["data"]
        } else {
            &answer
        }),
        (200..=299, None) => Err(not_a_server("answer to the login is not a JSON object")),
        // The server is there and will be well again.
        (500..=599, _) => Err(HttpError::Unreachable(format!("HTTP status {status}")).into()),
        (status, _) => Err(not_a_server(&format!("HTTP status {status} to the login"))),
    }
}

fn not_a_server(why: &str) -> LoginError {
    HttpError::NotAServer(why.to_owned()).into()
}

/// Reads the fields of §11; a token may also stand as an object, as the answer to a refresh has it.
fn read_login(fields: &Value) -> Result<Login, LoginError> {
    let tokens = if fields["token"].is_object() {
        &fields["token"]
    } else {
        fields
    };
    let texts = [&tokens["access_token"], &tokens["token"]].map(Value::as_str);
    let token = match texts.into_iter().flatten().find(|text| !text.is_empty()) {
        Some(token) => Secret::new(token),
        None if fields["token"] == "" => return Err(LoginError::SecondFactor),
        None => return Err(not_a_server("answer to the login has no token")),
    };
    let user = &fields["user"];
    let id = [&user["id"], &user["user_id"]]
        .into_iter()
        .find_map(Value::as_u64);
    let name = [&user["nickname"], &user["username"]]
        .into_iter()
        .find_map(Value::as_str);
    Ok(Login {
        token,
        refresh_token: tokens["refresh_token"]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(Secret::new),
        expires_in: tokens["expires_in"].as_u64().map(Duration::from_secs),
        user: id.and_then(|id| UserId::new(id).ok()),
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
    })
}

/// What a server says of a refusal, for the small print.
pub(crate) fn refusal_text(answer: Option<&Value>) -> String {
    let answer = answer.unwrap_or(&Value::Null);
    let text = [&answer["error"], &answer["message"]]
        .into_iter()
        .find_map(Value::as_str);
    text.unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests;
