//! Measurements, run by hand: `cargo test -p ahoy-peer --release --test measure -- --ignored --nocapture`.
#![allow(clippy::print_stdout)]

mod support;

use std::time::{Duration, Instant};
use support::{AUDIO_VIDEO, Party, arrived, connect, join, negotiate, pictures, sounds, stream};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn from_offer_to_connected() {
    let mut times = Vec::new();
    for _ in 0..15 {
        let (mut a, mut b) = (Party::new().await, Party::new().await);
        join(&mut a, &mut b);
        let begin = Instant::now();
        negotiate(&a, &b, AUDIO_VIDEO).await;
        a.connected().await;
        b.connected().await;
        times.push(begin.elapsed());
    }
    times.sort();
    println!(
        "offer to both connected: median {:?}, all {times:?}",
        times[times.len() / 2]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn ten_seconds_of_two_megabits() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let before = cpu_time();
    let sounds = tokio::spawn(stream(a.peer.audio_out(), Duration::from_millis(20), sounds(500)));
    stream(
        a.peer.video_out(),
        Duration::from_micros(33_333),
        pictures(300, 8333),
    )
    .await;
    sounds.await.expect("the sender ends");
    arrived(&mut b.audio, |packets| packets.len() >= 500).await;
    println!(
        "CPU of both peers for 10 s of 2 Mbit/s one way: {:?}",
        cpu_time() - before
    );
    println!("{:#?}\n{:#?}", a.peer.stats().await, b.peer.stats().await);
}

/// User and system time of this process, in ticks of 10 ms (proc(5), fields 14 and 15).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |field: usize| -> u64 {
        stat.rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(field - 3))
            .and_then(|ticks| ticks.parse().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(14) + ticks(15)) * 10)
}
