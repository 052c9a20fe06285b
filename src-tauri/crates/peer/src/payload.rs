//! Encoded pictures cut into the payloads of packets.

use crate::config::VideoCodec;
use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::packetizer::Payloader;

/// Bytes of an RTP payload: 1280 (the smallest IPv6 MTU) minus IPv6, UDP, RTP, extensions, SRTP tag, RTX and TURN.
pub(crate) const PAYLOAD_MTU: usize = 1200 - 12;

/// Cuts the pictures of one stream; each codec numbers its own.
pub(crate) struct PicturePayloads {
    vp8: Vp8Payloader,
    vp9: Vp9Payloads,
    h264: H264Payloader,
}

impl PicturePayloads {
    pub(crate) fn new() -> Self {
        let mut vp8 = Vp8Payloader::default();
        vp8.enable_picture_id = true;
        Self {
            vp8,
            vp9: Vp9Payloads::default(),
            h264: H264Payloader::default(),
        }
    }

    /// The payloads of one picture in their order; none of what is no picture of this codec.
    pub(crate) fn split(&mut self, codec: VideoCodec, picture: &Bytes, keyframe: bool) -> Vec<Bytes> {
        let payloads = match codec {
            VideoCodec::Vp8 => self.vp8.payload(PAYLOAD_MTU, picture),
            VideoCodec::Vp9 => Ok(self.vp9.split(picture, keyframe)),
            VideoCodec::H264 => self.h264.payload(PAYLOAD_MTU, picture),
        };
        payloads.unwrap_or_else(|error| {
            tracing::debug!(%error, "a picture could not be split into packets");
            Vec::new()
        })
    }
}

/// RFC 9628 §4.2 in flexible mode with one layer. The library's own says of no picture that it refers to another, so that
/// a receiver takes each for a keyframe.
#[derive(Default)]
struct Vp9Payloads {
    /// 15 bits.
    picture_id: u16,
}

impl Vp9Payloads {
    // I: the picture's number follows; F: flexible mode; Z: no layer above refers to it.
    const ALWAYS: u8 = 0x80 | 0x10 | 0x01;
    const INTER_PICTURE: u8 = 0x40;
    const START: u8 = 0x08;
    const END: u8 = 0x04;
    /// P_DIFF: the picture before is referred to, and no other is named.
    const PICTURE_BEFORE: u8 = 1 << 1;

    fn split(&mut self, picture: &Bytes, keyframe: bool) -> Vec<Bytes> {
        let number = self.picture_id;
        self.picture_id = (number + 1) & 0x7fff;
        let mut descriptor = vec![Self::ALWAYS];
        descriptor.extend((number | 0x8000).to_be_bytes());
        if !keyframe {
            descriptor[0] |= Self::INTER_PICTURE;
            descriptor.push(Self::PICTURE_BEFORE);
        }
        let pieces: Vec<&[u8]> = picture.chunks(PAYLOAD_MTU - descriptor.len()).collect();
        let last = pieces.len().saturating_sub(1);
        let payload = |(index, piece): (usize, &&[u8])| {
            let mut payload = BytesMut::with_capacity(descriptor.len() + piece.len());
            payload.put_slice(&descriptor);
            payload.put_slice(piece);
            if index == 0 {
                payload[0] |= Self::START;
            }
            if index == last {
                payload[0] |= Self::END;
            }
            payload.freeze()
        };
        pieces.iter().enumerate().map(payload).collect()
    }
}

#[cfg(test)]
mod tests;
