//! Lost packets of voice are sent again while that is of use.

use super::lossy::{Loss, LossyRuntime};
use super::support::{AUDIO, Party, frame, join, loopback, noise, stream};
use crate::Peer;
use crate::engine::Workarounds;
use crate::peer::Setup;
use crate::stats::PeerStats;
use ahoy_media::packet::EncodedFrame;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

const FRAME: Duration = Duration::from_millis(20);

/// Large enough for the network of these tests to lose some.
fn sounds(count: u32) -> Vec<EncodedFrame> {
    (0..count)
        .map(|number| frame(noise(u64::from(number) + 1, 500), number * 960))
        .collect()
}

async fn sender(loss: &Arc<Loss>) -> Party {
    let (tx, rx) = mpsc::channel(64);
    let setup = Setup {
        runtime: Arc::new(LossyRuntime(loss.clone())),
        interfaces: None,
        workarounds: Workarounds::default(),
    };
    let peer = Peer::with_setup(loopback(), tx, setup)
        .await
        .expect("a peer on loopback");
    Party::from_peer(peer, rx)
}

/// Four seconds of voice of which the network loses a fifth.
struct Lossy {
    lost: u64,
    /// Numbers of both sides.
    sent: PeerStats,
    received: PeerStats,
    marked: usize,
}

/// `offered` may change the offer on its way.
async fn lossy_voice(offered: impl Fn(String) -> String) -> Lossy {
    let loss = Arc::new(Loss::default());
    let mut a = sender(&loss).await;
    let mut b = Party::new().await;
    join(&mut a, &mut b);
    let offer = offered(a.peer.create_offer(AUDIO).await.expect("an offer"));
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    loss.one_in.store(5, Ordering::Relaxed);
    stream(a.peer.audio_out(), FRAME, sounds(200)).await;
    let lost = loss.lost.load(Ordering::Relaxed);
    loss.one_in.store(0, Ordering::Relaxed);
    // A little more shows the receiver what is missing at the end.
    stream(a.peer.audio_out(), FRAME, sounds(20)).await;
    let marked = b.audio.borrow().iter().filter(|packet| packet.repaired).count();
    Lossy {
        lost,
        sent: a.peer.stats().await,
        received: b.peer.stats().await,
        marked,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_voice_is_asked_for_and_repaired() {
    let call = lossy_voice(|offer| offer).await;
    assert!(call.lost > 20, "{}", call.lost);
    let (sent, received) = (&call.sent.audio_out, &call.received.audio_in);
    // A fifth of the repairs is lost too, and a packet is not asked for for long.
    let missing = u64::try_from(received.packets_lost).expect("no packet came twice");
    assert!(missing * 5 <= call.lost, "{missing} of {} lost", call.lost);
    assert_eq!(call.marked as u64, received.retransmitted_packets);
    // A request may cross its repair.
    assert!(
        sent.retransmitted_packets <= call.lost * 3,
        "{} sent again for {} lost",
        sent.retransmitted_packets,
        call.lost
    );
    assert_eq!(sent.retransmitted_bytes, sent.retransmitted_packets * 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_does_not_repair_voice_is_not_asked() {
    let without = |offer: String| offer.replace("a=rtcp-fb:111 nack\r\n", "");
    let call = lossy_voice(without).await;
    assert!(call.lost > 20, "{}", call.lost);
    let (sent, received) = (&call.sent.audio_out, &call.received.audio_in);
    assert_eq!((received.nack_count, sent.retransmitted_packets), (0, 0));
    assert!(received.packets_lost > 0);
}
