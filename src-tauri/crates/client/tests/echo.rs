//! Calling the Echo contact over a real server and a real connection: one hears and sees oneself.

#[path = "shared/echo_call.rs"]
mod echo_call;

use ahoy_call::CallState;
use ahoy_client::{ClientEvent, Command, DeviceChoice, Settings};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_media::units::Resolution;
use echo_call::WithEcho;
use std::sync::Arc;

const TONE_HZ: u32 = 523;

#[tokio::test(flavor = "multi_thread")]
async fn echo_answers_every_call_and_sends_back_what_it_receives() {
    let devices = Arc::new(SyntheticDevices::new());
    let mut ada = WithEcho::sign_in(devices.clone(), |usual| Settings {
        devices: DeviceChoice {
            microphone: DeviceSpec::Tone { hz: TONE_HZ },
            speaker: DeviceSpec::Probe { pattern: None },
            camera: DeviceSpec::Pattern {
                resolution: Resolution::new(320, 180),
                frame_rate: 15,
            },
            screen: DeviceSpec::Probe { pattern: None },
            ..usual.devices
        },
        ..usual
    })
    .await;
    // Twice, because the second call must find everything as the first one did.
    for _ in 0..2 {
        call_echo(&mut ada, &devices).await;
    }
    ada.end().await;
}

async fn call_echo(ada: &mut WithEcho, devices: &SyntheticDevices) {
    ada.call(true).await;
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
    ada.shows("that Echo takes digits", |snapshot| {
        snapshot.call.as_ref().is_some_and(|call| call.takes_digits)
    })
    .await;
    let own_tone = || {
        let heard = devices.audio_probe().and_then(|probe| probe.interval().frequency);
        heard.is_some_and(|hz| hz.abs_diff(TONE_HZ) < 5)
    };
    ada.wait_for("the own picture", |event| {
        matches!(event, ClientEvent::Stats(_))
            && devices
                .video_probe()
                .is_some_and(|probe| probe.total().frames > 15)
    })
    .await;
    ada.command(Command::SetVoiceLoss(40)).await;
    ada.wait_for("a quarter of all packets to be sent again", |event| {
        matches!(event, ClientEvent::Stats(stats)
            if 4 * stats.audio_out.retransmitted_packets_sent > stats.audio_out.packets_sent)
    })
    .await;
    // Ten seconds are recorded before they are played; holes of half the packets are mended well enough for a tone.
    ada.wait_for("the own tone", |event| {
        matches!(event, ClientEvent::Stats(_)) && own_tone()
    })
    .await;
    ada.hang_up().await;
}
