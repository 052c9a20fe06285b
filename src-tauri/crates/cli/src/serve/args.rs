//! The options of `serve`.

use ahoy_call::UserId;
use clap::Args;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Each option overrides the key of its name in the file of `--config`.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one. 127.0.0.1:0 unless said otherwise.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Where the relay listens, with UDP and TCP; `off` is without one.
    #[arg(long, value_parser = turn)]
    pub turn: Option<TurnChoice>,
    /// A user: ID:NAME:PASSWORD. Can be given several times.
    #[arg(long, value_parser = account)]
    pub user: Vec<UserEntry>,
    /// The folder of database and keys; without it everything ends with the server.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// PEM files of certificate and key.
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub tls: Option<Vec<PathBuf>>,
    /// The address that clients reach the relay under, where that is not the one it listens on.
    #[arg(long)]
    pub external_ip: Option<IpAddr>,
    /// Where the nodes of one server meet: nats://…, several separated by commas. All of them need the same users,
    /// jwt_secret and turn_secret.
    #[arg(long, value_parser = bus)]
    pub bus: Option<String>,
    /// A TOML file with these options and more; `--print-config` shows one.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Prints every key of the file with its default and meaning, and exits.
    #[arg(long)]
    pub print_config: bool,
    /// Seconds a call rings before it ends as not answered, 10 to 120.
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=120))]
    pub ring_timeout: Option<u64>,
}

/// Whether there is a relay, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnChoice {
    Off,
    On(SocketAddr),
}

/// One `--user ID:NAME:PASSWORD`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserEntry {
    pub id: UserId,
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:…", self.id, self.name)
    }
}

pub fn turn(text: &str) -> Result<TurnChoice, String> {
    match text {
        "off" => Ok(TurnChoice::Off),
        address => address
            .parse()
            .map(TurnChoice::On)
            .map_err(|_| format!("{text:?} is neither `off` nor an address with a port")),
    }
}

pub fn bus(text: &str) -> Result<String, String> {
    let is_url = |url: &str| url.starts_with("nats://") || url.starts_with("tls://");
    match text.split(',').all(is_url) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} does not begin with nats:// or tls://")),
    }
}

pub fn account(text: &str) -> Result<UserEntry, String> {
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(name), Some(password)) if !name.is_empty() && !password.is_empty() => Ok(UserEntry {
            id: user_id(id)?,
            name: name.to_owned(),
            password: password.to_owned(),
        }),
        // The text is not repeated: it may hold a password.
        _ => Err("it is not ID:NAME:PASSWORD".to_owned()),
    }
}

pub fn user_id(text: &str) -> Result<UserId, String> {
    let number = text.parse().map_err(|_| format!("{text:?} is not a user id"))?;
    UserId::new(number).map_err(|error| error.to_string())
}
