//! A camera that is unplugged in a call: the call goes on in sound, and the camera is on again once it is back.

#[path = "shared/settings.rs"]
mod settings;

use ahoy_call::{CallState, Party, UserId};
use ahoy_client::{
    CameraState, Client, ClientEvent, ClientHandle, Command, Credentials, DeviceChoice, Settings, echo,
};
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_media::synthetic::pattern::PatternSource;
use ahoy_media::video::VideoFrame;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(30);
/// What is promised of a camera that can be opened again.
const RESTART: Duration = Duration::from_secs(2);

/// One camera that can be pulled out.
#[derive(Default)]
struct Plug {
    gone: Arc<AtomicBool>,
    opened: AtomicU32,
    inner: SyntheticDevices,
}

struct Plugged {
    gone: Arc<AtomicBool>,
    pattern: PatternSource,
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
        Ok(Box::new(Plugged {
            gone: Arc::clone(&self.gone),
            pattern: PatternSource::nearest(wanted.resolution, 10),
        }))
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
    let mut settings = Settings {
        devices: DeviceChoice {
            microphone: DeviceSpec::Tone { hz: 523 },
            speaker: DeviceSpec::Null,
            camera: DeviceSpec::Camera("lens".to_owned()),
            screen: DeviceSpec::Null,
            ring: None,
            fall_back: false,
        },
        stats_interval: Duration::from_millis(200),
        ..settings::settings(server.ws_url(), token)
    };
    settings.limits.resolution.width = 320;
    settings.limits.resolution.height = 180;
    settings
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

/// Waits until the call shows such a camera; returns how long it took.
async fn shown(client: &ClientHandle, camera: CameraState) -> Duration {
    let begun = Instant::now();
    let mut snapshots = client.snapshots();
    let fits = snapshots.wait_for(|snapshot| {
        let call = snapshot.call.as_ref();
        call.is_some_and(|call| call.camera == camera && call.state == CallState::Connected)
    });
    let waited = tokio::time::timeout(LIMIT, fits).await.map(|_| ());
    assert!(waited.is_ok(), "{camera:?} is not shown");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_lost_in_a_call_leaves_the_voice_and_is_on_again_when_it_is_back() {
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
    let devices = Arc::new(Plug::default());
    let (client, mut events) = Client::start(settings(&server), devices.clone());
    wait_for(&mut events, "sign-in", |event| {
        matches!(event, ClientEvent::SignedIn { .. })
    })
    .await;
    let mut snapshots = client.snapshots();
    let listed = snapshots.wait_for(|snapshot| snapshot.people.iter().any(|person| person.id == user(9000)));
    let listed = tokio::time::timeout(LIMIT, listed).await.map(|_| ());
    assert!(listed.is_ok(), "Echo is listed");
    let call = Command::PlaceCall {
        stream: None,
        to: Party::User(user(9000)),
        video: true,
    };
    client.command(call).await.expect("accepted");
    let pictures_go = |event: &ClientEvent| {
        matches!(event, ClientEvent::Stats(stats) if stats.video_out.as_ref()
            .is_some_and(|video| video.frames_per_second > 1.0))
    };
    wait_for(&mut events, "pictures", pictures_go).await;
    shown(&client, CameraState::On).await;

    devices.gone.store(true, Ordering::Release);
    let took = shown(&client, CameraState::Off).await;
    assert!(took < RESTART, "{took:?}");
    wait_for(&mut events, "sound without pictures", |event| {
        matches!(event, ClientEvent::Stats(stats) if stats.audio_out.audio_level > 0.01
            && stats.video_out.as_ref().is_none_or(|video| video.frames_per_second < 0.5))
    })
    .await;

    devices.gone.store(false, Ordering::Release);
    let took = shown(&client, CameraState::On).await;
    assert!(took < RESTART, "{took:?}");
    wait_for(&mut events, "pictures again", pictures_go).await;

    // Whoever turns the camera off while it is lost does not want it back.
    devices.gone.store(true, Ordering::Release);
    shown(&client, CameraState::Off).await;
    client.command(Command::SetCamera(false)).await.expect("accepted");
    let opened = devices.opened.load(Ordering::Acquire);
    devices.gone.store(false, Ordering::Release);
    for _ in 0..8 {
        wait_for(&mut events, "statistics", |event| {
            matches!(event, ClientEvent::Stats(_))
        })
        .await;
    }
    assert_eq!(devices.opened.load(Ordering::Acquire), opened);
    client.command(Command::HangUp).await.expect("accepted");
    wait_for(&mut events, "the end", |event| {
        matches!(event, ClientEvent::Ended(_))
    })
    .await;
    client.stop().await;
    echo.stop().await;
    server.shutdown().await;
}
