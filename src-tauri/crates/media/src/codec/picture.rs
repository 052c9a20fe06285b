//! The picture codecs by name, and how each is made.

use super::h264::{H264Decoder, H264Encoder};
use super::vpx::{VpxCodec, VpxDecoder, VpxEncoder};
use super::{CodecError, VideoDecoder, VideoEncoder};
use crate::units::{Bitrate, Resolution};
use crate::video::assembly::{Fragment, PayloadFormat};
use crate::video::h264::H264Format;
use crate::video::vp8::Vp8Format;
use crate::video::vp9::Vp9Format;
use bytes::Bytes;
use std::fmt;
use std::str::FromStr;

/// Picture codecs that can be negotiated; all have an RTP clock of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628, profile 0.
    Vp9,
    /// RFC 6184, constrained baseline, packetization mode 1.
    H264,
}

impl PictureCodec {
    /// All of them, the preferred first: VP8 costs the least, and every other client takes it. VP9 comes last, because its
    /// encoder blurs single pictures while its bitrate changes.
    pub const ALL: [PictureCodec; 3] = [PictureCodec::Vp8, PictureCodec::H264, PictureCodec::Vp9];

    /// The encoding name of RTP.
    pub const fn name(self) -> &'static str {
        match self {
            PictureCodec::Vp8 => "VP8",
            PictureCodec::Vp9 => "VP9",
            PictureCodec::H264 => "H264",
        }
    }

    /// Makes an encoder in software. One in hardware (VA-API, VideoToolbox, Media Foundation) would be tried here first,
    /// behind the same trait; none is written.
    pub fn encoder(
        self,
        resolution: Resolution,
        bitrate: Bitrate,
        frame_rate: u32,
    ) -> Result<Box<dyn VideoEncoder>, CodecError> {
        let vpx = |codec| VpxEncoder::new(codec, resolution, bitrate, frame_rate);
        Ok(match self {
            PictureCodec::Vp8 => Box::new(vpx(VpxCodec::Vp8)?),
            PictureCodec::Vp9 => Box::new(vpx(VpxCodec::Vp9)?),
            PictureCodec::H264 => Box::new(H264Encoder::new(resolution, bitrate, frame_rate)?),
        })
    }

    pub fn decoder(self) -> Box<dyn VideoDecoder> {
        match self {
            PictureCodec::Vp8 => Box::new(VpxDecoder::new(VpxCodec::Vp8)),
            PictureCodec::Vp9 => Box::new(VpxDecoder::new(VpxCodec::Vp9)),
            PictureCodec::H264 => Box::new(H264Decoder::new()),
        }
    }
}

impl PayloadFormat for PictureCodec {
    fn parse(&self, payload: &Bytes) -> Option<(Fragment, Bytes)> {
        match self {
            PictureCodec::Vp8 => Vp8Format.parse(payload),
            PictureCodec::Vp9 => Vp9Format.parse(payload),
            PictureCodec::H264 => H264Format.parse(payload),
        }
    }
}

impl fmt::Display for PictureCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no picture codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of vp8, vp9, h264")]
pub struct UnknownPictureCodec(String);

impl FromStr for PictureCodec {
    type Err = UnknownPictureCodec;

    /// Takes the encoding name in any case of letters.
    fn from_str(name: &str) -> Result<Self, UnknownPictureCodec> {
        PictureCodec::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownPictureCodec(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_found_by_its_name() {
        for codec in PictureCodec::ALL {
            assert_eq!(codec.name().to_lowercase().parse(), Ok(codec));
        }
        let error = "av1".parse::<PictureCodec>().expect_err("unknown");
        assert!(error.to_string().contains("av1"));
    }
}
