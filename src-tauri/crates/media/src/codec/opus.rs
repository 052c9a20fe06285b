//! Opus over libopus: 48 kHz mono, 20 ms, variable bitrate, in-band FEC.
//!
//! Encoder and decoder live on the thread of their pipeline. They know nothing of RTP; which packet protects which is
//! the jitter buffer's.

use super::{AudioDecoder, AudioEncoder, CodecError};
use crate::audio::frame::FRAME_SAMPLES;
use crate::units::Bitrate;
use bytes::Bytes;
use opus::{Application, Channels};

const CODEC: &str = "opus";

/// Bits per second: below 6 kbit/s libopus has no mode; above 128 kbit/s mono speech and music gain nothing audible.
pub const BITRATE_RANGE: std::ops::RangeInclusive<u64> = 6_000..=128_000;

/// Bytes: the most one 20 ms frame can take (RFC 6716 §3.2.1).
const LARGEST_FRAME: usize = 1275;

/// 0..10. Measured with libopus 1.6.1: 0.2 ms per frame, one percent of a core.
const COMPLEXITY: i32 = 9;

/// Samples of 2.5 ms, the grain of concealment in libopus.
const CONCEAL_GRAIN: usize = 120;

/// Samples of 120 ms, the longest packet (RFC 6716 §3.2.5) and the longest single concealment.
const LONGEST_PACKET: usize = 5760;

/// Encodes speech and music for realtime.
pub struct OpusEncoder {
    encoder: opus::Encoder,
    bytes: [u8; LARGEST_FRAME],
}

impl OpusEncoder {
    /// Makes an encoder that starts at a bitrate within [`BITRATE_RANGE`].
    pub fn new(bitrate: Bitrate) -> Result<Self, CodecError> {
        let encoder = opus::Encoder::new(48_000, Channels::Mono, Application::Voip).map_err(failed)?;
        let mut this = Self {
            encoder,
            bytes: [0; LARGEST_FRAME],
        };
        this.encoder.set_complexity(COMPLEXITY).map_err(failed)?;
        this.encoder.set_vbr(true).map_err(failed)?;
        this.encoder.set_inband_fec(true).map_err(failed)?;
        this.encoder.set_dtx(false).map_err(failed)?;
        this.set_bitrate(bitrate)?;
        this.set_expected_loss(0.0)?;
        Ok(this)
    }
}

impl AudioEncoder for OpusEncoder {
    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
        if samples.len() != FRAME_SAMPLES {
            let what = format!("a frame of {} samples, it takes {FRAME_SAMPLES}", samples.len());
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        let size = self
            .encoder
            .encode_float(samples, &mut self.bytes)
            .map_err(failed)?;
        Ok(Bytes::copy_from_slice(&self.bytes[..size]))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        if !BITRATE_RANGE.contains(&bitrate.as_bps()) {
            let what = format!("{} bit/s, it takes 6000 to 128000", bitrate.as_bps());
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        let bps = i32::try_from(bitrate.as_bps()).expect("the range ends far below i32");
        self.encoder.set_bitrate(opus::Bitrate::Bits(bps)).map_err(failed)
    }

    fn set_expected_loss(&mut self, fraction: f32) -> Result<(), CodecError> {
        if !(0.0..=1.0).contains(&fraction) {
            let what = format!("an expected loss of {fraction}, it takes 0 to 1");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        self.encoder
            .set_packet_loss_perc((fraction * 100.0).round() as i32)
            .map_err(failed)
    }
}

/// Decodes, recovers and conceals.
pub struct OpusDecoder {
    decoder: opus::Decoder,
}

impl OpusDecoder {
    pub fn new() -> Result<Self, CodecError> {
        let decoder = opus::Decoder::new(48_000, Channels::Mono).map_err(failed)?;
        Ok(Self { decoder })
    }

    /// Decodes into `samples` more places of `out`; on an error `out` is as before.
    fn append(
        &mut self,
        payload: &[u8],
        samples: usize,
        fec: bool,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError> {
        let start = out.len();
        out.resize(start + samples, 0.0);
        match self.decoder.decode_float(payload, &mut out[start..], fec) {
            Ok(count) => {
                out.truncate(start + count);
                Ok(count)
            }
            Err(error) => {
                out.truncate(start);
                Err(corrupt(error))
            }
        }
    }
}

impl AudioDecoder for OpusDecoder {
    fn samples_of(&self, payload: &[u8]) -> Result<usize, CodecError> {
        opus::packet::get_nb_samples(payload, 48_000).map_err(corrupt)
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<usize, CodecError> {
        let samples = self.samples_of(payload)?;
        self.append(payload, samples, false, out)
    }

    fn recover(
        &mut self,
        next_payload: &[u8],
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError> {
        self.samples_of(next_payload)?;
        if samples == 0 || samples > LONGEST_PACKET || !samples.is_multiple_of(CONCEAL_GRAIN) {
            let what = format!("a hole of {samples} samples, it takes multiples of 120 up to 5760");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        self.append(next_payload, samples, true, out)
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, CodecError> {
        let end = out.len() + samples;
        while out.len() < end {
            let left = (end - out.len()).next_multiple_of(CONCEAL_GRAIN);
            self.append(&[], left.min(LONGEST_PACKET), false, out)?;
        }
        out.truncate(end);
        Ok(samples)
    }

    fn has_recovery(&self, payload: &[u8]) -> bool {
        let Ok(length) = i32::try_from(payload.len()) else {
            return false;
        };
        if length == 0 {
            return false;
        }
        // SAFETY: libopus reads at most `length` bytes from the pointer, which are those of `payload`, and keeps neither.
        let flag = unsafe { opusic_sys::opus_packet_has_lbrr(payload.as_ptr(), length) };
        flag == 1
    }
}

fn failed(error: opus::Error) -> CodecError {
    CodecError::Failed {
        codec: CODEC,
        why: error.to_string(),
    }
}

fn corrupt(error: opus::Error) -> CodecError {
    CodecError::Corrupt {
        codec: CODEC,
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let mut encoder = OpusEncoder::new(Bitrate::from_kbps(32)).expect("encoder");
        let error = encoder
            .set_bitrate(Bitrate::from_bps(5_999))
            .expect_err("too low");
        assert_eq!(
            error.to_string(),
            "opus cannot use 5999 bit/s, it takes 6000 to 128000"
        );
        assert!(encoder.set_bitrate(Bitrate::from_kbps(129)).is_err());
        assert!(encoder.set_expected_loss(1.5).is_err());
        assert!(encoder.set_expected_loss(f32::NAN).is_err());
        assert!(encoder.encode(&[0.0; 480]).is_err());
    }

    #[test]
    fn concealment_has_exactly_the_length_of_the_hole() {
        let mut decoder = OpusDecoder::new().expect("decoder");
        for samples in [0, 1, 119, 960, 961, 9_600] {
            let mut out = vec![0.5];
            assert_eq!(decoder.conceal(samples, &mut out), Ok(samples));
            assert_eq!(out.len(), samples + 1);
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_sound_of_the_announced_length(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut decoder = OpusDecoder::new().expect("decoder");
            let mut out = Vec::new();
            match decoder.samples_of(&payload) {
                Ok(samples) => {
                    if decoder.decode(&payload, &mut out).is_ok() {
                        prop_assert_eq!(out.len(), samples);
                    }
                }
                Err(_) => prop_assert!(decoder.decode(&payload, &mut out).is_err()),
            }
            out.clear();
            // Either answer is fine here; what counts is that nothing is read or written out of bounds.
            if decoder.recover(&payload, 960, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
            decoder.has_recovery(&payload);
        }
    }
}
