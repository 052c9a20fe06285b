//! The other nodes, as their heartbeats show them, and whether this node is on the bus at all.

use super::log::{NodeId, Position, Stay};
use super::message::Heartbeat;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two heartbeats of a node (chosen: four may be lost before it counts as dead).
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// A node unheard for so long is dead (chosen: its calls survive, so a mistake costs a reconnect).
pub(super) const DEAD: Duration = Duration::from_secs(2);
/// Without its own heartbeats for so long a node is cut off; less than [`DEAD`], so that it knows before it could call
/// another one dead.
const CUT_OFF: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(super) struct Peers {
    me: NodeId,
    /// When an own heartbeat came back.
    echo: Option<Duration>,
    heard: BTreeMap<NodeId, Peer>,
}

#[derive(Debug)]
struct Peer {
    heard: Duration,
    stay: Stay,
    has_state: bool,
}

impl Peers {
    pub(super) fn new(me: NodeId) -> Self {
        Self {
            me,
            echo: None,
            heard: BTreeMap::new(),
        }
    }

    /// Takes a heartbeat. Gives whether the bus is back with it.
    pub(super) fn handle_heartbeat(&mut self, now: Duration, heartbeat: &Heartbeat) -> bool {
        let from = heartbeat.from;
        if from.node == self.me {
            let is_back = !self.is_on_bus(now);
            self.echo = Some(now);
            if is_back {
                // Nobody could be heard meanwhile.
                self.heard.values_mut().for_each(|peer| peer.heard = now);
            }
            return is_back;
        }
        let peer = Peer {
            heard: now,
            stay: from,
            has_state: heartbeat.last.is_some(),
        };
        self.heard.insert(from.node, peer);
        false
    }

    pub(super) fn is_on_bus(&self, now: Duration) -> bool {
        self.echo.is_some_and(|echo| now.saturating_sub(echo) <= CUT_OFF)
    }

    /// Whether a node was never heard, or not lately.
    pub(super) fn is_dead(&self, now: Duration, node: NodeId) -> bool {
        node != self.me && self.alive(now).all(|stay| stay.node != node)
    }

    /// Takes a node for just heard, to give it time.
    pub(super) fn expect(&mut self, now: Duration, stay: Stay) {
        let peer = self.heard.entry(stay.node).or_insert(Peer {
            heard: now,
            stay,
            has_state: true,
        });
        peer.heard = now;
    }

    /// The living others.
    pub(super) fn alive(&self, now: Duration) -> impl Iterator<Item = Stay> {
        self.living(now).map(|peer| peer.stay)
    }

    /// The living others that have applied a log.
    pub(super) fn with_state(&self, now: Duration) -> impl Iterator<Item = Stay> {
        self.living(now)
            .filter(|peer| peer.has_state)
            .map(|peer| peer.stay)
    }

    pub(super) fn forget_dead(&mut self, now: Duration) {
        self.heard.retain(|_, peer| now.saturating_sub(peer.heard) < DEAD);
    }

    fn living(&self, now: Duration) -> impl Iterator<Item = &Peer> {
        self.heard
            .values()
            .filter(move |peer| now.saturating_sub(peer.heard) < DEAD)
    }
}

/// How many come before `me` in taking over: the oldest members first, then who only follows.
pub(super) fn rank(me: Stay, members: &[Stay], others: impl Iterator<Item = Stay>) -> usize {
    let place = |stay: Stay| {
        let member = members.iter().position(|member| *member == stay);
        (member.unwrap_or(members.len()), stay.node)
    };
    others.filter(|other| place(*other) < place(me)).count()
}

/// How far each living node's log goes, as asked by a claimant.
pub(super) type Answers = BTreeMap<NodeId, Position>;
