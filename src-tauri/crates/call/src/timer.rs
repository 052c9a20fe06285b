//! The timers of one call, in one table.

use std::time::{Duration, Instant};

/// The caller's and the callee's own limit is this much later than the server's ring time (IM-Suite §9).
pub(crate) const RING_GUARD: Duration = Duration::from_secs(5);
/// The longest ring time a server may have (IM-Suite §9: 10..120 s); longer ones are cut to it.
pub(crate) const MAX_RING: Duration = Duration::from_secs(120);
/// An offer without ringing and without error is sent once more after this time (IM-Suite §9).
pub(crate) const REPEAT_OFFER: Duration = Duration::from_secs(5);
/// From the answer to the connection (IM-Suite §6).
pub(crate) const CONNECT: Duration = Duration::from_secs(30);
/// From the loss of the connection to giving up (IM-Suite §9, §10).
pub(crate) const RECONNECT: Duration = Duration::from_secs(30);
/// How long the loser of a glare waits for the winning offer. Chosen: its caller repeats it once after
/// [`REPEAT_OFFER`], so twice that time sees the repetition.
pub(crate) const WINNER: Duration = Duration::from_secs(10);

/// Why a call wakes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// It rang long enough.
    NoAnswer,
    /// Nobody reacted to the offer.
    RepeatOffer,
    /// The answer has not become a connection.
    Connect,
    /// The lost connection has not come back.
    Reconnect,
    /// The offer that won the glare has not come.
    Winner,
}

impl Timer {
    const ALL: [Timer; 5] = [
        Timer::NoAnswer,
        Timer::RepeatOffer,
        Timer::Connect,
        Timer::Reconnect,
        Timer::Winner,
    ];
}

/// The deadline of each timer, if armed.
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next moment at which a timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Disarms and returns one timer that is due at `now`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.0[*timer as usize].filter(|at| *at <= now);
        let timer = Timer::ALL
            .into_iter()
            .filter(|timer| due(timer).is_some())
            .min_by_key(due)?;
        self.disarm(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_once_each_the_earliest_first() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.arm(Timer::NoAnswer, at(35));
        timers.arm(Timer::Winner, at(5));
        timers.arm(Timer::Connect, at(50));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.take_due(at(4)), None);
        assert_eq!(timers.take_due(at(40)), Some(Timer::Winner));
        assert_eq!(timers.take_due(at(40)), Some(Timer::NoAnswer));
        assert_eq!(timers.take_due(at(40)), None);
        assert_eq!(timers.next(), Some(at(50)));
        timers.clear();
        assert_eq!(timers.next(), None);
    }
}
