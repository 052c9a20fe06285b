//! What both sides want of Opus, and what comes of it (RFC 7587 §6 and §7). Pure.

use crate::units::{Bitrate, SampleRate};
use opusic_sys as sys;
use std::str::FromStr;
use std::time::Duration;

/// What the sound is and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpusMode {
    /// Speech: mono, 20 ms, both kinds of protection.
    #[default]
    Voice,
    /// 10 ms frames and 2.5 ms of look-ahead instead of 6.5: deep redundancy alone protects it.
    LowDelay,
    /// 20 ms, tuned for music; stereo where the other side takes it.
    Music,
}

impl OpusMode {
    pub const ALL: [OpusMode; 3] = [OpusMode::Voice, OpusMode::LowDelay, OpusMode::Music];

    pub const fn name(self) -> &'static str {
        match self {
            OpusMode::Voice => "voice",
            OpusMode::LowDelay => "low-delay",
            OpusMode::Music => "music",
        }
    }

    /// Of one frame, where the path has room for it.
    pub const fn frame_time(self) -> Duration {
        match self {
            OpusMode::Voice | OpusMode::Music => Duration::from_millis(20),
            OpusMode::LowDelay => Duration::from_millis(10),
        }
    }

    /// What libopus is made for. Who sends frames longer than 20 ms has no delay left to save, and the codec behind the low
    /// delay is poor at the bitrates of such a path.
    pub(super) fn application(self, frame: Duration) -> i32 {
        match self {
            OpusMode::LowDelay if frame <= OpusMode::Voice.frame_time() => {
                sys::OPUS_APPLICATION_RESTRICTED_LOWDELAY
            }
            OpusMode::Voice | OpusMode::LowDelay => sys::OPUS_APPLICATION_VOIP,
            OpusMode::Music => sys::OPUS_APPLICATION_AUDIO,
        }
    }
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of voice, low-delay, music")]
pub struct UnknownOpusMode(String);

impl FromStr for OpusMode {
    type Err = UnknownOpusMode;

    fn from_str(name: &str) -> Result<Self, UnknownOpusMode> {
        let mut all = OpusMode::ALL.into_iter();
        all.find(|mode| mode.name() == name)
            .ok_or_else(|| UnknownOpusMode(name.to_owned()))
    }
}

/// What this side wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusWish {
    pub mode: OpusMode,
    /// Pauses of speech are hardly sent, and need not be received.
    pub dtx: bool,
}

/// What a side says of the Opus it wishes to receive (RFC 7587 §6.1; `ptime` and `maxptime`: RFC 8866 §6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusParameters {
    /// `stereo`.
    pub stereo: bool,
    /// `useinbandfec`.
    pub fec: bool,
    /// `usedtx`.
    pub dtx: bool,
    /// `cbr`.
    pub cbr: bool,
    /// `maxaveragebitrate`.
    pub max_average_bitrate: Option<Bitrate>,
    /// `maxplaybackrate`: nothing above half of it is heard there.
    pub max_playback_rate: SampleRate,
    /// `ptime`.
    pub frame_time: Option<Duration>,
    /// `maxptime`.
    pub longest_frame: Option<Duration>,
}

impl Default for OpusParameters {
    /// What counts where nothing is said.
    fn default() -> Self {
        Self {
            stereo: false,
            fec: false,
            dtx: false,
            cbr: false,
            max_average_bitrate: None,
            max_playback_rate: SampleRate::HZ_48000,
            frame_time: None,
            longest_frame: None,
        }
    }
}

/// How Opus is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    pub mode: OpusMode,
    pub stereo: bool,
    pub dtx: bool,
    /// Every packet of one size.
    pub cbr: bool,
    /// The other side can use in-band FEC.
    pub fec: bool,
    pub max_bitrate: Option<Bitrate>,
    pub max_playback_rate: SampleRate,
}

impl OpusSettings {
    /// What this side wants, as far as the other side takes it.
    pub fn agreed(wish: OpusWish, theirs: &OpusParameters) -> Self {
        Self {
            mode: wish.mode,
            stereo: wish.mode == OpusMode::Music && theirs.stereo,
            dtx: wish.dtx || theirs.dtx,
            cbr: theirs.cbr,
            fec: theirs.fec,
            max_bitrate: theirs.max_average_bitrate,
            max_playback_rate: theirs.max_playback_rate,
        }
    }

    /// For a mode alone, between two sides that take everything.
    pub fn of(mode: OpusMode) -> Self {
        let theirs = OpusParameters {
            stereo: true,
            fec: true,
            ..OpusParameters::default()
        };
        Self::agreed(OpusWish { mode, dtx: false }, &theirs)
    }

    pub(super) const fn channels(&self) -> u16 {
        if self.stereo { 2 } else { 1 }
    }

    /// The widest `OPUS_BANDWIDTH_…` that can be heard at the other side (RFC 7587 §3.1.2).
    pub(super) fn bandwidth(&self) -> i32 {
        match self.max_playback_rate.as_hz() {
            ..=8_000 => sys::OPUS_BANDWIDTH_NARROWBAND,
            8_001..=12_000 => sys::OPUS_BANDWIDTH_MEDIUMBAND,
            12_001..=16_000 => sys::OPUS_BANDWIDTH_WIDEBAND,
            16_001..=24_000 => sys::OPUS_BANDWIDTH_SUPERWIDEBAND,
            _ => sys::OPUS_BANDWIDTH_FULLBAND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_want_is_stereo_and_either_can_have_pauses_left_out() {
        let agreed = |mode, dtx, stereo, usedtx| {
            let theirs = OpusParameters {
                stereo,
                dtx: usedtx,
                ..OpusParameters::default()
            };
            let agreed = OpusSettings::agreed(OpusWish { mode, dtx }, &theirs);
            (agreed.channels(), agreed.dtx)
        };
        assert_eq!(agreed(OpusMode::Music, false, true, false), (2, false));
        assert_eq!(agreed(OpusMode::Music, true, false, false), (1, true));
        assert_eq!(agreed(OpusMode::Voice, false, true, true), (1, true));
    }

    #[test]
    fn modes_are_found_by_their_names() {
        for mode in OpusMode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        let error = "loud".parse::<OpusMode>().expect_err("unknown");
        assert!(error.to_string().contains("loud"));
    }
}
