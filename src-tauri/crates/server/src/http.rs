//! The HTTP side: sign-in, health, and the upgrade to a WebSocket (IM-Suite §1, §11).

use crate::accounts::Accounts;
use crate::admission::{self, Query, SUBPROTOCOL};
use crate::connection::{Connection, READ_LIMIT};
use crate::exchange::Input;
use crate::outbox::outbox;
use crate::switchboard::{ConnId, DeviceId};
use crate::token::{Identity, LEEWAY, Tokens};
use ahoy_call::UserId;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{self, DefaultBodyLimit, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

/// Connections of one user (IM-Suite §1.6).
const CONNECTIONS_PER_USER: usize = 10;
/// Bytes of a sign-in request (chosen: far above any name and password).
const BODY_LIMIT: usize = 16 * 1024;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Site {
    accounts: Accounts,
    tokens: Tokens,
    origins: Vec<String>,
    inputs: mpsc::Sender<Input>,
    /// Every connection's task holds one; the receiver ends when all are done.
    running: mpsc::WeakSender<()>,
    seats: HashMap<UserId, Arc<Semaphore>>,
    next_conn: AtomicU64,
}

impl Site {
    pub(crate) fn new(
        accounts: Accounts,
        tokens: Tokens,
        origins: Vec<String>,
        inputs: mpsc::Sender<Input>,
        running: mpsc::WeakSender<()>,
    ) -> Self {
        let seat = || Arc::new(Semaphore::new(CONNECTIONS_PER_USER));
        let seats = accounts.iter().map(|account| (account.id, seat())).collect();
        Self {
            accounts,
            tokens,
            origins,
            inputs,
            running,
            seats,
            next_conn: AtomicU64::new(0),
        }
    }

    /// Issues a token for a user; the name is empty for one without an account, whom `/ws` refuses.
    pub(crate) fn token_for(&self, user: UserId) -> String {
        let name = self.accounts.name(user).unwrap_or_default();
        self.tokens.issue(Timestamp::now().as_second(), user, name)
    }
}

pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/api/auth/login", post(login))
        .route("/ws", any(open_websocket))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(site)
}

async fn health() -> Json<Value> {
    Json(json!({ "success": true, "data": { "status": "ok" } }))
}

#[derive(Deserialize)]
struct Login {
    #[serde(alias = "phone")]
    username: String,
    password: String,
}

async fn login(
    State(site): State<Arc<Site>>,
    body: Result<Json<Login>, extract::rejection::JsonRejection>,
) -> Response {
    let Ok(Json(login)) = body else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "the body is not {username or phone, password}",
        )
        .into_response();
    };
    let Some(account) = site.accounts.sign_in(&login.username, &login.password) else {
        return refusal(StatusCode::UNAUTHORIZED, "name or password is wrong").into_response();
    };
    let token = site.token_for(account.id);
    let user = json!({ "id": account.id.as_u64(), "username": account.name });
    Json(json!({
        "success": true,
        "data": {
            "token": token,
            "access_token": token,
            "expires_in": site.tokens.ttl().as_secs(),
            "user": user,
        },
    }))
    .into_response()
}

async fn open_websocket(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    extract::Query(query): extract::Query<Query>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admitted = match admit(&site, &headers, &query) {
        Ok(admitted) => admitted,
        Err(refused) => return refused.into_response(),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(running) = site.running.upgrade() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping").into_response();
    };
    let conn = ConnId(site.next_conn.fetch_add(1, Ordering::Relaxed));
    let inputs = site.inputs.clone();
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(READ_LIMIT)
        .max_frame_size(READ_LIMIT)
        .on_upgrade(async move |socket| {
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
                let expires = Instant::now() + time_left(&identity);
                Connection {
                    conn,
                    socket,
                    outbox,
                    inputs,
                    expires,
                }
                .run()
                .await;
            }
            drop((seat, running));
        })
}

/// Somebody who may open a WebSocket.
struct Admitted {
    identity: Identity,
    device: DeviceId,
    /// One of the user's connections, until dropped.
    seat: OwnedSemaphorePermit,
}

fn admit(site: &Site, headers: &HeaderMap, query: &Query) -> Result<Admitted, Refused> {
    if !admission::is_origin_allowed(headers, &site.origins) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            "pages of this origin may not connect",
        ));
    }
    let bad_request = |error: admission::BadRequest| refusal(StatusCode::BAD_REQUEST, &error.to_string());
    let token = admission::token(headers, query).map_err(bad_request)?;
    let device = admission::device(headers, query).map_err(bad_request)?;
    let unauthorized = || refusal(StatusCode::UNAUTHORIZED, "sign in first");
    let identity = site
        .tokens
        .verify(&token.ok_or_else(unauthorized)?)
        .map_err(|error| {
            tracing::debug!(%error, "token refused");
            unauthorized()
        })?;
    let seats = site.seats.get(&identity.user).ok_or_else(unauthorized)?;
    let seat = Arc::clone(seats)
        .try_acquire_owned()
        .map_err(|_| refusal(StatusCode::TOO_MANY_REQUESTS, "the user has too many connections"))?;
    Ok(Admitted {
        identity,
        device: device.unwrap_or_else(invented_device),
        seat,
    })
}

/// A name for a client that gives none; it cannot come back to a call.
fn invented_device() -> DeviceId {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    DeviceId::new(text).expect("hexadecimal digits make a device id")
}

/// Until the connection is closed for its token: expiry and leeway (IM-Suite §1.4).
fn time_left(identity: &Identity) -> Duration {
    /// Beyond it a timer is of no use; a token that lives longer is checked again at the next connection.
    const LONGEST: u64 = 365 * 24 * 3600;
    let left = identity.expires_at.saturating_sub(Timestamp::now().as_second());
    Duration::from_secs(u64::try_from(left).unwrap_or(0).min(LONGEST) + LEEWAY)
}

/// An HTTP answer `{"success":false,"error":"…"}` (IM-Suite §1.2).
struct Refused(StatusCode, String);

fn refusal(status: StatusCode, error: &str) -> Refused {
    Refused(status, error.to_owned())
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "success": false, "error": self.1 }))).into_response()
    }
}
