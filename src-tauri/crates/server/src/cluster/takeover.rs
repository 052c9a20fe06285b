//! How a node becomes the sequencer in place of one that is gone: it claims a term, asks how far the others are, and
//! catches up with the furthest before it begins.

use super::log::{NodeId, Position, Term};
use super::message::{Message, To};
use super::peers::Answers;
use super::replica::{ASK_AGAIN, Replica, Role};
use std::time::Duration;

/// How long a claimant waits for the living (chosen: a claim is repeated three times meanwhile).
const ANSWERS: Duration = Duration::from_secs(1);
/// How long it then tries to catch up, before another may claim (chosen).
const CATCHING_UP: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Claimant {
    since: Duration,
    asked_at: Duration,
    answers: Answers,
}

impl Replica {
    /// Claims the next term.
    pub(super) fn claim(&mut self) {
        let now = self.now.at;
        let term = self.next_term();
        tracing::info!(term = term.number, "claiming to order the log");
        self.promise(term);
        self.role = Role::Claimant(Claimant {
            since: now,
            asked_at: now,
            answers: Answers::new(),
        });
        self.sends.push_back((To::All, Message::Claim { term }));
        self.pursue_claim();
    }

    /// Agrees to a claim that is higher than what was heard of.
    pub(super) fn handle_claim(&mut self, term: Term) {
        if term > self.promised {
            self.promise(term);
        }
        let is_other = term.node != self.me.node;
        if let Some(state) = self.state.as_ref().filter(|_| is_other && term == self.promised) {
            let (from, last) = (self.me.node, state.position());
            self.sends
                .push_back((To::Node(term.node), Message::Have { term, from, last }));
        }
    }

    pub(super) fn handle_have(&mut self, term: Term, from: NodeId, last: Position) {
        if let Role::Claimant(claimant) = &mut self.role
            && term == self.promised
        {
            claimant.answers.insert(from, last);
            self.pursue_claim();
        }
    }

    /// Asks again, catches up, begins or gives up; without effect when nothing is claimed.
    pub(super) fn pursue_claim(&mut self) {
        let now = self.now.at;
        let (Role::Claimant(claimant), Some(state)) = (&mut self.role, &self.state) else {
            return;
        };
        let waited = now.saturating_sub(claimant.since);
        let missing = self
            .peers
            .with_state(now)
            .any(|stay| !claimant.answers.contains_key(&stay.node));
        if missing && waited < ANSWERS {
            if now.saturating_sub(claimant.asked_at) >= ASK_AGAIN {
                claimant.asked_at = now;
                let term = self.promised;
                self.sends.push_back((To::All, Message::Claim { term }));
            }
            return;
        }
        let furthest = claimant.answers.iter().max_by_key(|(_, last)| **last);
        match furthest.map(|(node, last)| (*node, *last)) {
            Some((node, last)) if last > state.position() && waited < CATCHING_UP => self.fetch(node),
            Some((_, last)) if last > state.position() => {
                tracing::warn!("could not catch up with the other nodes");
                self.role = Role::Follower;
                self.led_at = now;
            }
            Some(_) | None => self.begin(),
        }
    }
}
