//! Answers to requests that ended an allocation.

use crate::client::Client;
use crate::message::TransactionId;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a request may be repeated (RFC 8489 §6.2.1: 39.5 s at the default timing).
const REPEATED_WITHIN: Duration = Duration::from_secs(40);
/// Ended allocations that a repeated request is answered for; the oldest goes first (chosen).
const MAX_RELEASED: usize = 256;

/// Answers to requests that ended an allocation. Such a request comes again when its answer is lost, and without these
/// would be told that there is no allocation.
#[derive(Debug, Default)]
pub(super) struct Released {
    answers: VecDeque<(Client, TransactionId, Duration, Vec<u8>)>,
}

impl Released {
    pub(super) fn push(&mut self, client: Client, id: TransactionId, now: Duration, answer: Vec<u8>) {
        if self.answers.len() >= MAX_RELEASED {
            self.answers.pop_front();
        }
        self.answers.push_back((client, id, now, answer));
    }

    pub(super) fn answer_to(&self, client: Client, id: TransactionId) -> Option<&[u8]> {
        let (_, _, _, answer) = self
            .answers
            .iter()
            .find(|(c, i, _, _)| *c == client && *i == id)?;
        Some(answer)
    }

    pub(super) fn sweep(&mut self, now: Duration) {
        self.answers
            .retain(|(_, _, at, _)| now.saturating_sub(*at) < REPEATED_WITHIN);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}
