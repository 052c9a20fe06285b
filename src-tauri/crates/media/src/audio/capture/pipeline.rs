//! What happens to captured sound: to 48 kHz, echo and noise away, level, mute, frames of the encoder's length, encoding.
//! Pure.
//!
//! It is mono, but for a stereo encoder with a stereo microphone: music goes as it comes, without any processing.

use crate::audio::attention::{MicrophoneSignal, MutedSpeech, SignalChange};
use crate::audio::frame::{FRAME_SAMPLES, FrameCutter, mix_to_mono, spread_to_channels};
use crate::audio::level::Level;
use crate::audio::render_tap::RenderFeed;
use crate::audio::resample::{FormatError, FromDevice};
use crate::audio::voice::{VoiceProcessor, VoiceSettings};
use crate::codec::{AudioEncoder, CodecError, Loss, SoundCodec};
use crate::device::AudioFormat;
use crate::packet::EncodedFrame;
use crate::units::{Bitrate, RtpTime, SampleRate};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Samples in, encoded frames out.
pub struct CapturePipeline {
    encoder: Box<dyn AudioEncoder>,
    format: AudioFormat,
    converter: FromDevice,
    /// Of the frames before they are encoded.
    channels: u16,
    converted: Vec<f32>,
    cutter: FrameCutter,
    frame: Vec<f32>,
    /// The frame on every channel of the encoder.
    interleaved: Vec<f32>,
    ticks_per_frame: u32,
    voice: VoiceProcessor,
    /// What the speaker plays, when somebody tells.
    played: Option<RenderFeed>,
    last_push: Option<Instant>,
    muted_speech: MutedSpeech,
    /// How often somebody spoke while muted and should be told.
    muted_speech_noticed: u64,
    signal: MicrophoneSignal,
    signal_is_gone: bool,
    muted: bool,
    /// Gain that the last frame ended with; the next goes from it to what `muted` asks for.
    gain: f32,
    rtp_time: RtpTime,
    captured: Level,
    sent: Level,
}

impl CapturePipeline {
    /// Errors: a format that cannot be converted.
    pub fn new(
        format: AudioFormat,
        encoder: Box<dyn AudioEncoder>,
        first_rtp_time: RtpTime,
    ) -> Result<Self, FormatError> {
        let channels = channels_between(format, encoder.as_ref());
        let mut cutter = FrameCutter::new(encoder.frame_samples());
        cutter.set_channels(channels);
        Ok(Self {
            format,
            converter: FromDevice::to_channels(format, channels)?,
            channels,
            converted: Vec::with_capacity(8 * FRAME_SAMPLES),
            cutter,
            frame: Vec::with_capacity(2 * LONGEST_FRAME),
            interleaved: Vec::with_capacity(2 * LONGEST_FRAME),
            ticks_per_frame: ticks_per_frame(encoder.as_ref()),
            encoder,
            voice: VoiceProcessor::new(VoiceSettings::default()),
            played: None,
            last_push: None,
            muted_speech: MutedSpeech::new(),
            muted_speech_noticed: 0,
            signal: MicrophoneSignal::new(),
            signal_is_gone: false,
            muted: false,
            gain: 1.0,
            rtp_time: first_rtp_time,
            captured: Level::default(),
            sent: Level::default(),
        })
    }

    /// Prepares for another device; samples that wait for their frame are kept.
    pub fn set_format(&mut self, format: AudioFormat) -> Result<(), FormatError> {
        let channels = channels_between(format, self.encoder.as_ref());
        self.converter = FromDevice::to_channels(format, channels)?;
        self.cutter.set_channels(channels);
        (self.format, self.channels) = (format, channels);
        self.signal.reset();
        self.signal_is_gone = false;
        Ok(())
    }

    /// Frames of silence are encoded while muted, so that the far jitter buffer keeps running. The change is faded
    /// over one frame.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Switches echo cancellation, noise suppression, gain control and high-pass.
    pub fn set_voice(&mut self, settings: VoiceSettings) {
        self.voice.set_settings(settings);
    }

    /// Hears from now on what the speaker plays, which echo cancellation needs.
    pub fn set_played(&mut self, played: RenderFeed) {
        self.played = Some(played);
    }

    /// How often voice processing failed and began anew.
    pub fn voice_restarts(&self) -> u32 {
        self.voice.restarts()
    }

    pub fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.encoder.set_bitrate(bitrate)
    }

    /// Expected loss as a fraction 0..1.
    pub fn set_expected_loss(&mut self, loss: Loss) -> Result<(), CodecError> {
        self.encoder.set_expected_loss(loss)
    }

    /// Encodes frames of this length from the next one on; an error changes nothing.
    pub fn set_frame_time(&mut self, time: Duration) -> Result<(), CodecError> {
        self.encoder.set_frame_time(time)?;
        self.follow_encoder();
        Ok(())
    }

    /// Goes over to another encoder with the next frame, in the same stream: its time goes on in ticks of the new clock.
    pub fn set_encoder(&mut self, encoder: Box<dyn AudioEncoder>) {
        self.encoder = encoder;
        self.follow_encoder();
        let channels = channels_between(self.format, self.encoder.as_ref());
        if channels != self.channels {
            match FromDevice::to_channels(self.format, channels) {
                Ok(converter) => {
                    self.converter = converter;
                    self.cutter.set_channels(channels);
                    self.channels = channels;
                }
                // Mono goes to a stereo encoder too, and stereo is mixed for one of mono.
                Err(error) => tracing::warn!(%error, "the channels stay as they are"),
            }
        }
    }

    fn follow_encoder(&mut self) {
        self.cutter.set_size(self.encoder.frame_samples());
        self.ticks_per_frame = ticks_per_frame(self.encoder.as_ref());
    }

    /// Channels of the frames as encoded.
    pub fn channels(&self) -> u16 {
        self.encoder.channels()
    }

    /// What the frames are encoded in.
    pub fn codec(&self) -> SoundCodec {
        self.encoder.codec()
    }

    /// Length of the frames as encoded.
    pub fn frame_time(&self) -> Duration {
        SampleRate::HZ_48000.time_of(self.encoder.frame_samples())
    }

    /// Takes interleaved samples of which the last was captured at `now`.
    pub fn push(&mut self, interleaved: &[f32], now: Instant) {
        self.converted.clear();
        self.converter.convert(interleaved, &mut self.converted);
        self.cutter.push(&self.converted, now);
        self.last_push = Some(now);
    }

    /// Encodes the next whole frame; an empty one is silence that need not be sent. After an error its time has passed;
    /// the next poll goes on behind it.
    pub fn poll_frame(&mut self) -> Result<Option<EncodedFrame>, CodecError> {
        let Some(captured_at) = self.cutter.cut(&mut self.frame) else {
            return Ok(None);
        };
        let rtp_time = self.rtp_time;
        self.rtp_time = rtp_time.plus(self.ticks_per_frame);
        if let Some(change) = self.signal.observe(Level::of(&self.frame), captured_at) {
            self.signal_is_gone = change == SignalChange::Gone;
        }
        self.clean(captured_at);
        self.captured = Level::of(&self.frame);
        let time = self.frame_time();
        let noticed = self
            .muted_speech
            .observe(self.captured, time, self.muted, captured_at);
        self.muted_speech_noticed += u64::from(noticed);
        self.apply_mute();
        self.sent = Level::of(&self.frame);
        Ok(Some(EncodedFrame {
            payload: self.encode()?,
            rtp_time,
            keyframe: false,
            captured_at,
        }))
    }

    /// How often somebody has spoken while muted and should be told.
    pub fn muted_speech_noticed(&self) -> u64 {
        self.muted_speech_noticed
    }

    /// Whether the microphone runs and gives nothing.
    pub fn signal_is_gone(&self) -> bool {
        self.signal_is_gone
    }

    /// Level of the last frame before muting.
    pub fn captured_level(&self) -> Level {
        self.captured
    }

    /// Level of the last frame as encoded.
    pub fn sent_level(&self) -> Level {
        self.sent
    }

    fn encode(&mut self) -> Result<Bytes, CodecError> {
        if self.channels == self.encoder.channels() {
            return self.encoder.encode(&self.frame);
        }
        self.interleaved.clear();
        if self.channels == 1 {
            spread_to_channels(&self.frame, self.encoder.channels(), &mut self.interleaved);
        } else {
            mix_to_mono(&self.frame, self.channels, &mut self.interleaved);
        }
        self.encoder.encode(&self.interleaved)
    }

    /// Takes echo and noise out of the frame. What is played goes in first: its echo is never earlier.
    fn clean(&mut self, captured_at: Instant) {
        let mut queued = Duration::ZERO;
        if let Some(played) = &mut self.played {
            let voice = &mut self.voice;
            played.drain(|samples| voice.handle_played(samples));
            queued = played.queued();
        }
        if self.channels != 1 {
            return;
        }
        let now = self.last_push.unwrap_or(captured_at);
        let waited = now.saturating_duration_since(captured_at);
        self.voice.set_stream_delay(queued + waited);
        self.voice.process(&mut self.frame);
    }

    fn apply_mute(&mut self) {
        let wanted = if self.muted { 0.0 } else { 1.0 };
        if self.gain == wanted {
            if self.muted {
                self.frame.fill(0.0);
            }
            return;
        }
        let step = (wanted - self.gain) / self.frame.len() as f32;
        for (n, sample) in self.frame.iter_mut().enumerate() {
            *sample *= self.gain + step * n as f32;
        }
        self.gain = wanted;
    }
}

/// Channels on the way from a device to an encoder.
fn channels_between(format: AudioFormat, encoder: &dyn AudioEncoder) -> u16 {
    format.channels.min(encoder.channels()).max(1)
}

/// Samples of 120 ms.
const LONGEST_FRAME: usize = 6 * FRAME_SAMPLES;

fn ticks_per_frame(encoder: &dyn AudioEncoder) -> u32 {
    let time = SampleRate::HZ_48000.time_of(encoder.frame_samples());
    encoder.clock_rate().samples_in(time) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the first, the last and the loudest sample, to see what reached the encoder.
    struct Seen {
        samples: usize,
        clock: u32,
    }

    impl AudioEncoder for Seen {
        fn codec(&self) -> SoundCodec {
            SoundCodec::Opus
        }

        fn clock_rate(&self) -> SampleRate {
            SampleRate::from_hz(self.clock)
        }

        fn frame_samples(&self) -> usize {
            self.samples
        }

        fn channels(&self) -> u16 {
            1
        }

        fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
            assert_eq!(samples.len(), self.samples);
            let ends = [samples[0], samples[self.samples - 1], Level::of(samples).peak];
            Ok(ends
                .iter()
                .flat_map(|s| s.to_be_bytes())
                .collect::<Vec<_>>()
                .into())
        }

        fn set_bitrate(&mut self, _: Bitrate) -> Result<(), CodecError> {
            Ok(())
        }

        fn set_expected_loss(&mut self, _: Loss) -> Result<(), CodecError> {
            Ok(())
        }

        fn set_frame_time(&mut self, time: Duration) -> Result<(), CodecError> {
            self.samples = SampleRate::HZ_48000.samples_in(time);
            Ok(())
        }
    }

    fn seen(frame: &EncodedFrame) -> [f32; 3] {
        let at = |n: usize| f32::from_be_bytes(frame.payload[n * 4..n * 4 + 4].try_into().expect("4 bytes"));
        [at(0), at(1), at(2)]
    }

    fn pipeline(rate: u32, channels: u16) -> CapturePipeline {
        let format = AudioFormat {
            rate: SampleRate::from_hz(rate),
            channels,
        };
        let encoder = Seen {
            samples: FRAME_SAMPLES,
            clock: 48_000,
        };
        CapturePipeline::new(format, Box::new(encoder), RtpTime::new(u32::MAX - 100)).expect("usual format")
    }

    #[test]
    fn frames_come_every_960_samples_with_their_rtp_time_and_capture_time() {
        let start = Instant::now();
        let mut pipeline = pipeline(48_000, 2);
        let mut frames = Vec::new();
        for step in 1..=10 {
            pipeline.push(&[0.5; 960], start + Duration::from_millis(10) * step);
            while let Some(frame) = pipeline.poll_frame().expect("encodes") {
                frames.push(frame);
            }
        }
        assert_eq!(frames.len(), 5);
        for (n, frame) in (0_u32..).zip(&frames) {
            assert_eq!(frame.rtp_time, RtpTime::new(u32::MAX - 100).plus(960 * n));
            assert_eq!(frame.captured_at, start + Duration::from_millis(20) * n);
        }
    }

    #[test]
    fn frames_of_another_length_and_of_another_codec_go_on_in_the_same_time() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut pipeline = pipeline(48_000, 1);
        let mut sent = Vec::new();
        for step in 1..=24_u32 {
            match step {
                7 => pipeline.set_frame_time(ms(60)).expect("any length"),
                16 => pipeline.set_encoder(Box::new(Seen {
                    samples: FRAME_SAMPLES,
                    clock: 8_000,
                })),
                _ => {}
            }
            pipeline.push(&[0.5; 480], start + ms(10) * step);
            while let Some(frame) = pipeline.poll_frame().expect("encodes") {
                let ticks = frame.rtp_time.since(RtpTime::new(u32::MAX - 100));
                sent.push((ticks, (frame.captured_at - start).as_millis()));
            }
        }
        assert_eq!(
            sent,
            [
                (0, 0),
                (960, 20),
                (1_920, 40),
                (2_880, 60),
                (5_760, 120),
                (5_920, 140),
                (6_080, 160),
                (6_240, 180),
                (6_400, 200),
                (6_560, 220)
            ]
        );
    }

    #[test]
    fn mute_fades_within_a_frame_and_then_sends_silence() {
        let now = Instant::now();
        let mut pipeline = pipeline(48_000, 1);
        let mut next = |muted| {
            pipeline.set_muted(muted);
            pipeline.push(&[0.5; 960], now);
            let frame = pipeline.poll_frame().expect("encodes").expect("a whole frame");
            (
                seen(&frame),
                pipeline.captured_level().peak,
                pipeline.sent_level().peak,
            )
        };
        assert_eq!(next(false).0, [0.5, 0.5, 0.5]);
        let ([first, last, _], captured, _) = next(true);
        assert!(first == 0.5 && last < 0.001 && captured == 0.5);
        assert_eq!(next(true), ([0.0, 0.0, 0.0], 0.5, 0.0));
        let ([first, last, _], ..) = next(false);
        assert!(first == 0.0 && last > 0.499);
    }

    #[test]
    fn speech_while_muted_and_a_dead_microphone_are_noticed() {
        let start = Instant::now();
        let mut pipeline = pipeline(48_000, 1);
        let push = |pipeline: &mut CapturePipeline, n: u32, level: f32| {
            pipeline.push(&[level; 960], start + Duration::from_millis(20) * (n + 1));
            pipeline.poll_frame().expect("encodes").expect("a whole frame");
        };
        pipeline.set_muted(true);
        for n in 0..200 {
            push(&mut pipeline, n, if n % 10 < 5 { 0.1 } else { 0.0005 });
        }
        assert_eq!(
            (pipeline.muted_speech_noticed(), pipeline.signal_is_gone()),
            (1, false)
        );
        for n in 200..400 {
            push(&mut pipeline, n, 0.0);
        }
        assert!(pipeline.signal_is_gone());
    }

    #[test]
    fn another_device_goes_on_in_the_same_stream() {
        let now = Instant::now();
        let mut pipeline = pipeline(48_000, 1);
        pipeline.push(&[0.5; 500], now);
        pipeline
            .set_format(AudioFormat {
                rate: SampleRate::from_hz(16_000),
                channels: 2,
            })
            .expect("usual format");
        pipeline.push(&[0.5; 3_200], now + Duration::from_millis(100));
        let first = pipeline.poll_frame().expect("encodes").expect("a frame");
        let second = pipeline.poll_frame().expect("encodes").expect("a frame");
        assert_eq!(second.rtp_time.since(first.rtp_time), 960);
    }
}
