//! Whom each call is with, as offers and the server say it: for addressing, and to tell strangers from the other party.

use ahoy_call::{CallId, Signal, UserId};
use std::collections::VecDeque;
use std::time::Instant;

/// Calls remembered; one is live, the others may still get a repeated end. When full, what matters least is forgotten:
/// calls that are over or that nobody offered, then calls this user never answered, then the oldest.
const CAPACITY: usize = 32;

/// The calls of one user, oldest first.
#[derive(Debug, Default)]
pub(super) struct KnownCalls {
    calls: VecDeque<KnownCall>,
}

/// What later messages of a call need.
#[derive(Debug, Clone)]
pub(super) struct KnownCall {
    call: CallId,
    /// Named by the offer or by the server.
    other_party: Option<UserId>,
    /// Who spoke of the call first when no offer came; good enough to reply to, not to trust.
    guess: Option<UserId>,
    answered: Option<Instant>,
    /// This user said something about it, or the server holds it for this user.
    taken_up: bool,
    over: bool,
}

impl KnownCall {
    /// Whom messages of the call go to, as far as known.
    pub(super) fn peer(&self) -> Option<UserId> {
        self.other_party.or(self.guess)
    }

    /// When the call was answered.
    pub(super) fn answered(&self) -> Option<Instant> {
        self.answered
    }

    fn weight(&self) -> u8 {
        if self.over || self.other_party.is_none() {
            0
        } else {
            1 + u8::from(self.taken_up)
        }
    }
}

impl KnownCalls {
    /// Whether somebody speaks of a call that is with somebody else; nobody is a stranger to an unknown call.
    pub(super) fn is_stranger(&self, call: &CallId, user: UserId) -> bool {
        let known = self.calls.iter().find(|known| known.call == *call);
        known
            .and_then(|known| known.other_party)
            .is_some_and(|other_party| other_party != user)
    }

    /// Notes what `from` said.
    pub(super) fn handle_received(&mut self, now: Instant, signal: &Signal, from: Option<UserId>) {
        let Some(known) = self.note(now, signal) else {
            return;
        };
        if let Signal::Offer(_) = signal {
            known.other_party = known.other_party.or(from);
        } else {
            known.guess = known.guess.or(from);
        }
    }

    /// Notes what this user says, an offer `to` whom; returns the call it is about.
    pub(super) fn handle_sent(
        &mut self,
        now: Instant,
        signal: &Signal,
        to: Option<UserId>,
    ) -> Option<&KnownCall> {
        let known = self.note(now, signal)?;
        known.other_party = known.other_party.or(to);
        known.taken_up = true;
        Some(known)
    }

    /// Notes a call that the server holds for this user.
    pub(super) fn handle_live(&mut self, call: &CallId, peer: UserId) {
        let known = self.entry(call);
        known.other_party = Some(peer);
        known.taken_up = true;
    }

    /// The call that was noted last for the first time.
    pub(super) fn latest(&self) -> Option<&CallId> {
        self.calls.back().map(|known| &known.call)
    }

    fn note(&mut self, now: Instant, signal: &Signal) -> Option<&mut KnownCall> {
        let known = self.entry(signal.call()?);
        match signal {
            Signal::Answer { .. } => {
                known.answered.get_or_insert(now);
            }
            Signal::End { .. } | Signal::AnsweredElsewhere { .. } => known.over = true,
            _ => {}
        }
        Some(known)
    }

    fn entry(&mut self, call: &CallId) -> &mut KnownCall {
        if let Some(index) = self.calls.iter().position(|known| known.call == *call) {
            return &mut self.calls[index];
        }
        if self.calls.len() == CAPACITY {
            let weights = self.calls.iter().map(KnownCall::weight).enumerate();
            let (least, _) = weights.min_by_key(|(_, weight)| *weight).unwrap_or_default();
            self.calls.remove(least);
        }
        self.calls.push_back(KnownCall {
            call: call.clone(),
            other_party: None,
            guess: None,
            answered: None,
            taken_up: false,
            over: false,
        });
        self.calls.back_mut().expect("one was pushed above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_call::EndReason;

    fn user(n: u64) -> UserId {
        UserId::new(n).expect("id")
    }

    fn call(name: &str) -> CallId {
        CallId::new(name).expect("id")
    }

    fn ringing(name: &str) -> Signal {
        Signal::Ringing { call: call(name) }
    }

    fn end(name: &str) -> Signal {
        Signal::End {
            call: call(name),
            reason: EndReason::UserHangup,
            detail: None,
        }
    }

    #[test]
    fn only_calls_with_a_named_party_have_strangers() {
        let (mut calls, now) = (KnownCalls::default(), Instant::now());
        calls.handle_received(now, &ringing("guessed"), Some(user(3)));
        assert!(!calls.is_stranger(&call("guessed"), user(4)));
        calls.handle_live(&call("guessed"), user(4));
        assert!(calls.is_stranger(&call("guessed"), user(3)));
        assert!(!calls.is_stranger(&call("guessed"), user(4)));
        assert!(!calls.is_stranger(&call("unknown"), user(3)));
    }

    #[test]
    fn a_flood_of_calls_does_not_push_out_the_live_one() {
        let (mut calls, now) = (KnownCalls::default(), Instant::now());
        calls.handle_live(&call("live"), user(2));
        for n in 0..10 * CAPACITY {
            let name = format!("flood-{n}");
            calls.handle_received(now, &ringing(&name), Some(user(3)));
            assert_eq!(calls.latest(), Some(&call(&name)));
        }
        for n in 0..10 * CAPACITY {
            let name = format!("ended-{n}");
            calls.handle_live(&call(&name), user(3));
            calls.handle_sent(now, &end(&name), None);
        }
        assert!(calls.is_stranger(&call("live"), user(3)));
        assert_eq!(calls.calls.len(), CAPACITY);
    }
}
