//! One node of the cluster, without IO: inputs of its connections and messages of the bus in, messages and effects out.
//!
//! Feed it with `handle_*`, then drain [`Replica::poll_send`] and [`Replica::poll_done`] until `None`, then wait until
//! [`Replica::poll_timeout`] or the next input. What it promises is said at [`crate::cluster`].
//!
//! ```text
//!            fetched the state          Joined in the log
//!  Seeking ───────────────────► Guest ───────────────────► Member ◄─┐
//!     │ nobody there                ▲      Gone in the log,   │     │ taken over
//!     └─ founds a cluster           └──── state dropped ──────┤     │
//!                                                             │     │
//!  roles of who has the state:  Follower ── sequencer dead ──►Claimant ──► Sequencer
//!                                   ▲────────── higher term heard ────────────┘
//! ```

use super::delivery::node_of;
use super::log::{Entry, Event, NodeId, Position, Stay, Tail, Term};
use super::message::{Heartbeat, Message, To};
use super::peers::{DEAD, HEARTBEAT, Peers, rank};
use super::pending::Pending;
use super::sequencer::Sequencer;
use super::state::{Effects, State};
use super::takeover::Claimant;
use crate::switchboard::{Input, Moment, Switchboard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the clocks of the cluster (chosen: a fifth of a heartbeat).
const TICK: Duration = Duration::from_millis(100);
/// Without hearing of a cluster for so long, a node that looks for one founds it (chosen: two heartbeats).
const LONELY: Duration = Duration::from_secs(1);
/// A cluster that was heard of and is not any more (chosen: longer than a takeover of any rank takes).
const VANISHED: Duration = Duration::from_secs(8);
/// What each candidate waits for the better one to claim (chosen: longer than a claim takes).
const PER_RANK: Duration = Duration::from_secs(1);
/// The same thing is asked for again after so long (chosen: far above the round trip of any bus).
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(300);
/// How long a node keeps connections that it cannot serve, so that a short failure of the bus is not seen by clients, and
/// a long one sends them elsewhere (chosen).
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Replica {
    pub(super) now: Moment,
    pub(super) me: Stay,
    /// What a cluster begins with when this node founds it.
    seed: Switchboard,
    pub(super) state: Option<State>,
    pub(super) tail: Tail,
    /// The highest term heard of: entries in the name of a lower one are refused.
    pub(super) promised: Term,
    pub(super) role: Role,
    clock: Clock,
    pub(super) peers: Peers,
    pending: Pending,
    next_tick: Duration,
    next_heartbeat: Duration,
    /// When the sequencer was heard, or something that may become it.
    pub(super) led_at: Duration,
    /// The sequencer has said that it leaves.
    is_leaderless: bool,
    asked_at: Option<Duration>,
    /// When the node could serve connections last.
    ready_at: Duration,
    is_open: bool,
    is_leaving: bool,
    pub(super) sends: VecDeque<(To, Message)>,
    done: VecDeque<Done>,
}

#[derive(Debug)]
pub(super) enum Role {
    Follower,
    Claimant(Claimant),
    Sequencer(Sequencer),
}

/// What the owner of the sockets has to do.
#[derive(Debug)]
pub(crate) enum Done {
    /// Keep the records, then write the outputs. They are of own connections only.
    Applied(Effects),
    /// The others have given up this node's connections: close all of them, so that clients come back.
    Evicted,
    /// The node has left: its connections may go.
    Left,
}

/// The cluster's time, which goes on from the last entry when another node becomes the sequencer.
#[derive(Debug, Default)]
struct Clock {
    local: Duration,
    cluster: Duration,
}

impl Clock {
    fn set(&mut self, local: Duration, cluster: Duration) {
        *self = Self { local, cluster };
    }

    fn cluster(&self, local: Duration) -> Duration {
        self.cluster + local.saturating_sub(self.local)
    }

    fn local(&self, cluster: Duration) -> Duration {
        self.local + cluster.saturating_sub(self.cluster)
    }
}

impl Replica {
    /// A node that looks for a cluster, or founds one with `seed`.
    pub(crate) fn new(now: Moment, node: NodeId, seed: Switchboard) -> Self {
        Self {
            now,
            me: Stay { node, life: 1 },
            seed,
            state: None,
            tail: Tail::after(Position::START),
            promised: Term::NONE,
            role: Role::Follower,
            clock: Clock::default(),
            peers: Peers::new(node),
            pending: Pending::default(),
            next_tick: now.at,
            next_heartbeat: now.at,
            led_at: now.at,
            is_leaderless: false,
            asked_at: None,
            ready_at: now.at,
            is_open: true,
            is_leaving: false,
            sends: VecDeque::new(),
            done: VecDeque::new(),
        }
    }

    /// Takes what an own connection did, or a change of the accounts.
    pub(crate) fn handle_input(&mut self, now: Moment, input: Input) {
        self.now = now;
        self.pending.push(input);
        self.submit();
    }

    /// Whether [`Self::handle_input`] may be called: else the inputs have to wait where they are.
    pub(crate) fn takes_inputs(&self) -> bool {
        !self.pending.is_full()
    }

    /// Whether new connections may wait to be served.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether every input is in the log.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn handle_message(&mut self, now: Moment, message: Message) {
        self.now = now;
        match message {
            Message::Heartbeat(heartbeat) => self.handle_heartbeat(&heartbeat),
            Message::Submit { from, first, inputs } => {
                let moment = self.stamp();
                if let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state)
                    && from != self.me
                    && self.peers.is_on_bus(now.at)
                {
                    sequencer.handle_submit(moment, state, from, first, inputs);
                }
            }
            Message::Log { by, after, entries } => self.handle_log(by, after, entries),
            Message::Fetch { from, last } => self.handle_fetch(from, last),
            Message::Snapshot { by, state } => self.handle_snapshot(by, &state),
            Message::Claim { term } => self.handle_claim(term),
            Message::Have { term, from, last } => self.handle_have(term, from, last),
            Message::Leaving { from } => {
                let moment = self.stamp();
                if let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state) {
                    sequencer.handle_gone(moment, state, from);
                }
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Moment) {
        self.now = now;
        let moment = self.stamp();
        let is_on_bus = self.peers.is_on_bus(now.at);
        if let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state)
            && is_on_bus
            && state.deadline().is_some_and(|deadline| deadline <= moment.at)
        {
            sequencer.handle_due(moment);
        }
        if now.at < self.next_tick {
            return;
        }
        self.next_tick = now.at + TICK;
        if now.at >= self.next_heartbeat {
            self.send_heartbeat();
        }
        self.look_whether_ready(is_on_bus);
        if !is_on_bus {
            return;
        }
        match &mut self.role {
            Role::Follower => self.look_for_sequencer(),
            Role::Claimant(_) => self.pursue_claim(),
            Role::Sequencer(_) => self.lead(moment),
        }
        if self.pending.is_overdue(now.at) {
            self.pending.forget_sent();
        }
        self.submit();
        if self.is_leaving && !matches!(self.role, Role::Sequencer(_)) {
            self.sends
                .push_back((To::All, Message::Leaving { from: self.me }));
        }
    }

    /// Begins to leave: [`Done::Left`] follows when the others know. The last member ends the calls first.
    pub(crate) fn handle_leave(&mut self, now: Moment) {
        self.now = now;
        let Some(state) = self.state.as_ref().filter(|state| state.is_member(self.me)) else {
            self.done.push_back(Done::Left);
            return;
        };
        if state.members() == [self.me] {
            self.pending.push(Input::Shutdown);
        }
        self.submit();
        self.is_leaving = true;
        let moment = self.stamp();
        match (&mut self.role, &self.state) {
            (Role::Sequencer(sequencer), Some(state)) => sequencer.handle_leaving(moment, state, self.me),
            (Role::Follower | Role::Claimant(_) | Role::Sequencer(_), _) => {
                self.sends
                    .push_back((To::All, Message::Leaving { from: self.me }));
            }
        }
    }

    pub(crate) fn poll_send(&mut self) -> Option<(To, Message)> {
        self.sends.pop_front().or_else(|| {
            let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state) else {
                return None;
            };
            sequencer
                .poll_log(self.now.at, state.position())
                .map(|log| (To::All, log))
        })
    }

    pub(crate) fn poll_done(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// When [`Self::handle_timeout`] is due next.
    pub(crate) fn poll_timeout(&self) -> Duration {
        let due = match (&self.role, &self.state) {
            (Role::Sequencer(sequencer), Some(state))
                if !sequencer.is_time_stamped() && self.peers.is_on_bus(self.now.at) =>
            {
                state.deadline().map(|deadline| self.clock.local(deadline))
            }
            _ => None,
        };
        due.map_or(self.next_tick, |due| due.min(self.next_tick))
    }

    fn handle_heartbeat(&mut self, heartbeat: &Heartbeat) {
        let now = self.now.at;
        if self.peers.handle_heartbeat(now, heartbeat) {
            tracing::info!("on the bus");
            self.led_at = now;
            self.pending.forget_sent();
            for stay in self.state.iter().flat_map(State::members) {
                self.peers.expect(now, stay);
            }
        }
        if heartbeat.from.node == self.me.node {
            return;
        }
        if heartbeat.term > self.promised {
            self.promise(heartbeat.term);
        }
        if heartbeat.last.is_some() && self.state.is_none() {
            self.led_at = now;
        }
        let moment = self.stamp();
        if let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state)
            && self.peers.is_on_bus(now)
        {
            sequencer.handle_heartbeat(moment, state, heartbeat);
        }
        if heartbeat.leads && heartbeat.term == self.promised {
            self.led_at = now;
            let own = self.state.as_ref().map(State::position);
            if own < heartbeat.last {
                self.fetch(heartbeat.from.node);
            }
        }
    }

    /// Applies what follows the own last entry.
    fn handle_log(&mut self, by: Term, after: Position, entries: Vec<Arc<Entry>>) {
        if by < self.promised {
            return;
        }
        if by > self.promised {
            self.promise(by);
        }
        self.led_at = self.now.at;
        let Some(mut last) = self.state.as_ref().map(State::position) else {
            return;
        };
        // A late answer to a claimant may hold what the claim did without.
        let leads = matches!(self.role, Role::Sequencer(_));
        let mut before = after;
        for entry in entries {
            let position = entry.position;
            let is_due = before == last && position.index == last.index + 1;
            if is_due && (position.term == by || !leads) {
                self.apply(entry);
                self.asked_at = None;
                last = position;
            }
            before = position;
        }
        // A position after our own, or another one at our own index: something is missing, or wrong.
        if before.index >= last.index && before != last {
            self.fetch(by.node);
        }
        self.submit();
        self.pursue_claim();
    }

    fn apply(&mut self, entry: Arc<Entry>) {
        let Some(state) = &mut self.state else {
            return;
        };
        let now = self.now.at;
        let mut effects = state.apply(&entry);
        effects
            .outputs
            .retain(|output| node_of(output.conn) == self.me.node);
        self.tail.push(Arc::clone(&entry));
        match &mut self.role {
            Role::Sequencer(sequencer) => sequencer.handle_applied(now, &entry),
            Role::Follower | Role::Claimant(_) => self.clock.set(now, entry.moment.at),
        }
        self.done.push_back(Done::Applied(effects));
        match &entry.event {
            Event::Input { from, number, .. } if *from == self.me => {
                self.pending.handle_logged(now, *number);
            }
            Event::Gone(stay) => {
                if stay.node == self.promised.node {
                    self.is_leaderless = true;
                    self.role = Role::Follower;
                }
                if *stay == self.me && self.is_leaving {
                    self.done.push_back(Done::Left);
                } else if *stay == self.me {
                    self.evict();
                }
            }
            Event::Input { .. } | Event::Time | Event::Began | Event::Joined(_) | Event::Confirmed { .. } => {
            }
        }
    }

    fn handle_fetch(&mut self, from: NodeId, last: Option<Position>) {
        let Some(state) = &self.state else {
            return;
        };
        if from == self.me.node || matches!(self.role, Role::Claimant(_)) {
            return;
        }
        let entries = last.and_then(|last| Some((last, self.tail.batch_after(last)?)));
        let by = self.promised;
        let answer = match entries {
            Some((after, entries)) => Message::Log { by, after, entries },
            None => Message::Snapshot {
                by,
                state: Arc::new(serde_json::to_vec(state).expect("every part of the state can be written")),
            },
        };
        self.sends.push_back((To::Node(from), answer));
    }

    fn handle_snapshot(&mut self, by: Term, bytes: &[u8]) {
        if by < self.promised || (by == self.promised && matches!(self.role, Role::Sequencer(_))) {
            return;
        }
        let mut state: State = match serde_json::from_slice(bytes) {
            Ok(state) => state,
            Err(error) => {
                tracing::error!(%error, "the state of another node cannot be read; is it of the same version?");
                return;
            }
        };
        if self.state.as_ref().map(State::position) >= Some(state.position()) {
            return;
        }
        if by > self.promised {
            self.promise(by);
        }
        tracing::info!(index = state.position().index, "took the state of another node");
        self.clock.set(self.now.at, state.moment().at);
        self.tail = Tail::after(state.position());
        if let Some(life) = state.last_life(self.me.node) {
            self.me.life = self.me.life.max(life);
        }
        self.done.push_back(Done::Applied(state.repeat_records()));
        let had_state = self.state.replace(state).is_some();
        self.role = Role::Follower;
        if had_state {
            // What was in the entries that were skipped cannot be written any more.
            self.evict();
        }
        self.send_heartbeat();
    }

    /// Loses the own connections and begins another stay.
    fn evict(&mut self) {
        tracing::warn!("this node's connections are given up; their clients come back");
        self.me.life += 1;
        self.pending.restart();
        self.done.push_back(Done::Evicted);
    }

    /// Refuses lower terms from now on.
    pub(super) fn promise(&mut self, term: Term) {
        if matches!(self.role, Role::Sequencer(_)) {
            tracing::warn!(by = term.node.0, "another node has taken over");
        }
        self.promised = term;
        self.role = Role::Follower;
        self.led_at = self.now.at;
        self.is_leaderless = false;
        self.asked_at = None;
        self.pending.forget_sent();
    }

    /// Becomes the sequencer of the promised term.
    pub(super) fn begin(&mut self) {
        let moment = self.stamp();
        let Some(state) = &self.state else {
            return;
        };
        tracing::info!(term = self.promised.number, "this node orders the log");
        self.clock.set(self.now.at, moment.at);
        let mut sequencer = Sequencer::new(moment, self.promised, state.position());
        sequencer.handle_joining(moment, state, self.me);
        for stay in state.members() {
            // Who died with the old sequencer is noticed; who lives has time to say so.
            if !self.peers.is_dead(self.now.at, stay.node) {
                self.peers.expect(self.now.at, stay);
            }
        }
        self.role = Role::Sequencer(sequencer);
        self.is_leaderless = false;
        self.send_heartbeat();
        self.submit();
    }

    /// Asks a node for what is missing here, not too often.
    pub(super) fn fetch(&mut self, node: NodeId) {
        let now = self.now.at;
        if node == self.me.node || self.asked_at.is_some_and(|at| now.saturating_sub(at) < ASK_AGAIN) {
            return;
        }
        self.asked_at = Some(now);
        let last = self.state.as_ref().map(State::position);
        let from = self.me.node;
        self.sends
            .push_back((To::Node(node), Message::Fetch { from, last }));
    }

    fn submit(&mut self) {
        let moment = self.stamp();
        let Some(state) = self.state.as_ref().filter(|state| state.is_member(self.me)) else {
            return;
        };
        match &mut self.role {
            Role::Sequencer(sequencer) if self.peers.is_on_bus(self.now.at) => {
                sequencer.handle_pending(moment, state, self.me, &self.pending);
            }
            Role::Sequencer(_) | Role::Claimant(_) => {}
            Role::Follower => {
                while let Some(submit) = self.pending.poll_submit(self.now.at, self.me) {
                    self.sends.push_back((To::Node(self.promised.node), submit));
                }
            }
        }
    }

    fn lead(&mut self, moment: Moment) {
        let (Role::Sequencer(sequencer), Some(state)) = (&mut self.role, &self.state) else {
            return;
        };
        sequencer.handle_timeout(self.now.at);
        sequencer.handle_joining(moment, state, self.me);
        for stay in state.members() {
            if self.peers.is_dead(self.now.at, stay.node) {
                sequencer.handle_gone(moment, state, stay);
            }
        }
    }

    /// Founds a cluster or takes one over when nobody else does.
    fn look_for_sequencer(&mut self) {
        let now = self.now.at;
        let silence = now.saturating_sub(self.led_at);
        self.peers.forget_dead(now);
        let Some(state) = &self.state else {
            let patience = if self.promised == Term::NONE {
                LONELY
            } else {
                VANISHED
            };
            let is_first = self.peers.alive(now).all(|peer| self.me.node < peer.node);
            if silence >= patience && is_first {
                self.found();
            }
            return;
        };
        if self.is_leaving && self.is_leaderless {
            return;
        }
        let candidates = self.peers.with_state(now);
        let rank = u32::try_from(rank(self.me, &state.members(), candidates)).unwrap_or(u32::MAX);
        let base = if self.is_leaderless { Duration::ZERO } else { DEAD };
        if silence >= base + PER_RANK * rank {
            self.claim();
        }
    }

    fn found(&mut self) {
        self.clock.set(self.now.at, Duration::ZERO);
        let moment = self.stamp();
        self.state = Some(State::new(self.seed.clone(), moment));
        self.tail = Tail::after(Position::START);
        self.promised = self.next_term();
        self.begin();
    }

    pub(super) fn next_term(&self) -> Term {
        Term {
            number: self.promised.number + 1,
            node: self.me.node,
        }
    }

    /// Closes the connections that cannot be served for long.
    fn look_whether_ready(&mut self, is_on_bus: bool) {
        let now = self.now.at;
        let is_member = self.state.as_ref().is_some_and(|state| state.is_member(self.me));
        if is_on_bus && is_member {
            self.ready_at = now;
        }
        let is_open = now.saturating_sub(self.ready_at) < PATIENCE;
        if self.is_open && !is_open {
            tracing::error!("cut off from the other nodes");
            self.evict();
        }
        self.is_open = is_open;
    }

    pub(super) fn send_heartbeat(&mut self) {
        self.next_heartbeat = self.now.at + HEARTBEAT;
        let heartbeat = Heartbeat {
            from: self.me,
            term: self.promised,
            leads: matches!(self.role, Role::Sequencer(_)),
            last: self.state.as_ref().map(State::position),
        };
        self.sends.push_back((To::All, Message::Heartbeat(heartbeat)));
    }

    /// The moment of an entry that is stamped now.
    fn stamp(&self) -> Moment {
        Moment {
            at: self.clock.cluster(self.now.at),
            wall: self.now.wall,
        }
    }
}

#[cfg(test)]
#[path = "replica/tests.rs"]
pub(super) mod tests;
