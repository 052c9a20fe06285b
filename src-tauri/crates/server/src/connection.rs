//! The task of one WebSocket: frames in and out in the encoding of the connection, heartbeat, expiry of the token.

use crate::exchange::Input;
use crate::flood::Flood;
use crate::outbox::Outbox;
use crate::switchboard::{CloseCode, ConnId, Frame};
use ahoy_signaling::im_suite::encoding::{self, Encoding, MESSAGE_LIMIT};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tungstenite::Error as WsError;

/// Between two pings (IM-Suite §1.8).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
/// A client that sends nothing for so long is gone (IM-Suite §1.8).
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes up to which a message that is too big is read to its end, so that the close code arrives before the connection
/// is reset (chosen: four times the limit).
pub(crate) const READ_LIMIT: usize = 4 * MESSAGE_LIMIT;
/// Bytes read at a time, held for as long as the connection lives; most messages are smaller (chosen).
pub(crate) const READ_BUFFER: usize = 4 * 1024;
/// How long a client has to take one frame, or to answer a close (chosen, not measured).
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    pub(crate) conn: ConnId,
    pub(crate) socket: WebSocket,
    pub(crate) encoding: Encoding,
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
        let mut clocks = Clocks::new(Instant::now(), self.expires);
        let mut control_frames = Flood::default();
        // One timer for all of it: there is one for each connection, and most connections only wait.
        let mut timer = pin!(sleep_until(clocks.next()));
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    clocks.heard = Instant::now();
                    let text = match message {
                        Some(Ok(Message::Text(text))) => self.encoding.decode_text(&text),
                        Some(Ok(Message::Binary(bytes))) => self.encoding.decode_binary(&bytes),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                            if control_frames.is_too_much(clocks.heard.into_std()) {
                                return Ending::Close(CloseCode::FLOODING);
                            }
                            continue;
                        }
                        Some(Ok(Message::Close(_))) | None => return Ending::Gone,
                        Some(Err(error)) => return ending_of(error),
                    };
                    let text = match text {
                        Ok(text) => text,
                        Err(error) => return Ending::Close(CloseCode(error.close_code())),
                    };
                    // A switchboard that has stopped has put the close into the outbox.
                    let _ = self.inputs.send(Input::Text { conn: self.conn, text }).await;
                }
                frame = self.outbox.next() => match frame {
                    Frame::Text(text) => {
                        let message = match self.encoding.encode(text) {
                            Ok(encoding::Frame::Text(text)) => Message::Text(text.into()),
                            Ok(encoding::Frame::Binary(bytes)) => Message::Binary(bytes.into()),
                            // Only what another client has padded to the limit; its receiver would hang up on it.
                            Err(error) => {
                                tracing::warn!(conn = self.conn.0, %error, "a message is dropped");
                                continue;
                            }
                        };
                        if !self.send(message).await {
                            return Ending::Gone;
                        }
                    }
                    Frame::Close(code) => return Ending::Close(code),
                },
                () = timer.as_mut() => {
                    match clocks.due(Instant::now()) {
                        Due::Nothing => {}
                        Due::Ping => {
                            if !self.send(Message::Ping(Default::default())).await {
                                return Ending::Gone;
                            }
                        }
                        Due::Close(code) => return Ending::Close(code),
                    }
                    Sleep::reset(timer.as_mut(), clocks.next());
                }
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

/// What a connection waits for, besides frames.
struct Clocks {
    heard: Instant,
    next_ping: Instant,
    expires: Instant,
}

/// What a clock says.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Something was heard since the timer was set.
    Nothing,
    Ping,
    Close(CloseCode),
}

impl Clocks {
    fn new(now: Instant, expires: Instant) -> Self {
        Self {
            heard: now,
            next_ping: now + HEARTBEAT,
            expires,
        }
    }

    /// When to look again; a frame that comes meanwhile only moves it later.
    fn next(&self) -> Instant {
        self.next_ping.min(self.heard + SILENCE).min(self.expires)
    }

    fn due(&mut self, now: Instant) -> Due {
        if now >= self.expires {
            Due::Close(CloseCode::TOKEN_EXPIRED)
        } else if now >= self.heard + SILENCE {
            Due::Close(CloseCode::HEARTBEAT)
        } else if now >= self.next_ping {
            self.next_ping = now + HEARTBEAT;
            Due::Ping
        } else {
            Due::Nothing
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_timer_serves_pings_silence_and_the_token() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut clocks = Clocks::new(start, after(100));
        assert_eq!(clocks.next(), after(30));
        assert_eq!(clocks.due(after(29)), Due::Nothing);
        assert_eq!(clocks.due(after(30)), Due::Ping);
        assert_eq!(clocks.next(), after(60), "ping and silence");
        clocks.heard = after(31);
        assert_eq!(clocks.due(after(60)), Due::Ping);
        assert_eq!(clocks.due(after(90)), Due::Ping);
        assert_eq!(clocks.due(after(91)), Due::Close(CloseCode::HEARTBEAT));
        clocks.heard = after(90);
        assert_eq!(clocks.next(), after(100));
        assert_eq!(clocks.due(after(100)), Due::Close(CloseCode::TOKEN_EXPIRED));
    }
}
