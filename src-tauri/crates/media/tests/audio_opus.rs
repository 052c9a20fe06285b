//! Opus keeps the sound, obeys its settings, and its protection rebuilds what is lost.

mod audio_support;

use ahoy_media::codec::opus::{OpusDecoder, OpusEncoder};
use ahoy_media::codec::{AudioDecoder, AudioEncoder, CodecError};
use ahoy_media::units::Bitrate;
use audio_support::speech;
use bytes::Bytes;
use std::f32::consts::TAU;

fn encode(encoder: &mut OpusEncoder, samples: &[f32]) -> Vec<Bytes> {
    samples
        .chunks_exact(960)
        .map(|frame| encoder.encode(frame).expect("encodes"))
        .collect()
}

fn decode(packets: &[Bytes]) -> Vec<f32> {
    let mut decoder = OpusDecoder::new().expect("decoder");
    let mut out = Vec::new();
    for packet in packets {
        assert_eq!(decoder.inspect(packet).expect("a packet").samples, 960);
        decoder.decode(packet, &mut out).expect("decodes");
    }
    out
}

/// Power of the original over that of the difference, in dB, at the best delay up to 20 ms.
fn snr(original: &[f32], decoded: &[f32]) -> f64 {
    let at = |delay: usize| {
        let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
        for (a, b) in original.iter().zip(&decoded[delay..]).skip(9_600) {
            signal += f64::from(*a) * f64::from(*a);
            noise += f64::from(a - b) * f64::from(a - b);
        }
        10.0 * (signal / noise).log10()
    };
    (0..960).map(at).fold(f64::NEG_INFINITY, f64::max)
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}

#[test]
fn a_tone_comes_through_with_twenty_decibels_at_usual_bitrates() {
    let tone: Vec<f32> = (0..96_000)
        .map(|n| 0.25 * (TAU * 440.0 * n as f32 / 48_000.0).sin())
        .collect();
    for (kbps, least) in [(24, 20.0), (32, 20.0), (64, 25.0), (128, 30.0)] {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(kbps)).expect("encoder");
        let snr = snr(&tone, &decode(&encode(&mut encoder, &tone)));
        assert!(snr > least, "{kbps} kbit/s: {snr:.1} dB");
    }
}

#[test]
fn the_bitrate_follows_its_setting_while_running() {
    let sound = speech(4.0);
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(64)).expect("encoder");
    let bits = |packets: &[Bytes]| packets.iter().map(|p| p.len() * 8).sum::<usize>() / 4;
    let high = bits(&encode(&mut encoder, &sound));
    encoder.set_bitrate(Bitrate::from_kbps(12)).expect("in range");
    let low = bits(&encode(&mut encoder, &sound));
    assert!((40_000..80_000).contains(&high), "{high} bit/s for 64000");
    assert!((7_000..16_000).contains(&low), "{low} bit/s for 12000");
}

#[test]
fn protection_is_in_the_packets_only_when_loss_is_expected() {
    let sound = speech(2.0);
    let mut decoder = OpusDecoder::new().expect("decoder");
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(40)).expect("encoder");
    let mut count = |packets: &[Bytes]| {
        let contents = packets.iter().map(|p| decoder.inspect(p).expect("a packet"));
        contents.fold((0, 0), |(fec, deep), content| {
            (
                fec + usize::from(content.protects > 0),
                deep + usize::from(content.rebuilds > 0),
            )
        })
    };
    assert_eq!(count(&encode(&mut encoder, &sound)), (0, 0));
    encoder.set_expected_loss(0.03).expect("a fraction");
    let (fec, deep) = count(&encode(&mut encoder, &sound));
    assert!(fec > 50 && deep == 0, "little loss: {fec} and {deep} of 100");
    encoder.set_expected_loss(0.2).expect("a fraction");
    let (_, deep) = count(&encode(&mut encoder, &sound));
    assert!(deep > 50, "much loss: {deep} of 100");
}

#[test]
fn recovery_is_nearer_to_the_lost_frame_than_concealment() {
    let sound = speech(3.0);
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder");
    encoder.set_expected_loss(0.2).expect("a fraction");
    let packets = encode(&mut encoder, &sound);
    let whole = decode(&packets);
    let (mut recovered_error, mut concealed_error, mut holes) = (0.0, 0.0, 0);
    let mut recovering = OpusDecoder::new().expect("decoder");
    let mut concealing = OpusDecoder::new().expect("decoder");
    let (mut recovered, mut concealed) = (Vec::new(), Vec::new());
    for n in 0..packets.len() {
        let next = packets
            .get(n + 1)
            .filter(|next| recovering.inspect(next).is_ok_and(|content| content.protects > 0));
        let Some(next) = next.filter(|_| n % 7 == 3) else {
            recovering.decode(&packets[n], &mut recovered).expect("decodes");
            concealing.decode(&packets[n], &mut concealed).expect("decodes");
            continue;
        };
        assert_eq!(recovering.recover(next, 960, &mut recovered), Ok(960));
        assert_eq!(concealing.conceal(960, &mut concealed), Ok(960));
        let range = n * 960..(n + 1) * 960;
        let difference = |made: &[f32]| {
            whole[range.clone()]
                .iter()
                .zip(&made[range.clone()])
                .map(|(a, b)| a - b)
                .collect::<Vec<_>>()
        };
        recovered_error += energy(&difference(&recovered));
        concealed_error += energy(&difference(&concealed));
        holes += 1;
    }
    assert!(holes > 5, "{holes}");
    assert!(
        recovered_error < concealed_error * 0.7,
        "{recovered_error} against {concealed_error}"
    );
}

#[test]
fn four_lost_frames_in_a_row_are_rebuilt_from_the_packet_after_them() {
    let sound = speech(4.0);
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(40)).expect("encoder");
    encoder.set_expected_loss(0.3).expect("a fraction");
    let packets = encode(&mut encoder, &sound);
    let whole = decode(&packets);
    let mut rebuilding = OpusDecoder::new().expect("decoder");
    let mut concealing = OpusDecoder::new().expect("decoder");
    let (mut rebuilt, mut concealed) = (Vec::new(), Vec::new());
    let mut holes = 0;
    for n in 0..packets.len() {
        let place = n % 20;
        let later = packets.get(n - n % 20 + 14);
        let Some(later) = later.filter(|_| n > 20 && (10..14).contains(&place)) else {
            rebuilding.decode(&packets[n], &mut rebuilt).expect("decodes");
            concealing.decode(&packets[n], &mut concealed).expect("decodes");
            continue;
        };
        let reach = rebuilding.inspect(later).expect("a packet").rebuilds;
        assert!(reach >= 4 * 960, "{reach}");
        let before = (14 - place) * 960;
        assert_eq!(rebuilding.rebuild(later, before, 960, &mut rebuilt), Ok(960));
        assert_eq!(concealing.conceal(960, &mut concealed), Ok(960));
        holes += 1;
    }
    assert!(holes >= 32, "{holes}");
    // The network speaks anew, so waveforms differ: what must come back is the loudness over time.
    let error = |made: &[f32]| -> f32 {
        let loudness = |sound: &[f32]| -> Vec<f32> { sound.chunks(480).map(|c| energy(c).sqrt()).collect() };
        let pairs = loudness(&whole).into_iter().zip(loudness(made));
        pairs.map(|(a, b)| (a - b).powi(2)).sum()
    };
    let (with, without) = (error(&rebuilt), error(&concealed));
    assert!(with < without * 0.5, "{with} against {without}");
}

#[test]
fn pauses_of_speech_are_hardly_sent_with_dtx_and_marked_as_such() {
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(24)).expect("encoder");
    encoder.set_dtx(true).expect("it can");
    let mut sound = speech(1.0);
    sound.extend(vec![0.0; 96_000]);
    sound.extend(speech(1.0));
    let packets = encode(&mut encoder, &sound);
    let sent = packets.iter().filter(|p| !p.is_empty()).count();
    assert!((100..125).contains(&sent), "{sent} of 200");
    let mut decoder = OpusDecoder::new().expect("decoder");
    let first_pause = packets.iter().position(Bytes::is_empty).expect("a pause");
    assert!(
        decoder
            .inspect(&packets[first_pause - 1])
            .expect("a packet")
            .rests
    );
}

#[test]
fn low_delay_and_music_have_their_own_frames() {
    use ahoy_media::codec::opus::OpusMode;
    let mut low = OpusEncoder::with_mode(OpusMode::LowDelay, Bitrate::from_kbps(48)).expect("encoder");
    assert_eq!((low.frame_samples(), low.channels()), (480, 1));
    let mut music = OpusEncoder::with_mode(OpusMode::Music, Bitrate::from_kbps(96)).expect("encoder");
    assert_eq!((music.frame_samples(), music.channels()), (960, 2));
    let mut decoder = OpusDecoder::new().expect("decoder");
    let tone = |n: usize| 0.25 * (TAU * 440.0 * n as f32 / 48_000.0).sin();
    let mono: Vec<f32> = (0..48_000).map(tone).collect();
    let mut out = Vec::new();
    for frame in mono.chunks_exact(480) {
        let packet = low.encode(frame).expect("encodes");
        assert_eq!(decoder.decode(&packet, &mut out), Ok(480));
    }
    assert!(snr(&mono, &out) > 20.0, "{}", snr(&mono, &out));
    let stereo: Vec<f32> = mono.iter().flat_map(|s| [*s, *s]).collect();
    let mut decoder = OpusDecoder::new().expect("decoder");
    out.clear();
    for frame in stereo.chunks_exact(1_920) {
        let packet = music.encode(frame).expect("encodes");
        assert_eq!(decoder.decode(&packet, &mut out), Ok(960));
    }
    assert!(snr(&mono, &out) > 25.0, "{}", snr(&mono, &out));
}

#[test]
fn concealment_goes_on_from_what_was_heard() {
    let tone: Vec<f32> = (0..48_000)
        .map(|n| 0.25 * (TAU * 440.0 * n as f32 / 48_000.0).sin())
        .collect();
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder");
    let mut decoder = OpusDecoder::new().expect("decoder");
    let mut out = Vec::new();
    for packet in encode(&mut encoder, &tone) {
        decoder.decode(&packet, &mut out).expect("decodes");
    }
    let before = energy(&out[out.len() - 960..]);
    let mut made = Vec::new();
    decoder.conceal(960, &mut made).expect("conceals");
    assert!(energy(&made) > before * 0.3, "{} of {before}", energy(&made));
}

#[test]
fn an_empty_payload_is_an_error_that_names_the_codec() {
    let mut decoder = OpusDecoder::new().expect("decoder");
    let error = decoder.decode(&[], &mut Vec::new()).expect_err("no packet");
    assert!(
        matches!(error, CodecError::Corrupt { codec: "opus", .. }),
        "{error}"
    );
}
