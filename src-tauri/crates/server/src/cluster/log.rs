//! The log that all nodes apply: what an entry is, and the tail of it that every node keeps for the others.

use crate::switchboard::{Input, Moment};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Names one process; random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NodeId(pub(crate) u32);

/// One stay of a node in the cluster. It begins a new one after it was given up by the others or had to drop its state, so
/// that inputs of the old one that still travel are known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stay {
    pub(crate) node: NodeId,
    pub(crate) life: u32,
}

/// A time of one sequencer. The node makes it unique; the higher one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Term {
    pub(crate) number: u64,
    pub(crate) node: NodeId,
}

impl Term {
    /// Before every real one.
    pub(crate) const NONE: Self = Self {
        number: 0,
        node: NodeId(0),
    };
}

/// A place in the log. As one term has one sequencer, two nodes whose last position is equal have applied the same
/// entries. The greater one knows more of what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) term: Term,
    pub(crate) index: u64,
}

impl Position {
    /// Before the first entry.
    pub(crate) const START: Self = Self {
        term: Term::NONE,
        index: 0,
    };
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) moment: Moment,
    pub(crate) event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// What a connection of a member did; `number` counts the inputs of the stay from 1.
    Input { from: Stay, number: u64, input: Input },
    /// A deadline of the switchboard is due.
    Time,
    /// A sequencer took over; it makes the new term known.
    Began,
    /// A node has the state and may submit. An earlier stay of it is over.
    Joined(Stay),
    /// A member left or is given up: its connections are gone.
    Gone(Stay),
    /// What was written up to this index has surely left the node.
    Confirmed { node: NodeId, index: u64 },
}

impl Entry {
    /// Bytes that it takes in a message, about.
    pub(crate) fn weight(&self) -> usize {
        /// Everything but a text, rounded up.
        const FRAME: usize = 200;
        match &self.event {
            Event::Input {
                input: Input::Message { text, .. },
                ..
            } => FRAME + text.len(),
            Event::Input {
                input: Input::People(people),
                ..
            } => FRAME * (people.len() + 1),
            Event::Input { .. }
            | Event::Time
            | Event::Began
            | Event::Joined(_)
            | Event::Gone(_)
            | Event::Confirmed { .. } => FRAME,
        }
    }
}

/// Entries kept for nodes that missed some (chosen: seconds of a busy cluster). Overflow: the oldest go; who needs them
/// fetches the state.
const KEPT_ENTRIES: usize = 8192;
/// Bytes of entries kept (chosen).
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of entries in one message, or one entry if that is bigger (chosen: some hundred offers).
const BATCH_BYTES: usize = 256 * 1024;
/// Entries in one message (chosen).
const BATCH_ENTRIES: usize = 256;

/// The newest entries that this node has applied.
#[derive(Debug)]
pub(crate) struct Tail {
    before: Position,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn after(position: Position) -> Self {
        Self {
            before: position,
            entries: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The position before the first entry that is kept.
    #[cfg(test)]
    pub(crate) fn begin(&self) -> Position {
        self.before
    }

    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > KEPT_ENTRIES || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.weight();
            self.before = oldest.position;
        }
    }

    /// The entries after a position, as many as fit one message; `None` when the position is not in this log.
    pub(crate) fn batch_after(&self, position: Position) -> Option<Vec<Arc<Entry>>> {
        let skip = usize::try_from(position.index.checked_sub(self.before.index)?).ok()?;
        let found = match skip.checked_sub(1) {
            None => self.before,
            Some(place) => self.entries.get(place)?.position,
        };
        (found == position).then(|| batch(self.entries.iter().skip(skip)))
    }
}

/// The first of `entries`, as many as fit one message.
pub(crate) fn batch<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Vec<Arc<Entry>> {
    let mut bytes = 0;
    entries
        .take(BATCH_ENTRIES)
        .take_while(|entry| {
            let fits = bytes == 0 || bytes + entry.weight() <= BATCH_BYTES;
            bytes += entry.weight();
            fits
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::replica::tests::moment;
    use crate::switchboard::ConnId;
    use std::time::Duration;

    fn entry(index: u64, text: &str) -> Arc<Entry> {
        let node = NodeId(1);
        Arc::new(Entry {
            position: Position {
                term: Term { number: 1, node },
                index,
            },
            moment: moment(Duration::ZERO),
            event: Event::Input {
                from: Stay { node, life: 1 },
                number: index,
                input: Input::Message {
                    conn: ConnId(1),
                    text: text.to_owned(),
                },
            },
        })
    }

    #[test]
    fn entries_after_a_known_position_are_given_and_others_are_not() {
        let mut tail = Tail::after(Position::START);
        (1..=3).for_each(|index| tail.push(entry(index, "")));
        assert_eq!(tail.batch_after(Position::START).unwrap().len(), 3);
        let second = entry(2, "").position;
        assert_eq!(tail.batch_after(second), Some(vec![entry(3, "")]));
        assert_eq!(tail.batch_after(entry(3, "").position), Some(Vec::new()));
        let other_term = Position {
            term: Term::NONE,
            ..second
        };
        assert_eq!(tail.batch_after(other_term), None);
        assert_eq!(tail.batch_after(entry(4, "").position), None);
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let mut tail = Tail::after(Position::START);
        let big = "x".repeat(KEPT_BYTES / 4);
        (1..=5).for_each(|index| tail.push(entry(index, &big)));
        assert_eq!(tail.batch_after(Position::START), None);
        assert_eq!(tail.batch_after(entry(4, "").position).unwrap().len(), 1);
    }

    #[test]
    fn a_message_holds_at_least_one_entry_however_big() {
        let entries = [entry(1, &"x".repeat(2 * BATCH_BYTES)), entry(2, "")];
        assert_eq!(batch(entries.iter()).len(), 1);
        let small: Vec<_> = (0..1000).map(|index| entry(index, "")).collect();
        assert_eq!(batch(small.iter()).len(), BATCH_ENTRIES);
    }
}
