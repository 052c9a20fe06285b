//! The live calls, and the ids that may not be used again.

use super::call::Call;
use super::deadlines::Deadlines;
use ahoy_call::{CallId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long the id of an ended call is refused (IM-Suite §10).
const TOMBSTONE: Duration = Duration::from_secs(600);
/// Ids of ended calls at most; above it the oldest is forgotten early (chosen, not measured).
const MAX_TOMBSTONES: usize = 65_536;

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Calls {
    live: BTreeMap<CallId, Call>,
    by_user: BTreeMap<UserId, CallId>,
    deadlines: Deadlines<CallId>,
    ended: BTreeSet<CallId>,
    ended_order: VecDeque<(Duration, CallId)>,
    changed: BTreeSet<UserId>,
}

impl Calls {
    /// Whether an id belongs to a live call, or to one that ended lately.
    pub(super) fn is_used(&mut self, now: Duration, id: &CallId) -> bool {
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
        self.deadlines.clear(id);
        Some(call)
    }

    pub(super) fn put(&mut self, call: Call) {
        for user in [call.caller.user, call.callee] {
            if self.by_user.insert(user, call.id.clone()).is_none() {
                self.changed.insert(user);
            }
        }
        if let Some(at) = call.next_deadline() {
            self.deadlines.set(&call.id, at);
        }
        self.live.insert(call.id.clone(), call);
    }

    pub(super) fn end(&mut self, now: Duration, call: Call) {
        for user in [call.caller.user, call.callee] {
            self.by_user.remove(&user);
            self.changed.insert(user);
        }
        self.bury(now, call.id);
    }

    /// Refuses an id from here on.
    pub(super) fn bury(&mut self, now: Duration, id: CallId) {
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.live.values()
    }

    pub(super) fn ids(&self) -> Vec<CallId> {
        self.live.keys().cloned().collect()
    }

    /// A call whose next deadline has come.
    pub(super) fn overdue(&self, now: Duration) -> Option<CallId> {
        self.deadlines.overdue(now)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// The users whose call began or ended since the last call.
    pub(super) fn take_changed(&mut self) -> BTreeSet<UserId> {
        std::mem::take(&mut self.changed)
    }

    fn forget_old(&mut self, now: Duration) {
        while let Some((since, _)) = self.ended_order.front()
            && now.saturating_sub(*since) >= TOMBSTONE
            && let Some((_, id)) = self.ended_order.pop_front()
        {
            self.ended.remove(&id);
        }
    }
}
