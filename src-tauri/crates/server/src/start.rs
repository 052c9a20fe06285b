//! What is done before a server listens: the database, the people given by the operator, the keys.

use crate::cluster::BusError;
use crate::config::{Account, JwtSecret, ServerConfig};
use crate::metrics::Metrics;
use crate::passwords::{PasswordError, Passwords};
use crate::store::{self, Database, Observer, Store, StoreError};
use crate::tls::TlsError;
use ahoy_call::UserId;
use ahoy_turn::TurnError;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("the address {address} is in use by another program")]
    PortTaken { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the system has no random numbers for keys")]
    NoRandomNumbers,
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    #[error("the relay does not start: {0}")]
    Relay(#[from] TurnError),
    #[error("the other nodes cannot be met: {0}")]
    Bus(#[from] BusError),
    #[error("there is no TLS: {0}")]
    Tls(#[from] TlsError),
    #[error("user {user} cannot have this password: {error}")]
    Password { user: UserId, error: PasswordError },
}

/// What the database has made ready.
pub(crate) struct Ready {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) jwt_secret: JwtSecret,
}

/// Opens the database, with the people of the operator in it.
pub(crate) async fn prepare(config: &ServerConfig, metrics: &Metrics) -> Result<Ready, ServerError> {
    let mut random = vec![0; JwtSecret::MIN_BYTES];
    getrandom::fill(&mut random).map_err(|_| ServerError::NoRandomNumbers)?;
    let (folder, users, secret) = (
        config.data.clone(),
        config.users.clone(),
        config.jwt_secret.clone(),
    );
    let opened = tokio::task::spawn_blocking(move || {
        let mut database = store::open(folder.as_deref())?;
        for user in &users {
            database.put_account(user.id, &user.name)?;
        }
        let secret = match secret {
            Some(secret) => secret,
            None => JwtSecret(database.key("jwt_secret", || random)?),
        };
        Ok::<(Database, JwtSecret), StoreError>((database, secret))
    });
    let (database, jwt_secret) = opened.await.map_err(|_| StoreError::Stopped)??;
    let observer = {
        let metrics = metrics.clone();
        Observer(Arc::new(move |took| metrics.observe_store(took)))
    };
    let store = Store::start(database, observer)?;
    let passwords = if config.data.is_some() {
        let passwords = Passwords::new(HashMap::new());
        keep_passwords(&store, &passwords, &config.users).await?;
        passwords
    } else {
        Passwords::new(given(&config.users))
    };
    Ok(Ready {
        store,
        passwords,
        jwt_secret,
    })
}

fn given(users: &[Account]) -> HashMap<UserId, String> {
    let given = users
        .iter()
        .filter_map(|user| Some((user.id, user.password.clone()?)));
    given.collect()
}

/// Hashes the passwords that the database does not have yet, several at once. One that it has stays what it is, so that
/// tokens outlive a restart with the same command line.
async fn keep_passwords(store: &Store, passwords: &Passwords, users: &[Account]) -> Result<(), ServerError> {
    let each = given(users).into_iter().map(async |(user, password)| {
        let kept = store.ask(move |database| database.password_hash(user)).await?;
        // Nobody else asks yet, so the places suffice for any number of people taken in turns.
        let Ok(Some(hash)) = passwords.hash_changed(password, kept).await else {
            return Ok(());
        };
        let hash = hash.map_err(|error| ServerError::Password { user, error })?;
        store
            .change(user, move |database| database.set_password(user, &hash))
            .await?;
        Ok::<(), ServerError>(())
    });
    let mut each: Vec<_> = each.collect();
    while !each.is_empty() {
        let batch = each.drain(..each.len().min(2));
        for outcome in futures_util::future::join_all(batch).await {
            outcome?;
        }
    }
    Ok(())
}

pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortTaken { address },
        _ => ServerError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
