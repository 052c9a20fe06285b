//! Keys of a telephone between two connections: over loss, and over a change of the voice's codec and clock.

mod support;

use ahoy_media::codec::SoundCodec;
use ahoy_media::units::RtpTime;
use ahoy_peer::{Codec, FrameSender, PeerConfig, PeerEvent};
use std::time::Duration;
use support::{AUDIO, DEADLINE, Party, connect, loopback, noise};

/// A voice of 20 ms frames, in whatever codec is agreed on, until it is dropped.
struct Voice(tokio::task::JoinHandle<()>);

impl Voice {
    fn into(out: FrameSender) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for number in 0_u32.. {
                ticks.tick().await;
                // Nothing is sent before there is a codec, or when the queue is full: as in a call.
                let Some(Codec::Audio(codec)) = out.codec() else {
                    continue;
                };
                let step = if codec == SoundCodec::Opus { 960 } else { 160 };
                let mut frame = support::frame(noise(1, 80), 0);
                frame.rtp_time = RtpTime::new(number * step);
                out.try_send(Codec::Audio(codec), frame);
            }
        }))
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn parties() -> (Party, Party) {
    let config = || PeerConfig {
        audio_codecs: vec![SoundCodec::Opus, SoundCodec::Pcmu],
        ..loopback()
    };
    (
        Party::with_config(config()).await,
        Party::with_config(config()).await,
    )
}

/// Waits until so many digits came in all, and says which.
async fn heard(party: &mut Party, count: usize) -> String {
    let digits = |events: &[PeerEvent]| -> String {
        let digit = |event: &PeerEvent| match event {
            PeerEvent::Digit(digit) => Some(*digit),
            _ => None,
        };
        events.iter().filter_map(digit).collect()
    };
    let wait = party.events.wait_for(|events| digits(events).len() >= count);
    let waited = tokio::time::timeout(DEADLINE, wait).await.map(|_| ());
    let heard = digits(&party.events());
    assert!(waited.is_ok(), "{heard:?} instead of {count} digits");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_pressed_as_soon_as_the_call_is_up_arrive_through_loss() {
    for round in 0..12 {
        let (mut a, mut b) = parties().await;
        let _voice = Voice::into(a.peer.audio_out());
        a.peer.set_voice_loss(40);
        support::join(&mut a, &mut b);
        support::negotiate(&a, &b, AUDIO).await;
        a.connected().await;
        a.peer
            .send_digits(&"5#".parse().expect("keys"))
            .expect("they are taken");
        assert_eq!(heard(&mut b, 2).await, "5#", "round {round}");
        a.peer.close().await;
        b.peer.close().await;
    }
}

/// The description with PCMU first.
fn preferring_pcmu(sdp: &str) -> String {
    sdp.replace("SAVPF 111 0 ", "SAVPF 0 111 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_go_by_the_clock_of_the_voice_after_it_changed() {
    let (mut a, mut b) = parties().await;
    let _voices = [Voice::into(a.peer.audio_out()), Voice::into(b.peer.audio_out())];
    connect(&mut a, &mut b, AUDIO).await;
    a.peer.send_digits(&"12".parse().expect("keys")).expect("taken");
    b.peer.send_digits(&"3".parse().expect("a key")).expect("taken");
    assert_eq!(heard(&mut b, 2).await, "12");
    assert_eq!(heard(&mut a, 1).await, "3");

    let offer = a
        .peer
        .reoffer(false, ahoy_call::Direction::Inactive)
        .await
        .expect("a re-offer");
    let offer = preferring_pcmu(&offer);
    let answer = b.peer.create_answer(&offer, false).await.expect("an answer");
    for described in [&offer, &answer] {
        assert!(
            described.contains("a=rtpmap:110 telephone-event/48000\r\n")
                && described.contains("a=rtpmap:126 telephone-event/8000\r\n"),
            "{described}"
        );
    }
    a.peer.set_answer(&answer).await.expect("the answer fits");
    for party in [&a, &b] {
        let sound = party.peer.sound_out().expect("sound goes on");
        assert_eq!(sound.codec, SoundCodec::Pcmu);
        assert!(party.peer.takes_digits(), "in the clock of PCMU");
    }
    a.peer.send_digits(&"4*".parse().expect("keys")).expect("taken");
    b.peer.send_digits(&"5".parse().expect("a key")).expect("taken");
    assert_eq!(heard(&mut b, 4).await, "124*");
    assert_eq!(heard(&mut a, 2).await, "35");
    a.peer.close().await;
    b.peer.close().await;
}
