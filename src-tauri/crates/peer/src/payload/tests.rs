//! Every codec from pattern to pattern: encoder, payloads, assembly, decoder.

use super::*;
use ahoy_media::codec::{EncodedPicture, VideoDecoder};
use ahoy_media::packet::ReceivedPacket;
use ahoy_media::synthetic::pattern::{self, PatternMark};
use ahoy_media::units::{Bitrate, Resolution, RtpTime, SequenceNumber};
use ahoy_media::video::assembly::{AssembledFrame, FrameAssembly};
use ahoy_media::video::{I420, VideoFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: Resolution = Resolution::new(640, 360);
const PICTURES: u32 = 90;

fn drawn(number: u32) -> I420 {
    let mut picture = I420::black(SIZE);
    let mark = PatternMark {
        number,
        wall_ms: 1_795_000_000_000 + u64::from(number) * 33,
    };
    pattern::draw(mark, &mut picture);
    // Colours that no encoder foresees, the same in each picture: keyframes take several packets, what is between does not.
    let mut random = 0x2545_f491_u32;
    for colour in picture.planes_mut().1.iter_mut().take(4_000) {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *colour = (random >> 24) as u8;
    }
    picture
}

/// Of Y, in dB.
fn psnr(one: &I420, other: &I420) -> f64 {
    let (one, other) = (one.planes().0, other.planes().0);
    let squares = one
        .iter()
        .zip(other)
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// A sender and a receiver with nothing between them.
struct Line {
    codec: VideoCodec,
    payloads: PicturePayloads,
    sequence: SequenceNumber,
    assembly: FrameAssembly<VideoCodec>,
    decoder: Box<dyn VideoDecoder>,
    start: Instant,
}

impl Line {
    fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            payloads: PicturePayloads::new(),
            sequence: SequenceNumber::new(65_500),
            assembly: FrameAssembly::new(codec),
            decoder: codec.decoder(),
            start: Instant::now(),
        }
    }

    fn at(&self, number: u32) -> Instant {
        self.start + Duration::from_micros(u64::from(number) * 33_333)
    }

    fn packets(&mut self, number: u32, encoded: &EncodedPicture) -> Vec<ReceivedPacket> {
        let payloads = self
            .payloads
            .split(self.codec, &encoded.payload, encoded.keyframe);
        let count = payloads.len();
        let arrived_at = self.at(number);
        let packet = |(index, payload): (usize, Bytes)| {
            assert!(payload.len() <= PAYLOAD_MTU);
            self.sequence = self.sequence.next();
            ReceivedPacket {
                payload,
                sequence: self.sequence,
                rtp_time: RtpTime::new(number * 3000),
                marker: index + 1 == count,
                ssrc: 1,
                codec: None,
                repaired: false,
                rotation: None,
                arrived_at,
            }
        };
        payloads.into_iter().enumerate().map(packet).collect()
    }

    fn take(&mut self, number: u32, packets: Vec<ReceivedPacket>) -> Vec<AssembledFrame> {
        packets
            .into_iter()
            .for_each(|packet| self.assembly.handle_packet(packet));
        let now = self.at(number);
        std::iter::from_fn(|| self.assembly.poll_frame(now)).collect()
    }
}

#[test]
fn every_codec_carries_the_pattern_through_its_packets_with_likeness_and_order() {
    for codec in VideoCodec::ALL {
        let mut line = Line::new(codec);
        let mut encoder = codec.encoder(SIZE, Bitrate::from_kbps(600), 30).expect("usable");
        let (mut shown, mut likeness, mut keyframes) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..PICTURES {
            // The bitrate falls in mid-stream, and a keyframe is asked for later.
            if number == 30 {
                encoder.set_bitrate(Bitrate::from_kbps(300)).expect("usable");
            }
            let frame = VideoFrame {
                picture: Arc::new(drawn(number)),
                captured_at: line.at(number),
            };
            let encoded = encoder.encode(&frame, number == 60).expect("encodes");
            let Some(encoded) = encoded else { continue };
            let packets = line.packets(number, &encoded);
            let packet_count = packets.len();
            for assembled in line.take(number, packets) {
                assert_eq!(assembled.keyframe, encoded.keyframe, "{codec}: picture {number}");
                if assembled.keyframe {
                    assert!(packet_count > 1, "{codec}: a keyframe of one packet tests little");
                    keyframes.push(number);
                }
                let decoded = line
                    .decoder
                    .decode(&assembled.payload)
                    .expect("decodes")
                    .expect("a picture");
                let mark = pattern::read(&decoded.picture).expect("a readable pattern");
                shown.push(mark.number);
                likeness.push(psnr(&frame.picture, &decoded.picture));
                assert_eq!(mark.number, number, "{codec}");
            }
        }
        assert_eq!(keyframes, [0, 60], "{codec}");
        assert!(
            shown.len() > 80,
            "{codec}: {} of {PICTURES} pictures",
            shown.len()
        );
        let mean = likeness.iter().sum::<f64>() / likeness.len() as f64;
        assert!(mean > 32.0, "{codec}: {mean:.1} dB");
        assert_eq!(line.assembly.counts().frames_dropped, 0, "{codec}");
    }
}

#[test]
fn a_lost_packet_costs_pictures_until_the_next_keyframe_in_every_codec() {
    for codec in VideoCodec::ALL {
        let mut line = Line::new(codec);
        let mut encoder = codec.encoder(SIZE, Bitrate::from_kbps(600), 30).expect("usable");
        let mut numbers = Vec::new();
        for number in 0..40 {
            let frame = VideoFrame {
                picture: Arc::new(drawn(number)),
                captured_at: line.at(number),
            };
            let Some(encoded) = encoder.encode(&frame, number == 30).expect("encodes") else {
                continue;
            };
            let mut packets = line.packets(number, &encoded);
            if number == 10 {
                packets.remove(0);
            }
            for assembled in line.take(number, packets) {
                let decoded = line
                    .decoder
                    .decode(&assembled.payload)
                    .expect("decodes")
                    .expect("a picture");
                numbers.push(pattern::read(&decoded.picture).expect("readable").number);
            }
        }
        let lost: Vec<u32> = (0..40).filter(|number| !numbers.contains(number)).collect();
        assert!(
            lost.contains(&10) && lost.contains(&29),
            "{codec}: shown {numbers:?}"
        );
        assert!(
            numbers.contains(&9) && numbers.contains(&30) && numbers.contains(&39),
            "{codec}: {numbers:?}"
        );
    }
}

#[test]
fn damaged_packets_never_break_a_receiver_and_a_keyframe_mends_it() {
    for codec in VideoCodec::ALL {
        let mut line = Line::new(codec);
        let mut encoder = codec.encoder(SIZE, Bitrate::from_kbps(600), 30).expect("usable");
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = move |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % below.max(1)
        };
        let mut mended = false;
        for number in 0..150 {
            let whole = number >= 120;
            let frame = VideoFrame {
                picture: Arc::new(drawn(number)),
                captured_at: line.at(number),
            };
            let encoded = encoder.encode(&frame, number % 10 == 0).expect("encodes");
            let Some(encoded) = encoded else { continue };
            let mut packets = line.packets(number, &encoded);
            for packet in packets.iter_mut().filter(|_| !whole) {
                let mut bytes = packet.payload.to_vec();
                match draw(4) {
                    0 => {
                        let at = draw(bytes.len());
                        bytes[at] ^= 1 << draw(8);
                    }
                    1 => bytes.truncate(draw(bytes.len())),
                    2 => bytes = (0..draw(400)).map(|_| draw(256) as u8).collect(),
                    _ => {}
                }
                packet.payload = Bytes::from(bytes);
            }
            for assembled in line.take(number, packets) {
                match line.decoder.decode(&assembled.payload) {
                    Ok(Some(picture)) if whole => {
                        mended |= pattern::read(&picture.picture).is_some_and(|mark| mark.number == number);
                    }
                    Ok(_) => {}
                    Err(_) => line.assembly.handle_decode_failure(),
                }
            }
        }
        assert!(mended, "{codec}");
    }
}

#[test]
fn pictures_of_vp9_say_what_they_refer_to() {
    let mut payloads = Vp9Payloads { picture_id: 0x7fff };
    let key = payloads.split(&Bytes::from(vec![7; 2000]), true);
    let heads: Vec<&[u8]> = key.iter().map(|payload| &payload[..3]).collect();
    assert_eq!(heads, [&[0x99, 0xff, 0xff], &[0x95, 0xff, 0xff]]);
    let inter = payloads.split(&Bytes::from_static(&[7]), false);
    assert_eq!(inter, [Bytes::from_static(&[0xdd, 0x80, 0x00, 0x02, 7])]);
    assert!(payloads.split(&Bytes::new(), true).is_empty());
}
