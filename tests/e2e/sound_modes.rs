//! Calls in each mode of the sound, as what is received shows.

use ahoy_tests::{Event, Party, TestServer, name, number, serial, talk};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Milliseconds of a packet and channels.
fn shape(side: &Event, direction: &str) -> (f64, f64) {
    (
        number(&side[direction], "ptime"),
        number(&side[direction], "channels"),
    )
}

#[test]
fn each_mode_is_what_the_other_side_receives() {
    for (mode, ptime, channels, kbps) in [
        ("voice", 20.0, 1.0, 20e3..45e3),
        ("low-delay", 10.0, 1.0, 20e3..45e3),
        ("music", 20.0, 2.0, 60e3..110e3),
    ] {
        for side in talk(&["--sound", mode], &["--sound", mode]) {
            assert_eq!(shape(&side, "audio_in"), (ptime, channels), "{mode}: {side}");
            assert_eq!(shape(&side, "audio_out"), (ptime, channels), "{mode}: {side}");
            let received = number(&side["audio_in"], "bitrate");
            assert!(kbps.contains(&received), "{mode}: {received}");
        }
    }
}

#[test]
fn a_mode_of_one_side_is_its_own_and_stereo_is_sent_to_whoever_takes_it() {
    let [caller, callee] = talk(&["--sound", "low-delay"], &[]);
    assert_eq!(shape(&callee, "audio_in"), (10.0, 1.0), "{callee}");
    assert_eq!(shape(&caller, "audio_in"), (20.0, 1.0), "{caller}");
    let [caller, callee] = talk(&[], &["--sound", "music"]);
    assert_eq!(shape(&caller, "audio_in"), (20.0, 1.0), "{caller}");
    assert_eq!(shape(&callee, "audio_in"), (20.0, 1.0), "{callee}");
}

#[test]
fn pauses_are_hardly_sent_with_dtx_and_a_key_is_pressed_in_them() {
    let _turn = serial();
    let server = TestServer::start();
    let silent = ["--mic", "null", "--speaker", "null"];
    // What the callee says in its answer makes the caller leave out its pauses too.
    let mut listener = Party::listen(&server, 2, &[&silent[..], &["--dtx"]].concat());
    let mut dialler = Party::call(&server, 1, 2, &silent);
    let stats = |event: &Event| name(event) == "stats";
    for party in [&mut dialler, &mut listener] {
        party.wait_for_state("connected");
        party.wait_for("statistics", stats);
        let before = number(&party.wait_for("statistics", stats)["audio_out"], "packetsSent");
        for _ in 0..3 {
            party.wait_for("statistics", stats);
        }
        let after = number(&party.wait_for("statistics", stats)["audio_out"], "packetsSent");
        // Four seconds are 200 frames; what is sent are refreshes, 2.5 a second.
        assert!(after - before < 20.0, "{before} {after}");
        assert!(after > before, "{before} {after}");
    }
    let told = listener.wait_for("statistics", stats);
    assert_eq!(number(&told["audio_in"], "concealedSamples"), 0.0, "{told}");
    dialler.write_line("dtmf 7");
    let digit = listener.wait_for("a digit", |event| name(event) == "dtmf");
    assert_eq!(digit["digit"], "7");
    dialler.write_line("hangup");
    dialler.wait_for_end(LIMIT);
    listener.wait_for_end(LIMIT);
}
