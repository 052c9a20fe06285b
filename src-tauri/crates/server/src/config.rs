//! What an operator decides about a server.

use crate::cluster::BusAddress;
use crate::switchboard::{CallPolicy, Limits};
use crate::tls::TlsFiles;
use ahoy_call::UserId;
use ahoy_signaling::Secret;
use ahoy_turn::TurnConfig;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that a server is started with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where HTTP and WebSocket listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// People to have, beside those of the database. A person of the same id is renamed.
    pub users: Vec<Account>,
    /// The folder of the database; `None` keeps everything in memory.
    pub data: Option<PathBuf>,
    /// Certificate and key; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where the metrics are told; `None` is nowhere.
    pub metrics: Option<SocketAddr>,
    /// The key of the tokens; `None` makes a random one, which the database keeps. Without a database, tokens end with
    /// the process.
    pub jwt_secret: Option<JwtSecret>,
    /// The `iss` that tokens may have. The first is that of issued ones.
    pub jwt_issuers: Vec<String>,
    /// How long an issued token is good for.
    pub access_ttl: Duration,
    /// How long a call rings; kept within 10 to 120 s (IM-Suite §9).
    pub ring_timeout: Duration,
    /// How long an active call waits for a side whose connection broke (IM-Suite §9).
    pub resume_grace: Duration,
    /// Who may call somebody (IM-Suite §11).
    pub call_policy: CallPolicy,
    /// Values of `Origin` that may connect; empty allows only pages of this host (IM-Suite §1.5).
    pub origins: Vec<String>,
    /// HTTP requests per second of one address, opened WebSockets among them, with twice as many at once (IM-Suite §12).
    /// 0 is no limit, and no bound on the connections of one address either: for a server behind a proxy that limits,
    /// because all requests have the proxy's address then, and for load from one machine.
    pub http_rate: u32,
    /// The relay of this server; `None` is without one. Without a certificate of its own it uses that of `tls`.
    pub turn: Option<TurnConfig>,
    /// How fast one connection may send and one user may call (IM-Suite §12).
    pub limits: Limits,
    /// What a client has to tell to have a room; `None` lets everybody have one.
    pub room_secret: Option<Secret>,
    /// Where this server meets others, to be one server with them. All of them need the same accounts and `jwt_secret`, and
    /// the same secret of the relay. `None` is a server by itself.
    pub bus: Option<BusAddress>,
}

impl Default for ServerConfig {
    /// Loopback, any port, nobody to sign in, nothing kept, times and limits of the specification.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            users: Vec::new(),
            data: None,
            tls: None,
            metrics: None,
            jwt_secret: None,
            jwt_issuers: vec!["ahoy".to_owned()],
            // Chosen: a working day and a night, because a program that was given a token cannot refresh it.
            access_ttl: Duration::from_secs(24 * 3600),
            ring_timeout: Duration::from_secs(30),
            resume_grace: Duration::from_secs(30),
            call_policy: CallPolicy::default(),
            origins: Vec::new(),
            http_rate: 10,
            turn: None,
            limits: Limits::default(),
            room_secret: None,
            bus: None,
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
    pub(crate) password: Option<String>,
}

impl Account {
    pub fn new(id: UserId, name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            password: Some(password.into()),
        }
    }

    /// Somebody who is given a token by [`crate::Server::token_for`] and has no password.
    pub fn without_password(id: UserId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            password: None,
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
