//! What the network and both sides' limits make of voice and picture: one ladder. Pure, told the time. What the processor
//! cannot encode is taken off behind it, where encoding is measured.
//!
//! Voice first. The picture gets what is left: smaller and slower as that shrinks, single pictures, then none; and climbs
//! back by itself. Down soon, up after a while.

mod fallback;
mod rungs;
mod sound;

use crate::settings::Limits;
use ahoy_call::Constraints;
use ahoy_media::units::{Bitrate, Resolution};
use ahoy_media::video::send::VideoLimits;
use ahoy_media::video::send::stats::QualityLimitationReason;
use fallback::Fallback;
use rungs::{OFF, RUNGS, Rung, SMALLEST_MOVING, STILLS};
pub(crate) use sound::SoundRange;
use sound::{Frames, headers};
use std::time::{Duration, Instant};

/// What voice takes below [`NARROW`], where 16 kbit/s more are the difference between a picture and none.
const LEAN_VOICE: Bitrate = Bitrate::from_kbps(24);
const NARROW: Bitrate = Bitrate::from_kbps(200);

/// Part of what is left that the picture's headers take, and the overshoot of its encoder.
const HEADROOM: f64 = 0.10;
/// Repairs take what is lost, at most this part.
const MOST_REPAIRS: f64 = 0.30;

/// A rung that is a little too dear is left after this long, since each change of size is a keyframe on a path that has no
/// room for it; one that costs twice what there is, at once, though not for
/// stills: an estimate may be that low for a moment.
const FALL_AFTER: Duration = Duration::from_millis(500);
/// A higher rung must be affordable for so long: a path that was just found is believed soon,
const CLIMB_AFTER: Duration = Duration::from_millis(300);
/// one that has failed within [`BURNT_FOR`] is not.
const CLIMB_AFTER_FALL: Duration = Duration::from_secs(3);
const BURNT_FOR: Duration = Duration::from_secs(15);

/// With `prefer_hd` a size is kept down to this part of its bitrate, and gives up pictures per second instead.
const HD_PATIENCE: f64 = 0.6;
const HD_FRAME_RATE: u32 = 15;

/// What both encoders do from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) audio: Bitrate,
    /// Length of the frames of the voice.
    pub(crate) frame: Duration,
    pub(crate) video: VideoLimits,
    pub(crate) step: PictureStep,
}

/// Where the sent picture stands and why it does not stand higher; told when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureStep {
    /// `1080p` to `180p`, `stills` (one a second), or `off`: voice alone.
    pub name: &'static str,
    /// The box that the picture is fitted in.
    pub resolution: Resolution,
    /// Pictures per second at most; 0 = none.
    pub frame_rate: u32,
    pub limitation: QualityLimitationReason,
}

/// What the ladder goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions<'a> {
    pub(crate) estimate: Bitrate,
    pub(crate) ours: &'a Limits,
    /// What the other side wishes to receive.
    pub(crate) theirs: &'a Constraints,
    /// Fraction 0..1 of what is sent that is lost.
    pub(crate) loss: f64,
    /// What the sound may be.
    pub(crate) sound: SoundRange,
    /// What repairs of the sound take, as a part of what the sound itself takes.
    pub(crate) sound_repairs: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Ladder {
    /// Index of the rung; `None` before the first look.
    rung: Option<usize>,
    /// Since when a higher one is affordable.
    climbs_since: Option<Instant>,
    /// Since when the present one is not.
    falls_since: Option<Instant>,
    fell_at: Option<Instant>,
    fallback: Fallback,
    frames: Frames,
}

impl Ladder {
    /// Looks at the conditions and says what to do; call it often.
    pub(crate) fn handle_conditions(&mut self, now: Instant, conditions: &Conditions<'_>) -> Plan {
        let theirs = conditions.theirs;
        let total = conditions.estimate.min(conditions.ours.max_bandwidth).min(
            theirs
                .max_bandwidth
                .map_or(Bitrate::from_bps(u64::MAX), Bitrate::from_bps),
        );
        let frame = self.frames.handle_total(now, total, conditions.sound);
        let picture = picture_share(conditions, total, frame);
        let hd = theirs.prefer_hd == Some(true);
        let highest = highest_allowed(conditions);
        let rung = self.climb(now, picture, highest, hd);
        let least = theirs
            .min_bandwidth
            .map_or(conditions.ours.min_bandwidth, Bitrate::from_bps);
        let least = (theirs.fallback_to_audio == Some(true)).then_some(least);
        let rung = if self.fallback.handle_estimate(now, total, least) {
            OFF
        } else {
            rung
        };
        let limitation = if rung == highest {
            QualityLimitationReason::None
        } else {
            QualityLimitationReason::Bandwidth
        };
        plan(conditions, total, frame, picture, rung, limitation, hd)
    }

    fn climb(&mut self, now: Instant, picture: u64, top: usize, hd: bool) -> usize {
        let affordable = |limit: fn(&Rung) -> u64| {
            let fits = |(index, rung): &(usize, &Rung)| {
                *index >= top && picture >= patient(limit(rung), rung, hd) * 1000
            };
            RUNGS
                .iter()
                .enumerate()
                .find(fits)
                .map_or(OFF, |(index, _)| index)
        };
        let (up, stay) = (affordable(|rung| rung.enter), affordable(|rung| rung.leave));
        let Some(current) = self.rung else {
            self.rung = Some(up);
            return up;
        };
        if stay <= current {
            self.falls_since = None;
        }
        let next = if stay > current {
            self.climbs_since = None;
            let since = *self.falls_since.get_or_insert(now);
            let far = RUNGS
                .get(current)
                .is_some_and(|rung| picture < patient(rung.leave, rung, hd) * 1000 / 2);
            let waited = now.saturating_duration_since(since) >= FALL_AFTER;
            // An estimate that is cut to empty a queue is low for a moment: the time of stills is not come.
            let next = match stay {
                STILLS if !waited => SMALLEST_MOVING.max(top),
                stay => stay,
            };
            if next > current && (waited || far || current < top) {
                if next == stay {
                    self.falls_since = None;
                }
                self.fell_at = Some(now);
                next
            } else {
                current
            }
        } else if up < current {
            let burnt = self
                .fell_at
                .is_some_and(|at| now.saturating_duration_since(at) < BURNT_FOR);
            let wait = if burnt { CLIMB_AFTER_FALL } else { CLIMB_AFTER };
            let since = *self.climbs_since.get_or_insert(now);
            if now.saturating_duration_since(since) < wait {
                current
            } else {
                self.climbs_since = None;
                up
            }
        } else {
            self.climbs_since = None;
            current
        };
        self.rung = Some(next);
        next
    }
}

/// Bits per second for the encoder of the picture.
fn picture_share(conditions: &Conditions<'_>, total: Bitrate, frame: Duration) -> u64 {
    let voice = beside_picture(conditions, total);
    let repaired = 1.0 + conditions.sound_repairs.clamp(0.0, 1.0);
    let sound = ((voice.as_bps() + headers(frame).as_bps()) as f64 * repaired) as u64;
    let rest = total.as_bps().saturating_sub(sound);
    (rest as f64 * (1.0 - HEADROOM - conditions.loss.clamp(0.0, MOST_REPAIRS))) as u64
}

/// What the voice takes while there is a picture.
fn beside_picture(conditions: &Conditions<'_>, total: Bitrate) -> Bitrate {
    let SoundRange { least, most, .. } = sound(conditions);
    if total < NARROW {
        LEAN_VOICE.clamp(least, most)
    } else {
        most
    }
}

fn sound(conditions: &Conditions<'_>) -> SoundRange {
    conditions.sound.beside_repairs(conditions.sound_repairs)
}

/// The highest rung that neither side's wish forbids: the last one that is not larger than it.
fn highest_allowed(conditions: &Conditions<'_>) -> usize {
    let within = largest(conditions);
    let fits = |rung: &Rung| rung.resolution.pixels() <= within.pixels();
    RUNGS.iter().position(fits).unwrap_or(RUNGS.len() - 1)
}

fn largest(conditions: &Conditions<'_>) -> Resolution {
    let ours = conditions.ours.resolution;
    let theirs = conditions.theirs.resolution.unwrap_or(ours);
    Resolution::new(ours.width.min(theirs.width), ours.height.min(theirs.height))
}

fn patient(limit: u64, rung: &Rung, hd: bool) -> u64 {
    if hd && rung.frame_rate > HD_FRAME_RATE {
        (limit as f64 * HD_PATIENCE) as u64
    } else {
        limit
    }
}

fn plan(
    conditions: &Conditions<'_>,
    total: Bitrate,
    frame: Duration,
    picture: u64,
    rung: usize,
    limitation: QualityLimitationReason,
    hd: bool,
) -> Plan {
    let fastest = conditions
        .theirs
        .frame_rate
        .map_or(conditions.ours.frame_rate, |theirs| {
            theirs.min(conditions.ours.frame_rate)
        });
    let within = largest(conditions);
    let (name, resolution, frame_rate) = match RUNGS.get(rung) {
        Some(at) => {
            let slowed = hd && picture < at.leave * 1000;
            let frame_rate = if slowed { HD_FRAME_RATE } else { at.frame_rate };
            // Sizes of other shapes are not cut down to ours where there is no need.
            let fitted = if rung == highest_allowed(conditions) {
                within
            } else {
                Resolution::new(
                    at.resolution.width.min(within.width),
                    at.resolution.height.min(within.height),
                )
            };
            (at.name, fitted, frame_rate.min(fastest).max(1))
        }
        None => ("off", RUNGS[OFF - 1].resolution, 0),
    };
    let for_voice = total.as_bps().saturating_sub(headers(frame).as_bps());
    let voice = match frame_rate {
        0 => {
            let SoundRange { least, most, .. } = sound(conditions);
            Bitrate::from_bps(for_voice).clamp(least, most)
        }
        _ => beside_picture(conditions, total),
    };
    Plan {
        audio: voice,
        frame,
        video: VideoLimits {
            bitrate: Bitrate::from_bps(picture.max(RUNGS[OFF - 1].leave * 1000)),
            resolution,
            frame_rate,
            limitation,
        },
        step: PictureStep {
            name,
            resolution,
            frame_rate,
            limitation,
        },
    }
}

#[cfg(test)]
mod tests;
