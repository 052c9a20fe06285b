//! Twenty seconds of video both ways between two programs, judged by what came out.

use ahoy_tests::{Event, Party, TestServer, name, number, probes, serial};
use std::time::Duration;

const MEDIA: [&str; 6] = ["--speaker", "probe", "--screen", "probe", "--stats-interval", "1"];

/// Seconds after `connected` in which rate and picture settle.
const SETTLE_MS: f64 = 3000.0;

#[test]
fn a_video_call_carries_picture_and_sound_both_ways() {
    let _turn = serial();
    let server = TestServer::start();
    let camera = ["--camera", "pattern:1280x720@30"];
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--mic", "tone:660", "--calls", "1"][..], &camera, &MEDIA].concat(),
    );
    let mut caller = Party::call(
        &server,
        1,
        2,
        &[
            &["--video", "--mic", "tone:440", "--for", "20"][..],
            &camera,
            &MEDIA,
        ]
        .concat(),
    );

    caller.wait_for_state("connected");
    caller.wait_for_end(Duration::from_secs(60));
    callee.wait_for_end(Duration::from_secs(10));
    assert_eq!(
        caller.exit_code(Duration::from_secs(10)),
        Some(0),
        "{}",
        caller.story()
    );
    assert_eq!(
        callee.exit_code(Duration::from_secs(10)),
        Some(0),
        "{}",
        callee.story()
    );

    check(&caller, 660.0);
    check(&callee, 440.0);
}

fn check(party: &Party, tone_hz: f64) {
    let events = party.seen();
    let story = party.story();
    let connected = events
        .iter()
        .find(|event| ahoy_tests::is_state(event, "connected"))
        .expect("was connected");
    let settled = number(connected, "at_ms") + SETTLE_MS;

    let video = probes(events, "video");
    let steady: Vec<&&Event> = video
        .iter()
        .filter(|probe| number(probe, "at_ms") >= settled)
        .collect();
    let (first, last) = (steady.first().expect("probed"), steady.last().expect("probed"));
    let seconds = (number(last, "at_ms") - number(first, "at_ms")) / 1000.0;
    let fps = (number(last, "frames") - number(first, "frames")) / seconds;
    assert!(seconds > 14.0, "only {seconds} s were probed\n{story}");
    assert!(
        fps >= 27.0,
        "{fps:.1} frames per second over {seconds:.0} s\n{story}"
    );
    assert_eq!(
        number(last, "backwards"),
        0.0,
        "a frame number went backwards\n{story}"
    );
    assert_eq!(
        number(last, "unreadable"),
        0.0,
        "a picture could not be read\n{story}"
    );

    let audio = probes(events, "audio");
    let last = audio.last().expect("probed");
    assert!(
        (number(last, "frequency") - tone_hz).abs() < 5.0,
        "not the other side's tone: {last}"
    );
    assert!(
        number(last, "tone_db") > 20.0,
        "tone at {} dB\n{story}",
        number(last, "tone_db")
    );
    assert_eq!(number(last, "clicks_lost"), 0.0, "a click was lost\n{story}");
    assert!(
        number(last, "clicks") >= 17.0,
        "only {} clicks in 20 s\n{story}",
        number(last, "clicks")
    );

    let stats = events
        .iter()
        .rfind(|event| name(event) == "stats")
        .expect("stats were printed");
    for (group, field) in [
        ("audio_in", "packetsReceived"),
        ("audio_in", "totalSamplesReceived"),
        ("audio_out", "packetsSent"),
        ("video_in", "framesDecoded"),
        ("video_in", "frameWidth"),
        ("video_out", "framesEncoded"),
        ("video_out", "targetBitrate"),
        ("transport", "rtt"),
        ("transport", "availableOutgoingBitrate"),
    ] {
        assert!(
            stats[group][field].as_f64().is_some_and(|n| n > 0.0),
            "{group}.{field} is empty in {stats}"
        );
    }
    for what in ["first_sent", "first_received", "first_rendered"] {
        for kind in ["audio", "video"] {
            let told = events
                .iter()
                .filter(|e| name(e) == "media" && e["what"] == what && e["kind"] == kind)
                .count();
            assert_eq!(told, 1, "{kind} {what} is told once\n{story}");
        }
    }
}
