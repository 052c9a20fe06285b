//! A running server.

use crate::accounts::Accounts;
use crate::config::{JwtSecret, ServerConfig};
use crate::connection::HEARTBEAT;
use crate::exchange::{self, INPUTS};
use crate::http::{self, Site};
use crate::switchboard::{Switchboard, Timing};
use crate::token::Tokens;
use ahoy_call::UserId;
use axum::serve::ListenerExt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long a shutdown waits for clients to take their last messages (chosen, not measured).
const DRAIN: Duration = Duration::from_secs(3);

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
    #[error("the system has no random numbers for the key of the tokens")]
    NoRandomNumbers,
}

/// Sign-in and calls for its users, in tasks of the runtime that it was bound on. Dropping it does what
/// [`Server::shutdown`] does, without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    /// Dropped: the listener closes.
    listening: oneshot::Sender<()>,
    /// Dropped: calls end and connections close.
    exchanging: oneshot::Sender<()>,
    running: mpsc::Sender<()>,
    all_done: mpsc::Receiver<()>,
}

impl Server {
    /// Starts to listen.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => ServerError::PortTaken { address },
                _ => ServerError::Listen { address, source },
            })?;
        let address = listener
            .local_addr()
            .map_err(|source| ServerError::Listen { address, source })?;

        let timing = Timing {
            ring_timeout: config.bounded_ring_timeout(),
            resume_grace: config.resume_grace,
            heartbeat: HEARTBEAT,
        };
        let secret = match config.jwt_secret {
            Some(secret) => secret,
            None => random_secret()?,
        };
        let tokens = Tokens::new(&secret, config.jwt_issuer, config.access_ttl);
        let accounts = Accounts::new(config.users);
        let people: Vec<_> = accounts
            .iter()
            .map(|account| (account.id, account.name.clone()))
            .collect();

        let (inputs, inputs_rx) = mpsc::channel(INPUTS);
        // Nothing is ever sent: the channel counts the connections that are still open.
        let (running, all_done) = mpsc::channel(1);
        let (listening, stop_listening) = oneshot::channel();
        let (exchanging, stop_exchanging) = oneshot::channel();
        let site = Arc::new(Site::new(
            accounts,
            tokens,
            config.origins,
            inputs,
            running.downgrade(),
        ));

        tokio::spawn(exchange::run(
            Switchboard::new(timing, people),
            inputs_rx,
            stop_exchanging,
        ));
        let router = http::router(Arc::clone(&site));
        tokio::spawn(async move {
            // Whether the sender said so or was dropped, the server is to stop.
            let stopped = async { drop(stop_listening.await) };
            // Signaling is small messages that somebody waits for: none of them waits for another.
            let listener = listener.tap_io(|socket| {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "small messages may be held back");
                }
            });
            if let Err(error) = axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
            {
                tracing::error!(%error, "the listener failed");
            }
        });
        tracing::info!(%address, "listening");
        Ok(Self {
            address,
            site,
            listening,
            exchanging,
            running,
            all_done,
        })
    }

    /// The address with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where IM-Suite clients connect.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// The base of the REST addresses, without a slash at the end.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Issues an access token, as a sign-in would. A token for an id without an account opens nothing.
    pub fn token_for(&self, user: UserId) -> String {
        self.site.token_for(user)
    }

    /// Ends every call with `server_error`, closes every connection with 1001, and returns when they are closed, at the
    /// latest after three seconds.
    pub async fn shutdown(self) {
        let Self {
            listening,
            exchanging,
            running,
            mut all_done,
            ..
        } = self;
        drop((listening, exchanging, running));
        if timeout(DRAIN, all_done.recv()).await.is_err() {
            tracing::warn!("connections were cut off at the end");
        }
    }
}

fn random_secret() -> Result<JwtSecret, ServerError> {
    let mut bytes = vec![0; JwtSecret::MIN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| ServerError::NoRandomNumbers)?;
    Ok(JwtSecret(bytes))
}
