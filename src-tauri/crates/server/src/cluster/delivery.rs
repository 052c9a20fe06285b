//! What was written to connections and may have died with their node.
//!
//! A node confirms by its heartbeats what has left it. What it had not confirmed when it was lost is written again to the
//! device that comes back elsewhere; receivers take a repeated message for one (IM-Suite §2, §4.4). Part of the replicated
//! state, so it is the same on every node.

use super::log::NodeId;
use crate::switchboard::{ConnId, DeviceId};
use ahoy_call::UserId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Unconfirmed texts of one node (chosen: two seconds of a busy node). Overflow: the oldest are taken for delivered.
const MAX_WRITTEN: usize = 4096;
/// Texts that wait for one device (IM-Suite §9, the bound of resume). Overflow: the oldest go.
const MAX_WAITING: usize = 64;
/// How long they wait (chosen: twice the usual resume grace; no call is resumed later unless its media flows).
const WAITING: Duration = Duration::from_secs(60);

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    owners: BTreeMap<ConnId, Owner>,
    seats: BTreeMap<UserId, BTreeMap<DeviceId, ConnId>>,
    written: BTreeMap<NodeId, VecDeque<Written>>,
    waiting: BTreeMap<UserId, BTreeMap<DeviceId, Waiting>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    user: UserId,
    device: DeviceId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    index: u64,
    conn: ConnId,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    until: Duration,
    texts: VecDeque<String>,
}

/// The node that holds a connection.
pub(crate) fn node_of(conn: ConnId) -> NodeId {
    NodeId(conn.node())
}

impl Delivery {
    /// Seats a device and gives what it may have missed on another node.
    pub(super) fn connect(
        &mut self,
        now: Duration,
        conn: ConnId,
        user: UserId,
        device: &DeviceId,
    ) -> Vec<String> {
        let owner = Owner {
            user,
            device: device.clone(),
        };
        self.owners.insert(conn, owner);
        let old = self.seats.entry(user).or_default().insert(device.clone(), conn);
        if let Some(old) = old
            && node_of(old) != node_of(conn)
        {
            self.recall(now, node_of(old), |written| written == old);
        }
        if let Some(old) = old {
            self.owners.remove(&old);
        }
        let mine = self
            .waiting
            .get_mut(&user)
            .and_then(|waiting| waiting.remove(device));
        self.waiting.retain(|_, devices| !devices.is_empty());
        mine.filter(|waiting| waiting.until > now)
            .map(|waiting| waiting.texts.into())
            .unwrap_or_default()
    }

    pub(super) fn disconnect(&mut self, conn: ConnId) {
        let Some(owner) = self.owners.remove(&conn) else {
            return;
        };
        if let Some(devices) = self.seats.get_mut(&owner.user) {
            devices.remove(&owner.device);
            if devices.is_empty() {
                self.seats.remove(&owner.user);
            }
        }
    }

    /// Remembers a text of a call until it is confirmed. Welcome, presence and pong are of their moment: nobody misses them
    /// later.
    pub(super) fn note(&mut self, index: u64, conn: ConnId, text: &str) {
        if !is_of_call(text) {
            return;
        }
        let written = self.written.entry(node_of(conn)).or_default();
        if written.len() >= MAX_WRITTEN {
            written.pop_front();
        }
        written.push_back(Written {
            index,
            conn,
            text: text.to_owned(),
        });
    }

    pub(super) fn confirm(&mut self, node: NodeId, index: u64) {
        if let Some(written) = self.written.get_mut(&node) {
            while written.front().is_some_and(|first| first.index <= index) {
                written.pop_front();
            }
            if written.is_empty() {
                self.written.remove(&node);
            }
        }
    }

    /// Whether something up to this index waits for the node's confirmation.
    pub(super) fn is_unconfirmed(&self, node: NodeId, index: u64) -> bool {
        let first = self.written.get(&node).and_then(VecDeque::front);
        first.is_some_and(|first| first.index <= index)
    }

    /// Keeps what a lost node had not confirmed, and gives its connections.
    pub(super) fn lose(&mut self, now: Duration, node: NodeId) -> Vec<ConnId> {
        self.waiting.retain(|_, devices| {
            devices.retain(|_, waiting| waiting.until > now);
            !devices.is_empty()
        });
        self.recall(now, node, |_| true);
        self.written.remove(&node);
        let all = ConnId::new(node.0, 0)..=ConnId::new(node.0, u32::MAX);
        self.owners.range(all).map(|(conn, _)| *conn).collect()
    }

    /// Moves what was written to some connections of a node to what waits for their devices.
    fn recall(&mut self, now: Duration, node: NodeId, chosen: impl Fn(ConnId) -> bool) {
        let Some(written) = self.written.remove(&node) else {
            return;
        };
        let (recalled, rest): (VecDeque<_>, VecDeque<_>) =
            written.into_iter().partition(|written| chosen(written.conn));
        if !rest.is_empty() {
            self.written.insert(node, rest);
        }
        for written in recalled {
            let Some(owner) = self.owners.get(&written.conn) else {
                continue;
            };
            let waiting = self
                .waiting
                .entry(owner.user)
                .or_default()
                .entry(owner.device.clone())
                .or_insert_with(|| Waiting {
                    until: now + WAITING,
                    texts: VecDeque::new(),
                });
            if waiting.texts.len() >= MAX_WAITING {
                waiting.texts.pop_front();
            }
            waiting.texts.push_back(written.text);
        }
    }
}

fn is_of_call(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_str::<Typed>(text).is_ok_and(|typed| typed.r#type.starts_with("call."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = r#"{"type":"call.end"}"#;

    fn conn(node: u32, number: u64) -> ConnId {
        ConnId(u64::from(node) << 32 | number)
    }

    fn user() -> UserId {
        UserId::new(7).unwrap()
    }

    fn device() -> DeviceId {
        DeviceId::new("d").unwrap()
    }

    fn seated(conn: ConnId) -> Delivery {
        let mut delivery = Delivery::default();
        assert!(
            delivery
                .connect(Duration::ZERO, conn, user(), &device())
                .is_empty()
        );
        delivery
    }

    #[test]
    fn a_device_that_moves_before_its_node_is_missed_gets_what_was_unconfirmed() {
        let mut delivery = seated(conn(1, 5));
        delivery.note(1, conn(1, 5), r#"{"type":"call.ice"}"#);
        delivery.note(2, conn(1, 5), END);
        delivery.note(3, conn(1, 5), r#"{"type":"presence"}"#);
        delivery.confirm(NodeId(1), 1);
        let again = delivery.connect(Duration::ZERO, conn(2, 0), user(), &device());
        assert_eq!(again, [END]);
        assert!(delivery.lose(Duration::ZERO, NodeId(1)).is_empty());
    }

    #[test]
    fn what_a_lost_node_had_not_confirmed_waits_for_the_device_and_not_for_ever() {
        for (after, expected) in [(WAITING / 2, vec![END.to_owned()]), (WAITING, Vec::new())] {
            let mut delivery = seated(conn(1, 5));
            delivery.note(2, conn(1, 5), END);
            assert_eq!(delivery.lose(Duration::ZERO, NodeId(1)), [conn(1, 5)]);
            delivery.disconnect(conn(1, 5));
            assert_eq!(delivery.connect(after, conn(2, 0), user(), &device()), expected);
            assert!(delivery.connect(after, conn(3, 0), user(), &device()).is_empty());
        }
    }

    #[test]
    fn any_amount_of_presence_does_not_push_out_what_belongs_to_a_call() {
        let mut delivery = seated(conn(1, 5));
        delivery.note(1, conn(1, 5), END);
        for index in 0..2 * MAX_WRITTEN as u64 {
            delivery.note(
                index,
                conn(1, 5),
                r#"{"payload":{"user_id":3},"type":"presence"}"#,
            );
        }
        assert_eq!(
            delivery.connect(Duration::ZERO, conn(2, 0), user(), &device()),
            [END]
        );
    }

    #[test]
    fn a_device_that_comes_back_to_its_own_node_gets_nothing_twice() {
        let mut delivery = seated(conn(1, 5));
        delivery.note(2, conn(1, 5), END);
        assert!(
            delivery
                .connect(Duration::ZERO, conn(1, 6), user(), &device())
                .is_empty()
        );
    }

    #[test]
    fn nothing_stays_of_a_device_that_left() {
        let mut delivery = seated(conn(1, 5));
        delivery.note(2, conn(1, 5), END);
        delivery.disconnect(conn(1, 5));
        delivery.confirm(NodeId(1), 2);
        assert_eq!(delivery, Delivery::default());
    }
}
