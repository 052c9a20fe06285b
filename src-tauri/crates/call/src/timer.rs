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

/// How long a lost path may come back by itself before ICE is restarted (IM-Suite §9, network change).
pub(crate) const RESTART_AFTER: Duration = Duration::from_secs(3);
/// Between two restarts of a path that stays lost (IM-Suite §9, network change).
pub(crate) const RESTART_AGAIN: Duration = Duration::from_secs(8);
/// How long a callee waits for the re-offer it asked for before it makes one itself (IM-Suite §9).
pub(crate) const ASKED: Duration = Duration::from_secs(4);
/// An unanswered re-offer is sent once more after this time (IM-Suite §9).
pub(crate) const REPEAT_REOFFER: Duration = Duration::from_secs(10);
/// A re-offer that is unanswered for so long ends the call (IM-Suite §9).
pub(crate) const UNANSWERED: Duration = Duration::from_secs(30);
/// When to try again after `renegotiation_pending` without `retry_after_ms`. Chosen: an answer takes a round trip.
pub(crate) const PENDING_RETRY: Duration = Duration::from_secs(2);

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
    /// The path is lost for so long that ICE is restarted, or restarted again.
    Restart,
    /// The caller has not made the re-offer it was asked for.
    Asked,
    /// Nobody answered the re-offer: it is sent again.
    RepeatReoffer,
    /// Nobody answered the re-offer at all.
    Unanswered,
    /// The server had another re-offer pending; it is tried again.
    RetryReoffer,
}

impl Timer {
    const ALL: [Timer; 10] = [
        Timer::NoAnswer,
        Timer::RepeatOffer,
        Timer::Connect,
        Timer::Reconnect,
        Timer::Winner,
        Timer::Restart,
        Timer::Asked,
        Timer::RepeatReoffer,
        Timer::Unanswered,
        Timer::RetryReoffer,
    ];

    /// The timers that measure how long the other side takes to say something, which it cannot while this side's own
    /// signaling is down (IM-Suite §9, re-offer).
    const WAITING_FOR_WORDS: [Timer; 3] = [Timer::Asked, Timer::RepeatReoffer, Timer::Unanswered];
}

/// The deadline of each timer, if armed.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
    /// Since when the timers that wait for words stand still.
    held_since: Option<Instant>,
}

impl Timers {
    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        self.deadlines[timer as usize] = Some(at);
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.deadlines[timer as usize] = None;
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize].is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.deadlines = Default::default();
    }

    /// Stops the clock of the timers that wait for words.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.held_since.get_or_insert(now);
    }

    /// Lets that clock go on.
    pub(crate) fn release(&mut self, now: Instant) {
        let Some(since) = self.held_since.take() else {
            return;
        };
        let held = now.saturating_duration_since(since);
        for timer in Timer::WAITING_FOR_WORDS {
            if let Some(at) = &mut self.deadlines[timer as usize] {
                *at += held;
            }
        }
    }

    fn runs(&self, timer: Timer) -> bool {
        self.held_since.is_none() || !Timer::WAITING_FOR_WORDS.contains(&timer)
    }

    /// The next moment at which a timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let running = Timer::ALL.into_iter().filter(|timer| self.runs(*timer));
        running.filter_map(|timer| self.deadlines[timer as usize]).min()
    }

    /// Disarms and returns one timer that is due at `now`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due =
            |timer: &Timer| self.deadlines[*timer as usize].filter(|at| *at <= now && self.runs(*timer));
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

    #[test]
    fn the_clock_of_unanswered_words_stands_still_while_it_is_held() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.arm(Timer::Unanswered, at(30));
        timers.arm(Timer::Reconnect, at(40));
        timers.hold(at(10));
        assert_eq!(timers.next(), Some(at(40)), "a lost path does not wait");
        assert_eq!(timers.take_due(at(35)), None);
        timers.release(at(35));
        assert_eq!(timers.next(), Some(at(40)));
        assert_eq!(timers.take_due(at(54)), Some(Timer::Reconnect));
        assert_eq!(timers.take_due(at(54)), None);
        assert_eq!(timers.take_due(at(55)), Some(Timer::Unanswered));
    }
}
