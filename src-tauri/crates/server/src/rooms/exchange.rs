//! The task that owns the table of rooms: sockets' texts in, their outboxes out.

use super::table::{Now, Table};
use crate::http::Phase;
use crate::metrics::Metrics;
use crate::outbox::OutboxSender;
use crate::switchboard::{CloseCode, ConnId, Frame};
use jiff::Timestamp;
use std::collections::HashMap;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Inputs waiting for the table; when full, the sockets wait and stop reading (chosen, not measured).
const INPUTS: usize = 256;

/// What the table is told.
pub(crate) enum Input {
    Connected {
        conn: ConnId,
        secret: Option<String>,
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

/// Starts the task; it closes every socket and ends when the server is no longer serving.
pub(crate) fn start(table: Table, metrics: Metrics, phase: watch::Receiver<Phase>) -> mpsc::Sender<Input> {
    let (inputs, rx) = mpsc::channel(INPUTS);
    let exchange = Exchange {
        table,
        metrics,
        open: HashMap::new(),
        start: Instant::now(),
    };
    tokio::spawn(exchange.run(rx, phase));
    inputs
}

struct Exchange {
    table: Table,
    metrics: Metrics,
    open: HashMap<ConnId, OutboxSender>,
    /// The beginning of the table's clock.
    start: Instant,
}

impl Exchange {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>, mut phase: watch::Receiver<Phase>) {
        loop {
            let due = self.table.poll_timeout().map(|at| self.start + at);
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => self.take(input),
                    None => break,
                },
                () = sleep_until(due.unwrap_or(self.start)), if due.is_some() => {
                    let now = self.now();
                    self.table.handle_timeout(now);
                }
                stopped = phase.wait_for(|phase| *phase != Phase::Serving) => {
                    drop(stopped);
                    break;
                }
            }
            self.deliver();
        }
        for outbox in self.open.values() {
            outbox.push(Frame::Close(CloseCode::GOING_AWAY));
        }
        inputs.close();
        while let Some(input) = inputs.recv().await {
            if let Input::Connected { outbox, .. } = input {
                outbox.push(Frame::Close(CloseCode::GOING_AWAY));
            }
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Connected { conn, secret, outbox } => {
                self.open.insert(conn, outbox);
                self.table.handle_connected(conn, secret.as_deref());
            }
            Input::Text { conn, text } => {
                self.metrics.room_messages.inc();
                self.table.handle_text(now, conn, text);
            }
            Input::Disconnected { conn } => {
                self.open.remove(&conn);
                self.table.handle_disconnected(now, conn);
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(output) = self.table.poll_output() {
            if let Some(outbox) = self.open.get(&output.conn) {
                outbox.push(output.frame);
            }
        }
        let (rooms, calls) = self.table.counts();
        self.metrics.show_rooms(rooms, calls);
    }

    fn now(&self) -> Now {
        Now {
            since: self.start.elapsed(),
            unix: u64::try_from(Timestamp::now().as_second()).unwrap_or(0),
        }
    }
}
