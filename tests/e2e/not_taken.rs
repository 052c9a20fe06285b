//! Every way in which a call is not taken: the reason on both sides, the exit code, and no media anywhere.

use ahoy_tests::{Party, TestServer, name, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const QUIET: [&str; 6] = [
    "--mic",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "pattern:160x90@10",
];

/// The caller's end, its exit code, and proof that no media was sent.
fn expect_not_taken(caller: &mut Party, reason: &str, cause: &str) {
    let end = caller.wait_for_end(LIMIT);
    assert_eq!(
        (end["reason"].as_str(), end["cause"].as_str()),
        (Some(reason), Some(cause)),
        "{}",
        caller.story()
    );
    assert_eq!(caller.exit_code(LIMIT), Some(4), "{}", caller.story());
    assert!(
        !caller.seen().iter().any(|event| name(event) == "media"),
        "media flowed\n{}",
        caller.story()
    );
}

#[test]
fn a_declined_call_ends_as_declined() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &["--answer", "decline", "--calls", "1"]);
    let mut caller = Party::call(&server, 1, 2, &QUIET);
    expect_not_taken(&mut caller, "user_rejected", "declined");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(
        (end["reason"].as_str(), end["by_us"].as_bool()),
        (Some("user_rejected"), Some(true))
    );
}

#[test]
fn a_callee_who_says_busy_ends_it_as_busy() {
    let _turn = serial();
    let server = TestServer::start();
    let _callee = Party::listen(&server, 2, &["--answer", "busy", "--calls", "1"]);
    let mut caller = Party::call(&server, 1, 2, &QUIET);
    expect_not_taken(&mut caller, "user_busy", "busy");
}

#[test]
fn a_callee_in_another_call_is_busy_and_is_not_disturbed() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &QUIET].concat());
    let mut first = Party::call(&server, 1, 2, &QUIET);
    first.wait_for_state("connected");
    callee.wait_for_state("connected");
    let mut second = Party::call(&server, 3, 2, &QUIET);
    expect_not_taken(&mut second, "user_busy", "busy");
    first.write_line("hangup");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(end["reason"], "user_hangup", "{}", callee.story());
    assert_eq!(
        callee
            .seen()
            .iter()
            .filter(|event| name(event) == "incoming")
            .count(),
        1,
        "{}",
        callee.story()
    );
}

#[test]
fn nobody_answering_ends_it_after_the_ring_time() {
    let _turn = serial();
    let server = TestServer::start_with(&["--ring-timeout", "10"]);
    let mut callee = Party::listen(&server, 2, &["--answer", "ignore", "--calls", "1"]);
    let mut caller = Party::call(&server, 1, 2, &QUIET);
    expect_not_taken(&mut caller, "timeout", "no_answer");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(end["cause"], "missed", "{}", callee.story());
}

#[test]
fn a_cancelled_call_stops_the_ringing() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &["--answer", "ignore", "--calls", "1"]);
    let mut caller = Party::call(&server, 1, 2, &QUIET);
    caller.wait_for_state("ringing_out");
    caller.write_line("hangup");
    expect_not_taken(&mut caller, "user_hangup", "cancelled");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(
        (end["reason"].as_str(), end["cause"].as_str()),
        (Some("user_hangup"), Some("missed"))
    );
    assert!(callee.media_threads().is_empty(), "{:?}", callee.media_threads());
}

#[test]
fn calling_somebody_who_is_not_signed_in_says_so() {
    let _turn = serial();
    let server = TestServer::start();
    let mut caller = Party::call(&server, 1, 3, &QUIET);
    let end = caller.wait_for_end(LIMIT);
    assert_eq!(end["cause"], "not_reachable", "{}", caller.story());
    assert_eq!(caller.exit_code(LIMIT), Some(4));
    assert!(caller.stderr().contains("not signed in"));
}
