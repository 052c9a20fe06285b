//! Messages that wait until the room is registered again. Pure.

use crate::zlm::wire::Body;
use ahoy_call::CallId;
use std::collections::VecDeque;

/// Messages kept; beyond it candidates go first, the oldest first. As many as the other protocol keeps.
const CAPACITY: usize = 64;

/// What is dropped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Candidate,
    /// Makes what waited before it for the same call pointless.
    End,
    Other,
}

impl Weight {
    pub(super) fn of(body: &Body) -> Self {
        match body {
            Body::Candidate(_) => Weight::Candidate,
            Body::Bye(_) | Body::Rejected(_) => Weight::End,
            Body::Register { .. }
            | Body::Registered { .. }
            | Body::Unregister { .. }
            | Body::Unregistered { .. }
            | Body::Call(_)
            | Body::CallAccepted(_)
            | Body::Other { .. } => Weight::Other,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<(CallId, Weight, String)>);

impl Waiting {
    /// Keeps a message; how many were dropped for it.
    pub(super) fn keep(&mut self, call: CallId, weight: Weight, text: String) -> u64 {
        if weight == Weight::End {
            self.forget(&call);
        }
        let full = self.0.len() == CAPACITY;
        if full {
            let candidate = self.0.iter().position(|kept| kept.1 == Weight::Candidate);
            self.0.remove(candidate.unwrap_or(0));
        }
        self.0.push_back((call, weight, text));
        u64::from(full)
    }

    /// Drops what waits for a call.
    pub(super) fn forget(&mut self, call: &CallId) {
        self.0.retain(|kept| kept.0 != *call);
    }

    pub(super) fn take(&mut self) -> Option<String> {
        self.0.pop_front().map(|(_, _, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_make_room_and_an_end_is_all_that_matters() {
        let mut waiting = Waiting::default();
        let [one, two] = ["1", "2"].map(|id| CallId::new(id).expect("an id"));
        waiting.keep(one.clone(), Weight::Other, "answer".to_owned());
        let dropped: u64 = (0..CAPACITY)
            .map(|n| waiting.keep(two.clone(), Weight::Candidate, format!("candidate {n}")))
            .sum();
        assert_eq!(dropped, 1);
        waiting.keep(two, Weight::End, "bye".to_owned());
        let all: Vec<String> = std::iter::from_fn(|| waiting.take()).collect();
        assert_eq!(all, ["answer", "bye"]);
    }
}
