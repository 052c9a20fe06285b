//! G.722 at 64 kbit/s: two bands of ADPCM, 16 kHz.

use super::Law;
use crate::codec::SoundCodec;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder, Encoder};

/// Both directions; each end uses one.
#[derive(Default)]
pub struct G722 {
    encoder: G722Encoder,
    decoder: G722Decoder,
}

impl Law for G722 {
    const CODEC: SoundCodec = SoundCodec::G722;
    const RATE: u32 = 16_000;

    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.encoder.max_encode_bytes(samples.len()), 0);
        let count = self.encoder.encode_into(samples, &mut out[start..]);
        out.truncate(start + count.expect("there is room for as much as it announced"));
    }

    fn decode(&mut self, codes: &[u8], out: &mut Vec<i16>) {
        let start = out.len();
        out.resize(start + self.decoder.max_decode_samples(codes.len()), 0);
        let count = self.decoder.decode_into(codes, &mut out[start..]);
        out.truncate(start + count.expect("there is room for as much as it announced"));
    }
}
