//! Codecs that turn each sample into a code: PCMU, PCMA and G.722. What they share is here: the change of rate, whole
//! packets, and making up what is lost.
//!
//! Every code takes 125 µs, and so does every RTP tick (RFC 3551 §4.5.2, §4.5.14), whatever is sampled inside.

mod g711;
mod g722;
mod repeat;

pub use g711::{ALaw, MuLaw};
pub use g722::G722;

use super::{AudioDecoder, AudioEncoder, CodecError, Loss, PacketContent, SoundCodec};
use crate::audio::frame::{FRAME_SAMPLES, FRAME_TIME};
use crate::audio::resample::{FormatError, FromDevice, ToDevice};
use crate::device::AudioFormat;
use crate::units::{Bitrate, SampleRate};
use bytes::Bytes;
use repeat::Repeater;
use std::time::Duration;

/// RTP ticks and bytes per second.
const CLOCK: SampleRate = SampleRate::from_hz(8_000);
/// Samples of the pipeline per byte.
const SAMPLES_PER_BYTE: usize = 6;
/// Bytes of 10 ms: the grain of packets, as every sender in use makes them (RFC 3551 §4.2).
const BYTES_GRAIN: usize = 80;
/// Bytes of 120 ms, the longest packet that is taken.
const LONGEST_PACKET: usize = 960;

/// One direction of a law from samples to codes and back.
pub trait Law: Send + Default {
    const CODEC: SoundCodec;
    /// Hz of the samples.
    const RATE: u32;
    /// Appends a byte for each 125 µs.
    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>);
    /// Appends the samples of each byte.
    fn decode(&mut self, codes: &[u8], out: &mut Vec<i16>);
}

fn format<L: Law>() -> AudioFormat {
    AudioFormat {
        rate: SampleRate::from_hz(L::RATE),
        channels: 1,
    }
}

fn failed<L: Law>(error: &FormatError) -> CodecError {
    CodecError::Failed {
        codec: L::CODEC.name(),
        why: error.to_string(),
    }
}

/// Encodes 20 ms at a time.
pub struct WaveformEncoder<L> {
    law: L,
    converter: ToDevice,
    converted: Vec<f32>,
    samples: Vec<i16>,
    codes: Vec<u8>,
}

impl<L: Law> WaveformEncoder<L> {
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self {
            law: L::default(),
            converter: ToDevice::new(format::<L>()).map_err(|error| failed::<L>(&error))?,
            converted: Vec::with_capacity(FRAME_SAMPLES),
            samples: Vec::with_capacity(FRAME_SAMPLES),
            codes: Vec::with_capacity(FRAME_SAMPLES),
        })
    }
}

impl<L: Law> AudioEncoder for WaveformEncoder<L> {
    fn codec(&self) -> SoundCodec {
        L::CODEC
    }

    fn clock_rate(&self) -> SampleRate {
        CLOCK
    }

    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn channels(&self) -> u16 {
        1
    }

    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
        if samples.len() != FRAME_SAMPLES {
            let what = format!("a frame of {} samples, it takes {FRAME_SAMPLES}", samples.len());
            return Err(CodecError::Settings {
                codec: L::CODEC.name(),
                what,
            });
        }
        self.converted.clear();
        self.converter.convert(samples, &mut self.converted);
        self.samples.clear();
        self.samples.extend(self.converted.iter().map(|s| to_i16(*s)));
        self.codes.clear();
        self.law.encode(&self.samples, &mut self.codes);
        Ok(Bytes::copy_from_slice(&self.codes))
    }

    /// There is one bitrate, 64 kbit/s, and it stays.
    fn set_bitrate(&mut self, _: Bitrate) -> Result<(), CodecError> {
        Ok(())
    }

    /// There is no protection that could be adapted.
    fn set_expected_loss(&mut self, _: Loss) -> Result<(), CodecError> {
        Ok(())
    }

    /// 64 kbit/s need a path on which longer frames would save nothing worth their delay.
    fn set_frame_time(&mut self, time: Duration) -> Result<(), CodecError> {
        if time == FRAME_TIME {
            return Ok(());
        }
        let what = format!("frames of {time:?}, it takes {FRAME_TIME:?}");
        Err(CodecError::Settings {
            codec: L::CODEC.name(),
            what,
        })
    }
}

/// Decodes packets of any multiple of 10 ms, and repeats the last pitch period for lost ones.
pub struct WaveformDecoder<L> {
    law: L,
    converter: FromDevice,
    samples: Vec<i16>,
    floats: Vec<f32>,
    repeater: Repeater,
}

impl<L: Law> WaveformDecoder<L> {
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self {
            law: L::default(),
            converter: FromDevice::new(format::<L>()).map_err(|error| failed::<L>(&error))?,
            samples: Vec::with_capacity(FRAME_SAMPLES),
            floats: Vec::with_capacity(FRAME_SAMPLES),
            repeater: Repeater::new(),
        })
    }

    fn unable(&self) -> CodecError {
        CodecError::Settings {
            codec: L::CODEC.name(),
            what: "redundancy, it has none".to_owned(),
        }
    }
}

impl<L: Law> AudioDecoder for WaveformDecoder<L> {
    fn channels(&self) -> u16 {
        1
    }

    fn clock_rate(&self) -> SampleRate {
        CLOCK
    }

    fn inspect(&mut self, payload: &[u8]) -> Result<PacketContent, CodecError> {
        if payload.is_empty() || payload.len() > LONGEST_PACKET || !payload.len().is_multiple_of(BYTES_GRAIN)
        {
            let why = format!("{} bytes are no multiple of 10 ms up to 120", payload.len());
            return Err(CodecError::Corrupt {
                codec: L::CODEC.name(),
                why,
            });
        }
        Ok(PacketContent {
            samples: (payload.len() * SAMPLES_PER_BYTE) as u32,
            channels: 1,
            ..PacketContent::default()
        })
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<usize, CodecError> {
        let samples = self.inspect(payload)?.samples as usize;
        self.samples.clear();
        self.law.decode(payload, &mut self.samples);
        self.floats.clear();
        self.floats
            .extend(self.samples.iter().map(|s| f32::from(*s) / 32_768.0));
        let start = out.len();
        self.converter.convert(&self.floats, out);
        out.resize(start + samples, 0.0);
        self.repeater.join(&mut out[start..]);
        Ok(samples)
    }

    fn recover(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> Result<usize, CodecError> {
        Err(self.unable())
    }

    fn rebuild(&mut self, _: &[u8], _: usize, _: usize, _: &mut Vec<f32>) -> Result<usize, CodecError> {
        Err(self.unable())
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, CodecError> {
        self.repeater.repeat(samples, out);
        Ok(samples)
    }
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests;
