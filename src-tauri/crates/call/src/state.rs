//! The states of one call, each with what is valid only then.

use crate::{CallId, CallState, Candidate, Constraints, Offer};
use std::time::Instant;

/// ```text
///  place ─► Preparing ─ local offer ─► Offered ─ answer ─────────────┐
///               │                         │ glare                    ▼
///               │ offer of the callee     ▼               ┌─► Connecting ─► Connected ⇄ Reconnecting
///               │                      Yielding           │
///               └──────────► (this call ends, the         │ local answer
///                             winner is answered) ─► Answering
///  offer ─► Incoming ─ accept ──────────────────────────►─┘
///
///  from any state: hang-up · decline · end · refusal · timer · failure ─► Ended
/// ```
#[derive(Debug)]
pub(crate) enum State {
    /// Caller: no offer yet, so nobody else knows of the call.
    Preparing {
        constraints: Constraints,
        local: HeldCandidates,
    },
    /// Caller: the offer is out.
    Offered {
        /// Kept to be repeated unchanged.
        offer: Box<Offer>,
        ringing: bool,
        remote: HeldCandidates,
        /// Own candidates that the other side gets with its answer.
        withheld: HeldCandidates,
    },
    /// Caller: lost a glare and waits for the winning offer; `None` = the server did not name it.
    Yielding {
        winner: Option<CallId>,
    },
    /// Callee: rings.
    Incoming {
        offer_sdp: String,
        remote: HeldCandidates,
    },
    /// Callee: accepted, the answer is in the making.
    Answering {
        offer_sdp: String,
        local: HeldCandidates,
    },
    /// The answer is sent or received.
    Connecting {
        answered_at: Instant,
    },
    /// ICE and DTLS are up.
    Connected {
        answered_at: Instant,
        since: Instant,
    },
    /// ICE is lost; `since` is the first connection.
    Reconnecting {
        answered_at: Instant,
        since: Instant,
    },
    Ended,
}

impl State {
    /// When the answer was sent or received.
    pub(crate) fn answered_at(&self) -> Option<Instant> {
        match self {
            State::Connecting { answered_at }
            | State::Connected { answered_at, .. }
            | State::Reconnecting { answered_at, .. } => Some(*answered_at),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => None,
        }
    }

    pub(crate) fn connected_at(&self) -> Option<Instant> {
        match self {
            State::Connected { since, .. } | State::Reconnecting { since, .. } => Some(*since),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Ended => None,
        }
    }

    /// What the user sees; `None` after the end.
    pub(crate) fn public(&self) -> Option<CallState> {
        match self {
            State::Preparing { .. } | State::Yielding { .. } => Some(CallState::Calling),
            State::Offered { ringing, .. } => Some(if *ringing {
                CallState::RingingOut
            } else {
                CallState::Calling
            }),
            State::Incoming { .. } => Some(CallState::RingingIn),
            State::Answering { .. } | State::Connecting { .. } => Some(CallState::Connecting),
            State::Connected { .. } => Some(CallState::Connected),
            State::Reconnecting { .. } => Some(CallState::Reconnecting),
            State::Ended => None,
        }
    }
}

/// Candidates that came before they may be used.
#[derive(Debug, Default)]
pub(crate) struct HeldCandidates {
    list: Vec<Candidate>,
    complete: bool,
}

impl HeldCandidates {
    /// Most candidates kept per side (IM-Suite §4.3); further ones are dropped.
    pub(crate) const CAPACITY: usize = 64;

    /// Keeps the candidate or the end of candidates; `false` = dropped.
    #[must_use]
    pub(crate) fn push(&mut self, candidate: Option<Candidate>) -> bool {
        match candidate {
            None => {
                self.complete = true;
                true
            }
            Some(candidate) if self.list.len() < Self::CAPACITY => {
                self.list.push(candidate);
                true
            }
            Some(_) => false,
        }
    }

    /// Keeps the first [`Self::CAPACITY`] of the list.
    pub(crate) fn from_list(mut list: Vec<Candidate>) -> Self {
        list.truncate(Self::CAPACITY);
        Self {
            list,
            complete: false,
        }
    }

    /// Splits into those that fulfil something, without an end, and the rest.
    pub(crate) fn split_by(self, fulfils: impl Fn(&Candidate) -> bool) -> (Self, Self) {
        let (first, list) = self.list.into_iter().partition(fulfils);
        let first = Self {
            list: first,
            complete: false,
        };
        let rest = Self {
            list,
            complete: self.complete,
        };
        (first, rest)
    }

    /// The candidates in order of arrival, and whether their end was announced.
    pub(crate) fn into_parts(self) -> (Vec<Candidate>, bool) {
        (self.list, self.complete)
    }

    /// The candidates in order of arrival, with `None` last if their end was announced.
    pub(crate) fn into_signals(self) -> impl Iterator<Item = Option<Candidate>> {
        self.list
            .into_iter()
            .map(Some)
            .chain(self.complete.then_some(None))
    }
}
