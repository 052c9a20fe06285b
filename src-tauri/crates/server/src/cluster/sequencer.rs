//! The node that gives inputs their place: what it has stamped and not yet heard back from the bus.

use super::log::{Entry, Event, NodeId, Position, Stay, Term, batch};
use super::message::{Heartbeat, Message};
use super::pending::Pending;
use super::state::State;
use crate::switchboard::{Input, Moment};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Stamped entries that are not heard back (chosen). When full, no input is taken; its node sends it again.
const MAX_UNHEARD: usize = 2048;
/// An entry that is not heard back for so long is published again, with all after it (chosen: the interval of heartbeats).
const REPUBLISH: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Sequencer {
    term: Term,
    head: Position,
    unheard: VecDeque<Arc<Entry>>,
    /// How many of `unheard` are published.
    published: usize,
    /// When the first of them was published, or one was heard back.
    moved_at: Duration,
    /// The last number stamped of each member.
    counted: BTreeMap<Stay, u64>,
    /// Comings and goings that are stamped.
    noted: BTreeSet<(Stay, bool)>,
    is_time_stamped: bool,
    /// The index of each node's previous heartbeat: what it applied by then has left it since.
    reported: BTreeMap<NodeId, u64>,
    /// The index last stamped as confirmed of each node.
    confirmed: BTreeMap<NodeId, u64>,
    is_leaving: bool,
}

impl Sequencer {
    /// Goes on from the last entry of the log before its term.
    pub(super) fn new(moment: Moment, term: Term, last: Position) -> Self {
        let mut sequencer = Self {
            term,
            head: last,
            unheard: VecDeque::new(),
            published: 0,
            moved_at: moment.at,
            counted: BTreeMap::new(),
            noted: BTreeSet::new(),
            is_time_stamped: false,
            reported: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            is_leaving: false,
        };
        sequencer.stamp(moment, Event::Began);
        sequencer
    }

    /// Takes inputs of a member, numbered from `first`, as far as they are the next.
    pub(super) fn handle_submit(
        &mut self,
        moment: Moment,
        state: &State,
        from: Stay,
        first: u64,
        inputs: Vec<Input>,
    ) {
        for (number, input) in (first..).zip(inputs) {
            if self.next_number(state, from) == Some(number) {
                self.count(moment, from, number, input);
            }
        }
    }

    /// Takes the own inputs.
    pub(super) fn handle_pending(&mut self, moment: Moment, state: &State, from: Stay, pending: &Pending) {
        while let Some(number) = self.next_number(state, from)
            && let Some(input) = pending.numbered(number)
        {
            self.count(moment, from, number, input.clone());
        }
    }

    /// Lets a node in that follows the log, and takes notice of what has left it.
    pub(super) fn handle_heartbeat(&mut self, moment: Moment, state: &State, heartbeat: &Heartbeat) {
        let Some(last) = heartbeat.last else {
            return;
        };
        self.handle_joining(moment, state, heartbeat.from);
        let node = heartbeat.from.node;
        let is_current = heartbeat.term == self.term && state.is_member(heartbeat.from);
        if let Some(index) = self.reported.insert(node, last.index)
            && is_current
            && state.is_unconfirmed(node, index)
            && self.confirmed.insert(node, index) != Some(index)
        {
            self.stamp(moment, Event::Confirmed { node, index });
        }
    }

    pub(super) fn handle_joining(&mut self, moment: Moment, state: &State, stay: Stay) {
        if !state.is_known(stay) && self.noted.insert((stay, true)) {
            self.reported.remove(&stay.node);
            self.confirmed.remove(&stay.node);
            self.stamp(moment, Event::Joined(stay));
        }
    }

    pub(super) fn handle_gone(&mut self, moment: Moment, state: &State, stay: Stay) {
        if state.is_member(stay) && self.noted.insert((stay, false)) {
            tracing::info!(node = stay.node.0, "node gone");
            self.stamp(moment, Event::Gone(stay));
        }
    }

    /// Stamps its own going as its last entry.
    pub(super) fn handle_leaving(&mut self, moment: Moment, state: &State, me: Stay) {
        self.handle_gone(moment, state, me);
        self.is_leaving = true;
    }

    pub(super) fn handle_due(&mut self, moment: Moment) {
        if !self.is_time_stamped {
            self.is_time_stamped = true;
            self.stamp(moment, Event::Time);
        }
    }

    pub(super) fn is_time_stamped(&self) -> bool {
        self.is_time_stamped
    }

    /// Takes notice of an own entry that came back.
    pub(super) fn handle_applied(&mut self, now: Duration, entry: &Entry) {
        if self
            .unheard
            .front()
            .is_some_and(|first| first.position == entry.position)
        {
            self.unheard.pop_front();
            self.published = self.published.saturating_sub(1);
            self.moved_at = now;
        }
        match &entry.event {
            Event::Time => self.is_time_stamped = false,
            Event::Joined(stay) => drop(self.noted.remove(&(*stay, true))),
            Event::Gone(stay) => {
                self.noted.remove(&(*stay, false));
                self.counted.remove(stay);
            }
            Event::Input { .. } | Event::Began | Event::Confirmed { .. } => {}
        }
    }

    /// Publishes everything again that is overdue, or what is left after the bus was away.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.published > 0 && now.saturating_sub(self.moved_at) >= REPUBLISH {
            self.published = 0;
        }
    }

    /// The next entries for the bus; `last` is the last one that came back.
    pub(super) fn poll_log(&mut self, now: Duration, last: Position) -> Option<Message> {
        let entries = batch(self.unheard.iter().skip(self.published));
        if entries.is_empty() {
            return None;
        }
        let after = match self.published.checked_sub(1) {
            Some(place) => self.unheard[place].position,
            None => {
                self.moved_at = now;
                last
            }
        };
        self.published += entries.len();
        Some(Message::Log {
            by: self.term,
            after,
            entries,
        })
    }

    fn next_number(&self, state: &State, from: Stay) -> Option<u64> {
        let is_open =
            !self.is_leaving && self.unheard.len() < MAX_UNHEARD && !self.noted.contains(&(from, false));
        let counted = self.counted.get(&from).copied();
        is_open
            .then(|| counted.or_else(|| state.inputs_of(from)))
            .flatten()
            .map(|last| last + 1)
    }

    fn count(&mut self, moment: Moment, from: Stay, number: u64, input: Input) {
        self.counted.insert(from, number);
        self.stamp(moment, Event::Input { from, number, input });
    }

    fn stamp(&mut self, moment: Moment, event: Event) {
        if self.is_leaving {
            return;
        }
        self.head = Position {
            term: self.term,
            index: self.head.index + 1,
        };
        self.unheard.push_back(Arc::new(Entry {
            position: self.head,
            moment,
            event,
        }));
    }
}
