//! Inputs of this node's own connections that are not in the log yet.

use super::log::Stay;
use super::message::Message;
use crate::switchboard::Input;
use std::collections::VecDeque;
use std::time::Duration;

/// Inputs that wait (chosen: half a second of a busy node). When full, the connections wait and are not read.
pub(super) const MAX_PENDING: usize = 1024;
/// Inputs in one message, and bytes of their texts unless a single one is bigger (chosen).
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 * 1024;
/// Without any of them in the log for so long, all are sent again (chosen: the interval of heartbeats).
const RESEND: Duration = Duration::from_millis(500);

/// Numbered from 1 in each stay; a number is given up only when its input is in the log.
#[derive(Debug, Default)]
pub(super) struct Pending {
    inputs: VecDeque<Input>,
    /// Inputs of this stay that are in the log.
    logged: u64,
    /// How many of `inputs` are sent.
    sent: usize,
    /// When the first of them was sent, or one was found in the log.
    moved_at: Duration,
}

impl Pending {
    pub(super) fn push(&mut self, input: Input) {
        self.inputs.push_back(input);
    }

    pub(super) fn is_full(&self) -> bool {
        self.inputs.len() >= MAX_PENDING
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// The input with this number of the stay.
    pub(super) fn numbered(&self, number: u64) -> Option<&Input> {
        let place = number.checked_sub(self.logged + 1)?;
        self.inputs.get(usize::try_from(place).ok()?)
    }

    /// Takes notice of an own input in the log.
    pub(super) fn handle_logged(&mut self, now: Duration, number: u64) {
        if number == self.logged + 1 {
            self.inputs.pop_front();
            self.logged = number;
            self.sent = self.sent.saturating_sub(1);
            self.moved_at = now;
        }
    }

    /// Everything has to be sent again, as to a new sequencer.
    pub(super) fn forget_sent(&mut self) {
        self.sent = 0;
    }

    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.sent > 0 && now.saturating_sub(self.moved_at) >= RESEND
    }

    /// Begins a new stay: nothing of the connections is left, the accounts are as they are.
    pub(super) fn restart(&mut self) {
        let accounts = |input: &Input| matches!(input, Input::People(_));
        *self = Self {
            inputs: std::mem::take(&mut self.inputs)
                .into_iter()
                .filter(accounts)
                .collect(),
            ..Self::default()
        };
    }

    /// What is to be submitted next.
    pub(super) fn poll_submit(&mut self, now: Duration, from: Stay) -> Option<Message> {
        let mut bytes = 0;
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .skip(self.sent)
            .take(BATCH)
            .take_while(|input| {
                let fits = bytes < BATCH_BYTES;
                bytes += match input {
                    Input::Message { text, .. } => text.len(),
                    Input::Connected { .. }
                    | Input::Disconnected { .. }
                    | Input::People(_)
                    | Input::Time
                    | Input::Shutdown => 0,
                };
                fits
            })
            .cloned()
            .collect();
        if inputs.is_empty() {
            return None;
        }
        let first = self.logged + 1 + u64::try_from(self.sent).expect("a length fits");
        if self.sent == 0 {
            self.moved_at = now;
        }
        self.sent += inputs.len();
        Some(Message::Submit { from, first, inputs })
    }
}
