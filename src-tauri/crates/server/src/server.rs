//! A running server.

use crate::accept::Door;
use crate::cluster::join;
use crate::cluster::log::NodeId;
use crate::config::ServerConfig;
use crate::connection::HEARTBEAT;
use crate::exchange::{self, INPUTS, Input, Outboxes};
use crate::http::{self, Phase, Site};
use crate::metrics::{self, Metrics};
use crate::rate::RequestRates;
use crate::relay::{IceServer, Relay};
use crate::rooms;
use crate::seats::Seats;
use crate::start::{self, Ready, ServerError};
use crate::store::Store;
use crate::switchboard::{Rules, Switchboard, Timing};
use crate::tls;
use crate::token::Tokens;
use ahoy_call::UserId;
use ahoy_turn::{TurnConfig, TurnStats};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// How long a shutdown waits for clients to take their last messages (chosen, not measured).
const DRAIN: Duration = Duration::from_secs(3);
/// How long it waits for the database to be closed after that (chosen, not measured).
const CLOSE_STORE: Duration = Duration::from_secs(1);

/// Sign-in and calls for its users, in tasks of the runtime that it was bound on. Dropping it does what
/// [`Server::shutdown`] does, without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    is_tls: bool,
    site: Arc<Site>,
    /// Dropped: the listener closes.
    listening: oneshot::Sender<()>,
    /// Dropped: calls end and connections close.
    exchanging: oneshot::Sender<()>,
    exchange: JoinHandle<()>,
    phase: watch::Sender<Phase>,
    /// Counts WebSockets.
    running: mpsc::Sender<()>,
    all_ended: mpsc::Receiver<()>,
    /// Ends when every TCP connection is closed.
    all_closed: mpsc::Receiver<()>,
    /// Tasks that have nothing to finish.
    background: Background,
}

impl Server {
    /// Starts to listen.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let tls = config.tls.as_ref().map(tls::load).transpose()?;
        let (listener, address) = start::listen(config.listen).await?;
        let metrics = Metrics::new(config.metrics.is_some());
        let Ready {
            store,
            passwords,
            jwt_secret,
        } = start::prepare(&config, &metrics).await?;
        let node = random_node()?;
        let place = match &config.bus {
            None => None,
            Some(bus) => {
                if config.jwt_secret.is_none() {
                    tracing::warn!("without a jwt_secret that all nodes share, this node finds no other");
                }
                Some(join::join(bus, NodeId(node), &jwt_secret).await?)
            }
        };
        let relay = match config.turn.clone() {
            None => None,
            Some(turn) => {
                let tls = turn.tls.clone().or_else(|| tls.clone());
                let relay = Arc::new(Relay::start(TurnConfig { tls, ..turn }).await?);
                metrics.add_relay(&relay);
                Some(relay)
            }
        };
        let rooms = rooms::Table::new(
            config.limits,
            config.room_secret.clone(),
            issue(relay.clone()),
            Box::new(http::random_name),
        );
        let rules = Rules {
            timing: Timing {
                ring_timeout: config.bounded_ring_timeout(),
                resume_grace: config.resume_grace,
                heartbeat: HEARTBEAT,
            },
            call_policy: config.call_policy,
            limits: config.limits,
        };
        let mut background = Background::default();
        let metrics_address = match config.metrics {
            None => None,
            Some(address) => {
                let (listener, address) = start::listen(address).await?;
                let router = metrics::router(metrics.clone());
                background.spawn(async move {
                    if let Err(error) = axum::serve(listener, router).await {
                        tracing::error!(%error, "the metrics are told to nobody");
                    }
                });
                Some(address)
            }
        };

        let (inputs, inputs_rx) = mpsc::channel(INPUTS);
        // Nothing is ever sent over these two: they count what is still open.
        let (running, all_ended) = mpsc::channel(1);
        let (open, all_closed) = mpsc::channel(1);
        let (listening, stop_listening) = oneshot::channel();
        let (exchanging, stop_exchanging) = oneshot::channel();
        let (phase, phase_rx) = watch::channel(Phase::Serving);

        let people = store.directory().people();
        background.spawn(tell_people(store.clone(), inputs.clone()));
        if config.data.is_some() {
            background.spawn(store.clone().watch_others());
        }
        let exchange = exchange::start(
            place,
            NodeId(node),
            Switchboard::new(rules),
            people,
            Outboxes::new(store.clone(), metrics.clone()),
            inputs_rx,
            stop_exchanging,
        );
        if config.bus.is_some() {
            tracing::info!("rooms belong to one node each: their clients have to reach the same one");
        }
        let rooms = rooms::start(rooms, metrics.clone(), phase_rx.clone());
        let site = Arc::new(Site {
            store,
            passwords,
            tokens: Tokens::new(&jwt_secret, &config.jwt_issuers, config.access_ttl),
            origins: config.origins,
            metrics: metrics.clone(),
            relay,
            rates: Mutex::new(RequestRates::new(config.http_rate)),
            started: Instant::now(),
            inputs,
            rooms,
            running: running.downgrade(),
            phase: phase_rx.clone(),
            seats: Seats::default(),
            node,
            next_conn: AtomicU32::new(0),
        });
        let is_tls = tls.is_some();
        let door = Door {
            listener,
            tls: tls.map(TlsAcceptor::from),
            router: http::router(Arc::clone(&site)),
            bound_per_address: config.http_rate != 0,
            metrics,
            phase: phase_rx,
            open,
        };
        tokio::spawn(door.run(stop_listening));
        tracing::info!(%address, tls = is_tls, "listening");
        Ok(Self {
            address,
            metrics_address,
            is_tls,
            site,
            listening,
            exchanging,
            exchange,
            phase,
            running,
            all_ended,
            all_closed,
            background,
        })
    }

    /// The address with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are told, with the real port.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where IM-Suite clients connect.
    pub fn ws_url(&self) -> String {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        format!("{scheme}://{}/ws", self.address)
    }

    /// Where clients of rooms connect (ZLMediaKit).
    pub fn rooms_url(&self) -> String {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        format!("{scheme}://{}/signaling", self.address)
    }

    /// The base of the REST addresses, without a slash at the end.
    pub fn http_url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where TURN over UDP is, when there is a relay.
    pub fn turn_url(&self) -> Option<String> {
        self.site.relay.as_ref().map(|relay| relay.url())
    }

    /// What a user may use to reach others, with credentials made at `now` in unix seconds.
    pub fn ice_servers(&self, user: UserId, now: u64) -> Vec<IceServer> {
        let relay = self.site.relay.as_ref();
        relay.map_or_else(Vec::new, |relay| relay.ice_servers(user, now))
    }

    /// What the relay has done, when there is one.
    pub fn turn_stats(&self) -> Option<TurnStats> {
        self.site.relay.as_ref().map(|relay| relay.stats())
    }

    /// Issues an access token, as a sign-in would. A token for an id without an account opens nothing.
    pub fn token_for(&self, user: UserId) -> String {
        self.site.token_for(user)
    }

    /// Stops to listen, ends every call with `server_error`, closes every connection with 1001, and returns when they are
    /// closed, at the latest after some seconds. The database is closed then.
    pub async fn shutdown(self) {
        let Self {
            site,
            listening,
            exchanging,
            exchange,
            phase,
            running,
            mut all_ended,
            mut all_closed,
            background,
            ..
        } = self;
        let deadline = Instant::now() + DRAIN;
        phase.send_replace(Phase::Draining);
        drop((listening, exchanging, running));
        let ended = timeout_at(deadline, all_ended.recv()).await;
        phase.send_replace(Phase::Closing);
        let closed = timeout_at(deadline, all_closed.recv()).await;
        if ended.is_err() || closed.is_err() {
            tracing::warn!("connections were cut off at the end");
        }
        if timeout_at(deadline, exchange).await.is_err() {
            tracing::warn!("calls were cut off at the end");
        }
        drop(background);
        if timeout(CLOSE_STORE, site.store.close()).await.is_err() {
            tracing::warn!("the database was not closed in time");
        }
    }
}

/// Tells the switchboard of people who come or change.
async fn tell_people(store: Store, inputs: mpsc::Sender<Input>) {
    let mut directory = store.follow();
    let mut told = Arc::clone(&directory.borrow_and_update());
    while directory.changed().await.is_ok() {
        let now = Arc::clone(&directory.borrow_and_update());
        let people = now.people_changed_since(&told);
        told = now;
        if !people.is_empty() && inputs.send(Input::People(people)).await.is_err() {
            return;
        }
    }
}

/// What rooms are told of the relay.
fn issue(relay: Option<Arc<Relay>>) -> rooms::Issue {
    Box::new(move |conn, now| Some(relay.as_ref()?.issue_to_room(conn, now)))
}

fn random_node() -> Result<u32, ServerError> {
    getrandom::u32().map_err(|_| ServerError::NoRandomNumbers)
}

/// Tasks that end with the server.
#[derive(Debug, Default)]
struct Background(Vec<AbortHandle>);

impl Background {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
