//! The Echo contact: a client of its own that answers every call and sends back what it receives.

use crate::client::{Client, ClientHandle};
use crate::settings::{Credentials, DeviceChoice, Limits, Settings};
use ahoy_call::Resolution;
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::echo_audio::audio_echo;
use ahoy_media::synthetic::echo_video::video_echo;
use ahoy_media::video::Rotation;
use ahoy_signaling::{Auth, Secret};
use std::sync::{Arc, Mutex, PoisonError};

/// Pictures come back at this size: enough to see oneself, and half the work for one machine that carries both sides.
const PICTURE: Resolution = Resolution {
    width: 640,
    height: 360,
};

/// Frames per second of the picture that comes back.
const FRAME_RATE: u32 = 30;

/// Signs Echo in; it answers until its handle is stopped.
pub fn start(server: String, token: Secret) -> ClientHandle {
    let settings = Settings {
        server,
        credentials: Credentials::Token(token),
        device_id: "echo".to_owned(),
        insecure_server: false,
        auth: Auth::Header,
        devices: DeviceChoice {
            microphone: DeviceSpec::Default,
            speaker: DeviceSpec::Default,
            camera: DeviceSpec::Default,
            screen: DeviceSpec::Probe { pattern: None },
            ring: None,
            fall_back: false,
        },
        limits: Limits {
            resolution: PICTURE,
            frame_rate: FRAME_RATE,
            ..Limits::default()
        },
        audio_codecs: SoundCodec::ALL.to_vec(),
        video_codecs: PictureCodec::ALL.to_vec(),
        opus: OpusWish::default(),
        camera_rotation: Rotation::None,
        // What was recorded is played as it arrived.
        voice: VoiceSettings::default(),
        ice_servers: Vec::new(),
        relay_only: false,
        loopback: true,
        auto_answer: true,
        stats_interval: std::time::Duration::from_secs(1),
    };
    let (handle, mut events) = Client::start(settings, Arc::new(EchoDevices::default()));
    // Nobody listens to Echo's events; they are taken so that none is counted as lost.
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    handle
}

/// Pairs of ends: what goes into a speaker comes out of the microphone, a screen's picture out of the camera.
#[derive(Default)]
struct EchoDevices {
    waiting: Mutex<Waiting>,
}

/// The other end of a pair of which one end is taken.
#[derive(Default)]
struct Waiting {
    microphone: Option<Box<dyn AudioSource>>,
    speaker: Option<Box<dyn AudioSink>>,
    camera: Option<Box<dyn VideoSource>>,
    screen: Option<Box<dyn VideoSink>>,
}

impl EchoDevices {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Devices for EchoDevices {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
        only_default(spec, DeviceKind::Microphone)?;
        let mut waiting = self.waiting();
        if let Some(microphone) = waiting.microphone.take() {
            return Ok(microphone);
        }
        let (speaker, microphone) = audio_echo();
        waiting.speaker = Some(Box::new(speaker));
        Ok(Box::new(microphone))
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        only_default(spec, DeviceKind::Speaker)?;
        let mut waiting = self.waiting();
        if let Some(speaker) = waiting.speaker.take() {
            return Ok(speaker);
        }
        let (speaker, microphone) = audio_echo();
        waiting.microphone = Some(Box::new(microphone));
        Ok(Box::new(speaker))
    }

    fn camera(&self, spec: &DeviceSpec, wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
        only_default(spec, DeviceKind::Camera)?;
        let mut waiting = self.waiting();
        if let Some(camera) = waiting.camera.take() {
            return Ok(camera);
        }
        let (screen, camera) = video_echo(wanted.resolution, wanted.frame_rate);
        waiting.screen = Some(Box::new(screen));
        Ok(Box::new(camera))
    }

    fn screen(&self, _spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
        let mut waiting = self.waiting();
        if let Some(screen) = waiting.screen.take() {
            return Ok(screen);
        }
        let size = ahoy_media::units::Resolution::new(PICTURE.width, PICTURE.height);
        let (screen, camera) = video_echo(size, FRAME_RATE);
        waiting.camera = Some(Box::new(camera));
        Ok(Box::new(screen))
    }
}

fn only_default(spec: &DeviceSpec, kind: DeviceKind) -> Result<(), DeviceError> {
    match spec {
        DeviceSpec::Default => Ok(()),
        other => Err(DeviceError::NotFound {
            kind,
            name: other.to_string(),
        }),
    }
}
