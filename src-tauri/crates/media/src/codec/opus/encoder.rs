//! The encoder: its modes, and what it spends on protection.

use super::raw::{Encoder, OpusError};
use super::{BITRATE_RANGE, CODEC, OpusMode, OpusSettings};
use crate::codec::{AudioEncoder, CodecError, Loss, SoundCodec};
use crate::units::{Bitrate, SampleRate};
use bytes::Bytes;
use opusic_sys as sys;
use std::time::Duration;

/// Bytes: the most one packet may take with its redundancy, whatever its length; below every MTU.
const LARGEST_PACKET: usize = 1275;

/// 0..10. Measured with libopus 1.6.1: 0.2 ms per frame, one percent of a core.
const COMPLEXITY: i32 = 9;

/// Bytes: a packet this short says only that the sender is silent, and need not be sent (opus.h, OPUS_SET_DTX).
const SILENT_PACKET: usize = 2;

/// Which redundancy lost packets are rebuilt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// By expected loss and bitrate: in-band FEC, deep redundancy, or both.
    #[default]
    Adaptive,
    /// In-band FEC alone, for a far side that knows no deep redundancy.
    FecOnly,
    /// Deep redundancy alone.
    DredOnly,
    /// For a far side that can use neither.
    None,
}

/// Encodes speech and music for realtime.
pub struct OpusEncoder {
    encoder: Encoder,
    settings: OpusSettings,
    /// Of one frame.
    frame: Duration,
    /// What the encoder was made for.
    application: i32,
    protection: Protection,
    /// As it was set; what the other side takes at most may be less.
    bitrate: Bitrate,
    /// Expected.
    loss: Loss,
    /// So much is lost that a bandwidth is kept which in-band FEC has too.
    narrows: bool,
    /// What is still missing after repairs is worth protection beyond the frame before.
    guards: bool,
    /// The last frame was the silence of a pause.
    silent: bool,
    bytes: [u8; LARGEST_PACKET],
}

impl OpusEncoder {
    /// Makes a voice encoder that starts at a bitrate within [`BITRATE_RANGE`].
    pub fn new(bitrate: Bitrate) -> Result<Self, CodecError> {
        Self::with_settings(OpusSettings::of(OpusMode::Voice), bitrate)
    }

    pub fn with_settings(settings: OpusSettings, bitrate: Bitrate) -> Result<Self, CodecError> {
        let frame = settings.mode.frame_time();
        let application = settings.mode.application(frame);
        let mut this = Self {
            encoder: made(settings, application)?,
            settings,
            frame,
            application,
            protection: Protection::Adaptive,
            bitrate,
            loss: Loss::default(),
            narrows: false,
            guards: false,
            silent: false,
            bytes: [0; LARGEST_PACKET],
        };
        this.configure()?;
        Ok(this)
    }

    /// Tells a new encoder everything.
    fn configure(&mut self) -> Result<(), CodecError> {
        self.set(sys::OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY)?;
        self.set(sys::OPUS_SET_VBR_REQUEST, i32::from(!self.settings.cbr))?;
        let signal = match self.settings.mode {
            OpusMode::Voice | OpusMode::LowDelay => sys::OPUS_SIGNAL_VOICE,
            OpusMode::Music => sys::OPUS_SIGNAL_MUSIC,
        };
        self.set(sys::OPUS_SET_SIGNAL_REQUEST, signal)?;
        self.set_dtx(self.settings.dtx)?;
        self.set_bitrate(self.bitrate)
    }

    /// Stops sending in pauses of speech: all but the first frame of a pause and a rare refresh come out empty.
    pub fn set_dtx(&mut self, on: bool) -> Result<(), CodecError> {
        self.settings.dtx = on;
        self.set(sys::OPUS_SET_DTX_REQUEST, i32::from(on))
    }

    /// Takes effect with the next expected loss.
    pub fn set_protection(&mut self, protection: Protection) {
        self.protection = protection;
    }

    /// Spends bits on protection by what is lost and what there is.
    fn protect(&mut self) -> Result<(), CodecError> {
        let Loss {
            pre_repair,
            post_repair,
        } = self.loss;
        let is_much = |fraction, was| fraction >= if was { LITTLE_LOSS } else { MUCH_LOSS };
        self.narrows = is_much(pre_repair, self.narrows);
        self.guards = is_much(post_repair, self.guards);
        let protection = if self.settings.fec {
            self.protection
        } else {
            // Who cannot use the old redundancy does not know the new one either.
            Protection::None
        };
        let (fec, dred) = protection_for(protection, self.guards, post_repair, self.effective_bitrate());
        // A frame that is repaired comes late or not at all often enough that its copy in the next one is worth half.
        let percent = (post_repair.max(pre_repair / 2.0) * 100.0).round() as i32;
        let percent = if dred > 0 {
            percent.max(LEAST_PERCENT_FOR_DRED)
        } else {
            percent
        };
        // In-band FEC leaves out what lies above wide band, so that would come and go with the losses; measured at
        // 20 % loss and 40 kbit/s, the bits it frees are worth 0.1 of PESQ. And a packet longer than 20 ms is one frame,
        // all of which the next can rebuild, only up to wide band.
        let narrows = self.narrows || self.frame > OpusMode::Voice.frame_time();
        let mut bandwidth = self.settings.bandwidth();
        if self.settings.mode == OpusMode::Voice && narrows {
            bandwidth = bandwidth.min(sys::OPUS_BANDWIDTH_WIDEBAND);
        }
        self.set(sys::OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth)?;
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, percent)?;
        self.set(sys::OPUS_SET_INBAND_FEC_REQUEST, i32::from(fec))?;
        self.set(sys::OPUS_SET_DRED_DURATION_REQUEST, dred)
    }

    fn effective_bitrate(&self) -> Bitrate {
        let most = self.settings.max_bitrate.unwrap_or(self.bitrate);
        self.bitrate
            .min(most.max(Bitrate::from_bps(*BITRATE_RANGE.start())))
    }

    fn set(&mut self, request: i32, value: i32) -> Result<(), CodecError> {
        self.encoder.set(request, value).map_err(failed)
    }
}

impl AudioEncoder for OpusEncoder {
    fn codec(&self) -> SoundCodec {
        SoundCodec::Opus
    }

    fn clock_rate(&self) -> SampleRate {
        SampleRate::HZ_48000
    }

    fn frame_samples(&self) -> usize {
        SampleRate::HZ_48000.samples_in(self.frame)
    }

    fn channels(&self) -> u16 {
        self.settings.channels()
    }

    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
        let wanted = self.frame_samples() * usize::from(self.channels());
        if samples.len() != wanted {
            let what = format!("a frame of {} samples, it takes {wanted}", samples.len());
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        let size = self.encoder.encode(samples, &mut self.bytes).map_err(failed)?;
        // The first of a pause is sent: it tells the far side that what follows is no loss.
        let told = std::mem::replace(&mut self.silent, size <= SILENT_PACKET);
        if self.silent && told {
            return Ok(Bytes::new());
        }
        Ok(Bytes::copy_from_slice(&self.bytes[..size]))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        if !BITRATE_RANGE.contains(&bitrate.as_bps()) {
            let what = format!("{} bit/s, it takes 6000 to 128000", bitrate.as_bps());
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        self.bitrate = bitrate;
        let bps = i32::try_from(self.effective_bitrate().as_bps()).expect("the range ends far below i32");
        self.set(sys::OPUS_SET_BITRATE_REQUEST, bps)?;
        self.protect()
    }

    fn set_expected_loss(&mut self, loss: Loss) -> Result<(), CodecError> {
        if !loss.is_valid() {
            let what = format!("an expected {loss:?}, it takes 0 to 1");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        self.loss = loss;
        self.protect()
    }

    fn set_frame_time(&mut self, time: Duration) -> Result<(), CodecError> {
        if !FRAME_TIMES.contains(&time) {
            let what = format!("frames of {time:?}, it takes {FRAME_TIMES:?}");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        if time == self.frame {
            return Ok(());
        }
        let application = self.settings.mode.application(time);
        if application != self.application {
            self.encoder = made(self.settings, application)?;
            self.application = application;
            self.frame = time;
            return self.configure();
        }
        self.frame = time;
        self.protect()
    }
}

/// What libopus makes one packet of, but for those too short for a network.
const FRAME_TIMES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(60),
    Duration::from_millis(120),
];

fn made(settings: OpusSettings, application: i32) -> Result<Encoder, CodecError> {
    Encoder::new(usize::from(settings.channels()), application).map_err(failed)
}

/// Chooses in-band FEC, and deep redundancy by its length in units of 10 ms.
fn protection_for(protection: Protection, much: bool, loss: f32, bitrate: Bitrate) -> (bool, i32) {
    match protection {
        Protection::None => (false, 0),
        Protection::FecOnly => (true, 0),
        Protection::DredOnly => (false, if much { DRED_LENGTH } else { 0 }),
        Protection::Adaptive if much && bitrate >= ROOM_FOR_BOTH => (true, DRED_LENGTH),
        Protection::Adaptive if loss >= HEAVY_LOSS => (false, DRED_LENGTH),
        Protection::Adaptive => (true, 0),
    }
}

/// Fraction. Below it single losses prevail, which in-band FEC rebuilds better and for fewer bits.
const MUCH_LOSS: f32 = 0.05;
/// Fraction at which what began there ends: a change of bandwidth is heard.
const LITTLE_LOSS: f32 = 0.03;
/// Fraction from which deep redundancy alone is better than in-band FEC alone. Measured at 28 kbit/s: PESQ 2.24 against
/// 2.62 at 20 % loss, 2.07 against 2.01 at 30 %, and a tenth of the concealment.
const HEAVY_LOSS: f32 = 0.25;
/// With less, libopus 1.6.1 finds no bits for deep redundancy beside in-band FEC.
const ROOM_FOR_BOTH: Bitrate = Bitrate::from_kbps(33);
/// Percent of loss that libopus is told at least: with less it gives deep redundancy too few bits for a single frame.
const LEAST_PERCENT_FOR_DRED: i32 = 20;
/// In units of 10 ms: what the jitter buffer can still wait for.
const DRED_LENGTH: i32 = 24;

fn failed(error: OpusError) -> CodecError {
    CodecError::Failed {
        codec: CODEC,
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protection_follows_loss_and_bitrate() {
        let adaptive = |loss, kbps| {
            let much = loss >= MUCH_LOSS;
            protection_for(Protection::Adaptive, much, loss, Bitrate::from_kbps(kbps))
        };
        assert_eq!(adaptive(0.0, 40), (true, 0));
        assert_eq!(adaptive(0.1, 40), (true, DRED_LENGTH));
        assert_eq!(adaptive(0.1, 24), (true, 0));
        assert_eq!(adaptive(0.3, 24), (false, DRED_LENGTH));
        assert_eq!(
            protection_for(Protection::FecOnly, true, 0.3, Bitrate::from_kbps(40)),
            (true, 0)
        );
    }
}
