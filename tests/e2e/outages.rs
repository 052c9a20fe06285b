//! What a call survives and what it does not.

use ahoy_tests::{Party, TestServer, name, number, probes, serial};
use std::time::{Duration, Instant};

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

    // The end is told over the connection itself.
    caller.write_line("hangup");
    let hung_up = Instant::now();
    let end = caller.wait_for_end(LIMIT);
    assert_eq!(end["reason"], "user_hangup");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(end["reason"], "user_hangup", "{}", callee.story());
    assert!(
        hung_up.elapsed() < Duration::from_secs(1),
        "{:?}",
        hung_up.elapsed()
    );
}

#[test]
fn a_call_goes_on_after_its_server_came_back_without_it() {
    let _turn = serial();
    let mut server = TestServer::start();
    let ws = server.ws();
    let login =
        |user: &'static str| ["--server", &ws, "--user", user, "--password", "secret"].map(str::to_owned);
    let start = |label, kind: &[&str], user| {
        let login = login(user);
        let login: Vec<&str> = login.iter().map(String::as_str).collect();
        Party::run(label, &[kind, &login, &MEDIA].concat())
    };
    let mut callee = start("callee", &["listen", "--calls", "1"], "Ben");
    callee.wait_for("signed_in", |event| name(event) == "signed_in");
    let mut caller = start("caller", &["call", "--to", "2"], "Ada");
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    server.kill();
    let address = ws.trim_start_matches("ws://").trim_end_matches("/ws").to_owned();
    let _server = TestServer::start_at(&address);
    for party in [&mut caller, &mut callee] {
        party.wait_within("the notice that the call is forgotten", LIMIT, |event| {
            name(event) == "notice" && event["code"] == "call_unknown_to_server"
        });
        for _ in 0..3 {
            party.wait_for("probe", |event| {
                name(event) == "probe" && event["kind"] == "audio"
            });
        }
        let probes = probes(party.seen(), "audio");
        assert!(
            number(probes.last().expect("probed"), "tone_db") > 20.0,
            "{}",
            party.story()
        );
    }
    // No server holds the call any more, and still the other side hears of its end.
    callee.write_line("hangup");
    assert_eq!(callee.wait_for_end(LIMIT)["reason"], "user_hangup");
    let end = caller.wait_for_end(Duration::from_secs(2));
    assert_eq!(end["reason"], "user_hangup", "{}", caller.story());
}

fn latest_frames(party: &Party) -> f64 {
    probes(party.seen(), "video")
        .last()
        .map_or(0.0, |probe| number(probe, "frames"))
}

#[test]
fn a_killed_peer_ends_the_call_as_network_error_within_its_budget() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let mut caller = Party::call(&server, 1, 2, &[&["--video"][..], &MEDIA].concat());
    callee.wait_for_state("connected");
    caller.wait_for_state("connected");
    callee.kill();
    // Two seconds until the loss is seen, thirty to find a new path.
    let end = caller.wait_for_end(Duration::from_secs(40));
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
