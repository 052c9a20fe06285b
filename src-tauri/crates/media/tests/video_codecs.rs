//! VP8, VP9 and H.264: quality, keyframes, bitrate, size, and bytes that are not video.

mod video_support;

use ahoy_media::codec::{CodecError, EncodedPicture, EncoderSpeed, PictureCodec, VideoEncoder};
use ahoy_media::synthetic::pattern::{self, PatternMark};
use ahoy_media::units::{Bitrate, Resolution};
use ahoy_media::video::I420;
use ahoy_media::video::scale::scaled;
use proptest::prelude::*;
use std::time::Instant;
use video_support::{frame, psnr, textured};

const SMALL: Resolution = Resolution::new(320, 180);
const MEDIUM: Resolution = Resolution::new(640, 360);

fn encoder(codec: PictureCodec, size: Resolution, kbps: u64) -> Box<dyn VideoEncoder> {
    codec
        .encoder(size, Bitrate::from_kbps(kbps), 30)
        .expect("usable settings")
}

/// H.264 cuts odd sides.
fn decoded_size(codec: PictureCodec, size: Resolution) -> Resolution {
    match codec {
        PictureCodec::Vp8 | PictureCodec::Vp9 => size,
        PictureCodec::H264 => Resolution::new(size.width & !1, size.height & !1),
    }
}

/// Encodes textured pictures from `first`; a picture that rate control left out is `None`.
fn encode(
    encoder: &mut dyn VideoEncoder,
    start: Instant,
    size: Resolution,
    numbers: std::ops::Range<usize>,
) -> Vec<Option<EncodedPicture>> {
    numbers
        .map(|number| {
            let picture = frame(start, number, textured(size, number));
            encoder.encode(&picture, false).expect("encodes")
        })
        .collect()
}

fn bytes(pictures: &[Option<EncodedPicture>]) -> usize {
    pictures
        .iter()
        .flatten()
        .map(|picture| picture.payload.len())
        .sum()
}

#[test]
fn a_moving_picture_keeps_34_db_at_300_kbit_for_360p() {
    for codec in PictureCodec::ALL {
        // A quarter of the pixels of 720p at less than a quarter of its 2 Mbit/s.
        let (mut encoder, mut decoder) = (encoder(codec, MEDIUM, 300), codec.decoder());
        let start = Instant::now();
        let mut likeness = Vec::new();
        for number in 0..60 {
            let picture = textured(MEDIUM, number);
            let encoded = encoder
                .encode(&frame(start, number, picture.clone()), false)
                .expect("encodes");
            let Some(encoded) = encoded else { continue };
            let decoded = decoder
                .decode(&encoded.payload)
                .expect("decodes")
                .expect("a picture");
            likeness.push(psnr(&picture, &decoded.picture));
        }
        assert!(
            likeness.len() >= 55,
            "{codec:?}: {} of 60 pictures",
            likeness.len()
        );
        let settled = &likeness[10..];
        let mean = settled.iter().sum::<f64>() / settled.len() as f64;
        assert!(mean > 34.0, "{codec:?}: {mean:.1} dB");
    }
}

#[test]
fn a_keyframe_comes_first_and_when_it_is_forced() {
    for codec in PictureCodec::ALL {
        let mut encoder = encoder(codec, SMALL, 500);
        let start = Instant::now();
        let keyframes: Vec<_> = (0..12)
            .filter(|number| {
                let picture = frame(start, *number, textured(SMALL, *number));
                let encoded = encoder.encode(&picture, *number == 7).expect("encodes");
                encoded.is_some_and(|encoded| encoded.keyframe)
            })
            .collect();
        assert_eq!(keyframes, [0, 7], "{codec}");
    }
}

#[test]
fn a_new_bitrate_is_kept_without_a_keyframe() {
    for codec in PictureCodec::ALL {
        let mut encoder = encoder(codec, MEDIUM, 1600);
        let start = Instant::now();
        let high = encode(&mut *encoder, start, MEDIUM, 0..60);
        encoder.set_bitrate(Bitrate::from_kbps(400)).expect("usable");
        let settling = encode(&mut *encoder, start, MEDIUM, 60..120);
        let low = encode(&mut *encoder, start, MEDIUM, 120..180);
        encoder.set_bitrate(Bitrate::from_kbps(1600)).expect("usable");
        let rising = encode(&mut *encoder, start, MEDIUM, 180..240);
        let high_again = encode(&mut *encoder, start, MEDIUM, 240..300);
        let later = [&settling, &low, &rising, &high_again];
        assert!(
            later
                .into_iter()
                .flatten()
                .flatten()
                .all(|picture| !picture.keyframe),
            "{codec}"
        );
        // Kilobits in two seconds.
        let kbit = |pictures| bytes(pictures) * 8 / 1000;
        for (pictures, expected) in [(&high, 2200..4200), (&low, 550..1100), (&high_again, 2200..4200)] {
            let kbit = kbit(pictures);
            assert!(
                expected.contains(&kbit),
                "{codec}: {kbit} kbit in 2 s, not {expected:?}"
            );
        }
    }
}

#[test]
fn a_bitrate_is_kept_where_every_third_picture_is_left_out() {
    const SECONDS: usize = 16;
    let size = Resolution::new(480, 270);
    for codec in PictureCodec::ALL {
        let mut encoder = encoder(codec, size, 140);
        let start = Instant::now();
        let sent: usize = (0..30 * (SECONDS + 4))
            .filter(|number| number % 3 != 2)
            .map(|number| {
                let mark = PatternMark {
                    number: number as u32,
                    wall_ms: 1_000_000 + number as u64 * 33,
                };
                let mut picture = I420::black(Resolution::new(1280, 720));
                pattern::draw(mark, &mut picture);
                let encoded = encoder
                    .encode(&frame(start, number, scaled(&picture, size)), false)
                    .expect("encodes");
                let bytes = encoded.map_or(0, |encoded| encoded.payload.len());
                // The first seconds pay for the keyframe.
                if number < 120 { 0 } else { bytes }
            })
            .sum();
        let kbps = sent * 8 / 1000 / SECONDS;
        assert!((100..=155).contains(&kbps), "{codec:?}: {kbps} kbit/s");
    }
}

#[test]
fn a_new_size_is_a_keyframe_of_that_size() {
    for codec in PictureCodec::ALL {
        let (mut encoder, mut decoder) = (encoder(codec, SMALL, 500), codec.decoder());
        let start = Instant::now();
        for (number, size) in [
            (0, SMALL),
            (1, SMALL),
            (2, MEDIUM),
            (3, MEDIUM),
            (4, Resolution::new(161, 91)),
        ] {
            encoder.set_resolution(size).expect("usable");
            let changed = matches!(number, 0 | 2 | 4);
            let encoded = encoder.encode(&frame(start, number, textured(size, number)), false);
            let Some(encoded) = encoded.expect("encodes") else {
                assert!(!changed, "{codec}: the first picture of a size is never left out");
                continue;
            };
            assert_eq!(encoded.keyframe, changed, "{codec}: picture {number}");
            let decoded = decoder
                .decode(&encoded.payload)
                .expect("decodes")
                .expect("a picture");
            assert_eq!(decoded.picture.resolution(), decoded_size(codec, size));
        }
        let wrong = encoder.encode(&frame(start, 5, textured(SMALL, 5)), false);
        assert_eq!(
            wrong.map(|_| ()),
            Err(CodecError::Settings {
                codec: codec.name(),
                what: "a picture of 320x180 while set to 161x91".to_owned()
            })
        );
    }
}

#[test]
fn a_new_speed_goes_on_without_a_keyframe_and_keeps_the_picture() {
    for codec in PictureCodec::ALL {
        let (mut encoder, mut decoder) = (encoder(codec, MEDIUM, 600), codec.decoder());
        let start = Instant::now();
        for (turn, speed) in [
            EncoderSpeed::Usual,
            EncoderSpeed::Fast,
            EncoderSpeed::Fastest,
            EncoderSpeed::Usual,
        ]
        .into_iter()
        .enumerate()
        {
            encoder.set_speed(speed).expect("usable");
            for number in turn * 15..(turn + 1) * 15 {
                let picture = textured(MEDIUM, number);
                let encoded = encoder
                    .encode(&frame(start, number, picture.clone()), false)
                    .expect("encodes");
                let Some(encoded) = encoded else { continue };
                assert_eq!(encoded.keyframe, number == 0, "{codec}: {speed:?}");
                let decoded = decoder
                    .decode(&encoded.payload)
                    .expect("decodes")
                    .expect("a picture");
                let likeness = psnr(&picture, &decoded.picture);
                assert!(likeness > 28.0, "{codec} {speed:?}: {likeness:.1} dB");
            }
        }
    }
}

#[test]
fn the_number_in_the_pattern_is_read_at_a_low_bitrate_and_a_quarter_of_the_size() {
    let sizes = [
        (Resolution::new(160, 90), 40),
        (MEDIUM, 80),
        (Resolution::new(1280, 720), 150),
    ];
    let cases = PictureCodec::ALL
        .into_iter()
        .flat_map(|codec| sizes.map(|size| (codec, size)));
    for (codec, (size, kbps)) in cases {
        let (mut encoder, mut decoder) = (encoder(codec, size, kbps), codec.decoder());
        let start = Instant::now();
        let mut shown = 0;
        for number in 0..60_u32 {
            let mark = PatternMark {
                number,
                wall_ms: 1_795_000_000_000 + u64::from(number) * 33,
            };
            let mut picture = I420::black(size);
            pattern::draw(mark, &mut picture);
            let encoded = encoder
                .encode(&frame(start, number as usize, picture), false)
                .expect("encodes");
            let Some(encoded) = encoded else { continue };
            let decoded = decoder
                .decode(&encoded.payload)
                .expect("decodes")
                .expect("a picture")
                .picture;
            assert_eq!(
                pattern::read(&decoded),
                Some(mark),
                "{codec}: {size} at {kbps} kbit/s"
            );
            if size.height >= 360 {
                let quarter = scaled(&decoded, Resolution::new(size.width / 4, size.height / 4));
                assert_eq!(
                    pattern::read(&quarter),
                    Some(mark),
                    "{codec}: a quarter of {size} at {kbps} kbit/s"
                );
            }
            shown += 1;
        }
        assert!(
            shown >= 30,
            "{codec}: {size} at {kbps} kbit/s: {shown} of 60 pictures"
        );
    }
}

#[test]
fn after_an_error_the_decoder_goes_on_with_the_next_keyframe() {
    for codec in PictureCodec::ALL {
        let (mut encoder, mut decoder) = (encoder(codec, SMALL, 500), codec.decoder());
        let start = Instant::now();
        let pictures: Vec<_> = (0..4)
            .map(|number| {
                let picture = frame(start, number, textured(SMALL, number));
                encoder
                    .encode(&picture, number == 3)
                    .expect("encodes")
                    .expect("a picture")
                    .payload
            })
            .collect();
        assert!(
            decoder.decode(&pictures[1]).is_err(),
            "the first picture is not a keyframe"
        );
        assert!(decoder.decode(&pictures[0]).is_ok());
        assert!(decoder.decode(&[]).is_err());
        assert!(
            decoder.decode(&pictures[0][..40]).is_err(),
            "a keyframe that is cut off"
        );
        assert!(decoder.decode(&pictures[3]).expect("decodes").is_some());
    }
}

#[test]
fn a_keyframe_that_claims_a_huge_size_is_refused() {
    // RFC 6386 §9.1: keyframe tag, start code, 16383 x 16383.
    let bomb = [
        0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0, 0, 0, 0, 0,
    ];
    let error = PictureCodec::Vp8
        .decoder()
        .decode(&bomb)
        .map(|_| ())
        .expect_err("too large");
    assert_eq!(
        error.to_string(),
        "VP8 cannot decode: a picture of 16383x16383 is too large"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn bytes_that_are_no_picture_are_an_error_or_a_picture(
        payload in proptest::collection::vec(any::<u8>(), 0..400),
        codec in proptest::sample::select(&PictureCodec::ALL[..]),
    ) {
        // The result may be either; reaching the end is what is tested.
        codec.decoder().decode(&payload).ok();
    }

    #[test]
    fn a_broken_stream_never_breaks_the_decoder(
        hits in proptest::collection::vec((0..6_usize, any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        cut in 0..6_usize,
        codec in proptest::sample::select(&PictureCodec::ALL[..]),
    ) {
        let size = Resolution::new(97, 65);
        let mut encoder = encoder(codec, size, 300);
        let mut stream: Vec<Vec<u8>> = encode(&mut *encoder, Instant::now(), size, 0..6)
            .into_iter().flatten().map(|picture| picture.payload.to_vec()).collect();
        for (picture, at, value) in hits {
            if let Some(bytes) = stream.get_mut(picture) {
                let at = at.index(bytes.len());
                bytes[at] ^= value;
            }
        }
        if let Some(bytes) = stream.get_mut(cut) {
            let half = bytes.len() / 2;
            bytes.truncate(half);
        }
        let mut decoder = codec.decoder();
        for payload in &stream {
            decoder.decode(payload).ok();
        }
        let whole = encode(&mut *self::encoder(codec, size, 300), Instant::now(), size, 0..1);
        let decoded = decoder.decode(&whole[0].as_ref().expect("a picture").payload);
        prop_assert!(decoded.is_ok_and(|picture| picture.is_some()), "a keyframe mends everything");
    }
}

#[test]
fn the_number_in_the_pattern_is_read_at_every_speed() {
    let speeds = [EncoderSpeed::Usual, EncoderSpeed::Fast, EncoderSpeed::Fastest];
    let cases = PictureCodec::ALL
        .into_iter()
        .flat_map(|codec| speeds.map(|speed| (codec, speed)));
    let mut unread = Vec::new();
    for (codec, speed) in cases {
        let (mut encoder, mut decoder) = (encoder(codec, MEDIUM, 1000), codec.decoder());
        encoder.set_speed(speed).expect("usable");
        let start = Instant::now();
        for number in 0..90_u32 {
            let mut picture = I420::black(MEDIUM);
            let wall_ms = 1_795_000_000_000 + u64::from(number) * 67;
            pattern::draw(PatternMark { number, wall_ms }, &mut picture);
            // Fifteen pictures a second, of an encoder that expects thirty.
            let encoded = encoder.encode(&frame(start, number as usize * 2, picture), false);
            let Some(encoded) = encoded.expect("encodes") else {
                continue;
            };
            let decoded = decoder
                .decode(&encoded.payload)
                .expect("decodes")
                .expect("a picture");
            if pattern::read(&decoded.picture).is_none_or(|mark| mark.number != number) {
                unread.push((codec, speed, number));
            }
        }
    }
    assert!(unread.is_empty(), "{unread:?}");
}
