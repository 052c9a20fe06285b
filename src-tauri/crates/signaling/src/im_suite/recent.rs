//! Message ids seen lately: a repeated id of the same sender is the same message again (§2).

use ahoy_call::UserId;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// How long an id counts as the same message (§2).
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Ids kept at most, oldest out first: at 20 messages per second (§12) a sender fills this in less than the five minutes,
/// but a repetition comes within seconds.
const CAPACITY: usize = 1024;

type Key = (Option<UserId>, String);

/// Remembers ids for five minutes.
#[derive(Debug, Default)]
pub(super) struct RecentIds {
    order: VecDeque<(Instant, Key)>,
    known: HashSet<Key>,
}

impl RecentIds {
    /// Notes an id; `true` if it came before.
    pub(super) fn is_repeated(&mut self, now: Instant, sender: Option<UserId>, id: &str) -> bool {
        let expired = |entry: &(Instant, Key)| now.saturating_duration_since(entry.0) >= KEPT;
        while self.order.front().is_some_and(expired) || self.order.len() >= CAPACITY {
            if let Some((_, key)) = self.order.pop_front() {
                self.known.remove(&key);
            }
        }
        let key = (sender, id.to_owned());
        if !self.known.insert(key.clone()) {
            return true;
        }
        self.order.push_back((now, key));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_message_for_five_minutes_per_sender() {
        let (mut recent, start) = (RecentIds::default(), Instant::now());
        let [one, two] = [1, 2].map(|n| UserId::new(n).ok());
        assert!(!recent.is_repeated(start, one, "a"));
        assert!(recent.is_repeated(start + Duration::from_secs(299), one, "a"));
        assert!(!recent.is_repeated(start, two, "a"));
        assert!(!recent.is_repeated(start + Duration::from_secs(301), one, "a"));
    }

    #[test]
    fn a_flood_of_ids_is_bounded() {
        let (mut recent, now) = (RecentIds::default(), Instant::now());
        for n in 0..10 * CAPACITY {
            assert!(!recent.is_repeated(now, None, &n.to_string()));
        }
        assert_eq!(recent.order.len(), CAPACITY);
        assert_eq!(recent.known.len(), CAPACITY);
    }
}
