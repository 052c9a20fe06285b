//! When a device that was lost in a call is opened again. Pure: it is told the time.
//!
//! ```text
//! Whole ──lost──► Waiting ──poll_open──► Opening ──opened──► Whole
//!                    ▲                      │
//!                    └────────failed────────┘
//! ```
//!
//! One for each of microphone, speaker and camera. What is opened, and on which thread, is not known here.

use std::time::{Duration, Instant};

/// The wait after the first failure; doubled after each. The first attempt is made at once, because the next device is
/// usually there already (chosen, not measured).
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait: a sound server that comes back is found within a second.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// A device that is lost again so soon is not opened at once, or a broken one would be opened without end (chosen).
const LASTING: Duration = Duration::from_secs(5);

/// What becomes of one device.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    state: State,
    /// Attempts since the device last worked for [`LASTING`].
    attempts: u32,
    opened_at: Option<Instant>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Whole,
    Waiting {
        until: Instant,
    },
    Opening,
}

impl Recovery {
    /// The device is gone; the first attempt is due at once, unless it had only just been opened.
    pub(crate) fn handle_lost(&mut self, now: Instant) {
        let lasted = self
            .opened_at
            .is_none_or(|at| now.saturating_duration_since(at) >= LASTING);
        if lasted {
            self.attempts = 0;
        }
        self.wait(now);
    }

    /// An attempt has failed.
    pub(crate) fn handle_failed(&mut self, now: Instant) {
        if matches!(self.state, State::Opening) {
            self.wait(now);
        }
    }

    /// A device runs: by an attempt, or because the person chose another one.
    pub(crate) fn handle_opened(&mut self, now: Instant) {
        self.state = State::Whole;
        self.opened_at = Some(now);
    }

    /// Whether to open a device now; said once for each attempt.
    pub(crate) fn poll_open(&mut self, now: Instant) -> bool {
        let State::Waiting { until } = self.state else {
            return false;
        };
        if until > now {
            return false;
        }
        self.attempts += 1;
        self.state = State::Opening;
        true
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Whole | State::Opening => None,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    /// Whether the device that an attempt opened is still wanted.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening)
    }

    fn wait(&mut self, now: Instant) {
        let wait = match self.attempts {
            0 => Duration::ZERO,
            attempts => LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(attempts - 1)),
        };
        self.state = State::Waiting { until: now + wait };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds at which a device is opened that never works.
    fn attempts(recovery: &mut Recovery, start: Instant, count: usize) -> Vec<u128> {
        let mut at = Vec::new();
        while at.len() < count {
            let now = recovery.poll_timeout().expect("it goes on trying");
            assert!(recovery.poll_open(now));
            assert!(!recovery.poll_open(now), "one attempt at a time");
            assert!(recovery.is_opening());
            at.push((now - start).as_millis());
            recovery.handle_failed(now);
        }
        at
    }

    #[test]
    fn a_lost_device_is_opened_at_once_and_then_at_least_every_second() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        recovery.handle_lost(start);
        assert_eq!(attempts(&mut recovery, start, 6), [0, 100, 300, 700, 1200, 1700]);
    }

    #[test]
    fn a_device_that_dies_as_soon_as_it_is_opened_is_not_opened_without_end() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        for _ in 0..20 {
            recovery.handle_lost(start);
            recovery.poll_open(start);
            recovery.handle_opened(start);
        }
        recovery.handle_lost(start);
        assert!(recovery.poll_timeout().expect("another attempt") > start);
    }

    #[test]
    fn a_device_that_worked_for_a_while_is_opened_at_once_when_it_is_lost_again() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        recovery.handle_lost(start);
        attempts(&mut recovery, start, 5);
        recovery.handle_opened(start);
        recovery.handle_lost(start + LASTING);
        assert_eq!(recovery.poll_timeout(), Some(start + LASTING));
    }

    #[test]
    fn a_device_that_the_person_chose_meanwhile_ends_the_attempts() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        recovery.handle_lost(start);
        assert!(recovery.poll_open(start));
        recovery.handle_opened(start);
        recovery.handle_failed(start);
        assert!(recovery.is_whole());
        assert_eq!(recovery.poll_timeout(), None);
    }
}
