//! The socket of one room: upgrade, frames in and out, and pings as a MediaServer sends them.

use super::exchange::Input;
use crate::admission::{self, Query};
use crate::flood::Flood;
use crate::http::SiteState;
use crate::outbox::{Outbox, outbox};
use crate::refused::Refused;
use crate::switchboard::{CloseCode, ConnId, Frame};
use ahoy_signaling::im_suite::encoding::MESSAGE_LIMIT;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::extract::{self, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

/// How long a client may say nothing before it is pinged, how often it is then, and when it is given up: those of a
/// MediaServer, which clients are made for.
const QUIET: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(30);
/// How long a client has to take one frame, or to answer a close (chosen, not measured).
const PATIENCE: Duration = Duration::from_secs(5);
/// The query parameter with the server's secret, for clients that cannot say it otherwise.
const SECRET: &str = "secret";

/// Opens the socket of a room.
pub(crate) async fn open_socket(
    State(site): State<SiteState>,
    headers: HeaderMap,
    query: Result<extract::Query<Query>, extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !admission::is_origin_allowed(&headers, &site.origins) {
        return Refused::ORIGIN.into_response();
    }
    let Ok(extract::Query(query)) = query else {
        return Refused::bad_request(None, "the query cannot be read").into_response();
    };
    let mut upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Refused::bad_request(None, rejection.body_text()).into_response(),
    };
    let Some(running) = site.running.upgrade().filter(|_| !site.is_stopping()) else {
        return Refused::STOPPING.into_response();
    };
    if let Some(asked) = one_subprotocol(&headers) {
        upgrade.set_selected_protocol(asked);
    }
    let conn = ConnId::new(site.node, site.next_conn.fetch_add(1, Ordering::Relaxed));
    let secret = query
        .into_iter()
        .find(|(name, _)| name == SECRET)
        .map(|(_, secret)| secret);
    let inputs = site.rooms.clone();
    let connections = site.metrics.connections.clone();
    let span = tracing::info_span!("room", conn = conn.0);
    upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .on_upgrade(move |socket| {
            let connection = async move {
                let (outbox_tx, outbox) = outbox();
                let connected = Input::Connected {
                    conn,
                    secret,
                    outbox: outbox_tx,
                };
                if inputs.send(connected).await.is_ok() {
                    connections.inc();
                    let connection = Connection {
                        conn,
                        socket,
                        outbox,
                        inputs,
                    };
                    Box::pin(connection.run()).await;
                    connections.dec();
                }
                drop(running);
            };
            connection.instrument(span)
        })
}

/// A client that asks for exactly one subprotocol is given it, as a MediaServer does: some hang up otherwise.
fn one_subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?;
    let is_one = asked.to_str().is_ok_and(|list| !list.contains(','));
    is_one.then(|| asked.clone())
}

struct Connection {
    conn: ConnId,
    socket: WebSocket,
    outbox: Outbox,
    inputs: mpsc::Sender<Input>,
}

impl Connection {
    async fn run(mut self) {
        let code = self.exchange_frames().await;
        // The table may have stopped before the connection; nobody has to be told then.
        let _ = self.inputs.send(Input::Disconnected { conn: self.conn }).await;
        let Some(code) = code else { return };
        let frame = CloseFrame {
            code: code.0,
            reason: Default::default(),
        };
        if self.send(Message::Close(Some(frame))).await {
            let drained = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            // A client that does not answer the close is cut off.
            let _ = timeout(PATIENCE, drained).await;
        }
    }

    /// Runs until either side closes; the code to close with, if there is still somebody to tell.
    async fn exchange_frames(&mut self) -> Option<CloseCode> {
        let mut heard = Instant::now();
        let mut pinged = heard;
        let mut control_frames = Flood::default();
        loop {
            let ping_at = (heard + QUIET).max(pinged + PING_EVERY);
            tokio::select! {
                message = self.socket.recv() => {
                    heard = Instant::now();
                    let text = match message {
                        Some(Ok(Message::Text(text))) => text.to_string(),
                        Some(Ok(Message::Binary(bytes))) => match String::from_utf8(bytes.into()) {
                            Ok(text) => text,
                            // Not JSON, so dropped like all that is not.
                            Err(_) => continue,
                        },
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                            if control_frames.is_too_much(heard.into_std()) {
                                return Some(CloseCode::FLOODING);
                            }
                            continue;
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    };
                    // A table that has stopped has put the close into the outbox.
                    let _ = self.inputs.send(Input::Text { conn: self.conn, text }).await;
                }
                frame = self.outbox.next() => match frame {
                    Frame::Text(text) => {
                        if !self.send(Message::Text(text.into())).await {
                            return None;
                        }
                    }
                    Frame::Close(code) => return Some(code),
                },
                () = sleep_until(ping_at.min(heard + SILENCE)) => {
                    pinged = Instant::now();
                    if pinged >= heard + SILENCE || !self.send(Message::Ping(Default::default())).await {
                        return None;
                    }
                }
            }
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(PATIENCE, self.socket.send(message)).await, Ok(Ok(())))
    }
}
