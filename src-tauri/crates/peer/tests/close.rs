//! What is left of closed peers: nothing. Alone in its process, because it counts what the process holds.

mod support;

use ahoy_peer::{AudioCodec, Codec, PeerError, PeerEvent, TransportState};
use std::time::Duration;
use support::{AUDIO, AUDIO_VIDEO, DEADLINE, Party, connect, frame, noise, pictures, stream};

#[tokio::test(flavor = "multi_thread")]
async fn closed_and_dropped_peers_leave_no_task_and_no_socket() {
    // The first pair pays for what the process makes once.
    one_call(false).await;
    settle(usize::MAX, 0).await;
    let tasks = alive_tasks();
    let descriptors = open_descriptors();
    for round in 0..10 {
        one_call(round % 2 == 0).await;
    }
    settle(descriptors, tasks).await;
}

/// A call of two peers that ends by closing or by dropping them.
async fn one_call(drops: bool) {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    stream(a.peer.video_out(), Duration::from_millis(10), pictures(3, 20_000)).await;
    if drops {
        return;
    }
    let (audio_out, mut video) = (a.peer.audio_out(), b.video.clone());
    a.peer.close().await;
    b.peer.close().await;
    a.told(&PeerEvent::State(TransportState::Closed)).await;
    let opus = Codec::Audio(AudioCodec::Opus);
    assert!(!audio_out.ready() && !audio_out.try_send(opus, frame(noise(1, 80), 0)));
    assert!(matches!(a.peer.create_offer(AUDIO).await, Err(PeerError::Closed)));
    a.peer.close().await;
    // The sink is gone, so its channel ends.
    while video.changed().await.is_ok() {}
}

/// Waits until no more than this is held.
async fn settle(descriptors: usize, tasks: usize) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let settled = tokio::time::timeout(DEADLINE, async {
        while open_descriptors() > descriptors || alive_tasks() > tasks {
            ticks.tick().await;
        }
    });
    assert!(
        settled.await.is_ok(),
        "{} descriptors (before {descriptors}) and {} tasks (before {tasks}) are left",
        open_descriptors(),
        alive_tasks()
    );
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Zero where the system cannot tell.
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
