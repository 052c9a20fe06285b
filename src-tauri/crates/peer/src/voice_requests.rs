//! Which lost packets of voice are asked for again, and until when. Pure.
//!
//! A repair is worth its bytes when it comes before the buffer of the other end has played past it, so it is asked for at
//! once, often, and not for long. What is not repaired in time is rebuilt from the packets after it.

use ahoy_media::units::SequenceNumber;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After a packet is missed its repair must come within this: the buffer waits for later ones no longer.
const USEFUL: Duration = Duration::from_millis(110);
/// Between two requests for one packet, so that one request that is lost itself costs no round trip; who sends the repairs
/// knows which of them are under way.
const AGAIN: Duration = Duration::from_millis(15);
/// Packets missed at once at most: a longer loss is an outage, and over before its repairs would come.
const LONGEST_LOSS: i16 = 10;
/// Packets that were asked for and are remembered, to know their repairs.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct VoiceRequests {
    newest: Option<SequenceNumber>,
    missing: VecDeque<Missing>,
    /// Asked for, in the order they were missed; some have come.
    asked: VecDeque<SequenceNumber>,
}

#[derive(Debug)]
struct Missing {
    number: SequenceNumber,
    since: Instant,
    asked_at: Option<Instant>,
}

impl VoiceRequests {
    /// Takes the number of a packet that came; whether it had been asked for.
    pub(crate) fn handle_packet(&mut self, now: Instant, number: SequenceNumber) -> bool {
        let newest = *self.newest.get_or_insert(number);
        let ahead = number.since(newest);
        if ahead > 0 {
            self.newest = Some(number);
            if ahead <= LONGEST_LOSS {
                let mut lost = newest.next();
                while lost != number {
                    self.missing.push_back(Missing {
                        number: lost,
                        since: now,
                        asked_at: None,
                    });
                    lost = lost.next();
                }
            } else {
                self.missing.clear();
            }
            return false;
        }
        self.missing.retain(|missing| missing.number != number);
        self.asked.contains(&number)
    }

    /// The numbers to ask for now, where a request and its answer take `round_trip`.
    pub(crate) fn poll_request(&mut self, now: Instant, round_trip: Duration) -> Vec<u16> {
        let missed_for = |missing: &Missing| now.saturating_duration_since(missing.since);
        self.missing
            .retain(|missing| missed_for(missing) + round_trip <= USEFUL);
        let mut numbers = Vec::new();
        for missing in &mut self.missing {
            let asked = missing.asked_at.map(|at| now.saturating_duration_since(at));
            if asked.is_some_and(|ago| ago < AGAIN) {
                continue;
            }
            if missing.asked_at.replace(now).is_none() {
                if self.asked.len() == REMEMBERED {
                    self.asked.pop_front();
                }
                self.asked.push_back(missing.number);
            }
            numbers.push(missing.number.as_u16());
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    struct Stream {
        requests: VoiceRequests,
        begin: Instant,
    }

    impl Stream {
        fn new() -> Self {
            Self {
                requests: VoiceRequests::default(),
                begin: Instant::now(),
            }
        }

        /// What is asked for after a packet that came so many milliseconds after the beginning.
        fn came(&mut self, number: u16, milliseconds: u64) -> (bool, Vec<u16>) {
            let now = self.begin + Duration::from_millis(milliseconds);
            let repaired = self.requests.handle_packet(now, SequenceNumber::new(number));
            (repaired, self.requests.poll_request(now, ROUND_TRIP))
        }
    }

    #[test]
    fn what_is_missing_is_asked_for_at_once_and_until_it_comes() {
        let mut stream = Stream::new();
        assert_eq!(stream.came(65_534, 0), (false, vec![]));
        assert_eq!(stream.came(1, 60), (false, vec![65_535, 0]));
        assert_eq!(stream.came(2, 80), (false, vec![65_535, 0]));
        assert_eq!(stream.came(65_535, 85), (true, vec![]));
        assert_eq!(stream.came(3, 100), (false, vec![0]));
        assert_eq!(stream.came(0, 110), (true, vec![]));
        assert_eq!(stream.came(4, 120), (false, vec![]));
    }

    #[test]
    fn nothing_is_asked_for_that_would_come_too_late() {
        let mut stream = Stream::new();
        stream.came(1, 0);
        assert_eq!(stream.came(3, 40).1, [2]);
        assert_eq!(stream.came(4, 60).1, [2]);
        assert_eq!(stream.came(5, 100).1, [2]);
        assert!(stream.came(6, 120).1.is_empty());
        assert_eq!(
            stream.came(2, 130),
            (true, vec![]),
            "late, but no measure of the network"
        );
        let mut far = Stream::new();
        far.came(1, 0);
        let now = far.begin + Duration::from_millis(40);
        far.requests.handle_packet(now, SequenceNumber::new(3));
        assert!(
            far.requests
                .poll_request(now, Duration::from_millis(150))
                .is_empty()
        );
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_no_repair_unless_it_was_asked_for() {
        let mut stream = Stream::new();
        stream.came(1, 0);
        let now = stream.begin + Duration::from_millis(21);
        assert!(!stream.requests.handle_packet(now, SequenceNumber::new(3)));
        assert!(!stream.requests.handle_packet(now, SequenceNumber::new(2)));
        assert!(stream.requests.poll_request(now, ROUND_TRIP).is_empty());
    }

    #[test]
    fn an_outage_is_not_asked_for() {
        let mut stream = Stream::new();
        stream.came(1, 0);
        assert!(stream.came(500, 10_000).1.is_empty());
        assert_eq!(stream.came(502, 10_040).1, [501]);
    }
}
