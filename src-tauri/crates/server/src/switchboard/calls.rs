//! The live calls, and the ids that may not be used again.

use super::call::{Call, Phase};
use ahoy_call::{CallId, UserId};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// How long the id of an ended call is refused (IM-Suite §10).
const TOMBSTONE: Duration = Duration::from_secs(600);
/// Ids of ended calls at most; above it the oldest is forgotten early (chosen, not measured).
const MAX_TOMBSTONES: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Calls {
    live: HashMap<CallId, Call>,
    by_user: HashMap<UserId, CallId>,
    ring_deadlines: BTreeSet<(Instant, CallId)>,
    ended: HashSet<CallId>,
    ended_order: VecDeque<(Instant, CallId)>,
    changed: BTreeSet<UserId>,
}

impl Calls {
    /// Whether an id belongs to a live call, or to one that ended lately.
    pub(super) fn is_used(&mut self, now: Instant, id: &CallId) -> bool {
        self.forget_old(now);
        self.live.contains_key(id) || self.ended.contains(id)
    }

    pub(super) fn live(&self, id: &CallId) -> Option<&Call> {
        self.live.get(id)
    }

    /// The call of a user; there is at most one.
    pub(super) fn of(&self, user: UserId) -> Option<&Call> {
        self.live.get(self.by_user.get(&user)?)
    }

    /// Takes a call out for a transition; [`Self::put`] or [`Self::end`] follows.
    pub(super) fn take(&mut self, id: &CallId) -> Option<Call> {
        let call = self.live.remove(id)?;
        if let Phase::Ringing(ringing) = &call.phase {
            self.ring_deadlines.remove(&(ringing.deadline, call.id.clone()));
        }
        Some(call)
    }

    pub(super) fn put(&mut self, call: Call) {
        for user in [call.caller.user, call.callee] {
            if self.by_user.insert(user, call.id.clone()).is_none() {
                self.changed.insert(user);
            }
        }
        if let Phase::Ringing(ringing) = &call.phase {
            self.ring_deadlines.insert((ringing.deadline, call.id.clone()));
        }
        self.live.insert(call.id.clone(), call);
    }

    pub(super) fn end(&mut self, now: Instant, call: Call) {
        for user in [call.caller.user, call.callee] {
            self.by_user.remove(&user);
            self.changed.insert(user);
        }
        self.bury(now, call.id);
    }

    /// Refuses an id from here on.
    pub(super) fn bury(&mut self, now: Instant, id: CallId) {
        self.forget_old(now);
        if self.ended_order.len() >= MAX_TOMBSTONES
            && let Some((_, oldest)) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        if self.ended.insert(id.clone()) {
            self.ended_order.push_back((now, id));
        }
    }

    pub(super) fn ids(&self) -> Vec<CallId> {
        self.live.keys().cloned().collect()
    }

    /// A call that rang long enough.
    pub(super) fn overdue(&self, now: Instant) -> Option<CallId> {
        self.ring_deadlines
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, id)| id.clone())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.ring_deadlines.first().map(|(at, _)| *at)
    }

    /// The users whose call began or ended since the last call.
    pub(super) fn take_changed(&mut self) -> BTreeSet<UserId> {
        std::mem::take(&mut self.changed)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((since, _)) = self.ended_order.front()
            && now.saturating_duration_since(*since) >= TOMBSTONE
            && let Some((_, id)) = self.ended_order.pop_front()
        {
            self.ended.remove(&id);
        }
    }
}
