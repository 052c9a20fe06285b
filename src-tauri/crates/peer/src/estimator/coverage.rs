//! Which packets a feedback message speaks of at all.
//!
//! The library takes every packet before the newest acknowledged one for lost when it has no word of it. When a feedback
//! message is lost itself, that is a tenth of a second of packets; and at an even 20 % loss both ways a path would look
//! as if it lost more than a third.

use std::sync::{Mutex, PoisonError};

/// Messages between two takings; a compound packet holds few.
const MESSAGES: usize = 32;

/// Filled where feedback comes in, emptied where it is judged, both on the one driver task.
#[derive(Debug, Default)]
pub(crate) struct Coverage(Mutex<Vec<(u16, u16)>>);

/// What was told of since the last taking.
#[derive(Debug)]
pub(crate) struct Told(Vec<(u16, u16)>);

impl Coverage {
    /// A message tells of `count` packets from the transport-wide sequence number `base` on.
    pub(crate) fn note(&self, base: u16, count: u16) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() < MESSAGES {
            messages.push((base, count));
        }
    }

    pub(crate) fn take(&self) -> Told {
        Told(std::mem::take(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Told {
    pub(crate) fn covers(&self, sequence: u16) -> bool {
        self.0
            .iter()
            .any(|(base, count)| sequence.wrapping_sub(*base) < *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_over_the_wrap_and_are_taken_once() {
        let coverage = Coverage::default();
        coverage.note(65_530, 10);
        coverage.note(100, 1);
        let told = coverage.take();
        assert!(told.covers(65_530) && told.covers(3) && told.covers(100));
        assert!(!told.covers(65_529) && !told.covers(4) && !told.covers(101));
        assert!(!coverage.take().covers(100));
    }
}
