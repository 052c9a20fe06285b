//! A call that is negotiated again while it goes on: new paths, and pictures that come and go.

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

/// Pictures a second below which nobody is seen; the pattern makes 15.
const SEEN: f64 = 10.0;

fn connected_by_sound() -> (TestServer, Party, Party) {
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let mut caller = Party::call(&server, 1, 2, &MEDIA);
    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    (server, caller, callee)
}

/// Lets a party report `count` more times what it hears.
fn listen_for(party: &mut Party, count: usize) {
    for _ in 0..count {
        party.wait_for("probe", |event| {
            name(event) == "probe" && event["kind"] == "audio"
        });
    }
}

fn gaps(party: &Party) -> f64 {
    number(probes(party.seen(), "audio").last().expect("probed"), "gaps")
}

/// Waits until a party sees the other one, or until it does not.
fn sees(party: &mut Party, seen: bool) {
    party.wait_for(if seen { "pictures" } else { "no pictures" }, |event| {
        let video = name(event) == "probe" && event["kind"] == "video";
        video && (number(event, "fps") > SEEN) == seen
    });
}

fn hang_up(mut caller: Party, mut callee: Party) {
    caller.write_line("hangup");
    assert_eq!(caller.wait_for_end(LIMIT)["reason"], "user_hangup");
    assert_eq!(callee.wait_for_end(LIMIT)["reason"], "user_hangup");
    for party in [&caller, &callee] {
        assert!(
            !party
                .seen()
                .iter()
                .any(|event| ahoy_tests::is_state(event, "reconnecting")),
            "{}",
            party.story()
        );
    }
}

#[test]
fn either_side_finds_a_new_path_with_hardly_a_gap_in_the_sound() {
    let _turn = serial();
    let (_server, mut caller, mut callee) = connected_by_sound();
    // The first seconds fill the jitter buffers.
    listen_for(&mut caller, 3);
    listen_for(&mut callee, 3);
    let before = [gaps(&caller), gaps(&callee)];
    for _ in 0..2 {
        caller.write_line("restart");
        listen_for(&mut caller, 2);
        callee.write_line("restart");
        listen_for(&mut callee, 2);
    }
    listen_for(&mut caller, 2);
    for (party, before) in [(&caller, before[0]), (&callee, before[1])] {
        // Four restarts; on an idle machine none is heard, on a busy one each may cost a moment.
        assert!(gaps(party) - before <= 4.0, "{}", party.story());
        let last = *probes(party.seen(), "audio").last().expect("probed");
        assert!(number(last, "tone_db") > 20.0, "{}", party.story());
    }
    hang_up(caller, callee);
}

#[test]
fn pictures_come_and_go_in_a_call_of_sound() {
    let _turn = serial();
    let (_server, mut caller, mut callee) = connected_by_sound();
    caller.write_line("video on");
    sees(&mut callee, true);
    assert!(
        probes(caller.seen(), "video")
            .iter()
            .all(|probe| number(probe, "frames") == 0.0),
        "no message turns a camera on\n{}",
        caller.story()
    );
    callee.write_line("video on");
    sees(&mut caller, true);
    sees(&mut callee, true);
    // A new path in the middle of it, asked for by the callee.
    callee.write_line("restart");
    sees(&mut caller, true);
    sees(&mut callee, true);
    caller.write_line("video off");
    sees(&mut callee, false);
    sees(&mut caller, true);
    callee.write_line("video off");
    sees(&mut caller, false);
    listen_for(&mut caller, 2);
    // And once more, now by the callee.
    callee.write_line("video on");
    sees(&mut caller, true);
    hang_up(caller, callee);
}
