//! Opus over libopus: 48 kHz, 6 to 128 kbit/s, in-band FEC and deep redundancy (DRED).
//!
//! Encoder and decoder live on the thread of their pipeline. They know nothing of RTP; which packet protects which is
//! the jitter buffer's. Deep redundancy lies in the padding of a packet (draft-ietf-mlcodec-opus-dred), so a far side
//! that does not know it plays the packet as any other.

mod decoder;
mod encoder;
mod raw;
mod settings;

pub use decoder::OpusDecoder;
pub use encoder::{OpusEncoder, Protection};
pub use settings::{OpusMode, OpusParameters, OpusSettings, OpusWish, UnknownOpusMode};

const CODEC: &str = "opus";

/// Bits per second: below 6 kbit/s libopus has no mode; above 128 kbit/s speech and music gain nothing audible.
pub const BITRATE_RANGE: std::ops::RangeInclusive<u64> = 6_000..=128_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{AudioDecoder, AudioEncoder, Loss};
    use crate::units::Bitrate;
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
        assert!(encoder.set_expected_loss(Loss::unrepaired(1.5)).is_err());
        assert!(encoder.set_expected_loss(Loss::unrepaired(f32::NAN)).is_err());
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
            match decoder.inspect(&payload) {
                Ok(content) => {
                    if decoder.decode(&payload, &mut out).is_ok() {
                        prop_assert_eq!(out.len(), content.samples as usize);
                    }
                }
                Err(_) => prop_assert!(decoder.decode(&payload, &mut out).is_err()),
            }
            out.clear();
            // Either answer is fine here; what counts is that nothing is read or written out of bounds.
            if decoder.recover(&payload, 960, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
            out.clear();
            if decoder.rebuild(&payload, 1920, 960, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
        }
    }
}
