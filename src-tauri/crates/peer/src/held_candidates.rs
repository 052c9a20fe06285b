//! Candidates that came before the description they belong to. Pure.
//!
//! Signaling may deliver a candidate before the answer, and the library refuses it then, which costs a second of
//! connecting or the only pair that works.

use ahoy_call::Candidate;
use std::collections::VecDeque;

/// Candidates held of one side; three sockets with every kind of candidate make some twenty. The oldest gives way.
const CAPACITY: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct HeldCandidates {
    held: VecDeque<Candidate>,
    /// User fragment of the applied remote description.
    ufrag: Option<String>,
    described: bool,
}

impl HeldCandidates {
    /// Returns the candidate when it can be applied now, else holds it.
    pub(crate) fn handle_candidate(&mut self, candidate: Candidate) -> Option<Candidate> {
        if self.fits(&candidate) {
            return Some(candidate);
        }
        if self.held.len() == CAPACITY {
            self.held.pop_front();
            tracing::debug!("oldest held candidate dropped");
        }
        self.held.push_back(candidate);
        None
    }

    /// A remote description has been applied; returns the candidates that can follow it.
    pub(crate) fn handle_description(&mut self, ufrag: Option<&str>) -> Vec<Candidate> {
        self.described = true;
        self.ufrag = ufrag.map(str::to_owned);
        let (ready, held): (VecDeque<_>, VecDeque<_>) = self
            .held
            .drain(..)
            .partition(|candidate| fits(self.ufrag.as_deref(), candidate));
        self.held = held;
        ready.into()
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        self.described && fits(self.ufrag.as_deref(), candidate)
    }
}

/// A candidate without a fragment belongs to whatever description is there (W3C `addIceCandidate`).
fn fits(ufrag: Option<&str>, candidate: &Candidate) -> bool {
    match (ufrag, candidate.username_fragment.as_deref()) {
        (Some(described), Some(named)) => named.is_empty() || described == named,
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: usize, ufrag: Option<&str>) -> Candidate {
        Candidate {
            candidate: format!("candidate:{number} 1 udp 1 192.0.2.1 9 typ host"),
            sdp_mid: None,
            sdp_m_line_index: Some(0),
            username_fragment: ufrag.map(str::to_owned),
        }
    }

    #[test]
    fn candidates_wait_for_the_first_description() {
        let mut held = HeldCandidates::default();
        assert_eq!(held.handle_candidate(candidate(1, None)), None);
        assert_eq!(held.handle_candidate(candidate(2, Some("new"))), None);
        let ready = held.handle_description(Some("new"));
        assert_eq!(ready, [candidate(1, None), candidate(2, Some("new"))]);
        assert!(held.handle_candidate(candidate(3, None)).is_some());
    }

    #[test]
    fn candidates_of_a_coming_restart_wait_for_it() {
        let mut held = HeldCandidates::default();
        held.handle_description(Some("old"));
        assert_eq!(held.handle_candidate(candidate(1, Some("new"))), None);
        assert!(held.handle_candidate(candidate(2, Some("old"))).is_some());
        assert_eq!(held.handle_description(Some("new")), [candidate(1, Some("new"))]);
    }

    #[test]
    fn a_flood_keeps_the_newest() {
        let mut held = HeldCandidates::default();
        for number in 0..CAPACITY + 10 {
            held.handle_candidate(candidate(number, None));
        }
        let ready = held.handle_description(None);
        assert_eq!(ready.len(), CAPACITY);
        assert_eq!(ready[0], candidate(10, None));
    }
}
