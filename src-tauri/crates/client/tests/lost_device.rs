//! A microphone and a speaker that are unplugged in a call are replaced within a second, and it is said (GOALS S25).

#[path = "shared/echo_call.rs"]
mod echo_call;

use ahoy_call::CallState;
use ahoy_client::{ClientEvent, DeviceChoice, MicrophoneState, Settings};
use ahoy_media::device::{
    AudioFormat, AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink,
    VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use echo_call::WithEcho;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What is promised.
const RECOVERY: Duration = Duration::from_secs(1);

/// A headset that can be pulled out and the system's own sound, which can be taken away.
#[derive(Default)]
struct Plugs {
    headset_gone: Arc<AtomicBool>,
    default_gone: Arc<AtomicBool>,
    /// How often the system's own devices were opened.
    defaults_opened: AtomicU32,
    inner: SyntheticDevices,
}

struct Plugged<Device: ?Sized> {
    gone: Arc<AtomicBool>,
    device: Box<Device>,
}

impl<Device: ?Sized> Plugged<Device> {
    fn there(&self, kind: DeviceKind) -> Result<(), DeviceError> {
        if self.gone.load(Ordering::Acquire) {
            return Err(DeviceError::Lost(kind));
        }
        Ok(())
    }
}

impl AudioSource for Plugged<dyn AudioSource> {
    fn format(&self) -> AudioFormat {
        self.device.format()
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        self.there(DeviceKind::Microphone)?;
        self.device.read(now, out)
    }
}

impl AudioSink for Plugged<dyn AudioSink> {
    fn format(&self) -> AudioFormat {
        self.device.format()
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        self.there(DeviceKind::Speaker)?;
        self.device.queued(now)
    }

    fn write(&mut self, now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        self.device.write(now, samples)
    }

    fn underruns(&self) -> u64 {
        self.device.underruns()
    }
}

impl Plugs {
    /// The plug of what a spec names.
    fn plug(&self, spec: &DeviceSpec, kind: DeviceKind) -> Result<Arc<AtomicBool>, DeviceError> {
        let plug = if *spec == DeviceSpec::Default {
            &self.default_gone
        } else {
            &self.headset_gone
        };
        if plug.load(Ordering::Acquire) {
            let name = spec.to_string();
            return Err(DeviceError::NotFound { kind, name });
        }
        if *spec == DeviceSpec::Default {
            self.defaults_opened.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Arc::clone(plug))
    }
}

impl Devices for Plugs {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
        let gone = self.plug(spec, DeviceKind::Microphone)?;
        let device = self.inner.microphone(&DeviceSpec::Tone { hz: 523 })?;
        Ok(Box::new(Plugged { gone, device }))
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        let gone = self.plug(spec, DeviceKind::Speaker)?;
        let device = self.inner.speaker(&DeviceSpec::Null)?;
        Ok(Box::new(Plugged { gone, device }))
    }

    fn camera(&self, spec: &DeviceSpec, wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
        self.inner.camera(spec, wanted)
    }

    fn screen(&self, spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
        self.inner.screen(spec)
    }
}

/// Waits until the call shows such notices and such a microphone, and the system's own devices were opened so often;
/// returns how long it took.
async fn shown(
    ada: &WithEcho,
    devices: &Plugs,
    defaults_opened: u32,
    notice: Option<&str>,
    without: &str,
    microphone: MicrophoneState,
) -> Duration {
    let begun = Instant::now();
    ada.shows(&format!("{notice:?} and {microphone:?}"), |snapshot| {
        let has = |code: &str| snapshot.notices.iter().any(|notice| notice.code == code);
        devices.defaults_opened.load(Ordering::Acquire) == defaults_opened
            && notice.is_none_or(has)
            && !has(without)
            && snapshot
                .call
                .as_ref()
                .is_some_and(|call| call.microphone == microphone)
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_devices_lost_in_a_call_are_replaced_within_a_second_and_it_is_said() {
    let devices = Arc::new(Plugs::default());
    let mut ada = WithEcho::sign_in(devices.clone(), |usual| Settings {
        devices: DeviceChoice {
            microphone: DeviceSpec::Microphone("headset".to_owned()),
            speaker: DeviceSpec::Speaker("headset".to_owned()),
            fall_back: true,
            ..usual.devices
        },
        ..usual
    })
    .await;
    ada.call(false).await;
    ada.wait_for("connected", |event| {
        matches!(
            event,
            ClientEvent::State {
                state: CallState::Connected,
                ..
            }
        )
    })
    .await;
    ada.wait_for(
        "sound",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01),
    )
    .await;

    // The headset is pulled out: both go over to the system's own.
    devices.headset_gone.store(true, Ordering::Release);
    let took = shown(
        &ada,
        &devices,
        2,
        Some("device_moved"),
        "device_lost",
        MicrophoneState::Ok,
    )
    .await;
    assert!(took < RECOVERY, "{took:?}");

    // Nothing is left: silence, and a word; the call goes on.
    devices.default_gone.store(true, Ordering::Release);
    let took = shown(
        &ada,
        &devices,
        2,
        Some("device_lost"),
        "device_moved",
        MicrophoneState::Missing,
    )
    .await;
    assert!(took < RECOVERY, "{took:?}");
    ada.wait_for(
        "silence",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level == 0.0),
    )
    .await;

    // What was chosen comes back, which is what the person expects and needs no word.
    devices.headset_gone.store(false, Ordering::Release);
    let took = shown(&ada, &devices, 2, None, "device_lost", MicrophoneState::Ok).await;
    assert!(took < RECOVERY, "{took:?}");
    ada.wait_for(
        "sound",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01),
    )
    .await;
    ada.hang_up().await;
    ada.end().await;
}
