//! Calling the Echo contact over a real server and a real connection: one hears and sees oneself.

#[path = "shared/settings.rs"]
mod settings;

use ahoy_call::{CallState, Party, UserId};
use ahoy_client::{Client, ClientEvent, ClientHandle, Command, Credentials, DeviceChoice, Settings, echo};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_media::units::Resolution;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(30);
const TONE_HZ: u32 = 523;

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a legal id")
}

fn settings(server: &Server) -> Settings {
    let token = Credentials::Token(Secret::new(server.token_for(user(1))));
    Settings {
        devices: DeviceChoice {
            microphone: DeviceSpec::Tone { hz: TONE_HZ },
            speaker: DeviceSpec::Probe { pattern: None },
            camera: DeviceSpec::Pattern {
                resolution: Resolution::new(320, 180),
                frame_rate: 15,
            },
            screen: DeviceSpec::Probe { pattern: None },
            ring: None,
            fall_back: false,
        },
        stats_interval: Duration::from_millis(200),
        ..settings::settings(server.ws_url(), token)
    }
}

async fn wait_for(events: &mut mpsc::Receiver<ClientEvent>, what: &str, fits: impl Fn(&ClientEvent) -> bool) {
    let found = async {
        while let Some(event) = events.recv().await {
            if matches!(
                event,
                ClientEvent::ServerLost { .. } | ClientEvent::SignInFailed { .. }
            ) {
                panic!("{event:?} instead of {what}");
            }
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

async fn wait_for_echo(client: &ClientHandle, events: &mut mpsc::Receiver<ClientEvent>) {
    wait_for(events, "sign-in", |event| {
        matches!(event, ClientEvent::SignedIn { .. })
    })
    .await;
    let mut snapshots = client.snapshots();
    let listed = snapshots.wait_for(|snapshot| snapshot.people.iter().any(|person| person.id == user(9000)));
    drop(
        tokio::time::timeout(LIMIT, listed)
            .await
            .expect("Echo is listed")
            .expect("the client runs"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_answers_every_call_and_sends_back_what_it_receives() {
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
    let devices = Arc::new(SyntheticDevices::new());
    let (client, mut events) = Client::start(settings(&server), devices.clone());

    wait_for_echo(&client, &mut events).await;
    // Twice, because the second call must find everything as the first one did.
    for _ in 0..2 {
        call_echo(&client, &mut events, &devices).await;
    }
    client.stop().await;
    echo.stop().await;
    server.shutdown().await;
}

async fn call_echo(
    client: &ClientHandle,
    events: &mut mpsc::Receiver<ClientEvent>,
    devices: &Arc<SyntheticDevices>,
) {
    client
        .command(Command::PlaceCall {
            to: Party::User(user(9000)),
            video: true,
            stream: None,
        })
        .await
        .expect("accepted");
    wait_for(events, "connected", |event| {
        matches!(
            event,
            ClientEvent::State {
                state: CallState::Connected,
                ..
            }
        )
    })
    .await;
    let mut snapshots = client.snapshots();
    let taken = snapshots.wait_for(|snapshot| snapshot.call.as_ref().is_some_and(|call| call.takes_digits));
    drop(
        tokio::time::timeout(LIMIT, taken)
            .await
            .expect("Echo takes digits")
            .expect("the client runs"),
    );
    let own_tone = |devices: &SyntheticDevices| {
        let heard = devices.audio_probe().and_then(|probe| probe.interval().frequency);
        heard.is_some_and(|hz| hz.abs_diff(TONE_HZ) < 5)
    };
    wait_for(events, "the own picture", |event| {
        matches!(event, ClientEvent::Stats(_))
            && devices
                .video_probe()
                .is_some_and(|probe| probe.total().frames > 15)
    })
    .await;
    client.command(Command::SetVoiceLoss(40)).await.expect("accepted");
    wait_for(
        events,
        "the loss as the other side sees it",
        |event| match event {
            ClientEvent::Stats(stats) => stats.audio_out.expected_loss > 0.25,
            _ => false,
        },
    )
    .await;
    // Ten seconds are recorded before they are played; holes of half the packets are mended well enough for a tone.
    wait_for(events, "the own tone", |event| {
        matches!(event, ClientEvent::Stats(_)) && own_tone(devices)
    })
    .await;
    client.command(Command::HangUp).await.expect("accepted");
    wait_for(events, "the end", |event| matches!(event, ClientEvent::Ended(_))).await;
}
