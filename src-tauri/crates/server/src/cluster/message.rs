//! What nodes say to each other.

use super::log::{Entry, NodeId, Position, Stay, Term};
use crate::switchboard::Input;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Every half second to all. A node that hears its own is on the bus.
    Heartbeat(Heartbeat),
    /// Inputs for the sequencer, numbered from `first` on.
    Submit {
        from: Stay,
        first: u64,
        inputs: Vec<Input>,
    },
    /// Entries that follow `after`, in the name of the sequencer of the term `by`.
    Log {
        by: Term,
        after: Position,
        #[serde(with = "shared")]
        entries: Vec<Arc<Entry>>,
    },
    /// Asks one node for what follows `last`; without it for the state.
    Fetch { from: NodeId, last: Option<Position> },
    /// The whole state, where entries do not help.
    Snapshot {
        by: Term,
        #[serde(skip)]
        state: Arc<Vec<u8>>,
    },
    /// Wants to be the sequencer of a new term.
    Claim { term: Term },
    /// Agrees to a claim and says how far its own log goes.
    Have {
        term: Term,
        from: NodeId,
        last: Position,
    },
    /// A member is about to stop.
    Leaving { from: Stay },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) from: Stay,
    /// The highest term it knows of.
    pub(crate) term: Term,
    /// Whether it is the sequencer of that term.
    pub(crate) leads: bool,
    /// The last entry it has applied; `None` without a state.
    pub(crate) last: Option<Position>,
}

/// Who is to hear a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    All,
    Node(NodeId),
}

/// Shared entries look like any others.
mod shared {
    use super::{Arc, Entry};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(entries: &[Arc<Entry>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(entries.iter().map(Arc::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Entry>>, D::Error> {
        Ok(Vec::<Entry>::deserialize(from)?
            .into_iter()
            .map(Arc::new)
            .collect())
    }
}
