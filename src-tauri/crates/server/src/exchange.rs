//! The task that owns the [`Switchboard`]: connections' inputs in, their outboxes out, timers.

use crate::outbox::OutboxSender;
use crate::switchboard::{CloseCode, ConnId, DeviceId, Frame, Moment, Switchboard};
use ahoy_call::UserId;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Inputs waiting for the switchboard; when full, the connections wait and stop reading (chosen, not measured).
pub(crate) const INPUTS: usize = 256;

/// What connections tell the switchboard.
#[derive(Debug)]
pub(crate) enum Input {
    Connected {
        conn: ConnId,
        user: UserId,
        device: DeviceId,
        outbox: OutboxSender,
    },
    Text {
        conn: ConnId,
        text: String,
    },
    Disconnected {
        conn: ConnId,
    },
}

/// Runs until `stop` is sent or dropped, then ends every call and closes every connection.
pub(crate) async fn run(
    mut switchboard: Switchboard,
    mut inputs: mpsc::Receiver<Input>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut outboxes = HashMap::new();
    loop {
        let deadline = switchboard.poll_timeout();
        tokio::select! {
            Some(input) = inputs.recv() => match input {
                Input::Connected { conn, user, device, outbox } => {
                    outboxes.insert(conn, outbox);
                    switchboard.handle_connect(moment(), conn, user, device);
                }
                Input::Text { conn, text } => switchboard.handle_message(moment(), conn, &text),
                Input::Disconnected { conn } => {
                    outboxes.remove(&conn);
                    switchboard.handle_disconnect(moment(), conn);
                }
            },
            () = until(deadline) => switchboard.handle_timeout(moment()),
            _ = &mut stop => break,
        }
        deliver(&mut switchboard, &outboxes);
    }
    switchboard.handle_shutdown(moment());
    deliver(&mut switchboard, &outboxes);
    inputs.close();
    while let Some(input) = inputs.recv().await {
        if let Input::Connected { outbox, .. } = input {
            outbox.push(Frame::Close(CloseCode::GOING_AWAY));
        }
    }
}

fn deliver(switchboard: &mut Switchboard, outboxes: &HashMap<ConnId, OutboxSender>) {
    while let Some(output) = switchboard.poll_output() {
        if let Frame::Close(code) = &output.frame {
            tracing::debug!(conn = output.conn.0, code = code.0, "closing");
        }
        if let Some(outbox) = outboxes.get(&output.conn) {
            outbox.push(output.frame);
        }
    }
}

fn moment() -> Moment {
    Moment {
        at: Instant::now(),
        wall: Timestamp::now(),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
