//! What a call survives and what it does not.

use ahoy_tests::{Party, TestServer, name, number, probes, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const MEDIA: [&str; 8] = [
    "--mic",
    "tone:440",
    "--speaker",
    "probe",
    "--camera",
    "pattern:320x180@15",
    "--screen",
    "probe",
];

#[test]
fn media_goes_on_when_the_server_is_killed() {
    let _turn = serial();
    let mut server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let mut caller = Party::call(&server, 1, 2, &[&["--video"][..], &MEDIA].concat());
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    server.kill();
    caller.wait_for("the notice that the server is gone", |event| {
        name(event) == "notice" && event["code"] == "server_silent"
    });
    let at_loss = latest_frames(&caller);
    // Eight more seconds of statistics, all of them with the call up.
    for _ in 0..8 {
        caller.wait_for("stats", |event| name(event) == "stats");
        caller.wait_for("probe", |event| {
            name(event) == "probe" && event["kind"] == "audio"
        });
    }
    let after = latest_frames(&caller);
    assert!(
        after - at_loss > 60.0,
        "{} pictures in 8 s without a server\n{}",
        after - at_loss,
        caller.story()
    );
    let audio = probes(caller.seen(), "audio");
    assert_eq!(
        number(audio.last().expect("probed"), "gaps"),
        0.0,
        "{}",
        caller.story()
    );
    assert!(
        !caller.seen().iter().any(|event| name(event) == "ended"),
        "{}",
        caller.story()
    );

    // Hanging up still works; the other side notices by its transport.
    caller.write_line("hangup");
    let end = caller.wait_for_end(LIMIT);
    assert_eq!(end["reason"], "user_hangup");
    callee.wait_for_end(Duration::from_secs(60));
}

fn latest_frames(party: &Party) -> f64 {
    probes(party.seen(), "video")
        .last()
        .map_or(0.0, |probe| number(probe, "frames"))
}

#[test]
fn a_killed_peer_ends_the_call_as_network_error_within_thirty_seconds() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let mut caller = Party::call(&server, 1, 2, &[&["--video"][..], &MEDIA].concat());
    callee.wait_for_state("connected");
    caller.wait_for_state("connected");
    callee.kill();
    let end = caller.wait_for_end(Duration::from_secs(30));
    assert_eq!(end["reason"], "network_error", "{}", caller.story());
    assert_eq!(caller.exit_code(LIMIT), Some(5), "{}", caller.story());
    assert!(
        caller
            .seen()
            .iter()
            .any(|event| ahoy_tests::is_state(event, "reconnecting")),
        "{}",
        caller.story()
    );
}
