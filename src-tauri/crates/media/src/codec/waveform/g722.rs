//! G.722 at 64 kbit/s (mode 1): two bands of ADPCM, 16 kHz; to the bit what ITU-T G.722 (09/2012) §6 says.
//!
//! Our own, because the crates for it (audio-codec 0.4, ezk-g722 0.1) give other codes than the ITU's reference.

mod band;
mod predictor;
mod qmf;
#[cfg(test)]
mod tests;

use super::Law;
use crate::codec::SoundCodec;
use band::{HigherBand, LowerBand};
use qmf::{Analysis, Synthesis};

/// Both directions; each end uses one.
#[derive(Debug, Default)]
pub struct G722 {
    encoder: Encoder,
    decoder: Decoder,
}

impl Law for G722 {
    const CODEC: SoundCodec = SoundCodec::G722;
    const RATE: u32 = 16_000;

    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        // Frames are of whole milliseconds, so no sample is left over.
        out.extend(
            samples
                .chunks_exact(2)
                .map(|pair| self.encoder.encode([pair[0], pair[1]])),
        );
    }

    fn decode(&mut self, codes: &[u8], out: &mut Vec<i16>) {
        out.extend(codes.iter().flat_map(|code| self.decoder.decode(*code)));
    }
}

#[derive(Debug, Default)]
struct Encoder {
    filter: Analysis,
    bands: Bands,
}

impl Encoder {
    fn encode(&mut self, pair: [i16; 2]) -> u8 {
        let (low, high) = self.filter.split(pair);
        self.bands.encode(low, high)
    }
}

#[derive(Debug, Default)]
struct Decoder {
    bands: Bands,
    filter: Synthesis,
}

impl Decoder {
    fn decode(&mut self, code: u8) -> [i16; 2] {
        let (low, high) = self.bands.decode(code);
        self.filter.join(low, high)
    }
}

/// What stands between the filters; the ITU's test sequences go in and come out here.
#[derive(Debug, Default)]
struct Bands {
    lower: LowerBand,
    higher: HigherBand,
}

impl Bands {
    /// Six bits of the lower band and above them two of the higher (§1.4.4).
    fn encode(&mut self, low: i32, high: i32) -> u8 {
        self.lower.encode(low) | (self.higher.encode(high) << 6)
    }

    fn decode(&mut self, code: u8) -> (i32, i32) {
        (self.lower.decode(code & 0x3F), self.higher.decode(code >> 6))
    }
}

/// To the range of 16 bits, in which every sum of the recommendation is kept.
fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// To the range of a band's samples, 15 bits.
fn limited(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// A product of two numbers of 16 bits, of which the second is a share of 32,768.
fn scaled(value: i32, share: i32) -> i32 {
    (value * share) >> 15
}
