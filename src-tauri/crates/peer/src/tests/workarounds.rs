//! What webrtc 0.21.1 does, measured against Chromium, and what this crate does about it:
//!
//! - D1: a later answer names the configured DTLS role, not the one in use.
//! - D2: retransmissions are unpacked behind the NACK generator, which asks for every lost packet dozens of times.
//! - D4: every renegotiation binds the received streams anew; what was lost meanwhile is never asked for.
//! - D5: received RTCP reaches neither the statistics nor the application.
//! - D8: packets that cannot be marshalled are dropped with a line in the log.
//! - D10: candidates before the answer are refused.

use super::lossy::{Loss, LossyRuntime};
use super::support::{
    AUDIO, AUDIO_VIDEO, DEADLINE, Party, arrived, connect, join, loopback, negotiate, pictures, restart,
    sounds, stream,
};
use crate::engine::Workarounds;
use crate::peer::Setup;
use crate::sdp;
use crate::stats::{CandidateType, PeerStats};
use crate::{Peer, PeerEvent, TransportState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use webrtc::runtime::{Runtime, TokioRuntime};

const PICTURE_INTERVAL: Duration = Duration::from_millis(33);

async fn party(workarounds: Workarounds) -> Party {
    party_on(Arc::new(TokioRuntime), workarounds).await
}

async fn party_on(runtime: Arc<dyn Runtime>, workarounds: Workarounds) -> Party {
    let (tx, rx) = mpsc::channel(64);
    let setup = Setup {
        runtime,
        interfaces: None,
        workarounds,
    };
    let peer = Peer::with_setup(loopback(), tx, setup)
        .await
        .expect("a peer on loopback");
    Party::from_peer(peer, rx)
}

/// Waits until the statistics of a peer fulfil something; `false` at the deadline.
async fn stats_until(party: &Party, deadline: Duration, holds: impl Fn(&PeerStats) -> bool) -> bool {
    let end = Instant::now() + deadline;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while Instant::now() < end {
        if holds(&party.peer.stats().await) {
            return true;
        }
        ticks.tick().await;
    }
    false
}

/// Calls from A to B, restarts from B to A; returns A's role by its first negotiation and by its answer to B.
async fn roles_of_the_first_offerer(workarounds: Workarounds) -> (sdp::Setup, sdp::Setup) {
    let mut a = party(workarounds).await;
    let mut b = Party::new().await;
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    let in_use = sdp::setup(&answer).expect("an answer names its role").opposite();
    let answer = restart(&b, &a).await;
    let sending = tokio::spawn(stream(a.peer.audio_out(), Duration::from_millis(20), sounds(50)));
    let before = b.audio.borrow().len();
    arrived(&mut b.audio, |packets| packets.len() >= before + 20).await;
    sending.abort();
    (in_use, sdp::setup(&answer).expect("an answer names its role"))
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_a_later_answer_keeps_the_dtls_role_in_use() {
    let (in_use, answered) = roles_of_the_first_offerer(Workarounds::default()).await;
    assert_eq!(in_use, answered);
    let (in_use, answered) = roles_of_the_first_offerer(Workarounds {
        keeps_dtls_role: false,
        ..Workarounds::default()
    })
    .await;
    assert_ne!(in_use, answered, "the library keeps the role by itself");
}

/// Two parties whose network takes the first copy of every datagram of the handshake; whether they connect.
async fn connects_without_first_handshakes(repeats_handshake: bool) -> bool {
    let workarounds = Workarounds {
        repeats_handshake,
        ..Workarounds::default()
    };
    let lossy = || {
        let loss = Arc::new(Loss::default());
        loss.first_handshakes.store(true, Ordering::Relaxed);
        party_on(Arc::new(LossyRuntime(loss)), workarounds)
    };
    let (mut a, mut b) = (lossy().await, lossy().await);
    let connected = connect(&mut a, &mut b, AUDIO);
    tokio::time::timeout(Duration::from_secs(6), connected)
        .await
        .is_ok()
}

/// The library repeats what was lost after a second at the earliest, and each time anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_survives_the_loss_of_every_first_copy() {
    assert!(connects_without_first_handshakes(true).await);
    assert!(
        !connects_without_first_handshakes(false).await,
        "the library repeats by itself"
    );
}

/// Five seconds of 2 Mbit/s with 5 % of the packets lost; returns what was lost and both sides' numbers.
async fn lossy_video(workarounds: Workarounds) -> (u64, PeerStats, PeerStats) {
    let loss = Arc::new(Loss::default());
    let mut sender = party_on(Arc::new(LossyRuntime(loss.clone())), Workarounds::default()).await;
    let mut receiver = party(workarounds).await;
    connect(&mut sender, &mut receiver, AUDIO_VIDEO).await;
    loss.one_in.store(20, Ordering::Relaxed);
    stream(sender.peer.video_out(), PICTURE_INTERVAL, pictures(150, 8333)).await;
    let lost = loss.lost.load(Ordering::Relaxed);
    loss.one_in.store(0, Ordering::Relaxed);
    // One more picture shows the receiver what is missing at the end.
    stream(sender.peer.video_out(), PICTURE_INTERVAL, pictures(30, 800)).await;
    (lost, sender.peer.stats().await, receiver.peer.stats().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_a_repaired_packet_is_not_asked_for_again() {
    let (lost, sent, received) = lossy_video(Workarounds::default()).await;
    assert!(lost > 20, "{lost}");
    // Repairs get lost too, and a request may cross its repair.
    assert!(
        sent.video_out.retransmitted_packets <= lost * 2,
        "{} packets sent again for {lost} lost",
        sent.video_out.retransmitted_packets
    );
    assert!(received.video_in.retransmitted_packets > 0);
    assert_eq!(received.video_in.packets_lost, 0, "every loss is repaired");

    let (lost, sent, _) = lossy_video(Workarounds {
        unpacks_rtx: false,
        ..Workarounds::default()
    })
    .await;
    assert!(
        sent.video_out.retransmitted_packets > lost * 5,
        "{} packets sent again for {lost} lost: the library learns of repairs by itself",
        sent.video_out.retransmitted_packets
    );
}

/// A sends pictures, B restarts ICE; returns keyframe requests at A and B's packets before and after.
async fn keyframe_requests_after_a_restart(workarounds: Workarounds) -> (usize, u64, u64) {
    let mut a = Party::new().await;
    let mut b = party(workarounds).await;
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let sending = tokio::spawn(stream(a.peer.video_out(), PICTURE_INTERVAL, pictures(600, 3000)));
    arrived(&mut b.video, |packets| packets.len() >= 30).await;
    let asked_before = a.count(&PeerEvent::KeyframeNeeded);
    let before = b.peer.stats().await.video_in.packets;
    let restarted = b.video.borrow().len();
    restart(&b, &a).await;
    arrived(&mut b.video, |packets| packets.len() >= restarted + 60).await;
    // RTCP goes the same way as RTP, so a request sent at the first packet is here when A answers one more.
    b.peer.request_keyframe().await;
    a.told_times(&PeerEvent::KeyframeNeeded, asked_before + 1).await;
    arrived(&mut b.video, |packets| packets.len() >= restarted + 90).await;
    let asked = a.peer.stats().await.video_out.pli_count as usize - 1;
    sending.abort();
    (asked, before, b.peer.stats().await.video_in.packets)
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_a_stream_bound_again_asks_for_a_keyframe_and_counts_on() {
    let (asked, before, after) = keyframe_requests_after_a_restart(Workarounds::default()).await;
    assert!(asked >= 1);
    assert!(after >= before + 60, "{before} packets, then {after}");
    let (asked, _, _) = keyframe_requests_after_a_restart(Workarounds {
        asks_for_keyframe_when_bound_again: false,
        ..Workarounds::default()
    })
    .await;
    assert_eq!(asked, 0, "the library asks by itself");
}

async fn remote_reports(workarounds: Workarounds, deadline: Duration) -> (bool, bool) {
    let mut a = party(workarounds).await;
    let mut b = Party::new().await;
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let sending = tokio::spawn(stream(
        a.peer.audio_out(),
        Duration::from_millis(20),
        sounds(2000),
    ));
    let pictures = tokio::spawn(stream(a.peer.video_out(), PICTURE_INTERVAL, pictures(1000, 3000)));
    arrived(&mut b.video, |packets| packets.len() >= 10).await;
    b.peer.request_keyframe().await;
    let reported = stats_until(&a, deadline, |stats| {
        let rtt = |remote: &Option<crate::RemoteInboundStats>| remote.as_ref().and_then(|remote| remote.rtt);
        rtt(&stats.audio_out.remote).is_some_and(|rtt| rtt < Duration::from_millis(500))
            && rtt(&stats.video_out.remote).is_some()
    })
    .await;
    let asked = a.count(&PeerEvent::KeyframeNeeded) > 0 && a.peer.stats().await.video_out.pli_count > 0;
    sending.abort();
    pictures.abort();
    (reported, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_reports_and_requests_of_the_other_side_are_read() {
    assert_eq!(
        remote_reports(Workarounds::default(), DEADLINE).await,
        (true, true)
    );
    let off = Workarounds {
        reads_rtcp: false,
        ..Workarounds::default()
    };
    // Reports come every second; none in three is none.
    let waited = remote_reports(off, Duration::from_secs(3)).await;
    assert_eq!(waited, (false, false), "the library hands RTCP on by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_a_packet_that_cannot_leave_is_counted() {
    let mut a = Party::new().await;
    let mut b = Party::new().await;
    connect(&mut a, &mut b, AUDIO).await;
    stream(a.peer.audio_out(), Duration::from_millis(5), sounds(50)).await;
    arrived(&mut b.audio, |packets| packets.len() >= 50).await;
    let sent = a.peer.stats().await.audio_out;
    assert_eq!((sent.packets, sent.send_errors), (50, 0));

    let mut a = party(Workarounds {
        fresh_headers: false,
        ..Workarounds::default()
    })
    .await;
    let mut b = Party::new().await;
    connect(&mut a, &mut b, AUDIO).await;
    stream(a.peer.audio_out(), Duration::from_millis(5), sounds(50)).await;
    assert!(stats_until(&a, DEADLINE, |stats| stats.audio_out.send_errors == 50).await);
    assert_eq!(b.audio.borrow().len(), 0, "damaged headers do no harm");
}

/// B's candidates reach A before B's answer and never again; returns how A knows B's address.
async fn candidates_before_the_answer(workarounds: Workarounds) -> Option<CandidateType> {
    let mut a = party(workarounds).await;
    let mut b = Party::new().await;
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    b.told(&PeerEvent::CandidatesDone).await;
    let mut early = b.take_candidates();
    while let Ok(candidate) = early.try_recv() {
        a.peer
            .add_candidate(Some(candidate))
            .await
            .expect("one bad candidate is not fatal");
    }
    a.peer.set_answer(&answer).await.expect("the answer fits");
    let mut late = a.take_candidates();
    let forward = {
        let b = b.peer.clone();
        tokio::spawn(async move {
            while let Some(candidate) = late.recv().await {
                b.add_candidate(Some(candidate)).await.expect("an open peer");
            }
        })
    };
    a.connected().await;
    forward.abort();
    a.peer
        .stats()
        .await
        .transport
        .remote
        .map(|remote| remote.candidate_type)
}

#[tokio::test(flavor = "multi_thread")]
async fn d10_candidates_before_the_answer_are_kept() {
    let kept = candidates_before_the_answer(Workarounds::default()).await;
    assert_eq!(kept, Some(CandidateType::Host));
    let lost = candidates_before_the_answer(Workarounds {
        holds_candidates: false,
        ..Workarounds::default()
    })
    .await;
    assert_eq!(
        lost,
        Some(CandidateType::PeerReflexive),
        "the library keeps them by itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_is_failed_within_25_seconds() {
    let loss = Arc::new(Loss::default());
    let mut a = Party::new().await;
    let mut b = party_on(Arc::new(LossyRuntime(loss.clone())), Workarounds::default()).await;
    connect(&mut a, &mut b, AUDIO).await;
    loss.cut.store(true, Ordering::Relaxed);
    let cut = Instant::now();
    a.told(&PeerEvent::State(TransportState::Disconnected)).await;
    assert!(a.peer.audio_out().ready(), "it may come back");
    a.told(&PeerEvent::State(TransportState::Failed)).await;
    assert!(cut.elapsed() < Duration::from_secs(20), "{:?}", cut.elapsed());
    assert!(!a.peer.audio_out().ready());
    loss.cut.store(false, Ordering::Relaxed);
    restart(&a, &b).await;
    a.told_times(&PeerEvent::State(TransportState::Connected), 2)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estimate_rises_while_much_is_sent_and_is_told() {
    let mut a = Party::new().await;
    let mut b = Party::new().await;
    join(&mut a, &mut b);
    negotiate(&a, &b, AUDIO_VIDEO).await;
    a.connected().await;
    let sending = tokio::spawn(stream(a.peer.video_out(), PICTURE_INTERVAL, pictures(900, 6000)));
    let start = loopback().start_bitrate;
    let rises = |events: &Vec<PeerEvent>| {
        events
            .iter()
            .any(|event| matches!(event, PeerEvent::TargetBitrate(target) if *target > start))
    };
    let told = tokio::time::timeout(DEADLINE, a.events.wait_for(rises))
        .await
        .map(|_| ());
    sending.abort();
    assert!(told.is_ok(), "{:?}", a.events());
}
