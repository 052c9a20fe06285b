//! Threads `cam` and `video-tx`: a camera's pictures to encoded frames.
//!
//! `cam` ([`camera`]) lives as long as a source is open; `video-tx` lives as long as the pipeline and owns scaler and
//! encoder. Between them is a newest-wins slot, so a slow encoder costs pictures, never delay.

mod camera;
mod gate;
mod limit;
pub mod stats;

pub use limit::SizeLimit;

use super::frame::{PicturePool, VideoFrame};
use super::latest::Latest;
use super::rotation::Rotation;
use super::scale::{Region, Scaler, fit_within};
use crate::codec::{CodecError, PictureCodec, VideoEncoder};
use crate::device::{DeviceError, VideoSink, VideoSource};
use crate::packet::EncodedFrame;
use crate::thread::{OwnedThread, Stop};
use crate::units::{Bitrate, Resolution, RtpTime};
use camera::{CameraCallbacks, CameraOutputs};
use gate::{FrameRateGate, KeyframeGate};
use limit::CpuLimit;
use stats::{Encoded, QualityLimitationReason, StatsKeeper, VideoSendStats};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Longest wait for a picture without looking at the end.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// Ticks per second of the RTP clock of video (RFC 7741 §4.1).
const RTP_CLOCK_HZ: u128 = 90_000;

/// What is to be sent at most; the quality control changes it during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoLimits {
    pub bitrate: Bitrate,
    /// Pictures are scaled down to fit, keeping their shape; never up.
    pub resolution: Resolution,
    /// Pictures per second; 0 = none are sent, while the camera goes on.
    pub frame_rate: u32,
    /// Why this is not more; what an encoder that is too slow adds is measured here.
    pub limitation: QualityLimitationReason,
}

/// What the next picture is to those that were sent before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPicture {
    Follows,
    /// Smaller, and so a keyframe: what still waits to leave is of no use once it has come.
    Replaces,
}

/// Makes the encoder of a codec for a size, a bitrate and a rate in pictures per second.
pub type EncoderMaker = Box<
    dyn FnMut(PictureCodec, Resolution, Bitrate, u32) -> Result<Box<dyn VideoEncoder>, CodecError> + Send,
>;

/// What a sending pipeline works with.
pub struct VideoSendSetup {
    /// Called on `video-tx` for the first picture of each codec; usually [`PictureCodec::encoder`].
    pub encoder: EncoderMaker,
    pub limits: VideoLimits,
    /// How the camera's pictures are turned before they are seen or sent.
    pub rotation: Rotation,
    /// Sees every picture of the camera, unscaled, on the thread `cam`.
    pub preview: Option<Box<dyn VideoSink>>,
    /// Asked on `video-tx` before each encoding: the codec in which the peer connection would take such a frame. When in
    /// none, the picture is dropped before it costs anything.
    pub ready: Box<dyn FnMut(NextPicture) -> Option<PictureCodec> + Send>,
    /// Takes each frame on `video-tx` with its codec; false when it was not taken, upon which the next one is a keyframe.
    pub send: Box<dyn FnMut(PictureCodec, EncodedFrame) -> bool + Send>,
    /// Called on `cam` when the source has failed and is closed.
    pub on_device_failure: Box<dyn FnMut(DeviceError) + Send>,
}

/// A running sender of one video stream; dropping it closes the source and ends both threads.
pub struct VideoSend {
    outputs: Arc<CameraOutputs>,
    shared: Arc<Shared>,
    camera: Mutex<Option<OwnedThread>>,
    encoding: OwnedThread,
}

struct Shared {
    control: Mutex<Control>,
    stats: Mutex<StatsKeeper>,
}

#[derive(Debug, Clone, Copy)]
struct Control {
    limits: VideoLimits,
    enabled: bool,
    keyframe_requested: bool,
}

impl VideoSend {
    /// Starts the threads; without a source nothing is sent until [`VideoSend::replace_source`].
    ///
    /// Errors when the system gives no thread.
    pub fn start(setup: VideoSendSetup, source: Option<Box<dyn VideoSource>>) -> io::Result<Self> {
        let control = Control {
            limits: setup.limits,
            enabled: true,
            keyframe_requested: false,
        };
        let shared = Arc::new(Shared {
            control: Mutex::new(control),
            stats: Mutex::default(),
        });
        let callbacks = CameraCallbacks {
            preview: setup.preview,
            on_device_failure: setup.on_device_failure,
        };
        let outputs = Arc::new(CameraOutputs {
            newest: Latest::new(),
            rotation: Mutex::new(setup.rotation),
            callbacks: Mutex::new(callbacks),
        });
        let camera = source
            .map(|source| camera::start(source, Arc::clone(&outputs)))
            .transpose()?;
        let pipeline = Pipeline {
            newest: outputs.newest.clone(),
            shared: Arc::clone(&shared),
            make_encoder: setup.encoder,
            encoder: None,
            cpu: CpuLimit::default(),
            ready: setup.ready,
            send: setup.send,
            scaler: Scaler::default(),
            pool: PicturePool::default(),
            keyframes: KeyframeGate::default(),
            sent: None,
            frame_rate: FrameRateGate::default(),
            epoch: Instant::now(),
        };
        let newest = outputs.newest.clone();
        let encoding =
            OwnedThread::spawn("video-tx", move |stop| pipeline.run(&stop))?.woken_by(move || newest.close());
        Ok(Self {
            outputs,
            shared,
            camera: Mutex::new(camera),
            encoding,
        })
    }

    /// Sends so much at most from the next picture on; after a pause that is a keyframe.
    pub fn set_limits(&self, limits: VideoLimits) {
        let mut control = self.shared.control();
        control.keyframe_requested |= control.limits.frame_rate == 0 && limits.frame_rate > 0;
        control.limits = limits;
    }

    /// Turns the camera's pictures otherwise from the next one on.
    pub fn set_rotation(&self, rotation: Rotation) {
        *lock(&self.outputs.rotation) = rotation;
    }

    /// Makes the next picture a keyframe, at most every 300 ms.
    pub fn request_keyframe(&self) {
        self.shared.control().keyframe_requested = true;
    }

    /// Stops sending and lets go of the source without waiting for it (false), or allows sending again (true), upon
    /// which [`VideoSend::replace_source`] brings a source.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.control().enabled = enabled;
        if !enabled {
            if let Some(camera) = &*lock(&self.camera) {
                camera.stop();
            }
            self.outputs.newest.take();
        }
    }

    /// Sends from this source, after the one before has been closed. Sending is allowed again by it.
    ///
    /// Waits for the closing of the source before, at most 400 ms. Errors when the system gives no thread.
    pub fn replace_source(&self, source: Box<dyn VideoSource>) -> io::Result<()> {
        let mut camera = lock(&self.camera);
        // The old thread ends before the new one begins: a device opens only once.
        drop(camera.take());
        self.outputs.newest.take();
        *camera = Some(camera::start(source, Arc::clone(&self.outputs))?);
        self.shared.control().enabled = true;
        Ok(())
    }

    pub fn stats(&self, now: Instant) -> VideoSendStats {
        let target = self.shared.control().limits.bitrate;
        self.shared
            .stats()
            .snapshot(now, target, self.outputs.newest.overwritten())
    }
}

impl Drop for VideoSend {
    fn drop(&mut self) {
        // Both are told before either is waited for.
        if let Some(camera) = &*lock(&self.camera) {
            camera.stop();
        }
        self.encoding.stop();
    }
}

impl Shared {
    fn control(&self) -> MutexGuard<'_, Control> {
        lock(&self.control)
    }

    fn stats(&self) -> MutexGuard<'_, StatsKeeper> {
        lock(&self.stats)
    }
}

/// The limit for a picture that stands upright, where it is one for pictures that lie: it is meant by its pixels.
fn standing_as(camera: Resolution, allowed: Resolution) -> Resolution {
    if camera.height > camera.width && allowed.width > allowed.height {
        return Resolution::new(allowed.height, allowed.width);
    }
    allowed
}

/// Nothing panics with these locks held, so what a poisoned one holds is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct Pipeline {
    newest: Latest<VideoFrame>,
    shared: Arc<Shared>,
    make_encoder: EncoderMaker,
    encoder: Option<(PictureCodec, Box<dyn VideoEncoder>)>,
    cpu: CpuLimit,
    ready: Box<dyn FnMut(NextPicture) -> Option<PictureCodec> + Send>,
    send: Box<dyn FnMut(PictureCodec, EncodedFrame) -> bool + Send>,
    scaler: Scaler,
    pool: PicturePool,
    keyframes: KeyframeGate,
    frame_rate: FrameRateGate,
    /// The size of the last picture that was encoded.
    sent: Option<Resolution>,
    /// The moment that is RTP time 0.
    epoch: Instant,
}

impl Pipeline {
    fn run(mut self, stop: &Stop) {
        while !stop.is_set() {
            let Some(frame) = self.newest.wait(WAKE_EVERY) else {
                continue;
            };
            let control = {
                let mut control = self.shared.control();
                let taken = *control;
                control.keyframe_requested = false;
                taken
            };
            if control.keyframe_requested {
                self.keyframes.request();
            }
            if !control.enabled
                || control.limits.frame_rate == 0
                || !self
                    .frame_rate
                    .accepts(frame.captured_at, control.limits.frame_rate)
            {
                continue;
            }
            let camera = frame.picture.resolution();
            let limit = self.size_limit(camera, control.limits.resolution);
            let next = self.next_picture(fit_within(camera, limit.resolution));
            let Some(codec) = (self.ready)(next) else {
                self.shared.stats().totals.frames_dropped_by_queue += 1;
                continue;
            };
            if let Err(error) = self.encode(frame, codec, control.limits, limit) {
                tracing::warn!(%error, "picture not encoded");
                self.shared.stats().totals.encode_failures += 1;
                self.keyframes.request();
            }
        }
    }

    fn next_picture(&self, size: Resolution) -> NextPicture {
        match self.sent {
            Some(sent) if size.pixels() < sent.pixels() => NextPicture::Replaces,
            Some(_) | None => NextPicture::Follows,
        }
    }

    fn encode(
        &mut self,
        frame: VideoFrame,
        codec: PictureCodec,
        limits: VideoLimits,
        limit: SizeLimit,
    ) -> Result<(), CodecError> {
        let begun = Instant::now();
        let camera = frame.picture.resolution();
        let frame = self.scale(frame, limit.resolution);
        let size = frame.picture.resolution();
        let keyframe = self.keyframes.is_due(begun);
        let speed = self.cpu.speed();
        let encoder = self.encoder_of(codec, size, limits)?;
        encoder.set_resolution(size)?;
        encoder.set_bitrate(limits.bitrate)?;
        encoder.set_speed(speed)?;
        let implementation = encoder.implementation();
        let encoded = encoder.encode(&frame, keyframe)?;
        let now = Instant::now();
        self.cpu.handle_picture(now, now - begun, limits.frame_rate);
        self.shared.stats().handle_encoding_time(now - begun);
        let Some(encoded) = encoded else {
            self.shared.stats().totals.frames_dropped_by_encoder += 1;
            return Ok(());
        };
        if encoded.keyframe {
            self.keyframes.handle_keyframe(now);
        }
        self.shared.stats().handle_encoded(
            now,
            Encoded {
                codec,
                implementation,
                sent: size,
                bytes: encoded.payload.len(),
                keyframe: encoded.keyframe,
                camera,
                limitation: self.limitation(camera, size, limit.reason, limits.limitation),
            },
        );
        let rtp_time = rtp_time(frame.captured_at.saturating_duration_since(self.epoch));
        let frame = EncodedFrame {
            payload: encoded.payload,
            rtp_time,
            keyframe: encoded.keyframe,
            captured_at: frame.captured_at,
        };
        let sent = (self.send)(codec, frame);
        self.sent = Some(size);
        if !sent {
            // What comes next refers to a frame that nobody has.
            self.shared.stats().totals.frames_refused += 1;
            self.keyframes.request();
        }
        Ok(())
    }

    /// The encoder of this codec; another than before begins with a keyframe.
    fn encoder_of(
        &mut self,
        codec: PictureCodec,
        size: Resolution,
        limits: VideoLimits,
    ) -> Result<&mut dyn VideoEncoder, CodecError> {
        let encoder = match self.encoder.take().filter(|(current, _)| *current == codec) {
            Some((_, encoder)) => encoder,
            None => (self.make_encoder)(codec, size, limits.bitrate, limits.frame_rate)?,
        };
        Ok(&mut *self.encoder.insert((codec, encoder)).1)
    }

    /// What the network and the machine allow together.
    fn size_limit(&self, camera: Resolution, allowed: Resolution) -> SizeLimit {
        let network = SizeLimit {
            resolution: fit_within(camera, standing_as(camera, allowed)),
            reason: QualityLimitationReason::Bandwidth,
        };
        network.joined(self.cpu.size(camera))
    }

    /// Why the picture is not more: `by_size` for its size, `given` for everything the network decides.
    fn limitation(
        &self,
        camera: Resolution,
        sent: Resolution,
        by_size: QualityLimitationReason,
        given: QualityLimitationReason,
    ) -> QualityLimitationReason {
        let shrunk = sent.pixels() < camera.pixels();
        if self.cpu.is_overloaded() || (shrunk && by_size == QualityLimitationReason::Cpu) {
            QualityLimitationReason::Cpu
        } else {
            given
        }
    }

    fn scale(&mut self, frame: VideoFrame, limit: Resolution) -> VideoFrame {
        let size = frame.picture.resolution();
        let target = fit_within(size, limit);
        if target == size {
            return frame;
        }
        let scaler = &mut self.scaler;
        let picture = self.pool.draw(target, |out| {
            scaler.scale(&frame.picture, Region::whole(size), out)
        });
        VideoFrame {
            picture,
            captured_at: frame.captured_at,
        }
    }
}

/// Time since the pipeline began in ticks of the RTP clock, modulo 2^32.
fn rtp_time(since_epoch: Duration) -> RtpTime {
    RtpTime::new((since_epoch.as_micros() * RTP_CLOCK_HZ / 1_000_000) as u32)
}
