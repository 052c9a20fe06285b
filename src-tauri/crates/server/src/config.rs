//! What an operator decides about a server.

use ahoy_call::UserId;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Everything that a server is started with. Each part of the server has its own fields, so that rooms and a relay add
/// theirs beside these.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where HTTP and WebSocket listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Everybody who may sign in.
    pub users: Vec<Account>,
    /// The key of the tokens; `None` makes a random one, so tokens end with the process.
    pub jwt_secret: Option<JwtSecret>,
    /// The `iss` of issued tokens; tokens of other issuers are refused.
    pub jwt_issuer: String,
    /// How long an issued token is good for.
    pub access_ttl: Duration,
    /// How long a call rings; kept within 10 to 120 s (IM-Suite §9).
    pub ring_timeout: Duration,
    /// How long an active call waits for a side whose connection broke (IM-Suite §9).
    pub resume_grace: Duration,
    /// Values of `Origin` that may connect; empty allows only pages of this host (IM-Suite §1.5).
    pub origins: Vec<String>,
}

impl Default for ServerConfig {
    /// Loopback, any port, nobody to sign in, times of the specification.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            users: Vec::new(),
            jwt_secret: None,
            jwt_issuer: "ahoy".to_owned(),
            // Chosen: a working day and a night, because there is no way to refresh a token.
            access_ttl: Duration::from_secs(24 * 3600),
            ring_timeout: Duration::from_secs(30),
            resume_grace: Duration::from_secs(30),
            origins: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// The bounds of IM-Suite §9.
    pub(crate) fn bounded_ring_timeout(&self) -> Duration {
        self.ring_timeout
            .clamp(Duration::from_secs(10), Duration::from_secs(120))
    }
}

/// One person who may sign in.
#[derive(Clone)]
pub struct Account {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Account {
    pub fn new(id: UserId, name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The key that signs tokens; never shown.
#[derive(Clone)]
pub struct JwtSecret(pub(crate) Vec<u8>);

impl JwtSecret {
    /// The shortest key of HS256 in bytes (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// Takes a key; `None` when it is shorter than [`Self::MIN_BYTES`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() >= Self::MIN_BYTES).then_some(Self(bytes))
    }
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret(…)")
    }
}
