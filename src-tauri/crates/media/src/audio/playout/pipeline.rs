//! What happens to received packets: jitter buffer, decoding, recovery, concealment, conversion. Pure.

use super::AudioInStats;
use crate::audio::frame::{FRAME_SAMPLES, mix_to_mono};
use crate::audio::level::Level;
use crate::audio::resample::{FormatError, ToDevice};
use crate::audio::stretch::Stretcher;
use crate::codec::{AudioDecoder, CodecError, PacketContent, SoundCodec};
use crate::device::AudioFormat;
use crate::jitter_buffer::{JitterBuffer, JitterBufferSettings, Pace, Playout, Pull};
use crate::packet::ReceivedPacket;
use crate::units::{RtpTime, SampleRate};
use std::time::{Duration, Instant};

/// Samples of silence per pull while there is nothing to play: short, so that sound starts when it is due.
const SILENCE: usize = 240;

/// Packets in, samples for the device out.
pub struct PlayoutPipeline {
    buffer: JitterBuffer,
    decoder: Box<dyn AudioDecoder>,
    /// Most that a decoder is asked for.
    channels: u16,
    format: AudioFormat,
    /// What the decoder is of, once a packet has said so.
    codec: Option<SoundCodec>,
    converter: ToDevice,
    stretcher: Stretcher,
    /// Samples per channel made up in a row for something lost or late.
    made_up: usize,
    /// What is being played: interleaved 48 kHz with the decoder's channels.
    frame: Vec<f32>,
    /// The mean of its channels.
    mono: Vec<f32>,
    stats: AudioInStats,
}

impl PlayoutPipeline {
    /// Errors: a format that cannot be converted.
    pub fn new(
        format: AudioFormat,
        decoder: Box<dyn AudioDecoder>,
        settings: JitterBufferSettings,
    ) -> Result<Self, FormatError> {
        let channels = decoder.channels();
        Ok(Self {
            buffer: JitterBuffer::new(settings, decoder.clock_rate()),
            decoder,
            channels,
            format,
            codec: None,
            converter: ToDevice::from_channels(format, channels)?,
            frame: Vec::with_capacity(6 * FRAME_SAMPLES * usize::from(channels)),
            mono: Vec::with_capacity(6 * FRAME_SAMPLES),
            stretcher: Stretcher::with_channels(channels),
            made_up: 0,
            stats: AudioInStats::default(),
        })
    }

    /// Says what the decoder is of, so that the first packet of that codec needs no other.
    pub fn set_codec(&mut self, codec: SoundCodec) {
        self.codec = Some(codec);
    }

    /// Prepares for another device.
    pub fn set_format(&mut self, format: AudioFormat) -> Result<(), FormatError> {
        self.converter = ToDevice::from_channels(format, self.decoder.channels())?;
        self.format = format;
        Ok(())
    }

    /// Takes one packet as it came; one that is no sound of the codec is counted and left out.
    pub fn handle_packet(&mut self, packet: ReceivedPacket) {
        self.stats.first_received_at.get_or_insert(packet.arrived_at);
        self.stats.bytes_received += packet.payload.len() as u64;
        if let Some(codec) = packet.codec.filter(|codec| self.codec != Some(*codec)) {
            self.follow(codec);
        }
        self.stats.codec = self.codec;
        match self.decoder.inspect(&packet.payload) {
            Ok(content) if content.samples > 0 => {
                self.stats.frame_time = SampleRate::HZ_48000.time_of(content.samples as usize);
                self.stats.channels = content.channels;
                self.trace(&packet, content);
                self.buffer.insert(packet, content);
            }
            Ok(_) | Err(_) => self.stats.packets_corrupt += 1,
        }
    }

    /// Everything that the buffer goes by, so that a call can be replayed through one: `cargo xtask bench voice` keeps it.
    fn trace(&self, packet: &ReceivedPacket, content: PacketContent) {
        let first = self.stats.first_received_at.unwrap_or(packet.arrived_at);
        let at = packet.arrived_at.saturating_duration_since(first);
        tracing::trace!(
            target: "ahoy_media::arrivals",
            at_us = at.as_micros(),
            sequence = packet.sequence.as_u16(),
            rtp_time = packet.rtp_time.as_u32(),
            samples = content.samples,
            protects = content.protects,
            rebuilds = content.rebuilds,
            rests = content.rests,
        );
    }

    /// Appends the next stretch of interleaved samples for the device; returns how long it plays.
    pub fn pull(&mut self, now: Instant, interleaved: &mut Vec<f32>) -> Duration {
        let channels = usize::from(self.decoder.channels());
        self.frame.clear();
        let Pull { playout, pace } = self.buffer.pull(now);
        let mut made_up = 0;
        match playout {
            Playout::Silence => self.frame.resize(SILENCE * channels, 0.0),
            Playout::Decode(payload) => {
                self.decode(&payload);
                self.stats.first_played_at.get_or_insert(now);
            }
            Playout::Recover { next, samples } => {
                let recovered = self.decoder.recover(&next, samples as usize, &mut self.frame);
                self.or_make_up(recovered, samples);
            }
            Playout::Rebuild {
                later,
                before,
                samples,
            } => {
                let rebuilt =
                    self.decoder
                        .rebuild(&later, before as usize, samples as usize, &mut self.frame);
                self.or_make_up(rebuilt, samples);
            }
            Playout::Conceal { samples } => {
                self.conceal(samples as usize);
                made_up = self.made_up + self.frame.len() / channels;
                fade(self.made_up, channels, &mut self.frame);
                self.count_silent(samples);
            }
            Playout::Rest { samples } => self.conceal(samples as usize),
        }
        self.made_up = made_up;
        self.stretch(pace);
        self.stats.audio_level = Level::of(&self.frame).rms;
        self.converter.convert(&self.frame, interleaved);
        SampleRate::HZ_48000.time_of(self.frame.len() / channels)
    }

    /// What the last pull gave, mono 48 kHz.
    pub fn played(&mut self) -> &[f32] {
        self.mono.clear();
        mix_to_mono(&self.frame, self.decoder.channels(), &mut self.mono);
        &self.mono
    }

    /// The stream that is played and the RTP time of the sample that comes after all that was pulled; `None` while nothing
    /// is played.
    pub fn next_sample(&self) -> Option<(u32, RtpTime)> {
        self.buffer.next_sample()
    }

    /// The counters at this moment; what the thread knows alone is left at zero.
    pub fn stats(&self, now: Instant) -> AudioInStats {
        AudioInStats {
            buffer: self.buffer.counters(),
            buffer_delay: self.buffer.current_delay(now),
            ..self.stats
        }
    }

    /// The sender uses another codec from here on: what is held of the old one is given up.
    fn follow(&mut self, codec: SoundCodec) {
        let made = codec.decoder(self.channels).map_err(|error| error.to_string());
        let made = made.and_then(|decoder| {
            let converter = ToDevice::from_channels(self.format, decoder.channels());
            Ok((decoder, converter.map_err(|error| error.to_string())?))
        });
        match made {
            Ok((decoder, converter)) => {
                tracing::info!(%codec, "the sender's codec");
                self.buffer.set_clock(decoder.clock_rate());
                self.stretcher = Stretcher::with_channels(decoder.channels());
                (self.decoder, self.converter) = (decoder, converter);
                self.codec = Some(codec);
            }
            Err(error) => tracing::warn!(error, "no decoder for the sender's codec"),
        }
    }

    fn stretch(&mut self, pace: Pace) {
        let samples = match pace {
            Pace::Even => 0,
            Pace::Faster => -(self.stretcher.shorten(&mut self.frame, false) as i64),
            Pace::Hurried => -(self.stretcher.shorten(&mut self.frame, true) as i64),
            Pace::Slower => self.stretcher.lengthen(&mut self.frame) as i64,
        };
        if samples != 0 {
            self.buffer.stretched(samples);
        }
    }

    fn decode(&mut self, payload: &[u8]) {
        if let Err(error) = self.decoder.decode(payload, &mut self.frame) {
            tracing::debug!(%error, "a packet cannot be decoded, it is concealed");
            self.stats.packets_corrupt += 1;
            let samples = self
                .decoder
                .inspect(payload)
                .map_or(FRAME_SAMPLES as u32, |content| content.samples);
            self.conceal(samples as usize);
            self.buffer.made_up(samples);
            self.count_silent(samples);
        }
    }

    fn or_make_up(&mut self, result: Result<usize, CodecError>, samples: u32) {
        if let Err(error) = result {
            tracing::debug!(%error, "protection is unusable, the frame is concealed");
            self.conceal(samples as usize);
            self.buffer.made_up(samples);
            self.count_silent(samples);
        }
    }

    fn conceal(&mut self, samples: usize) {
        let end = self.frame.len() + samples * usize::from(self.decoder.channels());
        let concealed: Result<usize, CodecError> = self.decoder.conceal(samples, &mut self.frame);
        if let Err(error) = concealed {
            tracing::warn!(%error, "nothing can be made up, silence is played");
            self.frame.resize(end, 0.0);
        }
    }

    /// Counts what was made up just now when nothing can be heard of it.
    fn count_silent(&mut self, samples: u32) {
        if Level::of(&self.frame).is_silent() {
            self.stats.silent_concealed_samples += u64::from(samples);
        }
    }
}

/// Lowers sound that was made up for longer than anybody could guess: the voice of a network would go on for ever.
fn fade(made_up: usize, channels: usize, frame: &mut [f32]) {
    for (n, sample) in frame.iter_mut().enumerate() {
        let past = (made_up + n / channels).saturating_sub(FADE_AFTER) as f32;
        *sample *= (1.0 - past / FADE_LENGTH as f32).max(0.0);
    }
}

/// Samples of 120 ms: half a syllable may be guessed (chosen, not measured).
const FADE_AFTER: usize = 5_760;
/// Samples of 400 ms.
const FADE_LENGTH: usize = 19_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_fades_after_a_while_without_a_step() {
        let mut sound = vec![1.0; 48_000];
        let (first, rest) = sound.split_at_mut(10_000);
        fade(0, 1, first);
        fade(10_000, 1, rest);
        assert!(sound[..FADE_AFTER].iter().all(|s| *s == 1.0));
        assert!(sound[FADE_AFTER + FADE_LENGTH..].iter().all(|s| *s == 0.0));
        assert!(sound.windows(2).all(|w| w[0] - w[1] < 0.001));
    }
}
