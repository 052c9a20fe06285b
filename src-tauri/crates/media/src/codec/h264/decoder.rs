//! The decoder: whole pictures in, pooled I420 out.

use super::parameters::Sequence;
use super::{corrupt, failed};
use crate::codec::{CodecError, VideoDecoder};
use crate::units::Resolution;
use crate::video::h264::{SPS, units};
use crate::video::{I420, PicturePool, VideoFrame};
use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use std::time::Instant;

/// Decodes H.264 with openh264; any bytes give a picture or an error.
#[derive(Default)]
pub struct H264Decoder {
    /// Made by the first parameters, and again by those after an error.
    decoder: Option<Decoder>,
    pool: PicturePool,
}

impl H264Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn open() -> Result<Decoder, CodecError> {
        // Baseline pictures come in their order, so none is kept back.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| failed("initialisation", &error))
    }
}

impl VideoDecoder for H264Decoder {
    fn decode(&mut self, payload: &[u8]) -> Result<Option<VideoFrame>, CodecError> {
        if i32::try_from(payload.len()).is_err() {
            return Err(corrupt("too long"));
        }
        let mut has_parameters = false;
        let mut is_empty = true;
        for unit in units(payload) {
            is_empty = false;
            if unit[0] & 0x1f == SPS {
                // A dozen bytes may ask for gigabytes.
                Sequence::parse(unit)
                    .and_then(|sequence| sequence.check())
                    .map_err(corrupt)?;
                has_parameters = true;
            }
        }
        if is_empty {
            return Err(corrupt("no units"));
        }
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None if has_parameters => Self::open()?,
            None => return Err(corrupt("the first picture has no parameters")),
        };
        // After an error the decoder is dropped: its references are unknown, so it waits for a keyframe anyway.
        let decoded = decoder
            .decode(payload)
            .map_err(|error| corrupt(error.to_string()))?;
        let picture = match decoded {
            Some(decoded) => {
                let (width, height) = decoded.dimensions();
                let resolution = Resolution::new(width as u32, height as u32);
                Some(self.pool.try_draw(resolution, |out| copy(&decoded, out)))
            }
            None => None,
        };
        let picture = picture.transpose().map_err(corrupt)?;
        self.decoder = Some(decoder);
        Ok(picture.map(|picture| VideoFrame {
            picture,
            captured_at: Instant::now(),
        }))
    }
}

fn copy(decoded: &DecodedYUV<'_>, out: &mut I420) -> Result<(), &'static str> {
    let width = out.resolution().width as usize;
    let chroma_width = out.chroma_width();
    let (y_stride, u_stride, v_stride) = decoded.strides();
    let (y, u, v) = out.planes_mut();
    for (from, stride, to, width) in [
        (decoded.y(), y_stride, y, width),
        (decoded.u(), u_stride, u, chroma_width),
        (decoded.v(), v_stride, v, chroma_width),
    ] {
        if width == 0 || stride < width {
            return Err("a picture without pixels");
        }
        let rows = to.chunks_exact_mut(width).zip(from.chunks(stride));
        for (to, from) in rows {
            to.copy_from_slice(from.get(..width).ok_or("a row that is cut off")?);
        }
    }
    Ok(())
}
