//! When a person is told of the own microphone, and when that is taken back. Pure.

use std::time::{Duration, Instant};

/// The person speaks and is muted.
pub(crate) const TALKING_MUTED: &str = "talking_muted";
/// The microphone runs and gives nothing.
pub(crate) const MICROPHONE_SILENT: &str = "microphone_silent";

/// How long "you are muted" stands (chosen: long enough to read, gone before it nags).
const REMINDER: Duration = Duration::from_secs(6);

/// What the capture has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Noticed {
    pub(crate) muted: bool,
    /// How often speech under mute was noticed since the call began.
    pub(crate) muted_speech: u64,
    pub(crate) no_signal: bool,
}

/// A notice that appears or goes, by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Show(&'static str),
    Hide(&'static str),
}

/// What is shown of one call.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    muted_speech: u64,
    reminded: Option<Instant>,
    silent: bool,
}

impl Attention {
    /// Nothing comes from the microphone, so nobody can be said to hear it.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    pub(crate) fn handle(&mut self, now: Instant, noticed: Noticed) -> Vec<Change> {
        let mut changes = Vec::new();
        let spoke = noticed.muted_speech > self.muted_speech;
        self.muted_speech = noticed.muted_speech;
        if noticed.muted && spoke {
            self.reminded = Some(now);
            changes.push(Change::Show(TALKING_MUTED));
        } else if let Some(at) = self.reminded
            && (!noticed.muted || now.saturating_duration_since(at) >= REMINDER)
        {
            self.reminded = None;
            changes.push(Change::Hide(TALKING_MUTED));
        }
        // Whoever is muted is not heard either way; many headsets give nothing then.
        let silent = noticed.no_signal && !noticed.muted;
        if silent != self.silent {
            self.silent = silent;
            changes.push(if silent {
                Change::Show(MICROPHONE_SILENT)
            } else {
                Change::Hide(MICROPHONE_SILENT)
            });
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noticed(muted: bool, muted_speech: u64, no_signal: bool) -> Noticed {
        Noticed {
            muted,
            muted_speech,
            no_signal,
        }
    }

    #[test]
    fn talking_while_muted_is_said_once_and_taken_back_by_itself() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut attention = Attention::default();
        assert_eq!(attention.handle(at(0), noticed(true, 0, false)), []);
        let shown = [Change::Show(TALKING_MUTED)];
        assert_eq!(attention.handle(at(100), noticed(true, 1, false)), shown);
        assert_eq!(attention.handle(at(6_000), noticed(true, 1, false)), []);
        let hidden = [Change::Hide(TALKING_MUTED)];
        assert_eq!(attention.handle(at(6_100), noticed(true, 1, false)), hidden);
        assert_eq!(attention.handle(at(6_200), noticed(true, 1, false)), []);
        assert_eq!(attention.handle(at(30_000), noticed(true, 2, false)), shown);
    }

    #[test]
    fn who_unmutes_is_not_told_any_longer() {
        let now = Instant::now();
        let mut attention = Attention::default();
        attention.handle(now, noticed(true, 1, false));
        let hidden = [Change::Hide(TALKING_MUTED)];
        assert_eq!(attention.handle(now, noticed(false, 1, false)), hidden);
    }

    #[test]
    fn a_microphone_without_signal_is_said_until_it_has_one_but_not_to_the_muted() {
        let now = Instant::now();
        let mut attention = Attention::default();
        assert_eq!(attention.handle(now, noticed(true, 0, true)), []);
        let shown = [Change::Show(MICROPHONE_SILENT)];
        assert_eq!(attention.handle(now, noticed(false, 0, true)), shown);
        assert_eq!(attention.handle(now, noticed(false, 0, true)), []);
        let hidden = [Change::Hide(MICROPHONE_SILENT)];
        assert_eq!(attention.handle(now, noticed(false, 0, false)), hidden);
    }
}
