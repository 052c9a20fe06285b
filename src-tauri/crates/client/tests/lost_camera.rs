//! A camera that is unplugged in a call: the call goes on in sound, and the camera is on again once it is back.

#[path = "shared/echo_call.rs"]
mod echo_call;

use ahoy_call::CallState;
use ahoy_client::{CameraState, ClientEvent, Command, DeviceChoice};
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_media::synthetic::pattern::PatternSource;
use ahoy_media::video::VideoFrame;
use echo_call::WithEcho;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What is promised of a camera that can be opened again.
const RESTART: Duration = Duration::from_secs(2);

/// One camera that can be pulled out.
#[derive(Default)]
struct Plug {
    gone: Arc<AtomicBool>,
    opened: AtomicU32,
    /// How many hold it open: its light is on.
    held: Arc<AtomicU32>,
    inner: SyntheticDevices,
}

struct Plugged {
    gone: Arc<AtomicBool>,
    held: Arc<AtomicU32>,
    pattern: PatternSource,
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
    }
}

impl VideoSource for Plugged {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        if self.gone.load(Ordering::Acquire) {
            return Err(DeviceError::Lost(DeviceKind::Camera));
        }
        self.pattern.next_frame(timeout)
    }
}

impl Devices for Plug {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
        self.inner.microphone(spec)
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        self.inner.speaker(spec)
    }

    fn camera(&self, spec: &DeviceSpec, wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
        if self.gone.load(Ordering::Acquire) {
            return Err(DeviceError::NotFound {
                kind: DeviceKind::Camera,
                name: spec.to_string(),
            });
        }
        self.opened.fetch_add(1, Ordering::AcqRel);
        self.held.fetch_add(1, Ordering::AcqRel);
        Ok(Box::new(Plugged {
            gone: Arc::clone(&self.gone),
            held: Arc::clone(&self.held),
            pattern: PatternSource::nearest(wanted.resolution, 10),
        }))
    }

    fn screen(&self, spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
        self.inner.screen(spec)
    }
}

/// Waits until the call shows such a camera; returns how long it took.
async fn shown(ada: &WithEcho, camera: CameraState) -> Duration {
    let begun = Instant::now();
    ada.shows(&format!("{camera:?}"), |snapshot| {
        let call = snapshot.call.as_ref();
        call.is_some_and(|call| call.camera == camera && call.state == CallState::Connected)
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_lost_in_a_call_leaves_the_voice_and_is_on_again_when_it_is_back() {
    let devices = Arc::new(Plug::default());
    let mut ada = WithEcho::sign_in(devices.clone(), |mut usual| {
        usual.devices = DeviceChoice {
            microphone: DeviceSpec::Tone { hz: 523 },
            camera: DeviceSpec::Camera("lens".to_owned()),
            ..usual.devices
        };
        usual.limits.resolution.width = 320;
        usual.limits.resolution.height = 180;
        usual
    })
    .await;
    ada.call(true).await;
    let pictures_go = |event: &ClientEvent| {
        matches!(event, ClientEvent::Stats(stats) if stats.video_out.as_ref()
            .is_some_and(|video| video.frames_per_second > 1.0))
    };
    ada.wait_for("pictures", pictures_go).await;
    shown(&ada, CameraState::On).await;

    devices.gone.store(true, Ordering::Release);
    let took = shown(&ada, CameraState::Off).await;
    assert!(took < RESTART, "{took:?}");
    ada.wait_for("sound without pictures", |event| {
        matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01
            && stats.video_out.as_ref().is_none_or(|video| video.frames_per_second < 0.5))
    })
    .await;

    devices.gone.store(false, Ordering::Release);
    let took = shown(&ada, CameraState::On).await;
    assert!(took < RESTART, "{took:?}");
    ada.wait_for("pictures again", pictures_go).await;

    // Whoever turns the camera off while it is lost does not want it back.
    devices.gone.store(true, Ordering::Release);
    shown(&ada, CameraState::Off).await;
    ada.command(Command::SetCamera(false)).await;
    let opened = devices.opened.load(Ordering::Acquire);
    devices.gone.store(false, Ordering::Release);
    for _ in 0..8 {
        ada.wait_for("statistics", |event| matches!(event, ClientEvent::Stats(_)))
            .await;
    }
    // One attempt may have been under way on its thread; what it opens is let go of, and no other follows.
    let since = devices.opened.load(Ordering::Acquire) - opened;
    assert!(since <= 1, "opened {since} times");
    assert_eq!(devices.held.load(Ordering::Acquire), 0, "its light is on");
    shown(&ada, CameraState::Off).await;
    ada.hang_up().await;
    ada.end().await;
}
