//! Offers after the first: which way pictures go, offers that come to nothing, and the words that need no signaling.

mod support;

use ahoy_call::Direction;
use ahoy_peer::{Credential, IceServer, PeerEvent, TransportState};
use std::time::Duration;
use support::{AUDIO, AUDIO_VIDEO, Party, arrived, connect, pictures, renegotiate, restart, sounds, stream};

const PICTURE_INTERVAL: Duration = Duration::from_millis(10);
const SOUND_INTERVAL: Duration = Duration::from_millis(20);

async fn directions(a: &Party, b: &Party) -> (Direction, Direction) {
    (a.peer.video_direction().await, b.peer.video_direction().await)
}

/// Sends pictures from one party to the other until enough have come.
async fn is_seen(from: &Party, by: &mut Party) {
    let before = by.video.borrow().len();
    let sending = tokio::spawn(stream(
        from.peer.video_out(),
        PICTURE_INTERVAL,
        pictures(600, 2000),
    ));
    arrived(&mut by.video, |packets| packets.len() >= before + 10).await;
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_as_both_sides_want_and_back_to_sound_and_forth() {
    use Direction::*;
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO).await;
    assert_eq!(directions(&a, &b).await, (Inactive, Inactive));
    for round in 0..2 {
        // A's camera alone.
        renegotiate(&a, &b, SendRecv, false).await;
        assert_eq!(directions(&a, &b).await, (SendOnly, RecvOnly), "round {round}");
        is_seen(&a, &mut b).await;
        assert!(!b.peer.video_out().ready(), "nobody asked B's user");
        // B's user agrees.
        renegotiate(&a, &b, SendRecv, true).await;
        assert_eq!(directions(&a, &b).await, (SendRecv, SendRecv));
        is_seen(&b, &mut a).await;
        is_seen(&a, &mut b).await;
        // A restart keeps what there is.
        restart(&b, &a).await;
        assert_eq!(directions(&a, &b).await, (SendRecv, SendRecv));
        // B's camera alone.
        renegotiate(&a, &b, RecvOnly, true).await;
        assert_eq!(directions(&a, &b).await, (RecvOnly, SendOnly));
        is_seen(&b, &mut a).await;
        assert!(!a.peer.video_out().ready());
        renegotiate(&a, &b, Inactive, true).await;
        assert_eq!(directions(&a, &b).await, (Inactive, Inactive));
        assert!(!a.peer.video_out().ready() && !b.peer.video_out().ready());
    }
    stream(a.peer.audio_out(), Duration::from_millis(5), sounds(20)).await;
    arrived(&mut b.audio, |packets| packets.len() >= 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_offer_is_answered_as_inactive() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let offer = a
        .peer
        .reoffer(false, Direction::Inactive)
        .await
        .expect("a re-offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    assert!(
        offer.contains("a=inactive") && answer.contains("a=inactive"),
        "{answer}"
    );
}

/// Both sides keep the old path until an answer comes, and one that never comes costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_never_answered_changes_nothing() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO).await;
    let sending = tokio::spawn(stream(a.peer.audio_out(), SOUND_INTERVAL, sounds(3000)));
    for (restart, video) in [(true, Direction::Inactive), (false, Direction::SendRecv)] {
        a.peer.reoffer(restart, video).await.expect("a re-offer");
        let before = b.audio.borrow().len();
        arrived(&mut b.audio, |packets| packets.len() >= before + 30).await;
    }
    assert_eq!(a.count(&PeerEvent::State(TransportState::Connecting)), 1);
    // The other side's takes its place.
    let answer = support::restart(&b, &a).await;
    assert!(!answer.is_empty());
    let before = b.audio.borrow().len();
    arrived(&mut b.audio, |packets| packets.len() >= before + 30).await;
    sending.abort();
    assert_eq!(b.peer.stats().await.audio_in.packets_lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_reach_the_other_side_without_signaling_before_and_after_a_restart() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    assert!(!a.peer.say("nobody is there").await);
    connect(&mut a, &mut b, AUDIO).await;
    for round in 0..2 {
        let text = format!("{{\"round\":{round}}}");
        says(&a, &text).await;
        b.told(&PeerEvent::Message(text.clone())).await;
        says(&b, &text).await;
        a.told(&PeerEvent::Message(text)).await;
        restart(&a, &b).await;
    }
    let long = "x".repeat(2000);
    a.peer.say(&long).await;
    says(&a, "after it").await;
    b.told(&PeerEvent::Message("after it".to_owned())).await;
    assert_eq!(b.count(&PeerEvent::Message(long)), 0, "nobody says so much");
}

/// The channel opens a moment after the connection.
async fn says(from: &Party, text: &str) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let said = async {
        while !from.peer.say(text).await {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(support::DEADLINE, said)
        .await
        .expect("the channel opens");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_arrive_although_the_connection_closes_behind_them() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO).await;
    says(&a, "hello").await;
    assert!(a.peer.say("goodbye").await);
    a.peer.close().await;
    b.told(&PeerEvent::Message("goodbye".to_owned())).await;
    b.told(&PeerEvent::ChannelClosed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_refuses_the_channel_has_a_call_all_the_same() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    support::join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    assert!(offer.contains("m=application"));
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    let refused: String = answer
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix("m=application 9") {
            Some(rest) => format!("m=application 0{rest}"),
            None => line.to_owned(),
        })
        .collect();
    assert_ne!(refused, answer);
    a.peer.set_answer(&refused).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    stream(a.peer.audio_out(), Duration::from_millis(5), sounds(20)).await;
    arrived(&mut b.audio, |packets| packets.len() >= 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_credentials_are_taken_in_the_middle_of_a_call() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO).await;
    let server = IceServer {
        urls: vec!["turn:127.0.0.1:9?transport=udp".to_owned()],
        username: "1760000000:1".to_owned(),
        credential: Credential::new("secret"),
    };
    a.peer.set_ice_servers(&[server]).await.expect("good servers");
    a.peer.set_ice_servers(&[]).await.expect("none are no change");
    restart(&a, &b).await;
    let before = b.audio.borrow().len();
    let sending = tokio::spawn(stream(a.peer.audio_out(), SOUND_INTERVAL, sounds(300)));
    arrived(&mut b.audio, |packets| packets.len() >= before + 20).await;
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_name_no_address_outside_their_candidates() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let video = a.peer.video_direction().await;
    let restart = a.peer.reoffer(true, video).await.expect("a re-offer");
    let offer = a.peer.reoffer(false, video).await.expect("a re-offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    assert!(!restart.contains("a=candidate"), "they are about to be given up");
    for description in [restart, offer, answer] {
        for line in description.lines() {
            let names = line.starts_with("c=") || line.starts_with("o=");
            assert!(!names || line.ends_with("IN IP4 0.0.0.0"), "{line}");
        }
    }
}
