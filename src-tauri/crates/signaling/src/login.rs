//! Trades a name and a password for a token over REST (IM-Suite §11). One blocking request on tokio's blocking pool.

use crate::link::{Address, TargetError};
use crate::secret::Secret;
use crate::tls;
use ahoy_call::UserId;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// How long the server may take altogether; chosen, not measured.
const LIMIT: Duration = Duration::from_secs(10);
/// Largest answer read, bytes; a real one has under 4 KiB.
const MAX_ANSWER: u64 = 64 * 1024;

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
    #[error("server cannot be reached: {0}")]
    Unreachable(String),
    #[error("server did not answer within {} seconds", LIMIT.as_secs())]
    Silent,
    #[error("no secure connection to the server: {0}")]
    Tls(String),
    #[error("no signaling server at this address: {0}")]
    NotAServer(String),
}

/// Logs in at the server whose WebSocket URL is `server`. `insecure` allows plain HTTP to other machines.
pub async fn login(server: &str, name: &str, password: &Secret, insecure: bool) -> Result<Login, LoginError> {
    let address = Address::of(server)?;
    address.check_security(insecure)?;
    let url = format!("{}/api/auth/login", http_base(&address));
    let field = if is_phone(name) { "phone" } else { "username" };
    let body = json!({ field: name, "password": password.expose() }).to_string();
    tokio::task::spawn_blocking(move || post(&url, &body))
        .await
        .unwrap_or_else(|stopped| Err(LoginError::Unreachable(stopped.to_string())))
}

/// The HTTP address that belongs to a WebSocket URL: same host and port, without the last path segment.
fn http_base(address: &Address) -> String {
    let scheme = if address.tls { "https" } else { "http" };
    let parent = address.path.rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("{scheme}://{}{parent}", address.authority())
}

/// Seven digits are the shortest international subscriber numbers in use (ITU-T E.164 sets no minimum).
fn is_phone(name: &str) -> bool {
    let digits = name.strip_prefix('+').unwrap_or(name);
    digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit())
}

fn post(url: &str, body: &str) -> Result<Login, LoginError> {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(tls::provider())
        .build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        // A password goes to the server the user named and to no other.
        .max_redirects(0)
        .proxy(None)
        .tls_config(tls)
        .build()
        .new_agent();
    let mut response = agent
        .post(url)
        .content_type("application/json")
        .send(body)
        .map_err(failure)?;
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_string()
        .map_err(failure)?;
    read_answer(status, &text)
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
        (200..=299, None) => Err(LoginError::NotAServer(
            "answer to the login is not a JSON object".to_owned(),
        )),
        (status, _) => Err(LoginError::NotAServer(format!(
            "HTTP status {status} to the login"
        ))),
    }
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
        None => {
            return Err(LoginError::NotAServer(
                "answer to the login has no token".to_owned(),
            ));
        }
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

fn refusal_text(answer: Option<&Value>) -> String {
    let answer = answer.unwrap_or(&Value::Null);
    let text = [&answer["error"], &answer["message"]]
        .into_iter()
        .find_map(Value::as_str);
    text.unwrap_or("no reason given").to_owned()
}

fn failure(error: ureq::Error) -> LoginError {
    match error {
        ureq::Error::Timeout(_) => LoginError::Silent,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => LoginError::Silent,
        ureq::Error::Io(error) => match error.downcast::<rustls::Error>() {
            Ok(error) => LoginError::Tls(error.to_string()),
            Err(error) => LoginError::Unreachable(error.to_string()),
        },
        ureq::Error::HostNotFound => LoginError::Unreachable("host name is unknown".to_owned()),
        ureq::Error::ConnectionFailed => LoginError::Unreachable("connection failed".to_owned()),
        ureq::Error::Rustls(error) => LoginError::Tls(error.to_string()),
        ureq::Error::Tls(text) => LoginError::Tls(text.to_owned()),
        error => LoginError::NotAServer(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
