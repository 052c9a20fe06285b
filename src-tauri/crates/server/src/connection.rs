//! The task of one WebSocket: frames in and out, heartbeat, expiry of the token.

use crate::exchange::Input;
use crate::outbox::Outbox;
use crate::switchboard::{CloseCode, ConnId, Frame, MESSAGE_LIMIT};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tungstenite::Error as WsError;

/// Between two pings (IM-Suite §1.8).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
/// A client that sends nothing for so long is gone (IM-Suite §1.8).
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes up to which a message that is too big is read to its end, so that the close code arrives before the connection
/// is reset (chosen: four times the limit).
pub(crate) const READ_LIMIT: usize = 4 * MESSAGE_LIMIT;
/// How long a client has to take one frame, or to answer a close (chosen, not measured).
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    pub(crate) conn: ConnId,
    pub(crate) socket: WebSocket,
    pub(crate) outbox: Outbox,
    pub(crate) inputs: mpsc::Sender<Input>,
    /// When the token may no longer be used.
    pub(crate) expires: Instant,
}

/// Why the loop ended.
enum Ending {
    /// The client left, or the network broke.
    Gone,
    /// The server closes.
    Close(CloseCode),
}

impl Connection {
    /// Runs until either side closes.
    pub(crate) async fn run(mut self) {
        let ending = self.exchange_frames().await;
        // The switchboard may have stopped before the connection; nobody has to be told then.
        let _ = self.inputs.send(Input::Disconnected { conn: self.conn }).await;
        if let Ending::Close(code) = ending {
            self.close(code).await;
        }
    }

    async fn exchange_frames(&mut self) -> Ending {
        let mut heard = Instant::now();
        let mut next_ping = heard + HEARTBEAT;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    heard = Instant::now();
                    let text = match message {
                        Some(Ok(Message::Text(text))) if text.len() > MESSAGE_LIMIT => {
                            return Ending::Close(CloseCode::TOO_BIG);
                        }
                        Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
                        Some(Ok(Message::Binary(_))) => return Ending::Close(CloseCode::WRONG_FRAME_KIND),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                        Some(Ok(Message::Close(_))) | None => return Ending::Gone,
                        Some(Err(error)) => return ending_of(error),
                    };
                    // A switchboard that has stopped has put the close into the outbox.
                    let _ = self.inputs.send(Input::Text { conn: self.conn, text }).await;
                }
                frame = self.outbox.next() => match frame {
                    Frame::Text(text) => {
                        if !self.send(Message::Text(text.into())).await {
                            return Ending::Gone;
                        }
                    }
                    Frame::Close(code) => return Ending::Close(code),
                },
                () = sleep_until(next_ping) => {
                    next_ping += HEARTBEAT;
                    if !self.send(Message::Ping(Default::default())).await {
                        return Ending::Gone;
                    }
                }
                () = sleep_until(heard + SILENCE) => return Ending::Close(CloseCode::HEARTBEAT),
                () = sleep_until(self.expires) => return Ending::Close(CloseCode::TOKEN_EXPIRED),
            }
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(PATIENCE, self.socket.send(message)).await, Ok(Ok(())))
    }

    /// Says why, and waits a little for the client's own close.
    async fn close(mut self, code: CloseCode) {
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
}

fn ending_of(error: axum::Error) -> Ending {
    match error.into_inner().downcast_ref::<WsError>() {
        Some(WsError::Capacity(_)) => Ending::Close(CloseCode::TOO_BIG),
        Some(WsError::Utf8(_)) => Ending::Close(CloseCode::BAD_UTF8),
        Some(WsError::Protocol(_)) => Ending::Close(CloseCode::PROTOCOL_ERROR),
        Some(_) | None => Ending::Gone,
    }
}
