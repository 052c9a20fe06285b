//! Opus keeps the sound, obeys its settings, and its protection rebuilds what is lost.

mod audio_support;

use ahoy_media::codec::opus::{OpusDecoder, OpusEncoder, OpusMode, OpusSettings};
use ahoy_media::codec::{AudioDecoder, AudioEncoder, CodecError, Loss};
use ahoy_media::units::{Bitrate, SampleRate};
use audio_support::speech;
use bytes::Bytes;
use std::f32::consts::TAU;
use std::time::Duration;

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
    encoder
        .set_expected_loss(Loss::unrepaired(0.03))
        .expect("a fraction");
    let (fec, deep) = count(&encode(&mut encoder, &sound));
    assert!(fec > 50 && deep == 0, "little loss: {fec} and {deep} of 100");
    encoder
        .set_expected_loss(Loss::unrepaired(0.2))
        .expect("a fraction");
    let (_, deep) = count(&encode(&mut encoder, &sound));
    assert!(deep > 50, "much loss: {deep} of 100");
}

#[test]
fn recovery_is_nearer_to_the_lost_frame_than_concealment() {
    let sound = speech(3.0);
    let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder");
    encoder
        .set_expected_loss(Loss::unrepaired(0.2))
        .expect("a fraction");
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
    encoder
        .set_expected_loss(Loss::unrepaired(0.3))
        .expect("a fraction");
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
    let with = |mode, kbps| {
        OpusEncoder::with_settings(OpusSettings::of(mode), Bitrate::from_kbps(kbps)).expect("encoder")
    };
    let mut low = with(OpusMode::LowDelay, 48);
    assert_eq!((low.frame_samples(), low.channels()), (480, 1));
    let mut music = with(OpusMode::Music, 96);
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
fn the_length_of_frames_changes_while_it_runs() {
    let sound = speech(8.0);
    let mut decoder = OpusDecoder::new().expect("decoder");
    let mut out = Vec::new();
    let mut bytes = Vec::new();
    for mode in [OpusMode::Voice, OpusMode::LowDelay] {
        let mut encoder =
            OpusEncoder::with_settings(OpusSettings::of(mode), Bitrate::from_kbps(24)).expect("encoder");
        out.clear();
        let mut rest = &sound[..];
        for milliseconds in [20, 60, 40, 10, 120, 20] {
            let time = Duration::from_millis(milliseconds);
            encoder.set_frame_time(time).expect("a known length");
            let size = encoder.frame_samples();
            assert_eq!(size as u64, milliseconds * 48);
            let (now, later) = rest.split_at(57_600);
            rest = later;
            for frame in now.chunks_exact(size) {
                let packet = encoder.encode(frame).expect("encodes");
                let content = decoder.inspect(&packet).expect("a packet");
                assert_eq!((content.samples as usize, content.channels), (size, 1));
                decoder.decode(&packet, &mut out).expect("decodes");
                bytes.push(packet.len());
            }
        }
        assert_eq!(out.len(), 6 * 57_600);
        let loudness = |sound: &[f32]| energy(sound) / sound.len() as f32;
        let share = loudness(&out) / loudness(&sound);
        assert!((0.5..1.5).contains(&share), "{mode:?}: {share}");
        assert!(encoder.set_frame_time(Duration::from_millis(30)).is_err());
        assert_eq!(encoder.frame_samples(), 960);
    }
    assert!(bytes.iter().all(|bytes| *bytes < 1_000), "{bytes:?}");
}

#[test]
fn a_lost_packet_of_60_ms_is_rebuilt_whole_from_the_next() {
    let sound = speech(6.0);
    for milliseconds in [40, 60] {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(20)).expect("encoder");
        let time = Duration::from_millis(milliseconds);
        encoder.set_frame_time(time).expect("a known length");
        encoder
            .set_expected_loss(Loss::unrepaired(0.1))
            .expect("a fraction");
        let mut decoder = OpusDecoder::new().expect("decoder");
        let size = encoder.frame_samples();
        let packets: Vec<Bytes> = sound
            .chunks_exact(size)
            .map(|frame| encoder.encode(frame).expect("encodes"))
            .collect();
        let protecting = packets
            .iter()
            .filter(|packet| decoder.inspect(packet).expect("a packet").protects as usize == size)
            .count();
        assert!(
            protecting * 10 > packets.len() * 6,
            "{milliseconds} ms: {protecting} of {}",
            packets.len()
        );
        let next = packets[10..]
            .iter()
            .find(|packet| decoder.inspect(packet).expect("a packet").protects > 0);
        let mut out = Vec::new();
        let next = next.expect("most are protecting");
        assert_eq!(decoder.recover(next, size, &mut out), Ok(size));
        // Half of it was made up already.
        assert_eq!(decoder.recover(next, size / 2, &mut out), Ok(size / 2));
        assert_eq!(out.len(), size * 3 / 2);
    }
}

#[test]
fn what_the_other_side_takes_at_most_is_kept() {
    let sound = speech(4.0);
    let settings = OpusSettings {
        max_bitrate: Some(Bitrate::from_kbps(12)),
        max_playback_rate: SampleRate::from_hz(8_000),
        cbr: true,
        fec: false,
        ..OpusSettings::of(OpusMode::Voice)
    };
    let mut encoder = OpusEncoder::with_settings(settings, Bitrate::from_kbps(40)).expect("encoder");
    encoder
        .set_expected_loss(Loss::unrepaired(0.2))
        .expect("a fraction");
    let packets = encode(&mut encoder, &sound);
    // 12 kbit/s in 20 ms.
    assert!(packets.iter().all(|packet| packet.len() == 30), "{packets:?}");
    let mut decoder = OpusDecoder::new().expect("decoder");
    for packet in &packets {
        // SILK in narrow band (RFC 6716 §3.1, table 2).
        assert!(packet[0] >> 3 < 4, "{:#x}", packet[0]);
        let content = decoder.inspect(packet).expect("a packet");
        assert_eq!((content.protects, content.rebuilds), (0, 0));
    }
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
