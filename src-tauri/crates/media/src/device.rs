//! The seams for microphones, speakers, cameras and screens.
//!
//! Each has a hardware form (in `ahoy-devices`), a file, a synthetic and a null form (here). All are polled by the
//! thread of their pipeline and are told the time, so a test can run any of them under a clock of its own.

use crate::spec::DeviceSpec;
use crate::units::{Resolution, SampleRate};
use crate::video::VideoFrame;
use std::time::{Duration, Instant};

/// Why a device cannot be opened or has stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is no such device.
    #[error("no {kind} named {name}")]
    NotFound { kind: DeviceKind, name: String },
    /// The system refuses access.
    #[error("the system does not let Ahoy use the {0}")]
    PermissionDenied(DeviceKind),
    /// Another program holds it.
    #[error("the {0} is in use by another program")]
    Busy(DeviceKind),
    /// It was unplugged, or its driver stopped delivering.
    #[error("the {0} is gone")]
    Lost(DeviceKind),
    /// It offers nothing that can be used, or a file is not what its name says.
    #[error("the {kind} cannot be used: {why}")]
    Unusable { kind: DeviceKind, why: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    Microphone,
    Speaker,
    Camera,
    Screen,
}

impl std::fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DeviceKind::Microphone => "microphone",
            DeviceKind::Speaker => "speaker",
            DeviceKind::Camera => "camera",
            DeviceKind::Screen => "screen",
        })
    }
}

/// Layout of interleaved `f32` samples in -1..1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    pub rate: SampleRate,
    pub channels: u16,
}

/// A microphone or what stands in for one.
pub trait AudioSource: Send {
    fn format(&self) -> AudioFormat;

    /// Appends the interleaved samples that have been captured since the last call, at most 100 ms of them.
    /// Never blocks; nothing appended means that nothing is due yet.
    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError>;
}

/// A speaker or what stands in for one.
pub trait AudioSink: Send {
    fn format(&self) -> AudioFormat;

    /// Samples per channel that are written and not yet played.
    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError>;

    /// Takes interleaved samples for playing after those already queued. Samples that do not fit are dropped and counted.
    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError>;

    /// How often the queue ran dry while playing.
    fn underruns(&self) -> u64;
}

/// A camera or what stands in for one.
pub trait VideoSource: Send {
    /// Waits for the next picture, at most `timeout`; `None` when none came.
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError>;
}

/// Where received pictures go.
pub trait VideoSink: Send {
    fn show(&mut self, now: Instant, frame: VideoFrame);
}

/// What a camera is asked for; it delivers the nearest it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoRequest {
    pub resolution: Resolution,
    /// Frames per second.
    pub frame_rate: u32,
}

/// Opens devices by what the settings or the command line name.
pub trait Devices: Send + Sync {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError>;
    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError>;
    fn camera(&self, spec: &DeviceSpec, wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError>;
    fn screen(&self, spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError>;
}
