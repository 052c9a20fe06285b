//! The bus over NATS. The client library reconnects by itself; what is published meanwhile waits in its bounded queue or
//! is lost.

use super::bus::{Bus, BusError};
use super::log::NodeId;
use super::message::To;
use async_nats::{ConnectOptions, Event, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What everybody hears.
const ALL: &str = "ahoy.signaling.v1.all";
/// Followed by the number of a node.
const ONE: &str = "ahoy.signaling.v1.node";
/// How long the first connection may take (chosen, not measured).
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that does not answer a ping of this interval twice is replaced (chosen: a cut is seen by heartbeats at
/// once, this is only when to try again).
const PING: Duration = Duration::from_secs(2);
/// Messages that wait to be sent. Overflow: the newest is lost, which the cluster mends as any loss.
const OUTGOING: usize = 4096;
/// Messages that wait to be taken, for each subject (chosen: seconds of a busy cluster). Overflow: the newest is lost.
const INCOMING: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct NatsBus {
    tx: mpsc::Sender<(To, Bytes)>,
    all: Subscriber,
    own: Subscriber,
}

impl NatsBus {
    pub(super) async fn connect(url: &str, node: NodeId) -> Result<Self, BusError> {
        let options = ConnectOptions::new()
            .name("ahoy")
            .ping_interval(PING)
            .subscription_capacity(INCOMING)
            .client_capacity(OUTGOING)
            .max_reconnects(None)
            .reconnect_delay_callback(retry_after)
            .event_callback(async |event| log(&event));
        let servers: Vec<&str> = url.split(',').map(str::trim).collect();
        let client = timeout(CONNECT, options.connect(servers))
            .await
            .map_err(|_| BusError::Silent {
                url: url.to_owned(),
                seconds: CONNECT.as_secs(),
            })?
            .map_err(|source| BusError::Unreachable {
                url: url.to_owned(),
                source,
            })?;
        let refused = |source| BusError::Refused {
            url: url.to_owned(),
            source,
        };
        let all = client.subscribe(ALL).await.map_err(refused)?;
        let own = client.subscribe(subject(To::Node(node))).await.map_err(refused)?;
        let (tx, mut rx) = mpsc::channel::<(To, Bytes)>(OUTGOING);
        tokio::spawn(async move {
            while let Some((to, bytes)) = rx.recv().await {
                if let Err(error) = client.publish(subject(to), bytes).await {
                    tracing::warn!(%error, "the bus does not take a message");
                }
            }
            // The last messages of a node that leaves say so.
            if let Err(error) = client.flush().await {
                tracing::debug!(%error, "last messages for the bus are lost");
            }
        });
        Ok(Self { tx, all, own })
    }
}

impl Bus for NatsBus {
    fn publish(&self, to: To, bytes: Bytes) {
        if self.tx.try_send((to, bytes)).is_err() {
            tracing::debug!("the bus does not keep up");
        }
    }

    async fn receive(&mut self) -> Bytes {
        let received = tokio::select! {
            message = self.all.next() => message,
            message = self.own.next() => message,
        };
        match received {
            Some(message) => message.payload,
            None => std::future::pending().await,
        }
    }
}

fn subject(to: To) -> String {
    match to {
        To::All => ALL.to_owned(),
        To::Node(node) => format!("{ONE}.{}", node.0),
    }
}

/// A tenth of a second, doubling to two (chosen: a restart of the bus is over before connections are given up).
fn retry_after(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt).unwrap_or(u32::MAX).min(5);
    Duration::from_millis(100 << doublings).min(Duration::from_secs(2))
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the bus"),
        Event::Disconnected => tracing::warn!("lost the connection to the bus"),
        Event::SlowConsumer(_) => tracing::warn!("this node does not keep up with the bus"),
        Event::LameDuckMode
        | Event::Draining
        | Event::Closed
        | Event::ServerError(_)
        | Event::ClientError(_) => tracing::warn!(%event, "bus"),
    }
}
