//! What opening and running the media of a call tells the actor.

use crate::media_session::{MediaSession, Outgoing, VideoPipelines};
use crate::snapshot::{CameraState, MediaMoment, MicrophoneState};
use ahoy_media::device::{AudioSink, AudioSource, DeviceError, DeviceKind, VideoSource};
use std::time::Instant;

/// What opening and running media tells the actor.
pub(crate) enum MediaNews {
    Opened(Box<MediaSession>),
    /// The camera runs for the caller's own eyes; `None` = it does not.
    Previewed(Option<Box<Outgoing>>),
    /// What a running call needs to have pictures.
    VideoOpened(Box<VideoPipelines>),
    /// Another device is open and takes over.
    Replaced(Replacement),
    /// A device is not what was asked for. `essential`: the call cannot do without.
    CannotOpen {
        error: DeviceError,
        essential: bool,
    },
    /// A device that was in use is gone.
    Lost {
        kind: DeviceKind,
        error: DeviceError,
    },
    Moment {
        video: bool,
        what: MediaMoment,
        at: Instant,
    },
    /// A device is open that may take the place of a lost one. `on_default`: it is what the system uses.
    Recovered {
        device: Replacement,
        on_default: bool,
    },
    /// Nothing could be opened in the place of a lost device.
    NotRecovered(DeviceKind),
    /// The received picture cannot be decoded without a keyframe.
    KeyframeWanted,
}

pub(crate) enum Replacement {
    Microphone {
        source: Box<dyn AudioSource>,
        state: MicrophoneState,
        /// It stands in a room, and is no file or tone.
        in_room: bool,
    },
    Speaker(Box<dyn AudioSink>),
    Camera {
        source: Box<dyn VideoSource>,
        state: CameraState,
    },
}

impl Replacement {
    pub(crate) fn kind(&self) -> DeviceKind {
        match self {
            Replacement::Microphone { .. } => DeviceKind::Microphone,
            Replacement::Speaker(_) => DeviceKind::Speaker,
            Replacement::Camera { .. } => DeviceKind::Camera,
        }
    }
}
