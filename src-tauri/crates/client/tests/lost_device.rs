//! A microphone and a speaker that are unplugged in a call are replaced within a second, and it is said (GOALS S25).

#[path = "shared/settings.rs"]
mod settings;

use ahoy_call::{CallState, Party, UserId};
use ahoy_client::{
    Client, ClientEvent, ClientHandle, Command, Credentials, DeviceChoice, MicrophoneState, Settings, echo,
};
use ahoy_media::device::{
    AudioFormat, AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink,
    VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(30);
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

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a legal id")
}

fn settings(server: &Server) -> Settings {
    let token = Credentials::Token(Secret::new(server.token_for(user(1))));
    Settings {
        devices: DeviceChoice {
            microphone: DeviceSpec::Microphone("headset".to_owned()),
            speaker: DeviceSpec::Speaker("headset".to_owned()),
            camera: DeviceSpec::Null,
            screen: DeviceSpec::Null,
            ring: None,
            fall_back: true,
        },
        stats_interval: Duration::from_millis(200),
        ..settings::settings(server.ws_url(), token)
    }
}

async fn wait_for(events: &mut mpsc::Receiver<ClientEvent>, what: &str, fits: impl Fn(&ClientEvent) -> bool) {
    let found = async {
        while let Some(event) = events.recv().await {
            if fits(&event) {
                return;
            }
        }
        panic!("the client ended without {what}");
    };
    tokio::time::timeout(LIMIT, found)
        .await
        .unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"));
}

/// Waits until the call shows such notices and such a microphone, and the system's own devices were opened so often;
/// returns how long it took.
async fn shown(
    client: &ClientHandle,
    devices: &Plugs,
    defaults_opened: u32,
    notice: Option<&str>,
    without: &str,
    microphone: MicrophoneState,
) -> Duration {
    let begun = Instant::now();
    let mut snapshots = client.snapshots();
    let fits = snapshots.wait_for(|snapshot| {
        let has = |code: &str| snapshot.notices.iter().any(|notice| notice.code == code);
        devices.defaults_opened.load(Ordering::Acquire) == defaults_opened
            && notice.is_none_or(has)
            && !has(without)
            && snapshot
                .call
                .as_ref()
                .is_some_and(|call| call.microphone == microphone)
    });
    drop(
        tokio::time::timeout(LIMIT, fits)
            .await
            .unwrap_or_else(|_| panic!("{notice:?} and {microphone:?} are not shown"))
            .expect("the client runs"),
    );
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_devices_lost_in_a_call_are_replaced_within_a_second_and_it_is_said() {
    let users = vec![
        Account::new(user(1), "Ada", "secret"),
        Account::new(user(9000), "Echo", "secret"),
    ];
    let server = Server::bind(ServerConfig {
        users,
        ..ServerConfig::default()
    })
    .await
    .expect("a free port");
    let echo = echo::start(server.ws_url(), Secret::new(server.token_for(user(9000))));
    let devices = Arc::new(Plugs::default());
    let (client, mut events) = Client::start(settings(&server), devices.clone());
    wait_for(&mut events, "sign-in", |event| {
        matches!(event, ClientEvent::SignedIn { .. })
    })
    .await;
    let mut snapshots = client.snapshots();
    let listed = snapshots.wait_for(|snapshot| snapshot.people.iter().any(|person| person.id == user(9000)));
    drop(
        tokio::time::timeout(LIMIT, listed)
            .await
            .expect("Echo is listed")
            .expect("it runs"),
    );
    client
        .command(Command::PlaceCall {
            to: Party::User(user(9000)),
            video: false,
            stream: None,
        })
        .await
        .expect("accepted");
    wait_for(&mut events, "connected", |event| {
        matches!(
            event,
            ClientEvent::State {
                state: CallState::Connected,
                ..
            }
        )
    })
    .await;
    wait_for(
        &mut events,
        "sound",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01),
    )
    .await;

    // The headset is pulled out: both go over to the system's own.
    devices.headset_gone.store(true, Ordering::Release);
    let took = shown(
        &client,
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
        &client,
        &devices,
        2,
        Some("device_lost"),
        "device_moved",
        MicrophoneState::Missing,
    )
    .await;
    assert!(took < RECOVERY, "{took:?}");
    wait_for(
        &mut events,
        "silence",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level == 0.0),
    )
    .await;

    // What was chosen comes back, which is what the person expects and needs no word.
    devices.headset_gone.store(false, Ordering::Release);
    let took = shown(&client, &devices, 2, None, "device_lost", MicrophoneState::Ok).await;
    assert!(took < RECOVERY, "{took:?}");
    wait_for(
        &mut events,
        "sound",
        |event| matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01),
    )
    .await;
    client.command(Command::HangUp).await.expect("accepted");
    wait_for(&mut events, "the end", |event| {
        matches!(event, ClientEvent::Ended(_))
    })
    .await;
    client.stop().await;
    echo.stop().await;
    server.shutdown().await;
}
