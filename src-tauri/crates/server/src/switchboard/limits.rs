//! How much one connection and one user may ask for (IM-Suite §12, §16.21).

use super::deadlines::Deadlines;
use super::pairs;
use ahoy_call::UserId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Who is over the rate for so long is cut off (IM-Suite §12).
const PATIENCE: Duration = Duration::from_secs(10);
/// The rate counts as kept again when messages for so long have been saved (chosen: more than a client that goes on a
/// little too fast ever saves).
const RECOVERY: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// How long a decline is remembered (IM-Suite §12).
const DECLINED: Duration = Duration::from_secs(600);

/// The rates of IM-Suite §12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of one connection, in the long run.
    pub messages_per_second: u32,
    /// Messages of one connection at once, after a pause.
    pub message_burst: u32,
    /// New calls of one user.
    pub calls_per_minute: u32,
    /// New calls of one user.
    pub calls_per_hour: u32,
    /// New calls of one user in ten minutes to somebody who declined one of them.
    pub calls_after_decline: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_second: 20,
            message_burst: 200,
            calls_per_minute: 6,
            calls_per_hour: 60,
            calls_after_decline: 3,
        }
    }
}

impl Limits {
    /// For a load test on a server of one's own.
    pub const NONE: Self = Self {
        messages_per_second: u32::MAX,
        message_burst: u32::MAX,
        calls_per_minute: u32::MAX,
        calls_per_hour: u32::MAX,
        calls_after_decline: u32::MAX,
    };
}

/// What becomes of one more message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Passes,
    /// It is refused; a message after this time passes.
    Over(Duration),
    /// The connection has been over the rate for too long.
    Floods,
}

/// The rate of one connection's messages: a bucket of tokens, kept as the time at which it is full again.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gate {
    full_at: Duration,
    over_since: Option<Duration>,
}

impl Gate {
    pub(crate) fn admit(&mut self, now: Duration, limits: &Limits) -> Admission {
        let price = Duration::from_secs(1) / limits.messages_per_second.max(1);
        let bucket = price.saturating_mul(limits.message_burst.max(1));
        let missing = self.full_at.saturating_sub(now);
        if bucket.saturating_sub(missing) >= RECOVERY.min(bucket) {
            self.over_since = None;
        }
        if missing.saturating_add(price) <= bucket {
            self.full_at = now + missing + price;
            return Admission::Passes;
        }
        let since = *self.over_since.get_or_insert(now);
        if now.saturating_sub(since) >= PATIENCE {
            Admission::Floods
        } else {
            Admission::Over(missing + price - bucket)
        }
    }
}

/// The new calls of the last hour, accepted or not.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempts {
    by_caller: Log<UserId>,
    by_pair: Log<(UserId, UserId)>,
    declined: Log<(UserId, UserId)>,
}

impl Attempts {
    /// Counts a new call; without effect on whether it is allowed.
    pub(super) fn count(&mut self, now: Duration, caller: UserId, callee: Option<UserId>, limits: &Limits) {
        let kept = limits.calls_per_minute.max(limits.calls_per_hour);
        self.by_caller.add(now, caller, HOUR, kept);
        if let Some(callee) = callee {
            self.by_pair
                .add(now, (caller, callee), DECLINED, limits.calls_after_decline);
        }
    }

    /// Remembers that somebody declined a call.
    pub(super) fn decline(&mut self, now: Duration, caller: UserId, callee: UserId) {
        self.declined.add(now, (caller, callee), DECLINED, 1);
    }

    /// How long a new call has to wait; `None` when it need not.
    pub(super) fn wait(
        &self,
        now: Duration,
        caller: UserId,
        callee: Option<UserId>,
        limits: &Limits,
    ) -> Option<Duration> {
        let pair = callee
            .map(|callee| (caller, callee))
            .filter(|pair| self.declined.wait(now, pair, 1, DECLINED).is_some());
        [
            self.by_caller.wait(now, &caller, limits.calls_per_minute, MINUTE),
            self.by_caller.wait(now, &caller, limits.calls_per_hour, HOUR),
            pair.and_then(|pair| {
                self.by_pair
                    .wait(now, &pair, limits.calls_after_decline, DECLINED)
            }),
        ]
        .into_iter()
        .flatten()
        .max()
    }
}

/// The newest times of something, by whom it concerns; those who are quiet for long are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: DeserializeOwned + Ord"))]
struct Log<K> {
    #[serde(with = "pairs")]
    times: BTreeMap<K, VecDeque<Duration>>,
    expiry: Deadlines<K>,
}

impl<K> Default for Log<K> {
    fn default() -> Self {
        Self {
            times: BTreeMap::new(),
            expiry: Deadlines::default(),
        }
    }
}

impl<K: Ord + Clone> Log<K> {
    /// Adds a time and keeps the newest `kept`, each for `window`.
    fn add(&mut self, now: Duration, key: K, window: Duration, kept: u32) {
        while let Some(quiet) = self.expiry.overdue(now) {
            self.expiry.clear(&quiet);
            self.times.remove(&quiet);
        }
        self.expiry.set(&key, now + window);
        let times = self.times.entry(key).or_default();
        times.push_back(now);
        while times.len() > kept.max(1) as usize || times.front().is_some_and(|at| *at + window <= now) {
            times.pop_front();
        }
    }

    /// How long until fewer than `limit` of them lie within `window`; `None` when that is so.
    fn wait(&self, now: Duration, key: &K, limit: u32, window: Duration) -> Option<Duration> {
        let times = self.times.get(key)?;
        let oldest = times.len().checked_sub(limit.max(1) as usize)?;
        let free_at = *times.get(oldest)? + window;
        (free_at > now).then(|| free_at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        messages_per_second: 20,
        message_burst: 200,
        calls_per_minute: 6,
        calls_per_hour: 60,
        calls_after_decline: 3,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn id(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_twenty_a_second() {
        let mut gate = Gate::default();
        for _ in 0..200 {
            assert_eq!(gate.admit(ms(5_000), &LIMITS), Admission::Passes);
        }
        assert_eq!(gate.admit(ms(5_000), &LIMITS), Admission::Over(ms(50)));
        assert_eq!(gate.admit(ms(5_020), &LIMITS), Admission::Over(ms(30)));
        for step in 1..=20 {
            assert_eq!(gate.admit(ms(5_000 + 50 * step), &LIMITS), Admission::Passes);
            assert_eq!(
                gate.admit(ms(5_000 + 50 * step), &LIMITS),
                Admission::Over(ms(50))
            );
        }
    }

    #[test]
    fn twenty_a_second_pass_for_ever() {
        let mut gate = Gate::default();
        for step in 0..100_000 {
            assert_eq!(gate.admit(ms(50 * step), &LIMITS), Admission::Passes);
        }
    }

    #[test]
    fn ten_seconds_over_the_rate_are_a_flood_and_a_pause_forgives() {
        let flood = |gate: &mut Gate, start: u64| {
            (0..)
                .map(|step| start + 40 * step)
                .find(|at| gate.admit(ms(*at), &LIMITS) == Admission::Floods)
                .unwrap()
        };
        let mut gate = Gate::default();
        let over_since = (0..)
            .map(|step| 40 * step)
            .find(|at| gate.admit(ms(*at), &LIMITS) != Admission::Passes)
            .unwrap();
        assert!(flood(&mut gate, over_since + 40) >= over_since + 10_000);

        let mut gate = Gate::default();
        while gate.admit(ms(0), &LIMITS) == Admission::Passes {}
        assert_ne!(gate.admit(ms(9_999), &LIMITS), Admission::Floods);
        while gate.admit(ms(9_999), &LIMITS) == Admission::Passes {}
        assert_ne!(gate.admit(ms(10_050), &LIMITS), Admission::Floods, "it paused");
    }

    #[test]
    fn six_calls_a_minute_and_sixty_an_hour() {
        let mut attempts = Attempts::default();
        let mut now = ms(0);
        for number in 0..60 {
            assert_eq!(attempts.wait(now, id(1), None, &LIMITS), None, "{number}");
            attempts.count(now, id(1), None, &LIMITS);
            now += ms(10_000);
        }
        assert_eq!(
            attempts.wait(now, id(1), None, &LIMITS),
            Some(HOUR - ms(600_000)),
            "the first of sixty leaves the hour"
        );
        assert_eq!(attempts.wait(now, id(2), None, &LIMITS), None);

        let mut attempts = Attempts::default();
        for second in 0..6 {
            attempts.count(ms(1000 * second), id(1), None, &LIMITS);
        }
        assert_eq!(attempts.wait(ms(10_000), id(1), None, &LIMITS), Some(ms(50_000)));
        assert_eq!(attempts.wait(ms(60_000), id(1), None, &LIMITS), None);
    }

    #[test]
    fn three_calls_to_somebody_who_declined() {
        let mut attempts = Attempts::default();
        let callee = Some(id(2));
        for at in [0, 100_000, 200_000] {
            attempts.count(ms(at), id(1), callee, &LIMITS);
        }
        assert_eq!(
            attempts.wait(ms(300_000), id(1), callee, &LIMITS),
            None,
            "never declined"
        );
        attempts.decline(ms(300_000), id(1), id(2));
        assert_eq!(
            attempts.wait(ms(300_000), id(1), callee, &LIMITS),
            Some(ms(300_000))
        );
        assert_eq!(attempts.wait(ms(300_000), id(1), Some(id(3)), &LIMITS), None);
        assert_eq!(attempts.wait(ms(600_000), id(1), callee, &LIMITS), None);
    }

    #[test]
    fn quiet_callers_are_forgotten() {
        let mut attempts = Attempts::default();
        for number in 1..=1000 {
            attempts.count(ms(number), id(number), Some(id(5000)), &LIMITS);
        }
        attempts.count(HOUR + ms(2000), id(7777), None, &LIMITS);
        assert_eq!(attempts.by_caller.times.len(), 1);
    }
}
