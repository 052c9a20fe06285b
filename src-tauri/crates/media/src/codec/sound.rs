//! The sound codecs by name, and how each is made.

use super::opus::{OpusDecoder, OpusEncoder, OpusSettings};
use super::waveform::{ALaw, G722, MuLaw, WaveformDecoder, WaveformEncoder};
use super::{AudioDecoder, AudioEncoder, CodecError};
use crate::units::Bitrate;
use std::fmt;
use std::str::FromStr;

/// Sound codecs that can be negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundCodec {
    /// RFC 7587: 48 kHz, in-band FEC.
    Opus,
    /// G.711 µ-law, 8 kHz (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// 16 kHz in 64 kbit/s, with an RTP clock of 8 kHz (RFC 3551 §4.5.2).
    G722,
}

impl SoundCodec {
    /// All of them, the best first.
    pub const ALL: [SoundCodec; 4] = [
        SoundCodec::Opus,
        SoundCodec::G722,
        SoundCodec::Pcmu,
        SoundCodec::Pcma,
    ];

    /// The encoding name of RTP (RFC 3551 §6, RFC 7587 §7).
    pub const fn name(self) -> &'static str {
        match self {
            SoundCodec::Opus => "opus",
            SoundCodec::Pcmu => "PCMU",
            SoundCodec::Pcma => "PCMA",
            SoundCodec::G722 => "G722",
        }
    }

    /// `opus`: how, where it is Opus.
    pub fn encoder(self, bitrate: Bitrate, opus: OpusSettings) -> Result<Box<dyn AudioEncoder>, CodecError> {
        Ok(match self {
            SoundCodec::Opus => Box::new(OpusEncoder::with_settings(opus, bitrate)?),
            SoundCodec::Pcmu => Box::new(WaveformEncoder::<MuLaw>::new()?),
            SoundCodec::Pcma => Box::new(WaveformEncoder::<ALaw>::new()?),
            SoundCodec::G722 => Box::new(WaveformEncoder::<G722>::new()?),
        })
    }

    /// `channels`: 1, or 2 for whoever wants stereo where the codec has it.
    pub fn decoder(self, channels: u16) -> Result<Box<dyn AudioDecoder>, CodecError> {
        Ok(match self {
            SoundCodec::Opus => Box::new(OpusDecoder::with_channels(channels)?),
            SoundCodec::Pcmu => Box::new(WaveformDecoder::<MuLaw>::new()?),
            SoundCodec::Pcma => Box::new(WaveformDecoder::<ALaw>::new()?),
            SoundCodec::G722 => Box::new(WaveformDecoder::<G722>::new()?),
        })
    }
}

impl fmt::Display for SoundCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no sound codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of opus, pcmu, pcma, g722")]
pub struct UnknownSoundCodec(String);

impl FromStr for SoundCodec {
    type Err = UnknownSoundCodec;

    /// Takes the encoding name in any case of letters.
    fn from_str(name: &str) -> Result<Self, UnknownSoundCodec> {
        SoundCodec::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownSoundCodec(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::opus::OpusMode;

    #[test]
    fn every_codec_decodes_what_it_encodes_and_is_found_by_its_name() {
        for codec in SoundCodec::ALL {
            assert_eq!(codec.name().to_lowercase().parse(), Ok(codec));
            let opus = OpusSettings::of(OpusMode::Voice);
            let mut encoder = codec.encoder(Bitrate::from_kbps(32), opus).expect("an encoder");
            let mut decoder = codec.decoder(1).expect("a decoder");
            assert_eq!(encoder.clock_rate(), decoder.clock_rate());
            let frame = vec![0.1; encoder.frame_samples() * usize::from(encoder.channels())];
            let payload = encoder.encode(&frame).expect("a frame");
            let mut out = Vec::new();
            assert_eq!(decoder.decode(&payload, &mut out), Ok(960), "{codec}");
        }
        let error = "speex".parse::<SoundCodec>().expect_err("unknown");
        assert!(error.to_string().contains("speex"));
    }
}
