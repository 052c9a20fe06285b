//! The decoder: decodes, rebuilds from both kinds of redundancy, conceals.

use super::CODEC;
use super::raw::{self, Decoder, OpusError, Redundancy};
use crate::codec::{AudioDecoder, CodecError, PacketContent};
use crate::units::SampleRate;
use opusic_sys as sys;

/// 0..10: from 5 on libopus conceals with its network instead of repeating pitch periods. Measured with 1.6.1: 0.14 ms
/// for 20 ms of it.
const COMPLEXITY: i32 = 5;

/// Samples of 2.5 ms, the grain of concealment in libopus.
const GRAIN: usize = 120;

/// Samples of 120 ms, the longest packet (RFC 6716 §3.2.5) and the longest single concealment.
const LONGEST_PACKET: usize = 5760;

/// Samples of 20 ms: what is concealed or rebuilt by one call, as the networks inside expect.
const STEP: usize = 960;

/// Bytes: a packet this short says that the sender is silent until it says otherwise.
const SILENT_PACKET: usize = 2;

/// Decodes, recovers and conceals.
pub struct OpusDecoder {
    decoder: Decoder,
    redundancy: Redundancy,
    /// The packet whose redundancy is ready for decoding.
    ready: Vec<u8>,
    scratch: Vec<f32>,
}

impl OpusDecoder {
    /// To mono: stereo is mixed.
    pub fn new() -> Result<Self, CodecError> {
        Self::with_channels(1)
    }

    /// To mono or stereo, whatever comes.
    pub fn with_channels(channels: u16) -> Result<Self, CodecError> {
        let failed = |error: OpusError| CodecError::Failed {
            codec: CODEC,
            why: error.to_string(),
        };
        let mut decoder = Decoder::new(usize::from(channels)).map_err(failed)?;
        decoder
            .set(sys::OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY)
            .map_err(failed)?;
        Ok(Self {
            decoder,
            redundancy: Redundancy::new().map_err(failed)?,
            ready: Vec::with_capacity(1500),
            scratch: Vec::with_capacity(LONGEST_PACKET * usize::from(channels)),
        })
    }

    /// Lets `fill` write `samples` more per channel to `out`; on an error `out` is as before.
    fn append(
        &mut self,
        samples: usize,
        out: &mut Vec<f32>,
        fill: impl FnOnce(&mut Decoder, &Redundancy, &mut [f32]) -> Result<usize, OpusError>,
    ) -> Result<usize, CodecError> {
        let start = out.len();
        let channels = self.decoder.channels();
        out.resize(start + samples * channels, 0.0);
        match fill(&mut self.decoder, &self.redundancy, &mut out[start..]) {
            Ok(count) => {
                out.truncate(start + count * channels);
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
    fn channels(&self) -> u16 {
        self.decoder.channels() as u16
    }

    fn clock_rate(&self) -> SampleRate {
        SampleRate::HZ_48000
    }

    fn inspect(&mut self, payload: &[u8]) -> Result<PacketContent, CodecError> {
        let samples = raw::samples_of(payload).map_err(corrupt)? as u32;
        let channels = raw::channels_of(payload).map_err(corrupt)? as u16;
        if payload.len() <= SILENT_PACKET {
            return Ok(PacketContent {
                samples,
                channels,
                rests: true,
                ..PacketContent::default()
            });
        }
        let frame = raw::frame_samples_of(payload).map_err(corrupt)? as u32;
        self.ready.clear();
        // Unreadable redundancy is none: the packet itself may still be sound.
        let (reach, missing) = self.redundancy.parse(payload).unwrap_or((0, 0));
        Ok(PacketContent {
            samples,
            channels,
            // In-band FEC describes the frame before, of the same length (RFC 6716 §2.1.7). Of several frames in a packet
            // only the first one's is of use.
            protects: if raw::has_fec(payload) { frame } else { 0 },
            rebuilds: if reach > missing { reach as u32 } else { 0 },
            rests: false,
        })
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<usize, CodecError> {
        let samples = raw::samples_of(payload).map_err(corrupt)?;
        self.append(samples, out, |decoder, _, room| {
            decoder.decode(payload, false, room)
        })
    }

    fn recover(
        &mut self,
        next_payload: &[u8],
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError> {
        raw::samples_of(next_payload).map_err(corrupt)?;
        let whole = raw::frame_samples_of(next_payload).map_err(corrupt)?;
        if samples == 0 || samples > LONGEST_PACKET || !samples.is_multiple_of(GRAIN) {
            let what = format!("a hole of {samples} samples, it takes multiples of 120 up to 5760");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        if samples >= whole {
            return self.append(samples, out, |decoder, _, room| {
                decoder.decode(next_payload, true, room)
            });
        }
        // The first part of the frame was made up already; libopus rebuilds whole frames only.
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result = self.append(whole, &mut scratch, |decoder, _, room| {
            decoder.decode(next_payload, true, room)
        });
        let end = samples * self.decoder.channels();
        out.extend_from_slice(&scratch[scratch.len() - end.min(scratch.len())..]);
        self.scratch = scratch;
        result.map(|_| samples)
    }

    fn rebuild(
        &mut self,
        later_payload: &[u8],
        before: usize,
        samples: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError> {
        if samples == 0 || samples > STEP || !samples.is_multiple_of(GRAIN) || before < samples {
            let what = format!("{samples} samples from {before} before a packet");
            return Err(CodecError::Settings { codec: CODEC, what });
        }
        if self.ready != later_payload {
            self.ready.clear();
            let (reach, _) = self.redundancy.parse(later_payload).map_err(corrupt)?;
            if reach == 0 {
                let why = "it carries no deep redundancy".to_owned();
                return Err(CodecError::Corrupt { codec: CODEC, why });
            }
            self.redundancy.process().map_err(corrupt)?;
            self.ready.extend_from_slice(later_payload);
        }
        self.append(samples, out, |decoder, redundancy, room| {
            decoder.decode_redundancy(redundancy, before, room)
        })
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, CodecError> {
        let channels = self.decoder.channels();
        let end = out.len() + samples * channels;
        while out.len() < end {
            let left = ((end - out.len()) / channels).next_multiple_of(GRAIN).min(STEP);
            self.append(left, out, |decoder, _, room| decoder.decode(&[], false, room))?;
        }
        out.truncate(end);
        Ok(samples)
    }
}

fn corrupt(error: OpusError) -> CodecError {
    CodecError::Corrupt {
        codec: CODEC,
        why: error.to_string(),
    }
}
