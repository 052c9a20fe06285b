//! Fifty calls in a row leave nothing behind.

use ahoy_tests::{Party, TestServer, Usage, serial};
use std::time::Duration;

const CALLS: usize = 50;
/// After these, allocators and thread pools have reached their size.
const WARM_UP: usize = 10;
const LIMIT: Duration = Duration::from_secs(30);
const MEDIA: [&str; 8] = [
    "--mic",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "pattern:160x90@15",
    "--screen",
    "null",
];

#[test]
#[cfg(target_os = "linux")]
fn threads_descriptors_and_memory_stay_flat_over_fifty_calls() {
    let _turn = serial();
    let server = TestServer::start();
    let calls = CALLS.to_string();
    let mut callee = Party::listen(&server, 2, &[&["--calls", &calls][..], &MEDIA].concat());
    let mut usage = Vec::new();
    for _ in 0..CALLS {
        let mut caller = Party::call(&server, 1, 2, &[&["--video"][..], &MEDIA].concat());
        caller.wait_for_state("connected");
        callee.wait_for("picture or sound", |event| event["what"] == "first_received");
        usage.push(callee.usage());
        caller.write_line("hangup");
        callee.wait_for_end(LIMIT);
        caller.wait_for_end(LIMIT);
    }
    assert_eq!(callee.exit_code(LIMIT), Some(0));
    // A reading may fall on a thread that is just about to end; the middle one does not.
    let middle = |part: &[Usage], of: fn(&Usage) -> u64| {
        let mut readings: Vec<u64> = part.iter().map(of).collect();
        readings.sort_unstable();
        readings[readings.len() / 2]
    };
    let (warm, last) = (&usage[WARM_UP..WARM_UP + 10], &usage[CALLS - 10..]);
    // One of either left behind by each call would be thirty more; the thread pool by itself varies by two.
    let (threads, descriptors) = (middle(last, |u| u.threads), middle(last, |u| u.descriptors));
    assert!(
        threads <= middle(warm, |u| u.threads) + 3,
        "threads grow: {usage:?}"
    );
    assert!(
        descriptors <= middle(warm, |u| u.descriptors) + 3,
        "descriptors grow: {usage:?}"
    );
    let grown = middle(last, |u| u.rss_bytes).saturating_sub(middle(warm, |u| u.rss_bytes));
    assert!(
        grown < 3 << 20,
        "{grown} bytes more resident memory after 30 further calls: {usage:?}"
    );
}
