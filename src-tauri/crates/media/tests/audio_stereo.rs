//! Music in stereo from a microphone of two channels to a speaker of two, and what becomes of it elsewhere.

mod audio_support;

use ahoy_media::audio::capture::CapturePipeline;
use ahoy_media::audio::playout::PlayoutPipeline;
use ahoy_media::codec::opus::{OpusDecoder, OpusEncoder, OpusMode, OpusParameters, OpusSettings, OpusWish};
use ahoy_media::device::AudioFormat;
use ahoy_media::jitter_buffer::JitterBufferSettings;
use ahoy_media::units::{Bitrate, RtpTime, SampleRate};
use audio_support::packet;
use std::f32::consts::TAU;
use std::time::{Duration, Instant};

fn format(channels: u16) -> AudioFormat {
    AudioFormat {
        rate: SampleRate::HZ_48000,
        channels,
    }
}

/// Loudness of one frequency in a sound, 0..1.
fn loudness(sound: &[f32], hz: f32) -> f32 {
    let at = |n: usize| TAU * hz * n as f32 / 48_000.0;
    let part = |wave: fn(f32) -> f32| -> f32 { sound.iter().enumerate().map(|(n, s)| s * wave(at(n))).sum() };
    2.0 * part(f32::cos).hypot(part(f32::sin)) / sound.len() as f32
}

/// Three seconds of 440 Hz on the left and 1000 Hz on the right; every fortieth packet is lost. Returns what each of the
/// `speaker` channels plays in the last second.
fn played(settings: OpusSettings, decoded: u16, speaker: u16) -> Vec<Vec<f32>> {
    let encoder = OpusEncoder::with_settings(settings, Bitrate::from_kbps(96)).expect("encoder");
    let mut capture =
        CapturePipeline::new(format(2), Box::new(encoder), RtpTime::new(7)).expect("usual format");
    let decoder = OpusDecoder::with_channels(decoded).expect("decoder");
    let mut playout = PlayoutPipeline::new(
        format(speaker),
        Box::new(decoder),
        JitterBufferSettings::default(),
    )
    .expect("usual format");
    let start = Instant::now();
    let mut out = Vec::new();
    let mut played = Duration::ZERO;
    for block in 0..300_u32 {
        let now = start + Duration::from_millis(10) * (block + 1);
        let sound = |n: u32| {
            let tone = |hz: f32| 0.3 * (TAU * hz * (n % 48_000) as f32 / 48_000.0).sin();
            [tone(440.0), tone(1_000.0)]
        };
        let samples: Vec<f32> = (block * 480..(block + 1) * 480).flat_map(sound).collect();
        capture.push(&samples, now);
        while let Some(frame) = capture.poll_frame().expect("encodes") {
            let number = block / 2;
            if number % 40 != 39 {
                playout.handle_packet(packet(number, &frame, now));
            }
        }
        while played < now - start {
            played += playout.pull(now, &mut out);
        }
    }
    let stats = playout.stats(start + Duration::from_secs(3));
    assert_eq!(stats.channels, if settings.stereo { 2 } else { 1 });
    assert!(stats.buffer.packets_lost >= 2, "{stats:?}");
    let channels = usize::from(speaker);
    let last = out.len() - 48_000 * channels;
    (0..channels)
        .map(|channel| {
            out[last..]
                .iter()
                .skip(channel)
                .step_by(channels)
                .copied()
                .collect()
        })
        .collect()
}

fn assert_both(sound: &[f32]) {
    for hz in [440.0, 1_000.0] {
        let found = loudness(sound, hz);
        assert!((0.08..0.2).contains(&found), "{hz} Hz at {found}");
    }
}

#[test]
fn each_side_is_heard_on_its_side() {
    let sides = played(OpusSettings::of(OpusMode::Music), 2, 2);
    for (side, own, other) in [(0, 440.0, 1_000.0), (1, 1_000.0, 440.0)] {
        let (own, other) = (loudness(&sides[side], own), loudness(&sides[side], other));
        assert!(own > 0.2 && other < 0.05, "side {side}: {own} and {other}");
    }
}

#[test]
fn whoever_has_one_channel_hears_both_sides() {
    assert_both(&played(OpusSettings::of(OpusMode::Music), 2, 1)[0]);
    assert_both(&played(OpusSettings::of(OpusMode::Music), 1, 2)[1]);
    // The other side takes no stereo.
    let wish = OpusWish {
        mode: OpusMode::Music,
        dtx: false,
    };
    let mono = OpusSettings::agreed(wish, &OpusParameters::default());
    assert_both(&played(mono, 2, 2)[0]);
}
