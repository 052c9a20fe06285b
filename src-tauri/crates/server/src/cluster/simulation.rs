//! Replicas on a bus that loses, repeats, delays and parts, with a virtual clock and seeded chance.
//!
//! What is checked all the time: two nodes that applied an entry of one position have applied the same entries before it
//! and have equal states. What is checked in the end, when the bus is well again: one sequencer, all nodes members and
//! equal, every waiting input applied, none twice. What is checked where only nodes die: no input that had effect on its
//! own node is missing from the log that lives on.

#![allow(clippy::print_stdout, reason = "the seed of a failure is to be seen")]

use super::log::{Entry, Event, NodeId, Position, Stay};
use super::message::{Message, To};
use super::replica::tests::moment;
use super::replica::{Done, Replica, Role};
use super::state::State;
use crate::switchboard::{ConnId, DeviceId, Frame, Input, Person, Rules, Switchboard};
use ahoy_call::UserId;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

const USERS: u64 = 12;
/// Between two acts of users and of fate.
const ACT: Duration = Duration::from_millis(25);
/// States are compared at every so many entries.
const COMPARED: u64 = 8;

#[derive(Debug, Clone, Copy)]
struct Faults {
    /// Of a hundred messages.
    lost: u64,
    repeated: u64,
    /// At most, in milliseconds.
    delay: u64,
    /// Whether messages of one node to another may overtake each other, as they do not on NATS.
    overtaking: bool,
    /// Of ten thousand acts.
    parted: u64,
    crashed: u64,
}

const WELL: Faults = Faults {
    lost: 0,
    repeated: 0,
    delay: 2,
    overtaking: false,
    parted: 0,
    crashed: 0,
};

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn of_hundred(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Node {
    replica: Replica,
    /// Where the replica's log was looked at last.
    seen: Position,
    open: BTreeSet<ConnId>,
    next_conn: u32,
    parted_until: Duration,
}

struct World {
    chance: Chance,
    now: Duration,
    faults: Faults,
    nodes: BTreeMap<NodeId, Node>,
    size: usize,
    next_node: u32,
    next_text: u64,
    bus: BTreeMap<(Duration, u64), (NodeId, Message)>,
    sent: u64,
    last_due: BTreeMap<(NodeId, NodeId), Duration>,
    /// Each entry ever applied, with the one before it.
    log: BTreeMap<Position, (Position, Arc<Entry>)>,
    digests: BTreeMap<Position, u64>,
    /// Inputs that were applied by the node that took them.
    effective: Vec<Position>,
    crashes: usize,
    takeovers: BTreeSet<u64>,
}

impl World {
    fn new(seed: u64, size: usize, faults: Faults) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            now: Duration::ZERO,
            faults,
            nodes: BTreeMap::new(),
            size,
            next_node: 0,
            next_text: 0,
            bus: BTreeMap::new(),
            sent: 0,
            last_due: BTreeMap::new(),
            log: BTreeMap::new(),
            digests: BTreeMap::new(),
            effective: Vec::new(),
            crashes: 0,
            takeovers: BTreeSet::new(),
        };
        (0..size).for_each(|_| world.start_node());
        world
    }

    fn start_node(&mut self) {
        self.next_node += 1;
        // Later nodes do not always have higher numbers.
        let id = NodeId(u32::try_from(self.chance.below(1 << 20)).unwrap() * 4096 + self.next_node);
        let seed = Switchboard::new(Rules::default());
        let mut replica = Replica::new(moment(self.now), id, seed);
        let people = (1..=USERS)
            .map(|id| Person::new(UserId::new(id).unwrap(), format!("user {id}")))
            .collect();
        replica.handle_input(moment(self.now), Input::People(people));
        let node = Node {
            replica,
            seen: Position::START,
            open: BTreeSet::new(),
            next_conn: 0,
            parted_until: Duration::ZERO,
        };
        self.nodes.insert(id, node);
    }

    /// Lets users and fate act for a while.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.act();
            let next = self.now + ACT;
            self.pass_until(next);
        }
    }

    /// Messages arrive and timers run.
    fn pass_until(&mut self, end: Duration) {
        loop {
            let arrival = self.bus.keys().next().map(|(due, _)| *due);
            let timer = self
                .nodes
                .iter()
                .map(|(id, node)| (node.replica.poll_timeout(), *id))
                .min();
            match (arrival, timer) {
                (Some(due), timer) if due <= end && timer.is_none_or(|(at, _)| due <= at) => {
                    self.now = self.now.max(due);
                    let Some((_, (to, message))) = self.bus.pop_first() else {
                        return;
                    };
                    self.arrive(to, message);
                }
                (_, Some((at, id))) if at <= end => {
                    self.now = self.now.max(at);
                    let now = moment(self.now);
                    self.on(id, |replica| replica.handle_timeout(now));
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn arrive(&mut self, to: NodeId, message: Message) {
        let is_there = |node: &Node| node.parted_until <= self.now;
        if self.nodes.get(&to).is_some_and(is_there) {
            let now = moment(self.now);
            self.on(to, |replica| replica.handle_message(now, message));
        }
    }

    fn on(&mut self, id: NodeId, act: impl FnOnce(&mut Replica)) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        act(&mut node.replica);
        let mut messages = Vec::new();
        while let Some(send) = node.replica.poll_send() {
            messages.push(send);
        }
        if node.parted_until <= self.now {
            for (to, message) in messages {
                self.publish(id, to, &message);
            }
        }
        self.check_log(id);
        self.take_done(id);
    }

    fn publish(&mut self, from: NodeId, to: To, message: &Message) {
        let targets: Vec<_> = match to {
            To::All => self.nodes.keys().copied().collect(),
            To::Node(node) => vec![node],
        };
        for target in targets {
            let copies = 1 + u64::from(self.chance.of_hundred(self.faults.repeated));
            for _ in 0..copies {
                if !self.chance.of_hundred(self.faults.lost) {
                    let delay = Duration::from_millis(self.chance.below(self.faults.delay + 1));
                    let mut due = self.now + delay;
                    let last = self.last_due.entry((from, target)).or_default();
                    if !self.faults.overtaking {
                        due = due.max(*last);
                    }
                    *last = due.max(*last);
                    self.sent += 1;
                    self.bus.insert((due, self.sent), (target, message.clone()));
                }
            }
        }
    }

    /// Compares what a node has applied since the last look with what others have applied.
    fn check_log(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let Some(state) = &node.replica.state else {
            return;
        };
        let me = node.replica.me;
        // After a fetched state the log begins there.
        let mut entries = node.replica.tail.batch_after(node.seen).unwrap_or_else(|| {
            node.seen = node.replica.tail.begin();
            node.replica.tail.batch_after(node.seen).unwrap()
        });
        while let Some(last) = entries.last().map(|entry| entry.position) {
            for entry in entries {
                let (before, known) = self
                    .log
                    .entry(entry.position)
                    .or_insert_with(|| (node.seen, Arc::clone(&entry)));
                assert_eq!(*before, node.seen, "two histories of {:?}", entry.position);
                assert_eq!(*known, entry);
                if matches!(&entry.event, Event::Input { from, .. } if *from == me) {
                    self.effective.push(entry.position);
                }
                if entry.event == Event::Began {
                    self.takeovers.insert(entry.position.term.number);
                }
                node.seen = entry.position;
            }
            entries = node.replica.tail.batch_after(last).unwrap();
        }
        if node.seen.index > 0 && node.seen.index.is_multiple_of(COMPARED) {
            let digest = digest(state);
            let known = self.digests.entry(node.seen).or_insert(digest);
            assert_eq!(*known, digest, "states differ at {:?}", node.seen);
        }
    }

    fn take_done(&mut self, id: NodeId) {
        let mut closed = Vec::new();
        if let Some(node) = self.nodes.get_mut(&id) {
            while let Some(done) = node.replica.poll_done() {
                match done {
                    Done::Applied(effects) => {
                        for output in effects.outputs {
                            assert_eq!(output.conn.node(), id.0, "an output of another node's connection");
                            if matches!(output.frame, Frame::Close(_)) {
                                closed.push(output.conn);
                            }
                        }
                    }
                    Done::Evicted => node.open.clear(),
                    Done::Left => panic!("no node was told to leave"),
                }
            }
        }
        for conn in closed {
            self.input(id, Input::Disconnected { conn });
        }
    }

    fn input(&mut self, id: NodeId, input: Input) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let is_known = match &input {
            Input::Connected { conn, .. } => node.replica.is_open() && node.open.insert(*conn),
            Input::Message { conn, .. } => node.open.contains(conn),
            Input::Disconnected { conn } => node.open.remove(conn),
            Input::People(_) | Input::Time | Input::Shutdown => false,
        };
        if is_known && node.replica.takes_inputs() {
            let now = moment(self.now);
            self.on(id, |replica| replica.handle_input(now, input));
        }
    }

    /// Something that a user does, and something that fate does.
    fn act(&mut self) {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        let id = ids[usize::try_from(self.chance.below(ids.len() as u64)).unwrap()];
        let pick = self.chance.below(1000) as usize;
        let kind = self.chance.below(10);
        if let Some(node) = self.nodes.get_mut(&id) {
            let open = node.open.iter().copied().nth(pick % node.open.len().max(1));
            match (kind, open) {
                (0..2, _) | (_, None) => {
                    node.next_conn += 1;
                    let input = Input::Connected {
                        conn: ConnId::new(id.0, node.next_conn),
                        user: UserId::new(1 + self.chance.below(USERS)).unwrap(),
                        device: DeviceId::new("d1").unwrap(),
                    };
                    self.input(id, input);
                }
                (2, Some(conn)) => self.input(id, Input::Disconnected { conn }),
                (_, Some(conn)) => {
                    let text = self.text();
                    self.input(id, Input::Message { conn, text });
                }
            }
        }
        self.fate(id);
    }

    /// An offer, an end or a ping, each different from all before.
    fn text(&mut self) -> String {
        self.next_text += 1;
        let (number, to) = (self.next_text, 1 + self.chance.below(USERS));
        match self.chance.below(3) {
            0 => format!(r#"{{"type":"ping","number":{number}}}"#),
            1 => {
                let sdp =
                    r"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\na=ice-ufrag:x\r\n";
                format!(
                    r#"{{"type":"call.offer","timestamp":"2026-01-01T00:00:00Z","payload":{{"call_id":"call_{number}","to_user":{to},"call_type":"audio","sdp":{{"type":"offer","sdp":"{sdp}"}}}}}}"#
                )
            }
            _ => {
                let call = number.saturating_sub(self.chance.below(40));
                format!(
                    r#"{{"type":"call.end","id":"{number}","timestamp":"2026-01-01T00:00:00Z","payload":{{"call_id":"call_{call}","reason":"user_hangup"}}}}"#
                )
            }
        }
    }

    fn fate(&mut self, id: NodeId) {
        if self.chance.below(10_000) < self.faults.parted
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.parted_until = self.now + Duration::from_millis(self.chance.below(14_000));
        }
        if self.chance.below(10_000) < self.faults.crashed && self.is_one_of_many(id) {
            self.crashes += 1;
            self.nodes.remove(&id);
        }
        if self.nodes.len() < self.size && self.chance.of_hundred(2) {
            self.start_node();
        }
    }

    /// Whether another node that is a member and leads or follows lives on.
    fn is_one_of_many(&self, id: NodeId) -> bool {
        let is_member = |node: &Node| {
            let state = node.replica.state.as_ref();
            state.is_some_and(|state| state.is_member(node.replica.me))
        };
        self.nodes
            .iter()
            .any(|(other, node)| *other != id && is_member(node))
    }

    /// Lets the bus be well and checks what is promised for then.
    fn settle(&mut self) {
        self.faults = WELL;
        for node in self.nodes.values_mut() {
            node.parted_until = Duration::ZERO;
        }
        while self.nodes.len() < self.size {
            self.start_node();
        }
        let end = self.now + Duration::from_secs(25);
        self.pass_until(end);
        // An entry may be on its way just then.
        for _ in 0..20 {
            if self
                .nodes
                .values()
                .map(|node| node.seen)
                .collect::<BTreeSet<_>>()
                .len()
                > 1
            {
                self.pass_until(self.now + Duration::from_millis(7));
            }
        }
        let states: Vec<&State> = self
            .nodes
            .values()
            .map(|node| node.replica.state.as_ref().expect("every node has joined"))
            .collect();
        let stays: BTreeSet<Stay> = self.nodes.values().map(|node| node.replica.me).collect();
        for state in &states {
            assert_eq!(state.members().into_iter().collect::<BTreeSet<_>>(), stays);
            assert_eq!(state.position(), states[0].position());
            assert!(*state == states[0], "all nodes are equal");
        }
        let leads = |node: &&Node| matches!(node.replica.role, Role::Sequencer(_));
        assert_eq!(self.nodes.values().filter(leads).count(), 1);
        assert!(self.nodes.values().all(|node| node.replica.is_settled()));
        self.check_inputs_are_single(states[0].position());
    }

    /// The entries from the first to this one.
    fn lineage(&self, last: Position) -> Vec<&Entry> {
        let mut entries = Vec::new();
        let mut at = last;
        while let Some((before, entry)) = self.log.get(&at) {
            entries.push(entry.as_ref());
            at = *before;
        }
        entries.reverse();
        entries
    }

    fn check_inputs_are_single(&self, last: Position) {
        let mut seen = HashSet::new();
        for entry in self.lineage(last) {
            if let Event::Input { input, .. } = &entry.event
                && !matches!(input, Input::People(_))
            {
                let text = serde_json::to_string(input).unwrap();
                assert!(seen.insert(text), "twice: {input:?}");
            }
        }
    }

    fn check_nothing_effective_is_lost(&self) {
        let last = self.nodes.values().next().unwrap().seen;
        let living: BTreeSet<_> = self.lineage(last).iter().map(|entry| entry.position).collect();
        for position in &self.effective {
            assert!(living.contains(position), "lost: {position:?}");
        }
    }
}

fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Through a value, whose maps are sorted.
    serde_json::to_value(state).unwrap().to_string().hash(&mut hasher);
    hasher.finish()
}

/// More seeds for a longer search: `AHOY_SIMULATIONS=1000 cargo test -p ahoy-server simulation --release`.
fn seeds() -> u64 {
    let wanted = std::env::var("AHOY_SIMULATIONS").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[test]
fn replicas_agree_whatever_the_bus_does() {
    let faults = Faults {
        lost: 10,
        repeated: 10,
        delay: 200,
        overtaking: true,
        parted: 60,
        crashed: 30,
    };
    let (mut crashes, mut takeovers) = (0, 0);
    for seed in 0..seeds() {
        println!("seed {seed}");
        let mut world = World::new(seed, 3 + usize::try_from(seed % 3).unwrap(), faults);
        for _ in 0..2 {
            world.faults = faults;
            world.run(Duration::from_secs(60));
            world.settle();
        }
        crashes += world.crashes;
        takeovers += world.takeovers.len();
    }
    assert!(crashes > 0 && takeovers > 2, "{crashes} {takeovers}");
}

#[test]
fn the_death_of_nodes_loses_no_input_that_had_effect() {
    let faults = Faults {
        lost: 0,
        repeated: 5,
        delay: 50,
        overtaking: false,
        parted: 0,
        crashed: 60,
    };
    let (mut crashes, mut effective) = (0, 0);
    for seed in 1000..1000 + seeds() {
        println!("seed {seed}");
        let mut world = World::new(seed, 3 + usize::try_from(seed % 3).unwrap(), faults);
        world.run(Duration::from_secs(120));
        world.settle();
        world.check_nothing_effective_is_lost();
        crashes += world.crashes;
        effective += world.effective.len();
    }
    assert!(crashes > 1 && effective > 500, "{crashes} {effective}");
}
