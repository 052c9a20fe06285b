//! Two clients in rooms of the reference server: calls, every way in which one is not taken, a lost server in the middle
//! of a call, and streams that go one way.

use ahoy_tests::{Event, Party, TestServer, is_state, mute_keeper, name, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const QUIET: [&str; 6] = [
    "--mic",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "pattern:160x90@10",
];
const PROBED: [&str; 8] = [
    "--mic",
    "tone:440",
    "--speaker",
    "probe",
    "--camera",
    "pattern:320x180@15",
    "--screen",
    "probe",
];

fn rooms(server: &TestServer) -> String {
    server.listening()["rooms"]
        .as_str()
        .expect("listening has rooms")
        .to_owned()
}

/// Registers a room and waits until it is the party's.
fn listen(server: &TestServer, room: &str, options: &[&str]) -> Party {
    let url = rooms(server);
    let mut party = Party::run(
        room,
        &[&["listen", "--server", &url, "--room", room], options].concat(),
    );
    let signed_in = party.wait_for("signed_in", |event| name(event) == "signed_in");
    assert_eq!(signed_in["user"], room);
    party
}

fn call(server: &TestServer, room: &str, to: &str, options: &[&str]) -> Party {
    let url = rooms(server);
    Party::run(
        room,
        &[&["call", "--server", &url, "--room", room, "--to", to], options].concat(),
    )
}

fn expect_not_taken(caller: &mut Party, reason: &str, cause: &str) {
    let end = caller.wait_for_end(LIMIT);
    assert_eq!(
        (end["reason"].as_str(), end["cause"].as_str()),
        (Some(reason), Some(cause)),
        "{}",
        caller.story()
    );
    assert_eq!(caller.exit_code(LIMIT), Some(4), "{}", caller.story());
}

/// Waits until a probe has read so many pictures, or clicks of the tone.
fn wait_for_probe(party: &mut Party, kind: &'static str, count: &'static str, least: u64) {
    party.wait_within(kind, LIMIT, |event: &Event| {
        name(event) == "probe" && event["kind"] == kind && event[count].as_u64().is_some_and(|n| n >= least)
    });
}

fn hang_up(caller: &mut Party, callee: &mut Party) {
    caller.write_line("hangup");
    for party in [caller, callee] {
        let end = party.wait_for_end(LIMIT);
        assert_eq!(end["reason"], "user_hangup", "{}", party.story());
        assert_eq!(party.exit_code(LIMIT), Some(0), "{}", party.story());
    }
}

#[test]
fn two_rooms_see_and_hear_each_other() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = listen(&server, "alice", &[&["--calls", "1"][..], &PROBED].concat());
    let mut caller = call(&server, "bob", "alice", &[&["--video"][..], &PROBED].concat());
    let incoming = callee.wait_for("incoming", |event| name(event) == "incoming");
    assert_eq!(
        (incoming["from"].as_str(), incoming["video"].as_bool()),
        (Some("bob"), Some(true))
    );
    caller.wait_for_state("ringing_out");
    for party in [&mut caller, &mut callee] {
        party.wait_within("connected", LIMIT, |event| is_state(event, "connected"));
        wait_for_probe(party, "video", "frames", 15);
        wait_for_probe(party, "audio", "clicks", 2);
    }
    let ids = [&caller, &callee].map(|party| {
        let state = party.seen().iter().find(|event| is_state(event, "connected"));
        state.expect("both were connected")["call_id"].clone()
    });
    assert_eq!(ids[0], ids[1], "both sides name the call alike");
    hang_up(&mut caller, &mut callee);
}

#[test]
fn a_call_of_sound_becomes_one_with_pictures_of_either_side() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = listen(&server, "alice", &[&["--calls", "1"][..], &PROBED].concat());
    let mut caller = call(&server, "bob", "alice", &PROBED);
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    callee.write_line("video on");
    wait_for_probe(&mut caller, "video", "frames", 10);
    caller.write_line("video on");
    wait_for_probe(&mut callee, "video", "frames", 10);
    hang_up(&mut caller, &mut callee);
}

#[test]
fn a_declined_call_and_a_busy_callee_are_told_apart() {
    let _turn = serial();
    let server = TestServer::start();
    for (answer, reason, cause) in [
        ("decline", "user_rejected", "declined"),
        ("busy", "user_busy", "busy"),
    ] {
        let mut callee = listen(&server, "alice", &["--answer", answer, "--calls", "1"]);
        let mut caller = call(&server, "bob", "alice", &QUIET);
        expect_not_taken(&mut caller, reason, cause);
        callee.wait_for_end(LIMIT);
        callee.exit_code(LIMIT);
    }
}

#[test]
fn who_is_in_a_call_is_busy_and_not_disturbed() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = listen(&server, "alice", &[&["--calls", "1"][..], &QUIET].concat());
    let mut first = call(&server, "bob", "alice", &QUIET);
    first.wait_for_state("connected");
    callee.wait_for_state("connected");
    let mut second = call(&server, "carol", "alice", &QUIET);
    expect_not_taken(&mut second, "user_busy", "busy");
    hang_up(&mut first, &mut callee);
}

#[test]
fn a_caller_that_gives_up_is_missed() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = listen(&server, "alice", &["--answer", "ignore", "--calls", "1"]);
    let mut caller = call(&server, "bob", "alice", &QUIET);
    caller.wait_for_state("ringing_out");
    caller.write_line("hangup");
    expect_not_taken(&mut caller, "user_hangup", "cancelled");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(
        (end["cause"].as_str(), end["detail"].as_str()),
        (Some("missed"), Some("cancelled"))
    );
}

#[test]
fn a_room_that_is_nobodys_and_one_that_is_taken_are_said_so() {
    let _turn = serial();
    let server = TestServer::start();
    let mut caller = call(&server, "bob", "nobody", &QUIET);
    expect_not_taken(&mut caller, "user_rejected", "not_reachable");
    let _first = listen(&server, "alice", &[]);
    let url = rooms(&server);
    let mut second = Party::run("second", &["listen", "--server", &url, "--room", "alice"]);
    let notice = second.wait_for("a notice", |event| name(event) == "notice");
    assert_eq!(notice["code"], "room_taken", "{}", second.story());
    assert_eq!(second.exit_code(LIMIT), Some(3));
}

#[test]
fn the_own_room_is_not_called() {
    let _turn = serial();
    let server = TestServer::start();
    let mut caller = call(&server, "bob", "bob", &QUIET);
    assert_eq!(caller.exit_code(LIMIT), Some(4), "{}", caller.story());
    assert!(caller.stderr().contains("call yourself"), "{}", caller.stderr());
}

#[test]
fn a_call_outlives_the_server_and_ends_in_order_when_it_is_back() {
    let _turn = serial();
    let mut server = TestServer::start();
    let address = server.ws();
    let address = address
        .trim_start_matches("ws://")
        .trim_end_matches("/ws")
        .to_owned();
    let mut callee = listen(&server, "alice", &[&["--calls", "1"][..], &PROBED].concat());
    let mut caller = call(&server, "bob", "alice", &PROBED);
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    server.kill();
    for party in [&mut caller, &mut callee] {
        party.wait_for("the loss", |event| {
            name(event) == "notice" && event["code"] == "signaling_lost"
        });
    }
    let heard = clicks(&callee);
    let _server = TestServer::start_at(&address);
    // Back on both sides, and still heard: the words of the end go through the server again.
    for party in [&mut caller, &mut callee] {
        party.wait_within("signed in again", LIMIT, |event| name(event) == "signed_in");
    }
    callee.wait_within("sound", LIMIT, |event| {
        name(event) == "probe" && event["clicks"].as_u64().is_some_and(|clicks| clicks > heard + 2)
    });
    hang_up(&mut caller, &mut callee);
}

/// Clicks of the tone heard so far.
fn clicks(party: &Party) -> u64 {
    let probes = party.seen().iter().rev().filter(|event| name(event) == "probe");
    probes
        .filter_map(|event| event["clicks"].as_u64())
        .next()
        .unwrap_or(0)
}

#[test]
fn a_stream_that_is_played_comes_from_the_room_alone() {
    let _turn = serial();
    let server = TestServer::start();
    let mut keeper = listen(&server, "keeper", &[&["--calls", "1"][..], &PROBED].concat());
    let play = ["--video", "--type", "play", "--app", "live", "--stream", "harbor"];
    let mut viewer = call(&server, "bob", "keeper", &[&play[..], &PROBED].concat());
    viewer.wait_for_state("connected");
    wait_for_probe(&mut viewer, "video", "frames", 15);
    wait_for_probe(&mut viewer, "audio", "clicks", 2);
    keeper.wait_for("figures", |event| name(event) == "stats");
    let sent = |party: &Party| {
        let stats = party.seen().iter().rev().find(|event| name(event) == "stats");
        stats.expect("figures come every second")["audio_out"]["packetsSent"].as_u64()
    };
    assert_eq!(
        sent(&viewer),
        Some(0),
        "nobody hears who watches\n{}",
        viewer.story()
    );
    assert!(sent(&keeper) > Some(0), "{}", keeper.story());
    hang_up(&mut viewer, &mut keeper);
}

#[test]
fn a_stream_that_is_pushed_arrives_and_nothing_comes_back() {
    let _turn = serial();
    let server = TestServer::start();
    let mut keeper = listen(&server, "keeper", &[&["--calls", "1"][..], &PROBED].concat());
    let push = ["--video", "--type", "push", "--app", "live", "--stream", "desk"];
    let mut sender = call(&server, "bob", "keeper", &[&push[..], &PROBED].concat());
    sender.wait_for_state("connected");
    wait_for_probe(&mut keeper, "video", "frames", 15);
    wait_for_probe(&mut keeper, "audio", "clicks", 2);
    let received = |event: &Event| {
        name(event) == "media"
            && ["first_received", "first_rendered"]
                .iter()
                .any(|what| event["what"] == *what)
    };
    assert!(!sender.seen().iter().any(received), "{}", sender.story());
    hang_up(&mut sender, &mut keeper);
}

#[test]
fn a_played_stream_whose_sound_comes_back_inactive_is_said_to_have_none_and_is_seen() {
    let _turn = serial();
    let server = TestServer::start();
    let url = mute_keeper(&rooms(&server));
    let listen = ["listen", "--server", &url, "--room", "keeper", "--calls", "1"];
    let mut keeper = Party::run("keeper", &[&listen[..], &PROBED].concat());
    keeper.wait_for("signed_in", |event| name(event) == "signed_in");
    let play = ["--video", "--type", "play", "--app", "live", "--stream", "harbor"];
    let mut viewer = call(&server, "bob", "keeper", &[&play[..], &PROBED].concat());
    let notice = viewer.wait_for("a notice", |event| name(event) == "notice");
    assert_eq!(notice["code"], "stream_without_sound", "{}", viewer.story());
    viewer.wait_for_state("connected");
    wait_for_probe(&mut viewer, "video", "frames", 15);
    hang_up(&mut viewer, &mut keeper);
}

#[test]
fn a_played_stream_that_ends_silently_is_said_so_within_five_seconds() {
    let _turn = serial();
    let server = TestServer::start();
    let mut keeper = listen(&server, "keeper", &QUIET);
    let play = ["--type", "play", "--app", "live", "--stream", "harbor"];
    let mut viewer = call(&server, "bob", "keeper", &[&play[..], &PROBED].concat());
    viewer.wait_for_state("connected");
    wait_for_probe(&mut viewer, "audio", "clicks", 1);
    keeper.kill();
    let notice = viewer.wait_for("silence", |event| {
        name(event) == "notice" && event["code"] == "stream_silent"
    });
    let at = notice_time(&viewer);
    assert!(
        at <= 5_500,
        "{at} ms of silence before it was said: {notice}\n{}",
        viewer.story()
    );
}

/// Milliseconds from the last figures in which something had arrived to those before the notice.
fn notice_time(party: &Party) -> u64 {
    let mut last_arrival = 0;
    let mut packets = 0;
    let mut now = 0;
    for event in party.seen() {
        match name(event) {
            "stats" => {
                now = event["at_ms"].as_u64().unwrap_or(0);
                let received = event["audio_in"]["packetsReceived"].as_u64().unwrap_or(0);
                if received > packets {
                    (packets, last_arrival) = (received, now);
                }
            }
            "notice" if event["code"] == "stream_silent" => return now - last_arrival,
            _ => {}
        }
    }
    now - last_arrival
}

#[test]
fn a_secret_keeps_others_out() {
    let _turn = serial();
    let folder = ahoy_tests::TempFolder::new();
    let config = folder.join("config.toml");
    std::fs::write(&config, "room_secret = \"hunter2\"\n").expect("it can be written");
    let server = TestServer::start_with(&["--config", &config]);
    let url = rooms(&server);
    let mut outside = Party::run("outside", &["listen", "--server", &url, "--room", "alice"]);
    let notice = outside.wait_for("a notice", |event| name(event) == "notice");
    assert_eq!(notice["code"], "room_secret_wrong", "{}", outside.story());
    let _inside = listen(&server, "alice", &["--password", "hunter2"]);
}
