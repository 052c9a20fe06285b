//! Fifty calls in a row leave nothing behind.

use ahoy_tests::{Party, TempFolder, TestServer, Usage, serial};
use std::time::Duration;

const CALLS: usize = 50;
/// After these, allocators and thread pools have reached their size.
const WARM_UP: usize = 10;
const LIMIT: Duration = Duration::from_secs(30);
/// They take turns, because one user may call only six times a minute.
const CALLERS: std::ops::Range<u64> = 11..21;
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
    let callers: Vec<_> = CALLERS
        .map(|id| format!("--user={id}:Caller {id}:secret"))
        .collect();
    let mut options: Vec<_> = callers.iter().map(String::as_str).collect();
    // All of them sign in from one address, more often than a server lets strangers ask.
    let folder = TempFolder::new();
    let config = folder.join("ahoy.toml");
    std::fs::write(&config, "http_rate = 0\n").expect("the folder can be written to");
    options.extend(["--config", &config]);
    let server = TestServer::start_with(&options);
    let calls = CALLS.to_string();
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--calls", &calls, "--stats-interval", "0.5"][..], &MEDIA].concat(),
    );
    let mut usage = Vec::new();
    for id in CALLERS.cycle().take(CALLS) {
        let mut caller = Party::call(&server, id, 2, &[&["--video"][..], &MEDIA].concat());
        caller.wait_for_state("connected");
        callee.wait_for("picture or sound", |event| event["what"] == "first_received");
        // Paced by its statistics, or the callee would send more than twenty messages a second (IM-Suite §12).
        callee.wait_for("statistics", |event| event["event"] == "stats");
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
    // Two hundred calls take less than three megabytes on a quiet machine, fifty on a busy one nearly four: memory that
    // allocators keep. A connection left behind by each call would take twenty.
    assert!(
        grown < 6 << 20,
        "{grown} bytes more resident memory after 30 further calls: {usage:?}"
    );
}
