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
/// The last packet is sent so often, because a lost end is a digit that goes on (RFC 4733 §2.5.1.4).
const ENDS: usize = 3;
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

/// The digits that wait, and the one that is pressed.
#[derive(Debug, Default)]
pub(crate) struct DigitSender {
    waiting: VecDeque<u8>,
    pressed: Option<Pressed>,
    /// Voice goes on until then.
    resumes_at: Option<RtpTime>,
    /// When the frame before began.
    last: Option<RtpTime>,
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

    /// Takes the time of a voice frame; returns what is sent in its place; nothing = the frame itself.
    pub(crate) fn handle_frame(&mut self, rtp_time: RtpTime, codec: AudioCodec) -> Vec<EventPacket> {
        let ticks = |milliseconds: u32| audio_clock_rate(codec) / 1000 * milliseconds;
        // Frames are alike but for the rare change, so the one before tells how long this one is.
        let before = self.last.replace(rtp_time).map(|last| rtp_time.since(last));
        let frame = before
            .and_then(|before| u32::try_from(before).ok())
            .filter(|before| (ticks(*FRAMES.start())..=ticks(*FRAMES.end())).contains(before))
            .unwrap_or(ticks(USUAL_FRAME));
        if self.pressed.is_none() {
            if self.resumes_at.is_some_and(|at| rtp_time.since(at) < 0) {
                return Vec::new();
            }
            self.resumes_at = None;
            let Some(event) = self.waiting.pop_front() else {
                return Vec::new();
            };
            self.pressed = Some(Pressed {
                event,
                began: rtp_time,
                told: false,
            });
        }
        let Some(pressed) = &mut self.pressed else {
            return Vec::new();
        };
        let end = rtp_time.plus(frame);
        let duration = end.since(pressed.began).unsigned_abs();
        let ended = duration >= ticks(PRESSED);
        let packet = pressed.packet(duration, ended);
        pressed.told = true;
        if !ended {
            return vec![packet];
        }
        self.pressed = None;
        self.resumes_at = Some(end.plus(ticks(PAUSE)));
        vec![packet; ENDS]
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
    last: Option<RtpTime>,
}

impl DigitReceiver {
    /// Takes an event packet; a digit at the first one that came of it.
    pub(crate) fn handle_packet(&mut self, rtp_time: RtpTime, payload: &[u8]) -> Option<char> {
        let known = self.last.is_some_and(|last| rtp_time.since(last) <= 0);
        let digit = key(*payload.first()?)?;
        if known || payload.len() < 4 {
            return None;
        }
        self.last = Some(rtp_time);
        Some(digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(digits: &str, codec: AudioCodec, frames: u32) -> Vec<Vec<EventPacket>> {
        dial_in(digits, codec, frames, USUAL_FRAME)
    }

    /// In frames of so many milliseconds.
    fn dial_in(digits: &str, codec: AudioCodec, frames: u32, milliseconds: u32) -> Vec<Vec<EventPacket>> {
        let mut sender = DigitSender::default();
        let digits = digits.parse().expect("all keys");
        sender.handle_digits(&digits).expect("there is room");
        let ticks = audio_clock_rate(codec) / 1000 * milliseconds;
        let frame = |n| sender.handle_frame(RtpTime::new(u32::MAX - 500).plus(n * ticks), codec);
        (0..frames).map(frame).collect()
    }

    #[test]
    fn a_digit_takes_the_place_of_five_frames_and_ends_three_times() {
        let sent = dial("5", AudioCodec::Opus, 8);
        let began = RtpTime::new(u32::MAX - 500);
        let packet = |marker, payload| EventPacket {
            marker,
            rtp_time: began,
            payload,
        };
        assert_eq!(sent[0], [packet(true, [5, 10, 0x03, 0xc0])]);
        assert_eq!(sent[3], [packet(false, [5, 10, 0x0f, 0x00])]);
        assert_eq!(sent[4], vec![packet(false, [5, 0x8a, 0x12, 0xc0]); 3]);
        assert!(sent[5..].iter().all(Vec::is_empty), "{sent:?}");
    }

    #[test]
    fn in_longer_frames_a_digit_takes_as_many_as_it_needs() {
        let sent = dial_in("57", AudioCodec::Opus, 8, 60);
        // The first packet cannot know yet how long its frame is.
        let durations: Vec<Vec<u16>> = sent
            .iter()
            .map(|packets| {
                let duration =
                    |packet: &EventPacket| u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
                packets.iter().map(duration).collect()
            })
            .collect();
        let (ends, none) = (vec![5_760; 3], Vec::new());
        assert_eq!(
            durations,
            [
                vec![960],
                ends.clone(),
                none.clone(),
                none.clone(),
                vec![2_880],
                ends,
                none.clone(),
                none
            ]
        );
    }

    #[test]
    fn digits_are_told_apart_by_voice_and_by_their_time() {
        let sent = dial("#d", AudioCodec::Pcmu, 20);
        let began: Vec<u32> = sent
            .iter()
            .flatten()
            .map(|packet| packet.rtp_time.as_u32())
            .collect();
        assert_eq!(began[0].wrapping_add(9 * 160), began[began.len() - 1]);
        let mut receiver = DigitReceiver::default();
        let heard: String = sent
            .iter()
            .flatten()
            .filter_map(|packet| receiver.handle_packet(packet.rtp_time, &packet.payload))
            .collect();
        assert_eq!(heard, "#D");
    }

    #[test]
    fn a_lost_beginning_loses_no_digit_and_junk_is_none() {
        let sent = dial("7", AudioCodec::Opus, 6);
        let end = &sent[4][2];
        let mut receiver = DigitReceiver::default();
        for junk in [&[][..], &[7], &[16, 10, 0, 1], &[255; 9]] {
            assert_eq!(receiver.handle_packet(RtpTime::new(1), junk), None);
        }
        assert_eq!(receiver.handle_packet(end.rtp_time, &end.payload), Some('7'));
        assert_eq!(receiver.handle_packet(end.rtp_time, &end.payload), None);
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
