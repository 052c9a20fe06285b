//! However a call ends, its devices are free within a second.
//!
//! Each device is read or fed by a thread of its own; the test counts those threads.

use ahoy_tests::{Party, TestServer, serial};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
/// A lost connection is tried to be mended for 30 s (IM-Suite §9), after up to 3 s to notice.
const GIVING_UP: Duration = Duration::from_secs(60);
const RELEASE: Duration = Duration::from_secs(1);
const MEDIA: [&str; 8] = [
    "--mic",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "pattern:320x180@15",
    "--screen",
    "null",
];

/// Polls the threads of a running program; the limit is the product's own promise.
fn expect_released(party: &Party, how: &str) {
    let deadline = Instant::now() + RELEASE;
    loop {
        let threads = party.media_threads();
        if threads.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{how}: {threads:?} still run after {RELEASE:?}\n{}",
            party.story()
        );
        std::thread::yield_now();
    }
}

fn connected_pair(server: &TestServer, callee: &mut Party) -> Party {
    let mut caller = Party::call(server, 1, 2, &[&["--video"][..], &MEDIA].concat());
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    assert_eq!(callee.media_threads().len(), 5, "{:?}", callee.media_threads());
    caller
}

#[test]
#[cfg(target_os = "linux")]
fn devices_are_free_within_a_second_of_every_end() {
    let _turn = serial();
    let server = TestServer::start();
    // One long-lived callee takes every call.
    let mut callee = Party::listen(&server, 2, &MEDIA);

    let mut caller = connected_pair(&server, &mut callee);
    caller.write_line("hangup");
    callee.wait_for_end(LIMIT);
    expect_released(&callee, "the caller hung up");
    drop(caller);

    let mut caller = connected_pair(&server, &mut callee);
    callee.write_line("hangup");
    callee.wait_for_end(LIMIT);
    expect_released(&callee, "this side hung up");
    caller.wait_for_end(LIMIT);
    drop(caller);

    let mut caller = connected_pair(&server, &mut callee);
    caller.kill();
    callee.wait_for_end(GIVING_UP);
    expect_released(&callee, "the other side was killed");
}
