//! The seams for codecs.

pub mod opus;
pub mod vpx;

use crate::units::{Bitrate, Resolution};
use crate::video::VideoFrame;
use bytes::Bytes;

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

/// Encodes mono 48 kHz frames.
pub trait AudioEncoder: Send {
    /// Encodes one frame (960 samples = 20 ms).
    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError>;
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError>;
    /// Expected loss as a fraction 0..1; sets how much protection the frames carry.
    fn set_expected_loss(&mut self, fraction: f32) -> Result<(), CodecError>;
}

/// Decodes to mono 48 kHz.
pub trait AudioDecoder: Send {
    /// Tells how many samples a packet holds without decoding it; an error when it is no packet of this codec.
    fn samples_of(&self, payload: &[u8]) -> Result<usize, CodecError>;
    /// Appends the samples of one packet; returns how many.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<usize, CodecError>;
    /// Appends what the packet after a lost one says of the lost one (in-band FEC). `samples` is the length of the hole.
    fn recover(
        &mut self,
        next_payload: &[u8],
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError>;
    /// Appends `samples` made up from what came before.
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, CodecError>;
    /// Whether this payload carries protection for the packet before it.
    fn has_recovery(&self, payload: &[u8]) -> bool;
}

/// One encoded picture.
#[derive(Debug, Clone)]
pub struct EncodedPicture {
    pub payload: Bytes,
    pub keyframe: bool,
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
}

/// Decodes whole pictures.
pub trait VideoDecoder: Send {
    /// Decodes one picture; `None` when it is not to be shown.
    fn decode(&mut self, payload: &[u8]) -> Result<Option<VideoFrame>, CodecError>;
}
