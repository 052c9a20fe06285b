//! The VP8 payload descriptor (RFC 7741 §4.2) and what it says of a packet's place in its stream.

use super::assembly::{Fragment, FrameOrder, Layer, PayloadFormat};
use bytes::Bytes;

/// Reads VP8 payloads for [`super::assembly::FrameAssembly`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Vp8Format;

impl PayloadFormat for Vp8Format {
    fn parse(&self, payload: &Bytes) -> Option<(Fragment, Bytes)> {
        let descriptor = Descriptor::parse(payload)?;
        let starts_frame = descriptor.starts_partition && descriptor.partition == 0;
        // The first byte of a frame has the inverse keyframe flag as its lowest bit (RFC 6386 §9.1).
        let keyframe = starts_frame && payload[descriptor.length] & 1 == 0;
        let layer = match (descriptor.tl0_picture_index, descriptor.temporal_layer) {
            (Some(base_index), Some((id, sync))) => Some(Layer { base_index, id, sync }),
            (Some(_), None) | (None, _) => None,
        };
        let order = FrameOrder {
            picture_id: descriptor.picture_id,
            layer,
        };
        let fragment = Fragment {
            starts_frame,
            keyframe,
            order,
        };
        Some((fragment, payload.slice(descriptor.length..)))
    }
}

/// The fields of RFC 7741 §4.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes before the VP8 payload; there is at least one byte after them.
    pub length: usize,
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// S
    pub starts_partition: bool,
    /// PID
    pub partition: u8,
    /// I: 7 or 15 bits.
    pub picture_id: Option<PictureId>,
    /// L
    pub tl0_picture_index: Option<u8>,
    /// T: TID and Y (only frames of the base layer are referred to).
    pub temporal_layer: Option<(u8, bool)>,
    /// K
    pub key_index: Option<u8>,
}

/// A running number of pictures of 7 or 15 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    pub number: u16,
    pub bits: u8,
}

impl PictureId {
    /// Whether this picture comes directly after `other`.
    pub fn follows(self, other: Self) -> bool {
        let mask = (1_u16 << self.bits) - 1;
        self.bits == other.bits && self.number == other.number.wrapping_add(1) & mask
    }
}

impl Descriptor {
    /// Reads the descriptor; `None` when the payload ends within it or has nothing after it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = payload.iter().copied();
        let mut next = || bytes.next();
        let first = next()?;
        let extension = if first & 0x80 != 0 { next()? } else { 0 };
        let picture_id = match extension & 0x80 {
            0 => None,
            _ => Some(match next()? {
                high if high & 0x80 != 0 => PictureId {
                    number: u16::from_be_bytes([high & 0x7f, next()?]),
                    bits: 15,
                },
                low => PictureId {
                    number: u16::from(low),
                    bits: 7,
                },
            }),
        };
        let tl0_picture_index = if extension & 0x40 != 0 {
            Some(next()?)
        } else {
            None
        };
        let layers = if extension & 0x30 != 0 {
            Some(next()?)
        } else {
            None
        };
        next()?;
        let length = payload.len() - bytes.len() - 1;
        Some(Self {
            length,
            non_reference: first & 0x20 != 0,
            starts_partition: first & 0x10 != 0,
            partition: first & 0x07,
            picture_id,
            tl0_picture_index,
            temporal_layer: layers
                .filter(|_| extension & 0x20 != 0)
                .map(|layers| (layers >> 6, layers & 0x20 != 0)),
            key_index: layers
                .filter(|_| extension & 0x10 != 0)
                .map(|layers| layers & 0x1f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shortest_descriptor_is_one_byte() {
        let descriptor = Descriptor::parse(&[0x10, 0x00]).expect("valid");
        assert_eq!(
            (
                descriptor.length,
                descriptor.starts_partition,
                descriptor.partition
            ),
            (1, true, 0)
        );
        assert_eq!(descriptor.picture_id, None);
        assert_eq!(Descriptor::parse(&[0x10]), None, "nothing after the descriptor");
    }

    #[test]
    fn all_fields_are_read() {
        // X N S PID 3; I L T K; picture 0x1234 in 15 bits; TL0PICIDX 9; TID 2, Y, KEYIDX 17.
        let payload = [0xb3, 0xf0, 0x92, 0x34, 9, 0b1011_0001, 0x55];
        let descriptor = Descriptor::parse(&payload).expect("valid");
        assert_eq!(
            descriptor,
            Descriptor {
                length: 6,
                non_reference: true,
                starts_partition: true,
                partition: 3,
                picture_id: Some(PictureId {
                    number: 0x1234,
                    bits: 15
                }),
                tl0_picture_index: Some(9),
                temporal_layer: Some((2, true)),
                key_index: Some(17),
            }
        );
        for end in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..end]), None, "cut after {end} bytes");
        }
    }

    #[test]
    fn picture_numbers_follow_each_other_over_their_wrap() {
        let short = |number| PictureId { number, bits: 7 };
        let long = |number| PictureId { number, bits: 15 };
        assert!(short(0).follows(short(127)));
        assert!(long(0).follows(long(0x7fff)));
        assert!(long(128).follows(long(127)));
        assert!(!short(5).follows(short(5)));
        assert!(!long(6).follows(short(5)));
    }

    #[test]
    fn a_keyframe_is_known_by_its_first_packet_only() {
        let parse = |payload: &'static [u8]| {
            let parsed = Vp8Format.parse(&Bytes::from_static(payload));
            parsed.map(|(it, _)| (it.starts_frame, it.keyframe))
        };
        assert_eq!(parse(&[0x10, 0x00]), Some((true, true)));
        assert_eq!(parse(&[0x10, 0x01]), Some((true, false)));
        assert_eq!(parse(&[0x00, 0x00]), Some((false, false)));
        assert_eq!(
            parse(&[0x11, 0x00]),
            Some((false, false)),
            "a later partition starts no frame"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_bounds(payload in proptest::collection::vec(any::<u8>(), 0..16)) {
            if let Some(descriptor) = Descriptor::parse(&payload) {
                prop_assert!(descriptor.length < payload.len());
            }
        }
    }
}
