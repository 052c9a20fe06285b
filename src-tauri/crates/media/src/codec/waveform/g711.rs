//! G.711: the logarithmic laws of telephony, 8 kHz, one byte a sample.

use super::Law;
use crate::codec::SoundCodec;

/// µ-law, PCMU.
#[derive(Debug, Default, Clone, Copy)]
pub struct MuLaw;

/// A-law, PCMA.
#[derive(Debug, Default, Clone, Copy)]
pub struct ALaw;

/// Every code in samples of 16 bits.
static MU_LAW: [i16; 256] = table(true);
static A_LAW: [i16; 256] = table(false);

/// Added before the logarithm, in samples of 16 bits (ITU-T G.711, table 2).
const MU_LAW_BIAS: i32 = 132;
/// Largest magnitude that µ-law can say.
const MU_LAW_CLIP: i32 = 32_635;
/// Even bits are inverted on the line (ITU-T G.711 §3.1).
const A_LAW_INVERSION: u8 = 0x55;

impl Law for MuLaw {
    const CODEC: SoundCodec = SoundCodec::Pcmu;
    const RATE: u32 = 8_000;

    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.iter().map(|sample| mu_law_code(*sample)));
    }

    fn decode(&mut self, codes: &[u8], out: &mut Vec<i16>) {
        out.extend(codes.iter().map(|code| MU_LAW[usize::from(*code)]));
    }
}

impl Law for ALaw {
    const CODEC: SoundCodec = SoundCodec::Pcma;
    const RATE: u32 = 8_000;

    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.iter().map(|sample| a_law_code(*sample)));
    }

    fn decode(&mut self, codes: &[u8], out: &mut Vec<i16>) {
        out.extend(codes.iter().map(|code| A_LAW[usize::from(*code)]));
    }
}

pub(super) fn mu_law_code(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = magnitude(sample).min(MU_LAW_CLIP) + MU_LAW_BIAS;
    let segment = (magnitude >> 7).ilog2();
    let step = (magnitude >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4) as u8 | step as u8)
}

pub(super) fn a_law_code(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // Twelve bits of it.
    let magnitude = magnitude(sample) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = magnitude.ilog2() as i32 - 4;
        ((segment + 1) << 4) | ((magnitude >> segment) & 0x0F)
    };
    (sign | code as u8) ^ A_LAW_INVERSION
}

/// A negative sample is counted from -1, as in the ITU's Software Tool Library (G.191): it decides where a sample is as
/// far from one value as from the next.
fn magnitude(sample: i16) -> i32 {
    i32::from(if sample < 0 { !sample } else { sample })
}

const fn mu_law_sample(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0F) as i32;
    let magnitude = (((step << 3) + MU_LAW_BIAS) << segment) - MU_LAW_BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn a_law_sample(code: u8) -> i16 {
    let code = code ^ A_LAW_INVERSION;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0F) as i32;
    // The middle of the step.
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 264) << (segment - 1),
    };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn table(mu_law: bool) -> [i16; 256] {
    let mut samples = [0; 256];
    let mut code = 0;
    while code < 256 {
        samples[code] = if mu_law {
            mu_law_sample(code as u8)
        } else {
            a_law_sample(code as u8)
        };
        code += 1;
    }
    samples
}
