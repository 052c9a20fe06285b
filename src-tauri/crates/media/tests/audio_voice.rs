//! Voice processing in synthetic rooms: what comes back of the far side, and what is left of the near one.

use ahoy_media::audio::capture::CapturePipeline;
use ahoy_media::audio::level::Level;
use ahoy_media::audio::render_tap::render_tap;
use ahoy_media::audio::voice::{NoiseSuppression, VoiceProcessor, VoiceSettings};
use ahoy_media::codec::opus::OpusEncoder;
use ahoy_media::device::AudioFormat;
use ahoy_media::units::{Bitrate, RtpTime, SampleRate};
use std::f64::consts::{PI, TAU};
use std::time::{Duration, Instant};

const RATE: usize = 48_000;
const BLOCK: usize = 480;

const ECHO_ONLY: VoiceSettings = VoiceSettings {
    echo_cancellation: true,
    noise_suppression: NoiseSuppression::Off,
    auto_gain_control: false,
    high_pass: true,
};

/// Seeded, -1..1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 30) as f64 - 1.0
    }
}

/// Syllables of a voice at a pitch, each begun by a hiss, with words and pauses.
fn speech(seconds: usize, pitch: f64, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let (mut phase, mut hiss) = (0.0_f64, 0.0);
    (0..seconds * RATE)
        .map(|n| {
            let t = n as f64 / RATE as f64;
            let place = (t * 4.0).fract();
            let pause = (t / 1.6).fract() > 0.85;
            phase += pitch * (1.0 + 0.2 * (1.9 * t).sin()) / RATE as f64;
            let formant = 500.0 + 400.0 * (TAU * 1.3 * t).sin();
            let voice: f64 = (1..=30)
                .map(|k| {
                    let hz = pitch * f64::from(k);
                    let loud = 1.0 / (1.0 + ((hz - formant) / 300.0).powi(2)) + 0.3 / f64::from(k);
                    loud * (TAU * phase * f64::from(k)).sin()
                })
                .sum();
            hiss += (random.next() - hiss) * 0.6;
            let voiced = (PI * place).sin().powi(2);
            let unvoiced = if place < 0.25 { 0.5 } else { 0.02 };
            if pause {
                0.0
            } else {
                (0.08 * voiced * voice + 0.1 * unvoiced * hiss) as f32
            }
        })
        .collect()
}

/// What a room adds: the way to the microphone and 50 ms of reverberation.
fn echo_of(played: &[f32], delay_ms: usize, loudness: f32, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let delay = delay_ms * RATE / 1_000;
    let taps: Vec<(usize, f32)> = (0..120)
        .map(|n| {
            let at = n * 20;
            (at, (random.next() * (-(at as f64) / 600.0).exp()) as f32)
        })
        .collect();
    let energy: f32 = taps.iter().map(|(_, tap)| tap * tap).sum::<f32>().sqrt();
    let mut echo = vec![0.0; played.len()];
    for (at, tap) in taps {
        let shift = delay + at;
        for n in shift..played.len() {
            echo[n] += played[n - shift] * tap * loudness / energy;
        }
    }
    echo
}

/// The sound as a clock that is slower by so many parts per million hears it.
fn drifted(sound: &[f32], ppm: f64) -> Vec<f32> {
    (0..sound.len())
        .map_while(|n| {
            let at = n as f64 * (1.0 + ppm * 1e-6);
            let share = at.fract() as f32;
            let first = at as usize;
            Some(sound[first] * (1.0 - share) + sound.get(first + 1)? * share)
        })
        .collect()
}

fn noise(count: usize, peak: f64, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..count).map(|_| (random.next() * peak) as f32).collect()
}

/// Noise as in a room with a fan: more of the low.
fn hum(count: usize, peak: f64, seed: u64) -> Vec<f32> {
    let mut low = 0.0;
    let smooth = |sample: f32| {
        low += (sample - low) * 0.1;
        low * 4.0
    };
    noise(count, peak, seed).into_iter().map(smooth).collect()
}

fn add(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Runs the processor over what is played and captured, block by block.
fn process(settings: VoiceSettings, played: &[f32], captured: &[f32]) -> Vec<f32> {
    let mut voice = VoiceProcessor::new(settings);
    voice.set_stream_delay(Duration::from_millis(40));
    let mut out = Vec::new();
    for (played, captured) in played.chunks_exact(BLOCK).zip(captured.chunks_exact(BLOCK)) {
        voice.handle_played(played);
        let mut block = captured.to_vec();
        voice.process(&mut block);
        out.extend(block);
    }
    assert_eq!(voice.restarts(), 0);
    out
}

/// Decibels of power between two moments in seconds.
fn power(sound: &[f32], from: f64, to: f64) -> f64 {
    let part = &sound[(from * RATE as f64) as usize..(to * RATE as f64) as usize];
    let energy: f64 = part.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    10.0 * (energy / part.len() as f64 + 1e-12).log10()
}

#[test]
fn the_echo_of_the_far_side_is_thirty_decibels_down_after_two_seconds() {
    let far = speech(10, 120.0, 1);
    for (delay, loudness) in [(10, 0.5), (45, 0.3), (150, 0.3)] {
        let captured = add(&echo_of(&far, delay, loudness, 2), &noise(far.len(), 0.0003, 3));
        let out = process(ECHO_ONLY, &far, &captured);
        let gone = power(&captured, 2.0, 9.5) - power(&out, 2.0, 9.5);
        assert!(gone >= 30.0, "{delay} ms, {loudness}: {gone:.1} dB");
    }
}

#[test]
fn the_usual_settings_keep_the_echo_down_too() {
    let far = speech(10, 120.0, 1);
    let captured = add(&echo_of(&far, 45, 0.3, 2), &noise(far.len(), 0.0003, 3));
    let out = process(VoiceSettings::usual(), &far, &captured);
    let gone = power(&captured, 2.0, 9.5) - power(&out, 2.0, 9.5);
    assert!(gone >= 30.0, "{gone:.1} dB");
}

#[test]
fn a_near_voice_is_not_swallowed_when_both_speak() {
    let far = speech(16, 120.0, 1);
    let echo = echo_of(&far, 45, 0.3, 2);
    let mut near = speech(16, 190.0, 9);
    near[..8 * RATE].fill(0.0);
    let captured = add(&add(&echo, &near), &noise(far.len(), 0.0003, 3));
    let out = process(ECHO_ONLY, &far, &captured);
    let kept = power(&out, 9.0, 15.5) - power(&near, 9.0, 15.5);
    assert!(kept > -4.0 && kept < 2.0, "{kept:.1} dB of the near voice");
    // Syllable by syllable: no word of it is lost.
    let mut lost = 0;
    let mut spoken = 0;
    for step in 0..65 {
        let (from, to) = (9.0 + f64::from(step) * 0.1, 9.1 + f64::from(step) * 0.1);
        if power(&near, from, to) > -35.0 {
            spoken += 1;
            lost += i32::from(power(&out, from, to) < power(&near, from, to) - 12.0);
        }
    }
    assert!(lost * 20 <= spoken, "{lost} of {spoken} tenths of a second");
}

#[test]
fn two_clocks_two_hundred_ppm_apart_do_not_break_the_canceller() {
    for ppm in [200.0_f64, -200.0] {
        let far = speech(30, 120.0, 1);
        let heard = drifted(&far, ppm.abs());
        // Either side may be the slow one: then it is the other that is stretched.
        let (played, heard) = if ppm > 0.0 {
            (far.clone(), heard)
        } else {
            (heard, far[..].to_vec())
        };
        let count = played.len().min(heard.len());
        let captured = add(&echo_of(&heard[..count], 45, 0.3, 2), &noise(count, 0.0003, 3));
        let out = process(ECHO_ONLY, &played[..count], &captured);
        let gone = power(&captured, 10.0, 29.0) - power(&out, 10.0, 29.0);
        assert!(gone >= 25.0, "{ppm} ppm: {gone:.1} dB");
    }
}

#[test]
fn steady_noise_goes_and_the_voice_stays() {
    for (strength, least) in [(NoiseSuppression::Normal, 12.0), (NoiseSuppression::Strong, 20.0)] {
        let settings = VoiceSettings {
            noise_suppression: strength,
            ..VoiceSettings::default()
        };
        let silence = vec![0.0; 10 * RATE];
        let hum = hum(10 * RATE, 0.01, 5);
        let out = process(settings, &silence, &hum);
        let gone = power(&hum, 4.0, 9.5) - power(&out, 4.0, 9.5);
        assert!(gone >= least, "{strength:?}: {gone:.1} dB of noise");
        let near = add(&speech(10, 150.0, 4), &hum);
        let out = process(settings, &silence, &near);
        let kept = power(&out, 4.0, 9.5) - power(&near, 4.0, 9.5);
        assert!(kept > -4.0, "{strength:?}: {kept:.1} dB of the voice");
    }
}

#[test]
fn a_soft_voice_becomes_louder_and_a_loud_one_does_not_clip() {
    let settings = VoiceSettings {
        auto_gain_control: true,
        ..VoiceSettings::default()
    };
    let voice = speech(15, 150.0, 4);
    let silence = vec![0.0; voice.len()];
    let soft: Vec<f32> = voice.iter().map(|s| s * 0.1).collect();
    let out = process(settings, &silence, &soft);
    let raised = power(&out, 10.0, 14.5) - power(&soft, 10.0, 14.5);
    assert!(raised > 6.0, "{raised:.1} dB");
    let loud: Vec<f32> = voice.iter().map(|s| (s * 4.0).clamp(-1.0, 1.0)).collect();
    let out = process(settings, &silence, &loud);
    assert!(out.iter().all(|s| s.abs() <= 1.0));
}

#[test]
fn a_capture_that_is_told_what_is_played_sends_no_echo_of_it() {
    let format = AudioFormat {
        rate: SampleRate::HZ_48000,
        channels: 1,
    };
    let encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder");
    let mut capture = CapturePipeline::new(format, Box::new(encoder), RtpTime::new(0)).expect("mono 48 kHz");
    let (mut tap, feed) = render_tap();
    capture.set_played(feed);
    capture.set_voice(ECHO_ONLY);
    let far = speech(6, 120.0, 1);
    let echo = echo_of(&far, 45, 0.3, 2);
    let start = Instant::now();
    let (mut heard, mut sent) = (0.0, 0.0);
    for (n, (played, captured)) in (0_u32..).zip(far.chunks_exact(960).zip(echo.chunks_exact(960))) {
        tap.push(played, Duration::from_millis(30));
        capture.push(captured, start + Duration::from_millis(20) * (n + 1));
        capture.poll_frame().expect("encodes").expect("a whole frame");
        if n >= 100 {
            heard += Level::of(captured).rms.powi(2);
            sent += capture.captured_level().rms.powi(2);
        }
    }
    let gone = 10.0 * (heard / sent).log10();
    assert!(gone >= 30.0, "{gone:.1} dB");
    assert_eq!(capture.voice_restarts(), 0);
}
