//! What `serve` runs with: defaults, then the file, then the options.

use super::args::{ServeArgs, TurnChoice, UserEntry};
use ahoy_server::store::Database;
use ahoy_server::switchboard::CallPolicy;
use ahoy_server::{Account, BusAddress, JwtSecret, Network, ServerConfig, TlsFiles, TurnConfig, TurnSecret};
use ahoy_signaling::Secret;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Every key of the configuration, by its own name.
#[derive(Clone, PartialEq)]
pub struct Settings {
    pub listen: SocketAddr,
    pub turn: Option<SocketAddr>,
    pub user: Vec<UserEntry>,
    pub data: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    pub external_ip: Option<IpAddr>,
    pub bus: Option<String>,
    pub jwt_secret: Option<String>,
    pub jwt_iss: Vec<String>,
    /// Seconds, as the two below.
    pub access_ttl: u64,
    pub ring_timeout: u64,
    pub resume_grace: u64,
    pub turn_secret: Option<String>,
    pub turn_quota: usize,
    /// Networks as they are written.
    pub turn_allow: Vec<String>,
    pub origins: Vec<String>,
    pub insecure_ws: bool,
    pub metrics: Option<SocketAddr>,
    pub room_secret: Option<String>,
    pub call_policy: CallPolicy,
    pub http_rate: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let server = ServerConfig::default();
        Self {
            listen: server.listen,
            turn: None,
            user: Vec::new(),
            data: None,
            tls: None,
            external_ip: None,
            bus: None,
            jwt_secret: None,
            jwt_iss: server.jwt_issuers,
            access_ttl: server.access_ttl.as_secs(),
            ring_timeout: server.ring_timeout.as_secs(),
            resume_grace: server.resume_grace.as_secs(),
            turn_secret: None,
            turn_quota: TurnConfig::QUOTA,
            turn_allow: Vec::new(),
            origins: server.origins,
            insecure_ws: false,
            metrics: None,
            room_secret: None,
            call_policy: server.call_policy,
            http_rate: server.http_rate,
        }
    }
}

impl Settings {
    /// Takes what the command line says.
    pub fn override_by(&mut self, args: &ServeArgs) {
        let replace = |setting: &mut Option<_>, option: &Option<_>| {
            if option.is_some() {
                setting.clone_from(option);
            }
        };
        self.listen = args.listen.unwrap_or(self.listen);
        match args.turn {
            None => {}
            Some(TurnChoice::Off) => self.turn = None,
            Some(TurnChoice::On(address)) => self.turn = Some(address),
        }
        if !args.user.is_empty() {
            self.user.clone_from(&args.user);
        }
        if args.data.is_some() {
            self.data.clone_from(&args.data);
        }
        if let Some([certificates, key]) = args.tls.as_deref() {
            self.tls = Some(TlsFiles {
                certificates: certificates.clone(),
                key: key.clone(),
            });
        }
        self.external_ip = args.external_ip.or(self.external_ip);
        replace(&mut self.bus, &args.bus);
        self.ring_timeout = args.ring_timeout.unwrap_or(self.ring_timeout);
    }

    /// What the server is started with. The secret of the relay is the one of the settings, else the database keeps one.
    pub fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let turn = match self.turn {
            None => None,
            Some(listen) => Some(TurnConfig {
                external_ip: self.external_ip,
                quota: self.turn_quota,
                allow: self
                    .turn_allow
                    .iter()
                    .map(|network| network.parse::<Network>())
                    .collect::<Result<_, _>>()?,
                ..TurnConfig::new(listen, self.relay_secret()?)
            }),
        };
        let accounts = self
            .user
            .iter()
            .map(|user| Account::new(user.id, user.name.as_str(), user.password.as_str()));
        Ok(ServerConfig {
            listen: self.listen,
            users: accounts.collect(),
            data: self.data.clone(),
            tls: self.tls.clone(),
            metrics: self.metrics,
            jwt_secret: self.jwt_secret.as_deref().and_then(JwtSecret::new),
            jwt_issuers: self.jwt_iss.clone(),
            access_ttl: Duration::from_secs(self.access_ttl),
            ring_timeout: Duration::from_secs(self.ring_timeout),
            resume_grace: Duration::from_secs(self.resume_grace),
            call_policy: self.call_policy,
            origins: self.origins.clone(),
            http_rate: self.http_rate,
            turn,
            room_secret: self.room_secret.as_deref().map(Secret::new),
            bus: self.bus.clone().map(BusAddress::Nats),
            ..ServerConfig::default()
        })
    }

    fn relay_secret(&self) -> anyhow::Result<TurnSecret> {
        match (&self.turn_secret, &self.data) {
            (Some(secret), _) => Ok(TurnSecret::new(secret.as_bytes())),
            (None, Some(folder)) => Ok(TurnSecret::new(Database::open(folder)?.turn_secret()?)),
            (None, None) => Ok(TurnSecret::random()?),
        }
    }
}
