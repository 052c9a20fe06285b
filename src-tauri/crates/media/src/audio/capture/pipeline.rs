//! What happens to captured sound: to mono 48 kHz, level, mute, frames of 20 ms, encoding. Pure.

use crate::audio::frame::{FRAME_SAMPLES, FrameCutter};
use crate::audio::level::Level;
use crate::audio::resample::{FormatError, FromDevice};
use crate::codec::{AudioEncoder, CodecError};
use crate::device::AudioFormat;
use crate::packet::EncodedFrame;
use crate::units::{Bitrate, RtpTime};
use std::time::Instant;

/// Samples in, encoded frames out.
pub struct CapturePipeline {
    encoder: Box<dyn AudioEncoder>,
    format: AudioFormat,
    converter: FromDevice,
    converted: Vec<f32>,
    cutter: FrameCutter,
    frame: Vec<f32>,
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
        Ok(Self {
            encoder,
            format,
            converter: FromDevice::new(format)?,
            converted: Vec::with_capacity(8 * FRAME_SAMPLES),
            cutter: FrameCutter::new(),
            frame: Vec::with_capacity(FRAME_SAMPLES),
            muted: false,
            gain: 1.0,
            rtp_time: first_rtp_time,
            captured: Level::default(),
            sent: Level::default(),
        })
    }

    /// Prepares for another device; samples that wait for their frame are kept.
    pub fn set_format(&mut self, format: AudioFormat) -> Result<(), FormatError> {
        self.converter = FromDevice::new(format)?;
        self.format = format;
        Ok(())
    }

    /// Frames of silence are encoded while muted, so that the far jitter buffer keeps running. The change is faded
    /// over one frame.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.encoder.set_bitrate(bitrate)
    }

    /// Expected loss as a fraction 0..1.
    pub fn set_expected_loss(&mut self, fraction: f32) -> Result<(), CodecError> {
        self.encoder.set_expected_loss(fraction)
    }

    /// Takes interleaved samples of which the last was captured at `now`.
    pub fn push(&mut self, interleaved: &[f32], now: Instant) {
        self.converted.clear();
        self.converter.convert(interleaved, &mut self.converted);
        self.cutter.push(&self.converted, now);
    }

    /// Encodes the next whole frame. After an error its time has passed; the next poll goes on behind it.
    pub fn poll_frame(&mut self) -> Result<Option<EncodedFrame>, CodecError> {
        let Some(captured_at) = self.cutter.cut(&mut self.frame) else {
            return Ok(None);
        };
        let rtp_time = self.rtp_time;
        self.rtp_time = rtp_time.plus(FRAME_SAMPLES as u32);
        self.captured = Level::of(&self.frame);
        self.apply_mute();
        self.sent = Level::of(&self.frame);
        let payload = self.encoder.encode(&self.frame)?;
        Ok(Some(EncodedFrame {
            payload,
            rtp_time,
            keyframe: false,
            captured_at,
        }))
    }

    /// Level of the last frame before muting.
    pub fn captured_level(&self) -> Level {
        self.captured
    }

    /// Level of the last frame as encoded.
    pub fn sent_level(&self) -> Level {
        self.sent
    }

    fn apply_mute(&mut self) {
        let wanted = if self.muted { 0.0 } else { 1.0 };
        if self.gain == wanted {
            if self.muted {
                self.frame.fill(0.0);
            }
            return;
        }
        let step = (wanted - self.gain) / FRAME_SAMPLES as f32;
        for (n, sample) in self.frame.iter_mut().enumerate() {
            *sample *= self.gain + step * n as f32;
        }
        self.gain = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SampleRate;
    use bytes::Bytes;
    use std::time::Duration;

    /// Writes the first, the last and the loudest sample, to see what reached the encoder.
    struct Seen;

    impl AudioEncoder for Seen {
        fn encode(&mut self, samples: &[f32]) -> Result<Bytes, CodecError> {
            assert_eq!(samples.len(), FRAME_SAMPLES);
            let ends = [samples[0], samples[959], Level::of(samples).peak];
            Ok(ends
                .iter()
                .flat_map(|s| s.to_be_bytes())
                .collect::<Vec<_>>()
                .into())
        }

        fn set_bitrate(&mut self, _: Bitrate) -> Result<(), CodecError> {
            Ok(())
        }

        fn set_expected_loss(&mut self, _: f32) -> Result<(), CodecError> {
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
        CapturePipeline::new(format, Box::new(Seen), RtpTime::new(u32::MAX - 100)).expect("usual format")
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
