//! An audio call: no camera is opened, no picture is negotiated, sound both ways; muting is heard and said.

use ahoy_tests::{Party, TestServer, name, number, probes, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn an_audio_call_carries_sound_both_ways_and_no_picture() {
    let _turn = serial();
    let server = TestServer::start();
    let media = [
        "--speaker",
        "probe",
        "--screen",
        "probe",
        "--camera",
        "pattern:320x180@15",
    ];
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--mic", "tone:660", "--calls", "1"][..], &media].concat(),
    );
    let mut caller = Party::call(
        &server,
        1,
        2,
        &[&["--mic", "tone:440", "--for", "6"][..], &media].concat(),
    );

    caller.wait_for_state("connected");
    callee.wait_for_state("connected");
    let threads = callee.media_threads();
    assert!(threads.iter().any(|name| name == "audio-tx"), "{threads:?}");
    assert!(
        !threads.iter().any(|name| name == "cam" || name == "video-tx"),
        "a camera runs: {threads:?}"
    );
    caller.wait_for_end(LIMIT);
    callee.wait_for_end(LIMIT);

    for (party, tone_hz) in [(&caller, 660.0), (&callee, 440.0)] {
        let story = party.story();
        let last = *probes(party.seen(), "audio").last().expect("sound was probed");
        assert!((number(last, "frequency") - tone_hz).abs() < 5.0, "{last}");
        assert!(number(last, "tone_db") > 20.0, "{story}");
        assert_eq!(number(last, "clicks_lost"), 0.0, "{story}");
        let stats = party
            .seen()
            .iter()
            .rfind(|event| name(event) == "stats")
            .expect("stats were printed");
        assert!(
            stats.get("video_in").is_none() && stats.get("video_out").is_none(),
            "{stats}"
        );
        assert!(
            probes(party.seen(), "video")
                .iter()
                .all(|probe| number(probe, "frames") == 0.0),
            "{story}"
        );
    }
}

#[test]
fn muting_silences_the_other_side_and_unmuting_brings_the_tone_back() {
    let _turn = serial();
    let server = TestServer::start();
    let options = [
        "--calls",
        "1",
        "--mic",
        "tone:660",
        "--speaker",
        "probe",
        "--stats-interval",
        "0.5",
    ];
    let mut callee = Party::listen(&server, 2, &options);
    let mut caller = Party::call(&server, 1, 2, &["--mic", "tone:440", "--speaker", "null"]);
    callee.wait_for_state("connected");
    let level = |event: &ahoy_tests::Event| event["audio_in"]["audioLevel"].as_f64();
    callee.wait_for("the tone", |event| level(event).is_some_and(|level| level > 0.05));
    caller.write_line("mute on");
    callee.wait_for("silence", |event| level(event).is_some_and(|level| level < 0.001));
    caller.write_line("mute off");
    callee.wait_for("the tone again", |event| {
        level(event).is_some_and(|level| level > 0.05)
    });
    caller.write_line("hangup");
    let end = callee.wait_for_end(LIMIT);
    assert_eq!(end["reason"], "user_hangup");
    assert_eq!(end["by_us"], false);
}

#[test]
fn a_video_call_taken_as_audio_shows_the_callers_picture_only() {
    let _turn = serial();
    let server = TestServer::start();
    let media = [
        "--screen",
        "probe",
        "--camera",
        "pattern:320x180@15",
        "--mic",
        "null",
        "--speaker",
        "null",
    ];
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--answer", "audio", "--calls", "1"][..], &media].concat(),
    );
    let mut caller = Party::call(&server, 1, 2, &[&["--video", "--for", "5"][..], &media].concat());
    callee.wait_for("pictures", |event| {
        name(event) == "probe"
            && event["kind"] == "video"
            && event["frames"].as_f64().is_some_and(|n| n > 10.0)
    });
    assert!(
        !callee.media_threads().iter().any(|name| name == "cam"),
        "{:?}",
        callee.media_threads()
    );
    caller.wait_for_end(LIMIT);
    assert!(
        probes(caller.seen(), "video")
            .iter()
            .all(|probe| number(probe, "frames") == 0.0),
        "{}",
        caller.story()
    );
}
