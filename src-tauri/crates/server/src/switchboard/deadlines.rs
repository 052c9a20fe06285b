//! When something is due, by what it concerns.

use super::pairs;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// At most one time for each key; the earliest is found at once, however many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: DeserializeOwned + Ord"))]
pub(super) struct Deadlines<K> {
    #[serde(with = "pairs")]
    times: BTreeMap<K, Duration>,
    order: BTreeSet<(Duration, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            times: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    pub(super) fn set(&mut self, key: &K, at: Duration) {
        self.clear(key);
        self.times.insert(key.clone(), at);
        self.order.insert((at, key.clone()));
    }

    pub(super) fn clear(&mut self, key: &K) {
        if let Some((key, at)) = self.times.remove_entry(key) {
            self.order.remove(&(at, key));
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The key whose time came first; it stays until it is set anew or cleared.
    pub(super) fn overdue(&self, now: Duration) -> Option<K> {
        self.order
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, key)| key.clone())
    }
}
