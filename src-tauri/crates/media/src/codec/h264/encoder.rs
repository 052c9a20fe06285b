//! The encoder: a bitrate to keep, real time, one picture in and at most one out.

use super::{NAME, failed};
use crate::codec::{CodecError, EncodedPicture, EncoderSpeed, VideoEncoder};
use crate::units::{Bitrate, Resolution};
use crate::video::{I420, VideoFrame};
use bytes::Bytes;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, Profile, RateControlMode, UsageType,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ECOMPLEXITY_MODE, ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_COMPLEXITY,
    ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_MAX_BITRATE, LOW_COMPLEXITY, MEDIUM_COMPLEXITY, SBitrateInfo,
    SPATIAL_LAYER_0, SPATIAL_LAYER_ALL,
};
use std::time::{Duration, Instant};

/// Smallest and largest sides in pixels that openh264 encodes, the longer one first (its README, level 5.2).
const SMALLEST_SIDE: u32 = 16;
const LARGEST_SIDES: (u32, u32) = (3840, 2160);

/// Encoder threads. Slices of their own for a second one cost bits, and one is faster than libvpx with two (measured).
const THREADS: u16 = 1;

/// A measured rate that differs by more than one part in this many is told to the rate control.
const TOLD_CHANGE: f32 = 5.0;

/// Encodes H.264 with openh264. Sides are cut to even numbers: 4:2:0 without cropping knows no others.
pub struct H264Encoder {
    bitrate: Bitrate,
    /// The highest expected, pictures per second.
    frame_rate: u32,
    resolution: Resolution,
    speed: EncoderSpeed,
    open: Option<Open>,
}

struct Open {
    encoder: Encoder,
    bitrate: Bitrate,
    /// The highest bitrate so far.
    limit: Bitrate,
    speed: EncoderSpeed,
    /// The moment of the first picture.
    epoch: Instant,
    rate: MeasuredRate,
}

impl H264Encoder {
    /// Makes an encoder; openh264 is opened by the first picture.
    ///
    /// Errors when a side is below 16 pixels or above what level 5.2 knows.
    pub fn new(resolution: Resolution, bitrate: Bitrate, frame_rate: u32) -> Result<Self, CodecError> {
        let mut encoder = Self {
            bitrate,
            frame_rate: frame_rate.max(1),
            resolution,
            speed: EncoderSpeed::default(),
            open: None,
        };
        encoder.set_resolution(resolution)?;
        Ok(encoder)
    }

    fn open(&self, epoch: Instant) -> Result<Open, CodecError> {
        let config = EncoderConfig::new()
            .profile(Profile::Baseline)
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Bitrate)
            .bitrate(BitRate::from_bps(bps(self.bitrate) as u32))
            .max_frame_rate(FrameRate::from_hz(self.frame_rate as f32))
            // A picture that the bitrate has no room for is left out.
            .skip_frames(true)
            // Receivers ask for their keyframes.
            .scene_change_detect(false)
            .complexity(match complexity(self.speed) {
                MEDIUM_COMPLEXITY => Complexity::Medium,
                _ => Complexity::Low,
            })
            .num_threads(THREADS);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| failed("initialisation", &error))?;
        Ok(Open {
            encoder,
            bitrate: self.bitrate,
            limit: self.bitrate,
            speed: self.speed,
            epoch,
            rate: MeasuredRate::new(self.frame_rate),
        })
    }
}

impl VideoEncoder for H264Encoder {
    fn encode(
        &mut self,
        frame: &VideoFrame,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError> {
        let picture = &frame.picture;
        if picture.resolution() != self.resolution {
            return Err(CodecError::Settings {
                codec: NAME,
                what: format!(
                    "a picture of {} while set to {}",
                    picture.resolution(),
                    self.resolution
                ),
            });
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open(frame.captured_at)?,
        };
        let encoded = open.encode(picture, frame.captured_at, force_keyframe)?;
        // Not reached after an error: then the next picture opens openh264 anew, which makes it a keyframe.
        self.open = Some(open);
        Ok(encoded)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.bitrate = bitrate;
        match &mut self.open {
            Some(open) => open.set_bitrate(bitrate),
            None => Ok(()),
        }
    }

    fn set_resolution(&mut self, resolution: Resolution) -> Result<(), CodecError> {
        let (longer, shorter) = (
            resolution.width.max(resolution.height),
            resolution.width.min(resolution.height),
        );
        if shorter < SMALLEST_SIDE || longer > LARGEST_SIDES.0 || shorter > LARGEST_SIDES.1 {
            return Err(CodecError::Settings {
                codec: NAME,
                what: format!("a size of {resolution}"),
            });
        }
        if resolution != self.resolution {
            self.resolution = resolution;
            self.open = None;
        }
        Ok(())
    }

    fn set_speed(&mut self, speed: EncoderSpeed) -> Result<(), CodecError> {
        self.speed = speed;
        match &mut self.open {
            Some(open) => open.set_speed(speed),
            None => Ok(()),
        }
    }

    fn implementation(&self) -> &'static str {
        "openh264"
    }
}

impl Open {
    fn encode(
        &mut self,
        picture: &I420,
        captured_at: Instant,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError> {
        let since_epoch = captured_at.saturating_duration_since(self.epoch);
        if let Some(mut hz) = self.rate.handle_picture(since_epoch) {
            self.set_option(ENCODER_OPTION_FRAME_RATE, &mut hz, "new frame rate")?;
        }
        if force_keyframe {
            self.encoder.force_intra_frame();
        }
        let time = Timestamp::from_millis(since_epoch.as_millis() as u64);
        let encoded = self
            .encoder
            .encode_at(&Even(picture), time)
            .map_err(|error| failed("encoding", &error))?;
        let keyframe = match encoded.frame_type() {
            FrameType::IDR => true,
            FrameType::I | FrameType::P | FrameType::IPMixed => false,
            FrameType::Skip | FrameType::Invalid => return Ok(None),
        };
        let payload = encoded.to_vec();
        if payload.is_empty() {
            return Ok(None);
        }
        Ok(Some(EncodedPicture {
            payload: Bytes::from(payload),
            keyframe,
        }))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        if bitrate == self.bitrate {
            return Ok(());
        }
        self.bitrate = bitrate;
        let set = |option, layer| {
            (
                option,
                SBitrateInfo {
                    iLayer: layer,
                    iBitrate: bps(bitrate),
                },
            )
        };
        // A limit below the target is an error, and so is a target above the limit: it only grows, ahead of the target.
        let limits = [SPATIAL_LAYER_ALL, SPATIAL_LAYER_0].map(|layer| set(ENCODER_OPTION_MAX_BITRATE, layer));
        let grows = bitrate > self.limit;
        self.limit = self.limit.max(bitrate);
        let limits = limits.into_iter().filter(|_| grows);
        for (option, mut wanted) in limits.chain([set(ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL)]) {
            self.set_option(option, &mut wanted, "new bitrate")?;
        }
        Ok(())
    }

    fn set_speed(&mut self, speed: EncoderSpeed) -> Result<(), CodecError> {
        if complexity(speed) == complexity(self.speed) {
            return Ok(());
        }
        self.speed = speed;
        let mut complexity = complexity(speed);
        self.set_option(ENCODER_OPTION_COMPLEXITY, &mut complexity, "new speed")
    }

    /// Sets an option of the type that openh264 documents for it.
    fn set_option<T>(
        &mut self,
        option: ENCODER_OPTION,
        value: &mut T,
        what: &'static str,
    ) -> Result<(), CodecError> {
        // SAFETY: the encoder lives, `value` is writable and of the option's type: `SBitrateInfo` for bitrates, `f32`
        // for the frame rate, `i32` for the complexity (codec_app_def.h). Options are set after the first picture only,
        // before which openh264 has no context: each setter is reached through an `Open` that has encoded one.
        let result = unsafe {
            self.encoder
                .raw_api()
                .set_option(option, std::ptr::from_mut(value).cast())
        };
        match result {
            0 => Ok(()),
            code => Err(CodecError::Failed {
                codec: NAME,
                why: format!("{what}: error {code}"),
            }),
        }
    }
}

/// A picture without the last column and row where their number is odd.
struct Even<'a>(&'a I420);

impl YUVSource for Even<'_> {
    fn dimensions(&self) -> (usize, usize) {
        let Resolution { width, height } = self.0.resolution();
        (width as usize & !1, height as usize & !1)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let chroma = self.0.chroma_width();
        (self.0.resolution().width as usize, chroma, chroma)
    }

    fn y(&self) -> &[u8] {
        self.0.planes().0
    }

    fn u(&self) -> &[u8] {
        self.0.planes().1
    }

    fn v(&self) -> &[u8] {
        self.0.planes().2
    }
}

/// What rate pictures really come at: openh264 shares the bitrate out by the rate it is told, not by their times.
struct MeasuredRate {
    /// Hz, as the encoder knows it.
    told: f32,
    /// Seconds between two pictures, smoothed over about eight.
    interval: f32,
    last: Option<Duration>,
}

impl MeasuredRate {
    fn new(frame_rate: u32) -> Self {
        Self {
            told: frame_rate as f32,
            interval: 1.0 / frame_rate as f32,
            last: None,
        }
    }

    /// The rate to tell after this picture, if it has changed; Hz.
    fn handle_picture(&mut self, at: Duration) -> Option<f32> {
        let last = self.last.replace(at)?;
        // A pause is no rate.
        let passed = at.saturating_sub(last).as_secs_f32().clamp(0.001, 1.0);
        self.interval += (passed - self.interval) / 8.0;
        let rate = 1.0 / self.interval;
        if (rate - self.told).abs() <= self.told / TOLD_CHANGE {
            return None;
        }
        self.told = rate;
        Some(rate)
    }
}

/// At 720p Medium takes 5.0 ms a picture and Low 4.4 (measured).
fn complexity(speed: EncoderSpeed) -> ECOMPLEXITY_MODE {
    match speed {
        EncoderSpeed::Usual => MEDIUM_COMPLEXITY,
        EncoderSpeed::Fast | EncoderSpeed::Fastest => LOW_COMPLEXITY,
    }
}

/// openh264 counts in 32 bits and cannot do 0.
fn bps(bitrate: Bitrate) -> i32 {
    bitrate.as_bps().clamp(1000, 1_000_000_000) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_when_it_has_changed_and_a_pause_is_none() {
        let mut rate = MeasuredRate::new(30);
        let mut at = Duration::ZERO;
        let mut told = Vec::new();
        let mut run = |pictures: u32, interval: Duration| {
            for _ in 0..pictures {
                at += interval;
                told.extend(rate.handle_picture(at));
            }
            std::mem::take(&mut told)
        };
        assert_eq!(run(60, Duration::from_micros(33_333)), []);
        let slower = run(60, Duration::from_micros(66_667));
        let last = slower.last().copied().expect("told");
        assert!((14.0..18.0).contains(&last), "{slower:?}");
        run(1, Duration::from_secs(60));
        let back = run(60, Duration::from_micros(66_667));
        let last = back.last().copied().expect("told");
        assert!((12.0..18.0).contains(&last), "{back:?}");
    }
}
