//! Digits of a telephone (DTMF) as events among the voice packets (RFC 4733).
//!
//! Pure. The voice frames are the clock: while a digit is pressed each of them gives way to an event packet.

use crate::codec::audio_clock_rate;
use crate::config::AudioCodec;
use ahoy_media::units::RtpTime;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// Event numbers 0 to 15 in the order of RFC 4733 §3.2.
const KEYS: &str = "0123456789*#ABCD";
/// Digits that wait at most: no number is longer, and they take 180 ms each.
const MOST: usize = 64;
/// Milliseconds of a frame of voice: of the first one, and of any.
const USUAL_FRAME: u32 = 20;
const FRAMES: std::ops::RangeInclusive<u32> = 10..=120;
/// How long a digit is pressed at least, milliseconds: as browsers do.
const PRESSED: u32 = 100;
/// Of voice between two digits, milliseconds, so that each is heard as one of its own.
const PAUSE: u32 = 80;
/// The last packet is sent so often, one for each 20 ms of voice as the others are, because a lost end is a digit that goes
/// on. RFC 4733 §2.5.1.4 asks for three; with two more, a path that loses 40 % loses one digit of four thousand.
const ENDS: u32 = 5;
/// dBm0 below zero, as browsers say it.
const VOLUME: u8 = 10;
const END_BIT: u8 = 0x80;

/// What is dialled: 0 to 9, `*`, `#` and A to D, at least one and at most 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(Vec<u8>);

/// A text that cannot be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDigits {
    #[error("{0:?} is no key of a telephone: 0 to 9, *, #, A to D")]
    NoKey(char),
    #[error("{0} digits; 1 to {MOST} can be sent at once")]
    Count(usize),
}

impl FromStr for Digits {
    type Err = BadDigits;

    fn from_str(text: &str) -> Result<Self, BadDigits> {
        let event = |key: char| {
            let found = KEYS.find(key.to_ascii_uppercase());
            found.map(|event| event as u8).ok_or(BadDigits::NoKey(key))
        };
        let events = text.chars().map(event).collect::<Result<Vec<u8>, _>>()?;
        match events.len() {
            1..=MOST => Ok(Self(events)),
            count => Err(BadDigits::Count(count)),
        }
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&event| match key(event) {
            Some(key) => write!(f, "{key}"),
            None => Ok(()),
        })
    }
}

fn key(event: u8) -> Option<char> {
    KEYS.chars().nth(event.into())
}

/// Why digits were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigitsRefused {
    #[error("the other side takes no digits")]
    NotNegotiated,
    #[error("too many digits wait to be sent")]
    TooMany,
}

/// One packet of an event, without the header that all packets have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventPacket {
    /// The first packet of an event.
    pub(crate) marker: bool,
    /// When the event began.
    pub(crate) rtp_time: RtpTime,
    pub(crate) payload: [u8; 4],
}

/// What becomes of a frame of voice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialled {
    /// What is sent of a digit.
    pub(crate) events: Vec<EventPacket>,
    /// The voice gives way to it.
    pub(crate) replaces_voice: bool,
}

/// The digits that wait, and the one that is pressed.
#[derive(Debug, Default)]
pub(crate) struct DigitSender {
    waiting: VecDeque<u8>,
    pressed: Option<Pressed>,
    /// The last packet of the digit before, and how often it is still sent.
    ending: Option<(EventPacket, u32)>,
    /// Voice goes on until then.
    resumes_at: Option<RtpTime>,
    /// When the frame before began.
    last: Option<RtpTime>,
    /// Hz, of all these times.
    clock: Option<u32>,
}

#[derive(Debug)]
struct Pressed {
    event: u8,
    began: RtpTime,
    told: bool,
}

impl DigitSender {
    /// All of them or none.
    pub(crate) fn handle_digits(&mut self, digits: &Digits) -> Result<(), DigitsRefused> {
        if self.waiting.len() + digits.0.len() > MOST {
            return Err(DigitsRefused::TooMany);
        }
        self.waiting.extend(&digits.0);
        Ok(())
    }

    /// Takes the time of a voice frame; returns what is sent beside it or in its place.
    pub(crate) fn handle_frame(&mut self, rtp_time: RtpTime, codec: AudioCodec) -> Dialled {
        let clock = audio_clock_rate(codec);
        let ticks = |milliseconds: u32| clock / 1000 * milliseconds;
        if self.clock.replace(clock).is_some_and(|before| before != clock) {
            // Times of another clock say nothing here. A pressed digit was heard at its first packet.
            (self.pressed, self.ending, self.resumes_at, self.last) = (None, None, None, None);
        }
        // Frames are alike but for the rare change, so the one before tells how long this one is.
        let before = self.last.replace(rtp_time).map(|last| rtp_time.since(last));
        let frame = before
            .and_then(|before| u32::try_from(before).ok())
            .filter(|before| (ticks(*FRAMES.start())..=ticks(*FRAMES.end())).contains(before))
            .unwrap_or(ticks(USUAL_FRAME));
        // As many packets of an end as there would be in frames of the usual length.
        let repeats = (frame / ticks(USUAL_FRAME)).max(1);
        if self.pressed.is_none() {
            if self.ending.is_some() || self.resumes_at.is_some_and(|at| rtp_time.since(at) < 0) {
                return Dialled {
                    events: self.ends(repeats),
                    replaces_voice: false,
                };
            }
            self.resumes_at = None;
            let Some(event) = self.waiting.pop_front() else {
                return Dialled::default();
            };
            self.pressed = Some(Pressed {
                event,
                began: rtp_time,
                told: false,
            });
        }
        let Some(pressed) = &mut self.pressed else {
            return Dialled::default();
        };
        let end = rtp_time.plus(frame);
        let duration = end.since(pressed.began).unsigned_abs();
        let ended = duration >= ticks(PRESSED);
        let packet = pressed.packet(duration, ended);
        pressed.told = true;
        let mut events = vec![packet.clone()];
        if ended {
            self.pressed = None;
            self.resumes_at = Some(end.plus(ticks(PAUSE)));
            let repeated = EventPacket {
                marker: false,
                ..packet
            };
            self.ending = Some((repeated, ENDS - 1));
            events.extend(self.ends(repeats - 1));
        }
        Dialled {
            events,
            replaces_voice: true,
        }
    }

    /// So many of the packets that are left of an end.
    fn ends(&mut self, most: u32) -> Vec<EventPacket> {
        let Some((packet, left)) = self.ending.take() else {
            return Vec::new();
        };
        let now = most.min(left);
        let events = vec![packet.clone(); now as usize];
        self.ending = (left > now).then(|| (packet, left - now));
        events
    }
}

impl Pressed {
    /// `duration`: RTP ticks since it began.
    fn packet(&self, duration: u32, ended: bool) -> EventPacket {
        let [high, low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
        EventPacket {
            marker: !self.told,
            rtp_time: self.began,
            payload: [
                self.event,
                if ended { END_BIT | VOLUME } else { VOLUME },
                high,
                low,
            ],
        }
    }
}

/// Tells the digits of the other side, each once.
#[derive(Debug, Default)]
pub(crate) struct DigitReceiver {
    /// Of the last one: the stream with its payload type, whose clock the times are in, and when it began.
    last: Option<((u32, u8), RtpTime)>,
}

impl DigitReceiver {
    /// Takes an event packet of a stream; a digit at the first one that came of it.
    pub(crate) fn handle_packet(
        &mut self,
        ssrc: u32,
        payload_type: u8,
        rtp_time: RtpTime,
        payload: &[u8],
    ) -> Option<char> {
        let stream = (ssrc, payload_type);
        let known = self
            .last
            .is_some_and(|(its, last)| its == stream && rtp_time.since(last) <= 0);
        let digit = key(*payload.first()?)?;
        if known || payload.len() < 4 {
            return None;
        }
        self.last = Some((stream, rtp_time));
        Some(digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(digits: &str, codec: AudioCodec, frames: u32) -> Vec<Dialled> {
        dial_in(digits, codec, frames, USUAL_FRAME)
    }

    /// In frames of so many milliseconds.
    fn dial_in(digits: &str, codec: AudioCodec, frames: u32, milliseconds: u32) -> Vec<Dialled> {
        let mut sender = DigitSender::default();
        let digits = digits.parse().expect("all keys");
        sender.handle_digits(&digits).expect("there is room");
        let ticks = audio_clock_rate(codec) / 1000 * milliseconds;
        let frame = |n| sender.handle_frame(RtpTime::new(u32::MAX - 500).plus(n * ticks), codec);
        (0..frames).map(frame).collect()
    }

    #[test]
    fn a_digit_takes_the_place_of_five_frames_and_its_end_is_repeated_beside_the_next_four() {
        let sent = dial("5", AudioCodec::Opus, 12);
        let began = RtpTime::new(u32::MAX - 500);
        let dialled = |replaces_voice, marker, payload| Dialled {
            events: vec![EventPacket {
                marker,
                rtp_time: began,
                payload,
            }],
            replaces_voice,
        };
        assert_eq!(sent[0], dialled(true, true, [5, 10, 0x03, 0xc0]));
        assert_eq!(sent[3], dialled(true, false, [5, 10, 0x0f, 0x00]));
        let end = [5, 0x8a, 0x12, 0xc0];
        assert_eq!(sent[4], dialled(true, false, end));
        for repeated in &sent[5..9] {
            assert_eq!(*repeated, dialled(false, false, end));
        }
        assert!(
            sent[9..].iter().all(|frame| *frame == Dialled::default()),
            "{sent:?}"
        );
    }

    #[test]
    fn in_longer_frames_a_digit_takes_as_many_as_it_needs() {
        // Durations of the events of each frame, and whether the voice gives way.
        let durations = |milliseconds, frames| -> Vec<(Vec<u16>, bool)> {
            let sent = dial_in("57", AudioCodec::Opus, frames, milliseconds);
            let duration = |packet: &EventPacket| u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
            sent.iter()
                .map(|frame| (frame.events.iter().map(duration).collect(), frame.replaces_voice))
                .collect()
        };
        let none = || (Vec::new(), false);
        assert_eq!(
            durations(60, 8),
            [
                // The first packet cannot know yet how long its frame is.
                (vec![960], true),
                (vec![5_760; 3], true),
                (vec![5_760; 2], false),
                none(),
                (vec![2_880], true),
                (vec![5_760; 3], true),
                (vec![5_760; 2], false),
                none()
            ]
        );
        let (long, _): (Vec<_>, Vec<_>) = durations(120, 6).into_iter().unzip();
        assert_eq!(
            long,
            [vec![960], vec![11_520; 5], vec![], vec![5_760; 5], vec![], vec![]]
        );
    }

    #[test]
    fn digits_are_told_apart_by_voice_and_by_their_time() {
        let sent = dial("#d", AudioCodec::Pcmu, 20);
        let events: Vec<&EventPacket> = sent.iter().flat_map(|frame| &frame.events).collect();
        let began: Vec<u32> = events.iter().map(|packet| packet.rtp_time.as_u32()).collect();
        assert_eq!(began[0].wrapping_add(9 * 160), began[began.len() - 1]);
        let mut receiver = DigitReceiver::default();
        let heard: String = events
            .iter()
            .filter_map(|packet| receiver.handle_packet(1, 110, packet.rtp_time, &packet.payload))
            .collect();
        assert_eq!(heard, "#D");
    }

    #[test]
    fn a_lost_beginning_loses_no_digit_and_junk_is_none() {
        let sent = dial("7", AudioCodec::Opus, 6);
        let end = &sent[5].events[0];
        let mut receiver = DigitReceiver::default();
        for junk in [&[][..], &[7], &[16, 10, 0, 1], &[255; 9]] {
            assert_eq!(receiver.handle_packet(1, 110, RtpTime::new(1), junk), None);
        }
        assert_eq!(
            receiver.handle_packet(1, 110, end.rtp_time, &end.payload),
            Some('7')
        );
        assert_eq!(receiver.handle_packet(1, 110, end.rtp_time, &end.payload), None);
    }

    #[test]
    fn a_change_of_clock_begins_anew_at_both_ends() {
        let mut sender = DigitSender::default();
        let mut receiver = DigitReceiver::default();
        sender
            .handle_digits(&"12".parse().expect("all keys"))
            .expect("there is room");
        let first = sender.handle_frame(RtpTime::new(960_000), AudioCodec::Opus);
        assert_eq!(first.events[0].payload, [1, 10, 0x03, 0xc0]);
        // 20 s at 48 kHz are 20 s at 8 kHz, too: the numbers are smaller.
        let second = sender.handle_frame(RtpTime::new(160_160), AudioCodec::Pcmu);
        assert_eq!(
            second.events[0].payload,
            [2, 10, 0x00, 0xa0],
            "the next one, in its clock"
        );
        let heard = [(110, &first), (126, &second), (126, &second)].map(|(number, sent)| {
            receiver.handle_packet(1, number, sent.events[0].rtp_time, &sent.events[0].payload)
        });
        assert_eq!(heard, [Some('1'), Some('2'), None]);
        // As does another stream.
        let again = receiver.handle_packet(2, 126, RtpTime::new(0), &second.events[0].payload);
        assert_eq!(again, Some('2'));
    }

    #[test]
    fn what_cannot_be_dialled_is_named() {
        assert_eq!("1x".parse::<Digits>(), Err(BadDigits::NoKey('x')));
        assert_eq!("".parse::<Digits>(), Err(BadDigits::Count(0)));
        assert_eq!("1".repeat(65).parse::<Digits>(), Err(BadDigits::Count(65)));
        assert_eq!("0*#a".parse::<Digits>().expect("all keys").to_string(), "0*#A");
        let mut sender = DigitSender::default();
        let many = "1".repeat(64).parse().expect("all keys");
        assert_eq!(sender.handle_digits(&many), Ok(()));
        assert_eq!(sender.handle_digits(&many), Err(DigitsRefused::TooMany));
    }
}
