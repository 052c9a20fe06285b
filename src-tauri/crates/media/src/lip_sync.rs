//! When to show received pictures, so that they come with their sound.
//!
//! Sound waits in the jitter buffer and for the sound card, pictures are decoded as they come. By the sender reports of both
//! streams each picture can wait for the sound of its moment (RFC 3550 §6.4.1); the sound never waits for a picture.
//! [`Alignment`] decides and is told the time; [`LipSync`] is where the threads of the two pipelines meet. Neither knows what
//! a picture or a sound is.

mod picture_delay;
mod sender_clock;
#[cfg(test)]
mod tests;

use crate::packet::SenderReport;
use crate::units::{NtpTime, RtpTime};
use picture_delay::PictureDelay;
use sender_clock::SenderClock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Seconds that a picture is handed over before its sound leaves the speaker's queue: what lies behind the queue, the sound
/// card, is about as long as what lies behind the hand-over, the window and the display. So this is what the sound comes
/// late by, which nobody notices (ITU-R BT.1359-1: 125 ms), and what pictures need not wait.
const LEAD: f64 = 0.020;

/// Seconds in which the measured delay of the sound is followed: the queue of the speaker is seen in steps of its period.
const FOLLOWED_IN: f64 = 0.5;

/// Seconds by which the delay of the sound jumps when it began anew; less is unevenness.
const BEGAN_ANEW: f64 = 0.1;

/// Nothing said of the sound for so long: it stopped.
const SOUND_IS_GONE: Duration = Duration::from_millis(500);

/// A moment of received sound on its way out of the speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardAt {
    pub ssrc: u32,
    pub rtp_time: RtpTime,
    /// When it is heard.
    pub at: Instant,
}

/// The two streams of one sender.
#[derive(Debug)]
pub struct Alignment {
    sound: SenderClock,
    picture: SenderClock,
    in_sync: bool,
    /// The sender says nothing of having muted its sound.
    audible: bool,
    heard: Option<Heard>,
    /// The last one that was shown.
    shown: Option<(Instant, NtpTime)>,
    delay: PictureDelay,
    /// Where the two clocks are counted from, so that numbers stay small: ours and the sender's.
    origin: Option<(Instant, NtpTime)>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    last: HeardAt,
    told_at: Instant,
    /// From the moment of the sender to that of hearing, in seconds between the two origins; smoothed.
    transit: Option<f64>,
}

impl Default for Alignment {
    fn default() -> Self {
        Self {
            sound: SenderClock::default(),
            picture: SenderClock::default(),
            in_sync: false,
            audible: true,
            heard: None,
            shown: None,
            delay: PictureDelay::default(),
            origin: None,
        }
    }
}

impl Alignment {
    /// Takes a report about the sound.
    pub fn handle_sound_report(&mut self, now: Instant, report: SenderReport) {
        self.in_sync = report.in_sync;
        self.origin.get_or_insert((now, report.ntp_time));
        self.sound.handle_report(report);
    }

    /// Takes a report about the pictures.
    pub fn handle_picture_report(&mut self, now: Instant, report: SenderReport) {
        self.in_sync = report.in_sync;
        self.origin.get_or_insert((now, report.ntp_time));
        self.picture.handle_report(report);
    }

    /// Hears whether anything can be heard: a muted sender sends silence, which no picture needs to wait for.
    pub fn set_audible(&mut self, audible: bool) {
        self.audible = audible;
    }

    /// Hears what is about to be heard; `None` while nothing is played.
    pub fn handle_heard(&mut self, now: Instant, heard: Option<HeardAt>) {
        let Some(last) = heard else {
            self.heard = None;
            return;
        };
        let measured = self.sound.ntp_time(last.ssrc, last.rtp_time);
        let measured = measured.and_then(|ntp| self.transit(last.at, ntp));
        let before = self
            .heard
            .and_then(|before| before.transit.map(|transit| (before.told_at, transit)));
        let transit = match (before, measured) {
            (Some((told_at, before)), Some(measured)) if (measured - before).abs() < BEGAN_ANEW => {
                let passed = seconds(told_at, now);
                Some(before + (measured - before) * (passed / FOLLOWED_IN).clamp(0.0, 1.0))
            }
            (_, measured) => measured,
        };
        self.heard = Some(Heard {
            last,
            told_at: now,
            transit,
        });
    }

    /// When to show a picture that is there from `now` on.
    pub fn show_at(&mut self, now: Instant, ssrc: u32, rtp_time: RtpTime) -> Instant {
        let taken_at = self.picture.ntp_time(ssrc, rtp_time);
        match taken_at.and_then(|taken_at| self.transit(now, taken_at)) {
            Some(transit) => self.delay.show_at(now, transit, self.wanted(now)),
            None => {
                self.delay = PictureDelay::default();
                now
            }
        }
    }

    /// Hears that a picture was shown.
    pub fn handle_shown(&mut self, now: Instant, ssrc: u32, rtp_time: RtpTime) {
        self.shown = self.picture.ntp_time(ssrc, rtp_time).map(|taken| (now, taken));
    }

    /// The moment of the sender whose sound is heard `now` (webrtc-stats, `estimatedPlayoutTimestamp`); `None` while
    /// nothing is, and before a report.
    pub fn sound_playout(&self, now: Instant) -> Option<NtpTime> {
        let last = self.heard_lately(now)?.last;
        let taken = self.sound.ntp_time(last.ssrc, last.rtp_time)?;
        Some(taken.plus(seconds(last.at, now)))
    }

    /// As above for the picture; it goes on with the time since the last one.
    pub fn picture_playout(&self, now: Instant) -> Option<NtpTime> {
        self.shown.map(|(at, taken)| taken.plus(seconds(at, now)))
    }

    /// The transit that pictures should have; `None` while they have nothing to wait for.
    fn wanted(&self, now: Instant) -> Option<f64> {
        let heard = self.heard_lately(now).filter(|_| self.in_sync && self.audible)?;
        Some(heard.transit? - LEAD)
    }

    fn heard_lately(&self, now: Instant) -> Option<Heard> {
        let is_late = |heard: &Heard| now.saturating_duration_since(heard.told_at) <= SOUND_IS_GONE;
        self.heard.filter(is_late)
    }

    /// Seconds from a moment of the sender to one here, on clocks that do not know of each other.
    fn transit(&self, here: Instant, there: NtpTime) -> Option<f64> {
        let (ours, theirs) = self.origin?;
        Some(seconds(ours, here) - there.since(theirs))
    }
}

/// Seconds from `earlier` to `later`, negative when they are the other way round.
fn seconds(earlier: Instant, later: Instant) -> f64 {
    match later.checked_duration_since(earlier) {
        Some(time) => time.as_secs_f64(),
        None => -earlier.saturating_duration_since(later).as_secs_f64(),
    }
}

/// One [`Alignment`] for the threads of both pipelines; clones share it. Locked for a few additions at a time.
#[derive(Debug, Clone, Default)]
pub struct LipSync {
    shared: Arc<Mutex<Alignment>>,
}

impl LipSync {
    /// The decisions cannot panic half-way, so a poisoned state is whole.
    pub fn lock(&self) -> MutexGuard<'_, Alignment> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
