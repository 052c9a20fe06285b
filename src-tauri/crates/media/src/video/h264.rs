//! The H.264 payload (RFC 6184 §5) back to NAL units with start codes, and what it says of a packet's place.
//!
//! Of the packetization modes this reads 0 and 1: single units, STAP-A and FU-A.

use super::assembly::{Fragment, FrameOrder, PayloadFormat};
use bytes::{BufMut, Bytes, BytesMut};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

// NAL unit types (ITU-T H.264 table 7-1; RFC 6184 table 1).
const SLICE: u8 = 1;
pub(crate) const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
pub(crate) const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const PREFIX: u8 = 14;
const LAST_SINGLE: u8 = 23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Reads H.264 payloads for [`super::assembly::FrameAssembly`].
#[derive(Debug, Clone, Copy, Default)]
pub struct H264Format;

impl PayloadFormat for H264Format {
    fn parse(&self, payload: &Bytes) -> Option<(Fragment, Bytes)> {
        let header = *payload.first()?;
        if header & 0x80 != 0 {
            // The forbidden bit marks what a network has found damaged.
            return None;
        }
        match header & 0x1f {
            SLICE..=LAST_SINGLE => Some((place_of(payload), with_start_code(&[payload]))),
            STAP_A => aggregated(payload),
            FU_A => fragmented(header, payload),
            _ => None,
        }
    }
}

/// RFC 6184 §5.7.1: units with their lengths before them.
fn aggregated(payload: &Bytes) -> Option<(Fragment, Bytes)> {
    let mut rest = &payload[1..];
    let mut units: Vec<&[u8]> = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if !matches!(unit.first()? & 0x9f, SLICE..=LAST_SINGLE) {
            return None;
        }
        units.push(unit);
        rest = after;
    }
    let places = units.iter().map(|unit| place_of(unit));
    let place = places.reduce(|one, other| Fragment {
        starts_frame: one.starts_frame || other.starts_frame,
        keyframe: one.keyframe || other.keyframe,
        order: FrameOrder::default(),
    })?;
    Some((place, with_start_code(&units)))
}

/// RFC 6184 §5.8: a piece of a unit, whose header is spread over two bytes.
fn fragmented(indicator: u8, payload: &Bytes) -> Option<(Fragment, Bytes)> {
    let header = *payload.get(1)?;
    let (starts, unit_type) = (header & 0x80 != 0, header & 0x1f);
    if !matches!(unit_type, SLICE..=LAST_SINGLE) {
        return None;
    }
    if !starts {
        return Some((Fragment::default(), payload.slice(2..)));
    }
    let unit_header = indicator & 0xe0 | unit_type;
    let place = place_of(&[&[unit_header], &payload[2..payload.len().min(3)]].concat());
    let mut content = BytesMut::with_capacity(START_CODE.len() + payload.len());
    content.put_slice(&START_CODE);
    content.put_u8(unit_header);
    content.put_slice(&payload[2..]);
    Some((place, content.freeze()))
}

/// What a unit, or the first two bytes of it, says of the frame. A stream may repeat its parameters only rarely, so a
/// picture that refers to none (IDR) counts as a keyframe with and without them.
fn place_of(unit: &[u8]) -> Fragment {
    let unit_type = unit.first().map_or(0, |header| header & 0x1f);
    // `first_mb_in_slice` is 0: one set bit (ITU-T H.264 §7.3.3, §9.1).
    let first_slice = unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
    let starts_frame = match unit_type {
        SLICE | IDR_SLICE => first_slice,
        SEI | SPS | PPS | DELIMITER | PREFIX => true,
        _ => false,
    };
    Fragment {
        starts_frame,
        keyframe: unit_type == SPS || (unit_type == IDR_SLICE && first_slice),
        order: FrameOrder::default(),
    }
}

fn with_start_code(units: &[impl AsRef<[u8]>]) -> Bytes {
    let mut content = BytesMut::new();
    for unit in units {
        content.put_slice(&START_CODE);
        content.put_slice(unit.as_ref());
    }
    content.freeze()
}

/// The NAL units of a byte stream (ITU-T H.264 annex B), without their start codes.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    let mut first = true;
    std::iter::from_fn(move || {
        if std::mem::take(&mut first) {
            rest = &rest[start_code(rest)? + 3..];
        }
        if rest.is_empty() {
            return None;
        }
        let (unit, after) = match start_code(rest) {
            Some(at) => (&rest[..at], &rest[at + 3..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        // A start code may have any number of zeros before it; a unit never ends with one.
        let length = unit
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        Some(&unit[..length])
    })
    .filter(|unit| !unit.is_empty())
}

/// Where the next `00 00 01` begins.
fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> Option<(bool, bool, Vec<u8>)> {
        let parsed = H264Format.parse(&Bytes::copy_from_slice(payload));
        parsed.map(|(it, content)| (it.starts_frame, it.keyframe, content.to_vec()))
    }

    #[test]
    fn single_units_get_their_start_code_back() {
        assert_eq!(parse(&[0x67, 1]), Some((true, true, vec![0, 0, 0, 1, 0x67, 1])));
        assert_eq!(
            parse(&[0x41, 0x9a]),
            Some((true, false, vec![0, 0, 0, 1, 0x41, 0x9a]))
        );
        assert_eq!(
            parse(&[0x41, 0x5a]).map(|it| it.0),
            Some(false),
            "a later slice starts no frame"
        );
        assert_eq!(parse(&[0x65, 0x88]).map(|it| (it.0, it.1)), Some((true, true)));
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0x60]), None, "type 0");
        assert_eq!(parse(&[0xe7, 1]), None, "the forbidden bit");
        assert_eq!(
            parse(&[0x79, 0, 1, 0x67]),
            None,
            "STAP-B is of the interleaved mode"
        );
    }

    #[test]
    fn aggregated_units_are_taken_apart() {
        let payload = [0x78, 0, 2, 0x67, 1, 0, 3, 0x68, 2, 3];
        assert_eq!(
            parse(&payload),
            Some((true, true, vec![0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 3]))
        );
        for end in [1, 2, 3, 4, 6, 7, 8, 9] {
            assert_eq!(parse(&payload[..end]), None, "cut after {end} bytes");
        }
        assert_eq!(parse(&[0x78, 0, 0]), None, "an empty unit");
        assert_eq!(parse(&[0x78, 0, 2, 0x78, 0]), None, "one within the other");
    }

    #[test]
    fn a_fragmented_unit_is_put_together_again() {
        let first = parse(&[0x7c, 0x85, 0x88, 7]).expect("valid");
        assert_eq!(first, (true, true, vec![0, 0, 0, 1, 0x65, 0x88, 7]));
        assert_eq!(parse(&[0x7c, 0x05, 8]), Some((false, false, vec![8])));
        assert_eq!(parse(&[0x7c, 0x45, 9]), Some((false, false, vec![9])));
        assert_eq!(
            parse(&[0x5c, 0x81, 0x5a]).map(|it| it.0),
            Some(false),
            "a later slice"
        );
        assert_eq!(parse(&[0x7c]), None);
        assert_eq!(parse(&[0x7c, 0x9c, 1]), None, "a fragment of fragments");
    }

    #[test]
    fn units_of_a_stream_are_found() {
        let found = |stream: &'static [u8]| units(stream).collect::<Vec<_>>();
        assert_eq!(
            found(&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 0, 2]),
            [&[0x67, 1][..], &[0x68], &[0x65, 0, 2]]
        );
        assert!(found(&[1, 2, 3]).is_empty());
        assert!(found(&[0, 0, 1]).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_bounds(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let length = payload.len();
            if let Some((_, content)) = H264Format.parse(&Bytes::from(payload.clone())) {
                prop_assert!(content.len() <= length * 3 + 4);
            }
            prop_assert!(units(&payload).map(<[u8]>::len).sum::<usize>() <= length);
        }
    }
}
