use super::g711::{a_law_code, mu_law_code};
use super::*;

mod reference;

fn tone(hz: f32, count: usize) -> Vec<f32> {
    (0..count)
        .map(|n| 0.25 * (std::f32::consts::TAU * hz * n as f32 / 48_000.0).sin())
        .collect()
}

/// Power of the tone over that of everything else in decibels, after the first 100 ms.
fn purity(sound: &[f32], hz: f64) -> f64 {
    let sound = &sound[4_800..];
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let phase = std::f64::consts::TAU * hz * n as f64 / 48_000.0;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
        power += f64::from(*sample) * f64::from(*sample);
    }
    let of_tone = 2.0 * (re * re + im * im) / sound.len() as f64;
    10.0 * (of_tone / (power - of_tone).max(1e-12)).log10()
}

fn through<L: Law>(sound: &[f32]) -> Vec<f32> {
    let mut encoder = WaveformEncoder::<L>::new().expect("usual rate");
    let mut decoder = WaveformDecoder::<L>::new().expect("usual rate");
    let mut out = Vec::new();
    for frame in sound.chunks_exact(960) {
        let packet = encoder.encode(frame).expect("encodes");
        assert_eq!(packet.len(), 160, "64 kbit/s");
        assert_eq!(decoder.inspect(&packet).expect("a packet").samples, 960);
        assert_eq!(decoder.decode(&packet, &mut out), Ok(960));
    }
    out
}

#[test]
fn the_laws_say_what_their_tables_say() {
    // ITU-T G.711, tables 1a to 2b: ends, zero and steps of each sign, in samples of 16 bits.
    let decoded = |mut law: Box<dyn FnMut(u8) -> i16>, codes: &[u8]| -> Vec<i16> {
        codes.iter().map(|code| law(*code)).collect()
    };
    let one = |law: &mut dyn FnMut(&[u8], &mut Vec<i16>), code: u8| {
        let mut out = Vec::new();
        law(&[code], &mut out);
        out[0]
    };
    let mu = decoded(
        Box::new(move |code| one(&mut |c, o| MuLaw.decode(c, o), code)),
        &[0x00, 0x80, 0xFF, 0x7F, 0xFE, 0x7E, 0x8F, 0xEF],
    );
    assert_eq!(mu, [-32_124, 32_124, 0, 0, 8, -8, 16_764, 132]);
    let a = decoded(
        Box::new(move |code| one(&mut |c, o| ALaw.decode(c, o), code)),
        &[0x2A, 0xAA, 0xD5, 0x55, 0xD4, 0x54],
    );
    assert_eq!(a, [-32_256, 32_256, 8, -8, 24, -24]);
    assert_eq!([mu_law_code(0), a_law_code(0)], [0xFF, 0xD5]);
    assert_eq!([mu_law_code(i16::MAX), mu_law_code(i16::MIN)], [0x80, 0x00]);
    assert_eq!([a_law_code(i16::MAX), a_law_code(i16::MIN)], [0xAA, 0x2A]);
}

#[test]
fn every_code_comes_back_and_every_sample_is_half_a_step_off_at_most() {
    let mut values = (Vec::new(), Vec::new());
    for code in 0..=255_u8 {
        MuLaw.decode(&[code], &mut values.0);
        ALaw.decode(&[code], &mut values.1);
    }
    for code in 0..=255_u8 {
        let (mu, a) = (values.0[usize::from(code)], values.1[usize::from(code)]);
        assert!(mu_law_code(mu) == code || mu == 0, "{code:#x}: {mu}");
        assert_eq!(a_law_code(a), code, "{code:#x}: {a}");
    }
    for sample in (i16::MIN..=i16::MAX).step_by(7) {
        let mu = i32::from(values.0[usize::from(mu_law_code(sample))]) - i32::from(sample);
        let a = i32::from(values.1[usize::from(a_law_code(sample))]) - i32::from(sample);
        // Half a step: sixteen steps to each doubling, counted from the bias of the law.
        let size = i32::from(sample).abs();
        assert!(
            mu.abs() <= (size + 132) / 32 + 4 || size > 32_635,
            "µ {sample}: {mu}"
        );
        assert!(a.abs() <= size.max(256) / 32 + 1, "A {sample}: {a}");
    }
}

#[test]
fn a_tone_comes_through_each_of_them_at_their_quality() {
    let sound = tone(1_000.0, 96_000);
    for (name, out) in [
        ("pcmu", through::<MuLaw>(&sound)),
        ("pcma", through::<ALaw>(&sound)),
        ("g722", through::<G722>(&sound)),
    ] {
        assert_eq!(out.len(), sound.len());
        let purity = purity(&out, 1_000.0);
        // ITU-T G.712 asks 33 dB of the laws.
        assert!(purity > 33.0, "{name}: {purity:.1} dB");
    }
    let high = tone(6_000.0, 96_000);
    assert!(purity(&through::<G722>(&high), 6_000.0) > 20.0, "wide band");
}

#[test]
fn packets_that_are_none_are_refused() {
    let mut decoder = WaveformDecoder::<MuLaw>::new().expect("usual rate");
    for bytes in [0, 79, 161, 1_040] {
        assert!(decoder.inspect(&vec![0xFF; bytes]).is_err(), "{bytes}");
    }
    assert_eq!(decoder.inspect(&[0xFF; 240]).expect("30 ms").samples, 1_440);
    assert!(decoder.recover(&[0xFF; 160], 960, &mut Vec::new()).is_err());
}

#[test]
fn a_lost_packet_is_made_up_in_its_length() {
    let sound = tone(300.0, 48_000);
    let mut encoder = WaveformEncoder::<ALaw>::new().expect("usual rate");
    let mut decoder = WaveformDecoder::<ALaw>::new().expect("usual rate");
    let mut out = Vec::new();
    for (n, frame) in sound.chunks_exact(960).enumerate() {
        let packet = encoder.encode(frame).expect("encodes");
        if n == 25 {
            assert_eq!(decoder.conceal(960, &mut out), Ok(960));
        } else {
            decoder.decode(&packet, &mut out).expect("decodes");
        }
    }
    assert_eq!(out.len(), sound.len());
    let purity = purity(&out, 300.0);
    assert!(purity > 15.0, "{purity:.1} dB with one frame of fifty made up");
}

/// Every code stands for a sample that it is the code of, and every sample gets the code whose interval it lies in: no
/// sample is farther from what is heard than half a step of its segment (ITU-T G.711 §3, all of the 65,536).
#[test]
fn the_laws_keep_every_sample_within_half_a_step() {
    let decode = |mu_law: bool, code: u8| {
        let mut out = Vec::new();
        if mu_law {
            MuLaw.decode(&[code], &mut out);
        } else {
            ALaw.decode(&[code], &mut out);
        }
        i32::from(out[0])
    };
    for code in 0..=u8::MAX {
        // µ-law has two zeros, of which the encoder uses one.
        let mu = decode(true, code);
        assert!(mu_law_code(mu as i16) == code || mu == 0, "{code:#x} is {mu}");
        let a = decode(false, code);
        assert_eq!(a_law_code(a as i16), code, "{a}");
        assert_eq!(decode(true, code ^ 0x80), -mu);
        assert_eq!(decode(false, code ^ 0x80), -a);
    }
    for sample in i16::MIN..=i16::MAX {
        let magnitude = i32::from(sample).abs();
        // The step doubles with each segment: from 8 for µ-law, whose segments begin at powers of two less 132; from 16
        // for A-law, whose first two are alike.
        let mu_step = 8 << ((magnitude.min(32_635) + 132) / 128).ilog2();
        let mu = decode(true, mu_law_code(sample));
        let past_the_end = (magnitude - 32_635).max(0);
        assert!(
            (i32::from(sample) - mu).abs() <= mu_step / 2 + past_the_end,
            "{sample} is heard as {mu}, step {mu_step}"
        );
        let a_step = 16 << (magnitude / 256).max(1).ilog2();
        let a = decode(false, a_law_code(sample));
        assert!(
            (i32::from(sample) - a).abs() <= a_step / 2,
            "{sample} is heard as {a}, step {a_step}"
        );
        assert!(
            sample == 0 || mu == 0 || (mu < 0) == (sample < 0),
            "{sample} is heard as {mu}"
        );
    }
}
