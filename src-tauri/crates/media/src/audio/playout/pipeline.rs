//! What happens to received packets: jitter buffer, decoding, recovery, concealment, conversion. Pure.

use super::AudioInStats;
use crate::audio::frame::FRAME_SAMPLES;
use crate::audio::level::Level;
use crate::audio::resample::{FormatError, ToDevice};
use crate::codec::{AudioDecoder, CodecError};
use crate::device::AudioFormat;
use crate::jitter_buffer::{JitterBuffer, JitterBufferSettings, PacketContent, Playout};
use crate::packet::ReceivedPacket;
use crate::units::SampleRate;
use std::time::{Duration, Instant};

/// Samples of silence per pull while there is nothing to play: short, so that sound starts when it is due.
const SILENCE: usize = 240;

/// Packets in, samples for the device out.
pub struct PlayoutPipeline {
    buffer: JitterBuffer,
    decoder: Box<dyn AudioDecoder>,
    converter: ToDevice,
    /// What is being played, mono 48 kHz.
    frame: Vec<f32>,
    /// The frame before it when two are merged.
    merged: Vec<f32>,
    stats: AudioInStats,
}

impl PlayoutPipeline {
    /// Errors: a format that cannot be converted.
    pub fn new(
        format: AudioFormat,
        decoder: Box<dyn AudioDecoder>,
        settings: JitterBufferSettings,
    ) -> Result<Self, FormatError> {
        Ok(Self {
            buffer: JitterBuffer::new(settings),
            decoder,
            converter: ToDevice::new(format)?,
            frame: Vec::with_capacity(6 * FRAME_SAMPLES),
            merged: Vec::with_capacity(6 * FRAME_SAMPLES),
            stats: AudioInStats::default(),
        })
    }

    /// Prepares for another device.
    pub fn set_format(&mut self, format: AudioFormat) -> Result<(), FormatError> {
        self.converter = ToDevice::new(format)?;
        Ok(())
    }

    /// Takes one packet as it came; one that is no sound of the codec is counted and left out.
    pub fn handle_packet(&mut self, packet: ReceivedPacket) {
        self.stats.first_received_at.get_or_insert(packet.arrived_at);
        self.stats.bytes_received += packet.payload.len() as u64;
        let samples = match self.decoder.samples_of(&packet.payload) {
            Ok(samples) if samples > 0 => samples as u32,
            Ok(_) | Err(_) => {
                self.stats.packets_corrupt += 1;
                return;
            }
        };
        // In-band FEC describes the frame before, of the same length (RFC 6716 §2.1.7).
        let protects = if self.decoder.has_recovery(&packet.payload) {
            samples
        } else {
            0
        };
        self.buffer.insert(packet, PacketContent { samples, protects });
    }

    /// Appends the next stretch of interleaved samples for the device; returns how long it plays.
    pub fn pull(&mut self, now: Instant, interleaved: &mut Vec<f32>) -> Duration {
        self.frame.clear();
        match self.buffer.pull(now) {
            Playout::Silence => self.frame.resize(SILENCE, 0.0),
            Playout::Decode(payload) => {
                self.decode(&payload);
                self.stats.first_played_at.get_or_insert(now);
            }
            Playout::Merge(first, second) => {
                self.decode(&first);
                std::mem::swap(&mut self.frame, &mut self.merged);
                self.frame.clear();
                self.decode(&second);
                if is_alike(&self.merged, &self.frame) {
                    cross_fade(&self.merged, &mut self.frame);
                } else {
                    self.buffer.decline_merge(self.merged.len());
                    self.merged.append(&mut self.frame);
                    std::mem::swap(&mut self.frame, &mut self.merged);
                }
            }
            Playout::Recover { next, samples } => {
                let recovered = self.decoder.recover(&next, samples as usize, &mut self.frame);
                if let Err(error) = recovered {
                    tracing::debug!(%error, "protection is unusable, the frame is concealed");
                    self.conceal(samples as usize);
                }
            }
            Playout::Conceal { samples } => {
                self.conceal(samples as usize);
                if Level::of(&self.frame).is_silent() {
                    self.stats.silent_concealed_samples += u64::from(samples);
                }
            }
        }
        self.stats.audio_level = Level::of(&self.frame).rms;
        self.converter.convert(&self.frame, interleaved);
        SampleRate::HZ_48000.time_of(self.frame.len())
    }

    /// The counters at this moment; what the thread knows alone is left at zero.
    pub fn stats(&self, now: Instant) -> AudioInStats {
        AudioInStats {
            buffer: self.buffer.counters(),
            buffer_delay: self.buffer.current_delay(now),
            ..self.stats
        }
    }

    fn decode(&mut self, payload: &[u8]) {
        let samples = self.decoder.samples_of(payload).unwrap_or(FRAME_SAMPLES);
        if let Err(error) = self.decoder.decode(payload, &mut self.frame) {
            tracing::debug!(%error, "a packet cannot be decoded, it is concealed");
            self.stats.packets_corrupt += 1;
            self.conceal(samples);
        }
    }

    fn conceal(&mut self, samples: usize) {
        let end = self.frame.len() + samples;
        let concealed: Result<usize, CodecError> = self.decoder.conceal(samples, &mut self.frame);
        if let Err(error) = concealed {
            tracing::warn!(%error, "nothing can be made up, silence is played");
            self.frame.resize(end, 0.0);
        }
    }
}

/// Whether two frames can be faded into each other unheard: steady sound or quiet, not an onset, a plosive or a click.
fn is_alike(first: &[f32], second: &[f32]) -> bool {
    let (a, b) = (Level::of(first), Level::of(second));
    let loudest = a.peak.max(b.peak);
    loudest < QUIET_PEAK || a.peak.min(b.peak) > loudest * ALIKE
}

/// Full scale = 1: -40 dBFS (chosen, not measured).
const QUIET_PEAK: f32 = 0.01;
/// Ratio of peaks: 6 dB (chosen, not measured).
const ALIKE: f32 = 0.5;

/// Fades from one frame into the other over their common length.
fn cross_fade(from: &[f32], into: &mut [f32]) {
    let length = from.len().min(into.len());
    for (n, (old, new)) in from.iter().zip(into.iter_mut()).enumerate() {
        let share = n as f32 / length as f32;
        *new = old * (1.0 - share) + *new * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_onset_is_not_merged_and_steady_sound_is() {
        let mut click = vec![0.1; 960];
        click[500] = 0.9;
        assert!(!is_alike(&[0.1; 960], &click) && !is_alike(&click, &[0.1; 960]));
        assert!(is_alike(&[0.1; 960], &[-0.15; 960]));
        assert!(is_alike(&[0.0; 960], &[0.005; 960]));
    }

    #[test]
    fn a_cross_fade_goes_from_the_first_frame_to_the_second() {
        let mut frame = vec![0.0; 100];
        cross_fade(&[1.0; 100], &mut frame);
        assert_eq!((frame[0], frame[50]), (1.0, 0.5));
        assert!(frame[99] < 0.02);
    }
}
