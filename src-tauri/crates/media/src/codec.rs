//! The seams for codecs.

pub mod h264;
pub mod opus;
mod picture;
mod sound;
pub mod vpx;
pub mod waveform;

pub use picture::{PictureCodec, UnknownPictureCodec};
pub use sound::{SoundCodec, UnknownSoundCodec};

use crate::units::{Bitrate, Resolution, SampleRate};
use crate::video::VideoFrame;
use bytes::Bytes;
use std::time::Duration;

/// A codec refused its input or its settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The settings cannot be used by this codec.
    #[error("{codec} cannot use {what}")]
    Settings { codec: &'static str, what: String },
    /// The bytes are not a frame of this codec; the next keyframe or packet may be.
    #[error("{codec} cannot decode: {why}")]
    Corrupt { codec: &'static str, why: String },
    /// The library failed.
    #[error("{codec} failed: {why}")]
    Failed { codec: &'static str, why: String },
}

/// What a packet holds, known without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketContent {
    /// Samples per channel that decoding gives.
    pub samples: u32,
    /// Channels of what was encoded.
    pub channels: u16,
    /// Samples right before this packet that its in-band FEC rebuilds; 0 without.
    pub protects: u32,
    /// Samples before this packet that its deep redundancy rebuilds; 0 without.
    pub rebuilds: u32,
    /// The sender is silent from here on, and sends nothing until it has something to say (DTX).
    pub rests: bool,
}

/// What part of the frames is lost, 0..1 each (RFC 5725 tells the two apart).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Loss {
    /// On the path.
    pub pre_repair: f32,
    /// Still missing when it should be played, though it was asked for again.
    pub post_repair: f32,
}

impl Loss {
    /// Where nothing is sent again, or nothing that comes in time.
    pub const fn unrepaired(fraction: f32) -> Self {
        Self {
            pre_repair: fraction,
            post_repair: fraction,
        }
    }

    /// Whether both are fractions.
    pub fn is_valid(self) -> bool {
        [self.pre_repair, self.post_repair]
            .iter()
            .all(|fraction| (0.0..=1.0).contains(fraction))
    }
}

/// Encodes frames of 48 kHz.
pub trait AudioEncoder: Send {
    fn codec(&self) -> SoundCodec;
    /// RTP ticks per second; not always the rate that is sampled inside (G.722, RFC 3551 §4.5.2).
    fn clock_rate(&self) -> SampleRate;
    /// Samples per channel of one frame.
    fn frame_samples(&self) -> usize;
    /// Channels of the interleaved samples.
    fn channels(&self) -> u16;
    /// Encodes one frame; empty when it is silence that need not be sent.
    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError>;
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError>;
    /// Sets how much protection the frames carry.
    fn set_expected_loss(&mut self, loss: Loss) -> Result<(), CodecError>;
    /// Takes frames of another length from the next one on.
    ///
    /// Errors: the codec has none of this length, and goes on with those it has.
    fn set_frame_time(&mut self, time: Duration) -> Result<(), CodecError>;
}

/// Decodes to interleaved 48 kHz. Counts and lengths are of samples per channel.
pub trait AudioDecoder: Send {
    /// Channels of the interleaved samples.
    fn channels(&self) -> u16;
    /// RTP ticks per second; divides 48000.
    fn clock_rate(&self) -> SampleRate;
    /// Tells what a packet holds without decoding it; an error when it is no packet of this codec.
    fn inspect(&mut self, payload: &[u8]) -> Result<PacketContent, CodecError>;
    /// Appends the samples of one packet; returns how many.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<usize, CodecError>;
    /// Appends what the packet after a lost one says of the lost one (in-band FEC). `samples` is the length of the hole.
    fn recover(
        &mut self,
        next_payload: &[u8],
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError>;
    /// Appends what the deep redundancy of a later packet says of the `samples` that begin `before` samples before it.
    fn rebuild(
        &mut self,
        later_payload: &[u8],
        before: usize,
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError>;
    /// Appends `samples` made up from what came before.
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, CodecError>;
}

/// One encoded picture.
#[derive(Debug, Clone)]
pub struct EncodedPicture {
    pub payload: Bytes,
    pub keyframe: bool,
}

/// How much of the quality that a bitrate could give is left to save CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum EncoderSpeed {
    /// What suits the size on a machine that has nothing else to do.
    #[default]
    Usual,
    Fast,
    Fastest,
}

/// Encodes pictures of one size at a time; a change of size is a new keyframe.
pub trait VideoEncoder: Send {
    /// Encodes one picture; `None` when rate control dropped it.
    fn encode(
        &mut self,
        frame: &VideoFrame,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError>;
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError>;
    fn set_resolution(&mut self, resolution: Resolution) -> Result<(), CodecError>;
    /// Takes effect with the next picture, without a keyframe.
    fn set_speed(&mut self, speed: EncoderSpeed) -> Result<(), CodecError>;
    /// The library or device that encodes (webrtc-stats, `encoderImplementation`).
    fn implementation(&self) -> &'static str;
}

/// Decodes whole pictures.
pub trait VideoDecoder: Send {
    /// Decodes one picture; `None` when it is not to be shown.
    fn decode(&mut self, payload: &[u8]) -> Result<Option<VideoFrame>, CodecError>;
}
