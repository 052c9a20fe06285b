//! The HTTP side: what every request passes, who asks, health, and the upgrade to a WebSocket (IM-Suite §1, §11).

use crate::accept::{HELLO, Peer};
use crate::admission::{self, Query};
use crate::connection::{Connection, READ_BUFFER, READ_LIMIT};
use crate::exchange::Input;
use crate::metrics::Metrics;
use crate::outbox::outbox;
use crate::passwords::Passwords;
use crate::rate::RequestRates;
use crate::refused::Refused;
use crate::relay::Relay;
use crate::rest;
use crate::rooms;
use crate::seats::{Seat, Seats};
use crate::store::Store;
use crate::switchboard::{ConnId, DeviceId};
use crate::token::{Holder, Identity, LEEWAY, TokenKind, Tokens};
use ahoy_call::UserId;
use ahoy_signaling::im_suite::encoding::Encoding;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{
    self, DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State, WebSocketUpgrade,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

/// Bytes of a request's body (chosen: far above any name and password).
const BODY_LIMIT: usize = 16 * 1024;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: Tokens,
    pub(crate) origins: Vec<String>,
    pub(crate) metrics: Metrics,
    pub(crate) relay: Option<Arc<Relay>>,
    pub(crate) rates: Mutex<RequestRates>,
    /// The epoch of `rates`.
    pub(crate) started: Instant,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) rooms: mpsc::Sender<rooms::Input>,
    /// Every connection's task holds one; the receiver ends when all are done.
    pub(crate) running: mpsc::WeakSender<()>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) seats: Seats,
    /// Random, so that connections of several nodes differ.
    pub(crate) node: u32,
    pub(crate) next_conn: AtomicU32,
}

pub(crate) type SiteState = Arc<Site>;

/// How far the server is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// Calls and WebSockets are ended; requests are still answered.
    Draining,
    /// Connections are closed.
    Closing,
}

impl Site {
    /// Issues a token for a user; for one without an account it opens nothing.
    pub(crate) fn token_for(&self, user: UserId) -> String {
        let directory = self.store.directory();
        let account = directory.get(user).map(|entry| &entry.account);
        let holder = Holder {
            user,
            name: account.map(|account| account.name.as_str()).unwrap_or_default(),
            version: account.map(|account| account.token_version).unwrap_or_default(),
        };
        self.tokens.access(Timestamp::now().as_second(), holder)
    }

    /// Whom a token is from. Everything that may be wrong with it gives one answer; only who is known and banned hears so.
    pub(crate) fn authenticate(&self, token: &str, kind: TokenKind) -> Result<Identity, Refused> {
        let identity = self.tokens.verify(token, kind).map_err(|error| {
            tracing::debug!(%error, "token refused");
            Refused::UNAUTHORIZED
        })?;
        let directory = self.store.directory();
        let account = directory.get(identity.user).map(|entry| &entry.account);
        match account {
            Some(account) if account.banned => Err(Refused::BANNED),
            Some(account) if account.token_version == identity.version => Ok(identity),
            Some(_) | None => Err(Refused::UNAUTHORIZED),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Serving || self.phase.has_changed().is_err()
    }
}

pub(crate) fn router(site: SiteState) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ws", any(open_websocket))
        .route("/signaling", any(rooms::open_socket))
        .merge(rest::router())
        .fallback(async || Refused::NO_ROUTE)
        .method_not_allowed_fallback(async || Refused::METHOD)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), pass))
        .with_state(site)
}

/// What every request passes: the rate of its address, a limit of time, the count.
async fn pass(State(site): State<SiteState>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let address = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
    // Method and pattern only: the address that was asked for may hold a token.
    let span = tracing::debug_span!("http", method = %request.method(), route);
    let granted = site
        .rates
        .lock()
        .expect("no holder of this lock panics")
        .take(site.started.elapsed(), address);
    let response = match granted {
        Err(wait) => Refused::rate_limited(wait).into_response(),
        // A body may come as slowly as a head.
        Ok(()) => match timeout(HELLO, next.run(request).instrument(span.clone())).await {
            Ok(response) => response,
            Err(_) => Refused::SLOW.into_response(),
        },
    };
    let status = response.status();
    site.metrics.count_http(&route, status);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), "answered"));
    response
}

async fn health(State(site): State<SiteState>) -> Result<Json<Value>, Refused> {
    if site.is_stopping() {
        return Err(Refused::STOPPING);
    }
    Ok(Json(json!({ "success": true, "data": { "status": "ok" } })))
}

/// The token of a request's `Authorization`.
pub(crate) struct Bearer(pub(crate) String);

impl FromRequestParts<SiteState> for Bearer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &SiteState) -> Result<Self, Refused> {
        match admission::token(&parts.headers, &Query::new()) {
            Ok(Some(token)) => Ok(Self(token)),
            Ok(None) | Err(_) => Err(Refused::UNAUTHORIZED),
        }
    }
}

/// Whose access token a request has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn(pub(crate) UserId);

impl FromRequestParts<SiteState> for SignedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, site: &SiteState) -> Result<Self, Refused> {
        let Bearer(token) = Bearer::from_request_parts(parts, site).await?;
        site.authenticate(&token, TokenKind::Access)
            .map(|identity| Self(identity.user))
    }
}

async fn open_websocket(
    State(site): State<SiteState>,
    headers: HeaderMap,
    query: Result<extract::Query<Query>, extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(extract::Query(query)) = query else {
        return Refused::bad_request(None, "the query cannot be read").into_response();
    };
    let admitted = match admit(&site, &headers, &query) {
        Ok(admitted) => admitted,
        Err(refused) => return refused.into_response(),
    };
    let mut upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Refused::bad_request(None, rejection.body_text()).into_response(),
    };
    let Some(running) = site.running.upgrade().filter(|_| !site.is_stopping()) else {
        return Refused::STOPPING.into_response();
    };
    let conn = ConnId::new(site.node, site.next_conn.fetch_add(1, Ordering::Relaxed));
    let inputs = site.inputs.clone();
    let selected = admission::encoding(&headers);
    if let Some(encoding) = selected {
        upgrade.set_selected_protocol(HeaderValue::from_static(encoding.subprotocol()));
    }
    let encoding = selected.unwrap_or(Encoding::Json);
    let connections = site.metrics.connections.clone();
    let span = tracing::info_span!("ws", conn = conn.0, user = %admitted.identity.user);
    upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(READ_LIMIT)
        .max_frame_size(READ_LIMIT)
        .on_upgrade(move |socket| {
            let connection = async move {
                let Admitted {
                    identity,
                    device,
                    seat,
                } = admitted;
                let (outbox_tx, outbox) = outbox();
                let connected = Input::Connected {
                    conn,
                    user: identity.user,
                    device,
                    outbox: outbox_tx,
                };
                if inputs.send(connected).await.is_ok() {
                    connections.inc();
                    let expires = Instant::now() + time_left(&identity);
                    let connection = Connection {
                        conn,
                        socket,
                        encoding,
                        outbox,
                        inputs,
                        expires,
                    };
                    // Apart from the memory of the handshake, which the task would keep room for as long as it lives.
                    Box::pin(connection.run()).await;
                    connections.dec();
                }
                drop((seat, running));
            };
            connection.instrument(span)
        })
}

/// Somebody who may open a WebSocket.
struct Admitted {
    identity: Identity,
    device: DeviceId,
    /// One of the user's connections, until dropped.
    seat: Seat,
}

fn admit(site: &Site, headers: &HeaderMap, query: &Query) -> Result<Admitted, Refused> {
    if !admission::is_origin_allowed(headers, &site.origins) {
        return Err(Refused::ORIGIN);
    }
    let token = admission::token(headers, query)
        .map_err(|error| Refused::bad_request(Some("token"), error.to_string()))?;
    let device = admission::device(headers, query)
        .map_err(|error| Refused::bad_request(Some("device_id"), error.to_string()))?;
    let identity = site.authenticate(&token.ok_or(Refused::UNAUTHORIZED)?, TokenKind::Access)?;
    let seat = site.seats.take(identity.user).ok_or(Refused::CONNECTIONS)?;
    Ok(Admitted {
        identity,
        // A client that gives no name cannot come back to a call.
        device: device
            .unwrap_or_else(|| DeviceId::new(random_name()).expect("hexadecimal digits make a device id")),
        seat,
    })
}

/// 128 random bits in hexadecimal digits.
pub(crate) fn random_name() -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random numbers");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Until the connection is closed for its token: expiry and leeway (IM-Suite §1.4).
fn time_left(identity: &Identity) -> Duration {
    /// Beyond it a timer is of no use; a token that lives longer is checked again at the next connection.
    const LONGEST: u64 = 365 * 24 * 3600;
    let left = identity.expires_at.saturating_sub(Timestamp::now().as_second());
    Duration::from_secs(u64::try_from(left).unwrap_or(0).min(LONGEST) + LEEWAY)
}
