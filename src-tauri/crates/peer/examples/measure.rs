//! Measures two peers on this machine: how soon they are connected, and what a stream costs.
#![allow(clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};
use support::{AUDIO_VIDEO, Party, arrived, connect, join, negotiate, pictures, sounds, stream};

#[tokio::main]
async fn main() {
    from_offer_to_connected().await;
    ten_seconds_of_two_megabits().await;
}

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
    match before.zip(cpu_time()) {
        Some((before, after)) => println!(
            "CPU of both peers for 10 s of 2 Mbit/s one way: {:?}",
            after.saturating_sub(before)
        ),
        None => println!("CPU of both peers: this system does not tell"),
    }
    println!("{:#?}\n{:#?}", a.peer.stats().await, b.peer.stats().await);
}

/// User and system time of this process, in ticks of 10 ms (proc(5), fields 14 and 15); Linux only.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut after_name = stat.rsplit(')').next()?.split_whitespace();
    let user: u64 = after_name.nth(11)?.parse().ok()?;
    let system: u64 = after_name.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}
