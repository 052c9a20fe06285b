//! What waits for a device whose socket is gone (IM-Suite §9 resume, §16.18).

use super::message::{Kind, with_media_of};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Messages that wait at most (IM-Suite §9).
const MAX_MESSAGES: usize = 64;
/// Bytes that wait at most (IM-Suite §9).
const MAX_BYTES: usize = 256 * 1024;

/// Messages for one device in order; on overflow the oldest candidate goes first, then the oldest status.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backlog {
    queue: VecDeque<(Kind, String)>,
    bytes: usize,
}

/// The messages that may not be dropped are too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Backlog {
    pub(super) fn push(&mut self, kind: Kind, text: String) -> Result<(), Overflow> {
        let text = match kind {
            Kind::Status => match self.take_oldest(Kind::Status) {
                Some(older) => with_media_of(&older, text),
                None => text,
            },
            Kind::Offer
            | Kind::Answer
            | Kind::Ice
            | Kind::End
            | Kind::Error
            | Kind::Renegotiate
            | Kind::Other => text,
        };
        self.bytes += text.len();
        self.queue.push_back((kind, text));
        while self.queue.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            if self.take_oldest(Kind::Ice).is_none() && self.take_oldest(Kind::Status).is_none() {
                return Err(Overflow);
            }
        }
        Ok(())
    }

    pub(super) fn into_texts(self) -> impl Iterator<Item = String> {
        self.queue.into_iter().map(|(_, text)| text)
    }

    fn take_oldest(&mut self, kind: Kind) -> Option<String> {
        let position = self.queue.iter().position(|(queued, _)| *queued == kind)?;
        let (_, text) = self.queue.remove(position)?;
        self.bytes -= text.len();
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_the_newest_status() {
        let mut backlog = Backlog::default();
        for text in ["1", "2", "3"] {
            backlog.push(Kind::Status, text.into()).unwrap();
        }
        assert_eq!(backlog.into_texts().collect::<Vec<_>>(), ["3"]);
    }

    #[test]
    fn a_mute_is_not_lost_with_its_status() {
        let mut backlog = Backlog::default();
        for payload in [r#"{"media":{"audio":"muted"},"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#] {
            backlog
                .push(Kind::Status, format!(r#"{{"payload":{payload}}}"#))
                .unwrap();
        }
        assert_eq!(
            backlog.into_texts().collect::<Vec<_>>(),
            [r#"{"payload":{"media":{"audio":"muted"},"n":3}}"#]
        );
    }

    #[test]
    fn candidates_give_way_first_and_ends_never() {
        let mut backlog = Backlog::default();
        backlog.push(Kind::End, "end".into()).unwrap();
        backlog.push(Kind::Status, "status".into()).unwrap();
        for number in 0..MAX_MESSAGES {
            backlog.push(Kind::Ice, number.to_string()).unwrap();
        }
        let texts: Vec<_> = backlog.into_texts().collect();
        assert_eq!(texts.len(), MAX_MESSAGES);
        assert_eq!(&texts[..3], ["end", "status", "2"]);
    }

    #[test]
    fn offers_and_answers_alone_overflow() {
        let mut backlog = Backlog::default();
        for _ in 0..MAX_MESSAGES {
            backlog.push(Kind::Answer, String::new()).unwrap();
        }
        assert_eq!(backlog.push(Kind::Answer, String::new()), Err(Overflow));
        let mut backlog = Backlog::default();
        assert_eq!(
            backlog.push(Kind::Offer, "x".repeat(MAX_BYTES + 1)),
            Err(Overflow)
        );
    }
}
