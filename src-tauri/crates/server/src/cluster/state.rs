//! What all nodes have in common: the switchboard, who is a member, and how far the log is applied.
//!
//! Everything in here follows from the log alone, so that two nodes that have applied the same entries are equal.

use super::delivery::Delivery;
use super::log::{Entry, Event, NodeId, Position, Stay};
use crate::switchboard::{CallRecord, ConnId, Frame, Input, Moment, Output, Switchboard};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Nodes that left are remembered, so that a late message of theirs does not let them in; beyond this number the one that
/// joined first is forgotten (chosen).
const MAX_GONE: usize = 256;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    switchboard: Switchboard,
    position: Position,
    /// Of the last entry.
    moment: Moment,
    members: BTreeMap<NodeId, Member>,
    delivery: Delivery,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    life: u32,
    present: bool,
    /// The index of the entry by which it joined: lower is older.
    since: u64,
    /// The number of its last input.
    inputs: u64,
}

/// What applying an input leads to.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Are kept before anybody sees the outputs.
    pub(crate) records: Vec<CallRecord>,
    pub(crate) outputs: Vec<Output>,
}

impl Effects {
    pub(crate) fn append(&mut self, other: Self) {
        self.records.extend(other.records);
        self.outputs.extend(other.outputs);
    }
}

impl State {
    pub(crate) fn new(switchboard: Switchboard, moment: Moment) -> Self {
        Self {
            switchboard,
            position: Position::START,
            moment,
            members: BTreeMap::new(),
            delivery: Delivery::default(),
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn moment(&self) -> Moment {
        self.moment
    }

    /// When the switchboard wants [`Event::Time`].
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.switchboard.poll_timeout()
    }

    pub(crate) fn is_member(&self, stay: Stay) -> bool {
        let member = self.members.get(&stay.node);
        member.is_some_and(|member| member.present && member.life == stay.life)
    }

    /// Whether a stay has begun or is over already.
    pub(crate) fn is_known(&self, stay: Stay) -> bool {
        let member = self.members.get(&stay.node);
        member.is_some_and(|member| member.life >= stay.life)
    }

    /// The last stay of a node.
    pub(crate) fn last_life(&self, node: NodeId) -> Option<u32> {
        self.members.get(&node).map(|member| member.life)
    }

    /// The number of the last input of a member.
    pub(crate) fn inputs_of(&self, stay: Stay) -> Option<u64> {
        self.is_member(stay).then(|| self.members[&stay.node].inputs)
    }

    /// The members, the oldest first.
    pub(crate) fn members(&self) -> Vec<Stay> {
        let mut members: Vec<_> = self.members.iter().filter(|(_, member)| member.present).collect();
        members.sort_unstable_by_key(|(node, member)| (member.since, **node));
        let stay = |(node, member): (&NodeId, &Member)| Stay {
            node: *node,
            life: member.life,
        };
        members.into_iter().map(stay).collect()
    }

    pub(crate) fn is_unconfirmed(&self, node: NodeId, index: u64) -> bool {
        self.delivery.is_unconfirmed(node, index)
    }

    /// Applies the next entry. An input that is not the next of a member has no effect.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Effects {
        self.position = entry.position;
        self.moment = entry.moment;
        match &entry.event {
            Event::Input { from, number, input } => {
                let member = self.members.get_mut(&from.node);
                let Some(member) = member.filter(|member| {
                    member.present && member.life == from.life && member.inputs + 1 == *number
                }) else {
                    return Effects::default();
                };
                member.inputs = *number;
                self.feed(input.clone())
            }
            Event::Time => self.feed(Input::Time),
            Event::Began => Effects::default(),
            Event::Joined(stay) => {
                let effects = self.lose(stay.node);
                let member = Member {
                    life: stay.life,
                    present: true,
                    since: entry.position.index,
                    inputs: 0,
                };
                self.members.insert(stay.node, member);
                self.forget_gone();
                effects
            }
            Event::Gone(stay) if self.is_member(*stay) => {
                let effects = self.lose(stay.node);
                if let Some(member) = self.members.get_mut(&stay.node) {
                    member.present = false;
                }
                effects
            }
            Event::Gone(_) => Effects::default(),
            Event::Confirmed { node, index } => {
                self.delivery.confirm(*node, *index);
                Effects::default()
            }
        }
    }

    /// The records of the live calls, for the history of a node that has just fetched this state.
    pub(crate) fn repeat_records(&mut self) -> Effects {
        self.switchboard.repeat_records(self.moment);
        self.drain()
    }

    fn feed(&mut self, input: Input) -> Effects {
        let now = self.moment;
        let mut again = None;
        match &input {
            Input::Connected { conn, user, device } => {
                again = Some((*conn, self.delivery.connect(now.at, *conn, *user, device)));
            }
            Input::Disconnected { conn } => self.delivery.disconnect(*conn),
            Input::Message { .. } | Input::People(_) | Input::Time | Input::Shutdown => {}
        }
        self.switchboard.handle(now, input);
        let mut effects = self.drain();
        if let Some((conn, texts)) = again {
            self.write_again(&mut effects, conn, texts);
        }
        effects
    }

    /// What a device missed follows its welcome. A connection that was refused has none.
    fn write_again(&mut self, effects: &mut Effects, conn: ConnId, texts: Vec<String>) {
        let welcome = effects.outputs.iter().position(|output| output.conn == conn);
        let Some(welcome) = welcome.filter(|at| matches!(effects.outputs[*at].frame, Frame::Text(_))) else {
            return;
        };
        for text in &texts {
            self.delivery.note(self.position.index, conn, text);
        }
        let texts = texts.into_iter().map(|text| Output {
            conn,
            frame: Frame::Text(text),
        });
        effects.outputs.splice(welcome + 1..welcome + 1, texts);
    }

    /// Disconnects everybody who was on a node.
    fn lose(&mut self, node: NodeId) -> Effects {
        let mut effects = Effects::default();
        for conn in self.delivery.lose(self.moment.at, node) {
            effects.append(self.feed(Input::Disconnected { conn }));
        }
        // Texts about each other that the lost connections were written meanwhile.
        self.delivery.confirm(node, u64::MAX);
        effects
    }

    fn drain(&mut self) -> Effects {
        let mut effects = Effects::default();
        while let Some(record) = self.switchboard.poll_record() {
            effects.records.push(record);
        }
        let others = self.members.values().filter(|member| member.present).count() > 1;
        while let Some(output) = self.switchboard.poll_output() {
            if let Frame::Text(text) = &output.frame
                && others
            {
                self.delivery.note(self.position.index, output.conn, text);
            }
            effects.outputs.push(output);
        }
        effects
    }

    fn forget_gone(&mut self) {
        let gone = self.members.iter().filter(|(_, member)| !member.present);
        if gone.clone().count() > MAX_GONE
            && let Some(node) = gone.min_by_key(|(_, member)| member.since).map(|(node, _)| *node)
        {
            self.members.remove(&node);
        }
    }
}
