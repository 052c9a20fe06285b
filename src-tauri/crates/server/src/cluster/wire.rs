//! Messages of nodes as bytes on the bus: JSON, except the state, which is sent as it is; cut into pieces that any bus
//! takes.
//!
//! ```text
//! piece:   version 1 · badge 8 · node 4 · message 4 · part 2 · parts 2 · bytes
//! message: 0 · JSON    or    1 · term 8 · node 4 · state
//! ```

use super::bus::Bus;
use super::log::{NodeId, Term};
use super::message::{Message, To};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// Of this layout and of the log; nodes of another version do not understand each other.
const VERSION: u8 = 1;
const HEADER: usize = 21;
/// Bytes of a piece: half of what a NATS server takes by default.
const PIECE: usize = 512 * 1024;
/// Messages that are put together at one time. Overflow: the one begun first is lost.
const MAX_PARTIAL: usize = 8;
/// How often strangers on the bus are complained about (chosen, not measured).
const COMPLAIN: std::time::Duration = std::time::Duration::from_secs(60);

const JSON: u8 = 0;
const STATE: u8 = 1;

/// A node's place on a bus for whole messages.
pub(crate) struct Line<B> {
    bus: B,
    node: NodeId,
    /// Equal for nodes of one cluster.
    badge: u64,
    sent: u32,
    partial: VecDeque<Partial>,
    complained: Option<Instant>,
}

struct Partial {
    from: (u32, u32),
    parts: Vec<Option<Bytes>>,
}

impl<B: Bus> Line<B> {
    pub(crate) fn new(bus: B, node: NodeId, badge: u64) -> Self {
        Self {
            bus,
            node,
            badge,
            sent: 0,
            partial: VecDeque::new(),
            complained: None,
        }
    }

    pub(crate) fn publish(&mut self, to: To, message: &Message) {
        let bytes = encode(message);
        self.sent = self.sent.wrapping_add(1);
        let Ok(parts) = u16::try_from(bytes.chunks(PIECE).len()) else {
            tracing::error!(bytes = bytes.len(), "a message is too big for the bus");
            return;
        };
        for (part, chunk) in (0..).zip(bytes.chunks(PIECE)) {
            let mut piece = BytesMut::with_capacity(HEADER + chunk.len());
            piece.put_u8(VERSION);
            piece.put_u64(self.badge);
            piece.put_u32(self.node.0);
            piece.put_u32(self.sent);
            piece.put_u16(part);
            piece.put_u16(parts);
            piece.put_slice(chunk);
            self.bus.publish(to, piece.freeze());
        }
    }

    /// Waits for the next message. Cancelling it loses nothing.
    pub(crate) async fn receive(&mut self) -> Message {
        loop {
            let piece = self.bus.receive().await;
            if let Some(message) = self.take(piece) {
                return message;
            }
        }
    }

    fn take(&mut self, mut piece: Bytes) -> Option<Message> {
        if piece.len() < HEADER || piece.get_u8() != VERSION || piece.get_u64() != self.badge {
            if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
                self.complained = Some(Instant::now());
                tracing::error!("a node with another jwt_secret or version is on the bus; it is not heard");
            }
            return None;
        }
        let from = (piece.get_u32(), piece.get_u32());
        let (part, parts) = (usize::from(piece.get_u16()), usize::from(piece.get_u16()));
        if parts == 1 {
            return decode(&piece);
        }
        let place = match self.partial.iter().position(|partial| partial.from == from) {
            Some(place) => place,
            None => {
                if self.partial.len() >= MAX_PARTIAL {
                    self.partial.pop_front();
                }
                let parts = vec![None; parts];
                self.partial.push_back(Partial { from, parts });
                self.partial.len() - 1
            }
        };
        *self.partial[place].parts.get_mut(part)? = Some(piece);
        if self.partial[place].parts.iter().any(Option::is_none) {
            return None;
        }
        let whole: Vec<u8> = self
            .partial
            .remove(place)?
            .parts
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        decode(&whole)
    }
}

fn encode(message: &Message) -> Vec<u8> {
    if let Message::Snapshot { by, state } = message {
        let mut bytes = Vec::with_capacity(state.len() + 13);
        bytes.put_u8(STATE);
        bytes.put_u64(by.number);
        bytes.put_u32(by.node.0);
        bytes.extend_from_slice(state);
        return bytes;
    }
    let mut bytes = vec![JSON];
    serde_json::to_writer(&mut bytes, message).expect("every part of a message can be written");
    bytes
}

fn decode(mut bytes: &[u8]) -> Option<Message> {
    let decoded = match bytes.try_get_u8().ok()? {
        JSON => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        STATE => {
            let number = bytes.try_get_u64().ok()?;
            let node = NodeId(bytes.try_get_u32().ok()?);
            Ok(Message::Snapshot {
                by: Term { number, node },
                state: Arc::new(bytes.to_vec()),
            })
        }
        kind => Err(format!("kind {kind}")),
    };
    decoded
        .inspect_err(|error| tracing::warn!(%error, "a message of the bus cannot be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::super::local::InProcessBus;
    use super::*;
    use crate::cluster::log::Stay;
    use crate::switchboard::{ConnId, Input};

    fn line(bus: &InProcessBus, node: u32, badge: u64) -> Line<impl Bus + use<>> {
        Line::new(bus.join(NodeId(node)), NodeId(node), badge)
    }

    fn submit(text: &str) -> Message {
        Message::Submit {
            from: Stay {
                node: NodeId(1),
                life: 1,
            },
            first: 7,
            inputs: vec![Input::Message {
                conn: ConnId(u64::MAX),
                text: text.to_owned(),
            }],
        }
    }

    fn is_equal(a: &Message, b: &Message) -> bool {
        encode(a) == encode(b)
    }

    #[tokio::test]
    async fn messages_of_any_size_arrive_whole_at_whom_they_are_for() {
        let bus = InProcessBus::default();
        let (mut a, mut b, mut c) = (line(&bus, 1, 5), line(&bus, 2, 5), line(&bus, 3, 5));
        let small = submit("é\"\\\u{1}");
        let big = Message::Snapshot {
            by: Term {
                number: 3,
                node: NodeId(9),
            },
            state: Arc::new((0..3 * PIECE).map(|n| (n % 251) as u8).collect()),
        };
        let escaped = submit(&"\u{1}".repeat(256 * 1024));
        a.publish(To::Node(NodeId(2)), &big);
        a.publish(To::Node(NodeId(2)), &escaped);
        a.publish(To::All, &small);
        assert!(is_equal(&b.receive().await, &big));
        assert!(is_equal(&b.receive().await, &escaped));
        for line in [&mut a, &mut b, &mut c] {
            assert!(is_equal(&line.receive().await, &small));
        }
    }

    #[tokio::test]
    async fn nodes_of_another_secret_and_garbage_are_not_heard() {
        let bus = InProcessBus::default();
        let (mut a, mut b, mut stranger) = (line(&bus, 1, 5), line(&bus, 2, 5), line(&bus, 3, 6));
        stranger.publish(To::All, &submit("stranger"));
        let good = |len: usize| {
            let mut piece = BytesMut::new();
            piece.put_u8(VERSION);
            piece.put_u64(5);
            piece.put_bytes(0xff, len);
            piece.freeze()
        };
        for len in 0..40 {
            a.bus.publish(To::All, good(len));
        }
        a.bus.publish(To::All, Bytes::new());
        a.publish(To::All, &submit("known"));
        assert!(is_equal(&b.receive().await, &submit("known")));
    }
}
