//! HTTP requests to the REST half of a server: one agent, blocking requests on tokio's blocking pool.
//!
//! It knows addresses, statuses and what goes wrong on the way; what the answers say is read in `login` and `rest`.

use crate::link::{Address, TargetError, check_token};
use crate::secret::Secret;
use crate::tls;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// How long the server may take altogether; chosen, not measured.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// Largest answer read, bytes: a list of 5,000 contacts of 200 bytes each fits.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("server cannot be reached: {0}")]
    Unreachable(String),
    #[error("server did not answer within {} seconds", LIMIT.as_secs())]
    Silent,
    #[error("no secure connection to the server: {0}")]
    Tls(String),
    #[error("no signaling server at this address: {0}")]
    NotAServer(String),
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After` in seconds (RFC 9110 §10.2.3); its form with a date is not read.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) text: String,
}

/// A request to a path below the server's base.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Get(Vec<(&'static str, String)>),
    /// With a JSON body.
    Post(String),
    Delete,
}

/// The REST half of the server whose WebSocket URL it was made of; clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    agent: ureq::Agent,
    base: String,
}

impl Http {
    /// `insecure` allows plain HTTP to other machines.
    pub(crate) fn new(server: &str, insecure: bool) -> Result<Self, TargetError> {
        let address = Address::of(server)?;
        address.check_security(insecure)?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(tls::provider())
            .build();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            // Passwords and tokens go to the server the user named and to no other.
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            base: base_of(&address),
        })
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(
        &self,
        path: String,
        bearer: Option<&Secret>,
        request: Request,
    ) -> Result<Answer, HttpError> {
        if let Some(bearer) = bearer {
            check_token(bearer).map_err(|error| HttpError::NotAServer(error.to_string()))?;
        }
        let (http, bearer) = (self.clone(), bearer.cloned());
        tokio::task::spawn_blocking(move || http.ask_blocking(&path, bearer.as_ref(), request))
            .await
            .unwrap_or_else(|stopped| Err(HttpError::Unreachable(stopped.to_string())))
    }

    fn ask_blocking(
        &self,
        path: &str,
        bearer: Option<&Secret>,
        request: Request,
    ) -> Result<Answer, HttpError> {
        let url = format!("{}{path}", self.base);
        let authorization = bearer.map(|bearer| format!("Bearer {}", bearer.expose()));
        let asked = match request {
            Request::Get(query) => {
                let mut get = self.agent.get(url);
                for (key, value) in query {
                    get = get.query(key, value);
                }
                authorize(get, authorization).call()
            }
            Request::Delete => authorize(self.agent.delete(url), authorization).call(),
            Request::Post(body) => authorize(self.agent.post(url), authorization)
                .content_type("application/json")
                .send(body),
        };
        let mut response = asked.map_err(failure)?;
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()
            .map_err(failure)?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after,
            text,
        })
    }
}

fn authorize<B>(request: ureq::RequestBuilder<B>, authorization: Option<String>) -> ureq::RequestBuilder<B> {
    match authorization {
        Some(authorization) => request.header("Authorization", authorization),
        None => request,
    }
}

/// The HTTP address that belongs to a WebSocket URL: same host and port, without the last path segment.
fn base_of(address: &Address) -> String {
    let scheme = if address.tls { "https" } else { "http" };
    let parent = address.path.rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("{scheme}://{}{parent}", address.authority())
}

fn failure(error: ureq::Error) -> HttpError {
    match error {
        ureq::Error::Timeout(_) => HttpError::Silent,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => HttpError::Silent,
        ureq::Error::Io(error) => match error.downcast::<rustls::Error>() {
            Ok(error) => HttpError::Tls(error.to_string()),
            Err(error) => HttpError::Unreachable(error.to_string()),
        },
        ureq::Error::HostNotFound => HttpError::Unreachable("host name is unknown".to_owned()),
        ureq::Error::ConnectionFailed => HttpError::Unreachable("connection failed".to_owned()),
        ureq::Error::Rustls(error) => HttpError::Tls(error.to_string()),
        ureq::Error::Tls(text) => HttpError::Tls(text.to_owned()),
        error => HttpError::NotAServer(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_address_is_the_websockets_without_its_last_segment() {
        let base = |url: &str| base_of(&Address::of(url).expect("url"));
        assert_eq!(base("wss://im.example.org/ws"), "https://im.example.org:443");
        assert_eq!(base("ws://[::1]:9/im/ws?x=1"), "http://[::1]:9/im");
        assert_eq!(base("wss://im.example.org"), "https://im.example.org:443");
    }
}
