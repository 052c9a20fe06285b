//! The VP9 payload descriptor (RFC 9628 §4.2) and what it says of a packet's place in its stream.

use super::assembly::{Fragment, FrameOrder, PayloadFormat};
use super::vp8::PictureId;
use bytes::Bytes;

/// Reference indices of one picture at most (RFC 9628 §4.2).
const MAX_REFERENCES: usize = 3;

/// Reads VP9 payloads for [`super::assembly::FrameAssembly`].
///
/// All spatial layers of a picture have one time and are one frame here. Temporal layers are not told apart: the
/// descriptor does not say of a picture above the base layer that it refers to the base layer alone, and libvpx decodes
/// a picture whose references are missing without an error. After a loss only a keyframe is trusted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vp9Format;

impl PayloadFormat for Vp9Format {
    fn parse(&self, payload: &Bytes) -> Option<(Fragment, Bytes)> {
        let descriptor = Descriptor::parse(payload)?;
        let starts_frame = descriptor.starts_frame && descriptor.spatial_layer == 0;
        let fragment = Fragment {
            starts_frame,
            keyframe: starts_frame && !descriptor.inter_picture,
            order: FrameOrder {
                picture_id: descriptor.picture_id,
                layer: None,
            },
        };
        Some((fragment, payload.slice(descriptor.length..)))
    }
}

/// The fields of RFC 9628 §4.2 that matter to a receiver that takes all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes before the VP9 payload; there is at least one byte after them.
    pub length: usize,
    /// I: 7 or 15 bits.
    pub picture_id: Option<PictureId>,
    /// P: refers to pictures before it.
    pub inter_picture: bool,
    /// B: the first packet of a layer's frame.
    pub starts_frame: bool,
    /// SID; 0 without layers.
    pub spatial_layer: u8,
}

impl Descriptor {
    /// Reads the descriptor; `None` when the payload ends within it or has nothing after it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = payload.iter().copied();
        let mut next = || bytes.next();
        let flags = next()?;
        let (inter_picture, flexible) = (flags & 0x40 != 0, flags & 0x10 != 0);
        let picture_id = match flags & 0x80 {
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
        let mut spatial_layer = 0;
        if flags & 0x20 != 0 {
            spatial_layer = next()? >> 1 & 0x07;
            if !flexible {
                // TL0PICIDX
                next()?;
            }
        }
        if flexible && inter_picture {
            // P_DIFF, of which each says whether there is another.
            let mut references = 1;
            while next()? & 1 != 0 {
                references += 1;
                if references > MAX_REFERENCES {
                    return None;
                }
            }
        }
        if flags & 0x02 != 0 {
            skip_scalability_structure(&mut next)?;
        }
        next()?;
        Some(Self {
            length: payload.len() - bytes.len() - 1,
            picture_id,
            inter_picture,
            starts_frame: flags & 0x08 != 0,
            spatial_layer,
        })
    }
}

/// RFC 9628 §4.2.1: sizes of the layers and the order of the pictures, both also told by the stream itself.
fn skip_scalability_structure(next: &mut impl FnMut() -> Option<u8>) -> Option<()> {
    let flags = next()?;
    if flags & 0x10 != 0 {
        // Width and height of each spatial layer.
        let layers = (flags >> 5) + 1;
        for _ in 0..u32::from(layers) * 4 {
            next()?;
        }
    }
    if flags & 0x08 != 0 {
        for _ in 0..next()? {
            let references = next()? >> 2 & 0x03;
            for _ in 0..references {
                next()?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u16, bits: u8) -> Option<PictureId> {
        Some(PictureId { number, bits })
    }

    #[test]
    fn the_descriptor_of_flexible_mode_is_read() {
        // I P F B; picture 0x1234 in 15 bits; two references.
        let payload = [0xd8, 0x92, 0x34, 0x03, 0x04, 0x55];
        let descriptor = Descriptor::parse(&payload).expect("valid");
        assert_eq!(
            descriptor,
            Descriptor {
                length: 5,
                picture_id: id(0x1234, 15),
                inter_picture: true,
                starts_frame: true,
                spatial_layer: 0,
            }
        );
        for end in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..end]), None, "cut after {end} bytes");
        }
        let four_references = [0xd8, 0x92, 0x34, 0x03, 0x03, 0x03, 0x02, 0x55];
        assert_eq!(Descriptor::parse(&four_references), None);
    }

    #[test]
    fn the_descriptor_of_a_keyframe_with_layers_is_read() {
        // I L B V; picture 5 in 7 bits; SID 1; TL0PICIDX; two layers with sizes; two pictures, one with a reference.
        let payload = [
            0xaa, 0x05, 0x02, 9, 0x38, 0, 160, 0, 90, 1, 64, 0, 180, 2, 0x00, 0x04, 1, 0x55,
        ];
        let descriptor = Descriptor::parse(&payload).expect("valid");
        assert_eq!(
            (descriptor.length, descriptor.spatial_layer),
            (payload.len() - 1, 1)
        );
        for end in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..end]), None, "cut after {end} bytes");
        }
    }

    #[test]
    fn a_keyframe_is_known_by_the_first_packet_of_its_lowest_layer() {
        let parse = |payload: &'static [u8]| {
            let parsed = Vp9Format.parse(&Bytes::from_static(payload));
            parsed.map(|(it, content)| (it.starts_frame, it.keyframe, content.len()))
        };
        assert_eq!(parse(&[0x08, 7, 7]), Some((true, true, 2)));
        assert_eq!(parse(&[0x48, 7]), Some((true, false, 1)), "refers to others");
        assert_eq!(parse(&[0x00, 7]), Some((false, false, 1)), "not the first packet");
        assert_eq!(
            parse(&[0x28, 0x02, 0, 7]),
            Some((false, false, 1)),
            "a higher layer"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_bounds(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(descriptor) = Descriptor::parse(&payload) {
                prop_assert!(descriptor.length < payload.len());
            }
        }
    }
}
