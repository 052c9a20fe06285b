//! What the signaling link is pointed at and what it reports; the task itself is in `websocket.rs`.

use crate::Secret;
use crate::im_suite::encoding::Encoding;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::http::Uri;

/// Where to connect, as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// `wss://host/ws`, or `ws://…` to loopback.
    pub url: String,
    /// `None` where nobody is asked who he is (ZLMediaKit).
    pub token: Option<Secret>,
    /// Stable per installation, `[A-Za-z0-9_-]{1,64}` (IM-Suite §1.6); without one the server cannot resume calls.
    pub device_id: Option<String>,
    /// The encodings to ask for, the most wanted first, [`crate::ProtocolKind::encodings`].
    pub encodings: &'static [Encoding],
    /// How often a ping frame is sent, [`crate::ProtocolKind::ping_every`].
    pub ping_every: Option<Duration>,
    /// Allows `ws://` to other machines; the user has to have chosen it.
    pub insecure: bool,
    pub auth: Auth,
}

/// How the token travels (IM-Suite §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Auth {
    /// In the `Authorization` header.
    Header,
    /// In the header, and after a 401 once more in the query, for servers made for browsers; the query only over TLS or to
    /// this machine, because addresses are written into logs on the way.
    #[default]
    Auto,
}

/// Why a [`Target`] cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("server address {0:?} is not a ws:// or wss:// URL with a host")]
    BadUrl(String),
    /// IM-Suite §1.1: plain `ws://` only to loopback.
    #[error("server {0} is not on this machine and its address has no TLS (ws:// instead of wss://)")]
    Insecure(String),
    #[error("device id is not 1 to 64 of A-Z a-z 0-9 _ -")]
    BadDeviceId,
    #[error("token has a character that HTTP headers cannot carry")]
    BadToken,
}

/// What happened to the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// Connected and accepted by the server.
    Up,
    /// One text message.
    Text(String),
    /// A ping or pong frame came.
    Alive,
    /// Not connected. Without `retry_at` the link waits for [`crate::Connection::set_token`].
    Down {
        cause: DownCause,
        retry_at: Option<Instant>,
    },
    /// Not connected, and trying again would do harm; the last event.
    GivenUp(DownCause),
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownCause {
    #[error("server cannot be reached: {0}")]
    Unreachable(String),
    #[error("server did not answer in time")]
    ConnectTimeout,
    #[error("no secure connection to the server: {0}")]
    Tls(String),
    /// Something answered that does not speak WebSocket.
    #[error("no signaling server at this address: {0}")]
    NotAServer(String),
    /// HTTP 401, and by its own claims the token has not ended.
    #[error("server refused the token")]
    Unauthorized,
    /// HTTP 403: banned, or this client is not allowed.
    #[error("server refuses this user")]
    Forbidden,
    /// HTTP 429: too many requests or connections.
    #[error("server has too many requests or connections of this user")]
    TooMany,
    /// Close code 4401, or HTTP 401 with a token that has ended by its own claims.
    #[error("token has expired")]
    TokenExpired,
    /// Close code 4403.
    #[error("user was banned")]
    Banned,
    /// Close code 4409: this device id connected again.
    #[error("replaced by a newer connection of this device")]
    Replaced,
    /// Close code 4429.
    #[error("server found too many messages")]
    Flooding,
    /// Any other close code.
    #[error("server closed the connection with code {0}")]
    Closed(u16),
    /// A message over the limit.
    #[error("server sent a message that is too big: {0}")]
    TooBig(String),
    /// A frame of a kind that the encoding in use does not have.
    #[error("server sent a frame that has no place here: {0}")]
    BadFrame(String),
    /// A frame of the right kind whose bytes are no message.
    #[error("server sent what cannot be read: {0}")]
    Undecodable(String),
    #[error("connection lost: {0}")]
    Lost(String),
    /// Dropped by [`crate::Connection::drop_link`].
    #[error("server was silent for too long")]
    Silent,
    /// Made anew by [`crate::Connection::retry_now`].
    #[error("network changed")]
    NetworkChanged,
    /// Made anew by [`crate::Connection::retry_now`] with another token.
    #[error("connecting again with a new token")]
    TokenRenewed,
}

/// The parts of a checked URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Path without query.
    pub path: String,
}

impl Address {
    pub(crate) fn of(url: &str) -> Result<Self, TargetError> {
        let bad = || TargetError::BadUrl(without_query(url).to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(bad()),
        };
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path().to_owned(),
        })
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Host and port as a URL writes them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Refuses plain text to other machines unless `insecure` (IM-Suite §1.1).
    pub(crate) fn check_security(&self, insecure: bool) -> Result<(), TargetError> {
        if self.tls || insecure || self.is_loopback() {
            Ok(())
        } else {
            Err(TargetError::Insecure(self.authority()))
        }
    }
}

/// Whether a server is reached without leaving this machine; what is no URL is not.
pub fn is_on_this_machine(url: &str) -> bool {
    Address::of(url).is_ok_and(|address| address.is_loopback())
}

/// Queries may carry tokens, so they stay out of errors and logs.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

impl Target {
    pub(crate) fn check(&self) -> Result<Address, TargetError> {
        let address = Address::of(&self.url)?;
        address.check_security(self.insecure)?;
        if let Some(id) = &self.device_id {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            if !(1..=64).contains(&id.len()) || !id.bytes().all(legal) {
                return Err(TargetError::BadDeviceId);
            }
        }
        self.token.as_ref().map_or(Ok(()), check_token)?;
        Ok(address)
    }
}

/// A token has to fit into a header line.
pub(crate) fn check_token(token: &Secret) -> Result<(), TargetError> {
    let text = token.expose();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(TargetError::BadToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target {
            url: url.to_owned(),
            token: Some(Secret::new("t")),
            device_id: None,
            encodings: &[Encoding::Json],
            ping_every: None,
            insecure: false,
            auth: Auth::Header,
        }
    }

    #[test]
    fn plain_websocket_is_for_this_machine_unless_the_user_chose_otherwise() {
        for url in [
            "ws://127.0.0.1:9/ws",
            "ws://localhost/ws",
            "ws://[::1]:9/ws",
            "wss://example.org/ws",
        ] {
            assert!(target(url).check().is_ok(), "{url}");
        }
        let mut far = target("ws://192.168.1.5:8080/ws");
        assert_eq!(
            far.check(),
            Err(TargetError::Insecure("192.168.1.5:8080".to_owned()))
        );
        far.insecure = true;
        assert!(far.check().is_ok());
        assert!(target("ws://localhost.example.org/ws").check().is_err());
    }

    #[test]
    fn a_bad_url_is_named_without_its_query() {
        let error = target("http://example.org/ws?token=abc").check();
        assert_eq!(
            error,
            Err(TargetError::BadUrl("http://example.org/ws".to_owned()))
        );
        assert!(target("wss:///ws").check().is_err());
        assert!(target("").check().is_err());
    }

    #[test]
    fn ports_and_ipv6_hosts_are_understood() {
        let address = Address::of("wss://[2001:db8::1]/ws").expect("url");
        assert_eq!(address.host, "2001:db8::1");
        assert_eq!(address.authority(), "[2001:db8::1]:443");
    }

    #[test]
    fn what_goes_into_headers_is_checked_first() {
        let mut t = target("ws://localhost/ws");
        t.device_id = Some("a b".to_owned());
        assert_eq!(t.check(), Err(TargetError::BadDeviceId));
        t.device_id = Some("laptop-1".to_owned());
        t.token = Some(Secret::new("a\r\nb"));
        assert_eq!(t.check(), Err(TargetError::BadToken));
    }
}
