//! Whether lips move with the voice, by what comes out of a call: pictures that say when they were drawn and a tone that
//! clicks at every whole second.

use ahoy_tests::{Event, Party, TestServer, name, number, probes, serial};
use std::time::Duration;

const MEDIA: [&str; 10] = [
    "--camera",
    "pattern:640x360@30",
    "--mic",
    "tone:440",
    "--speaker",
    "probe",
    "--screen",
    "probe",
    "--stats-interval",
    "1",
];

/// Seconds after the connection in which the pictures come to their sound.
const SETTLE_MS: f64 = 5000.0;

/// Milliseconds within which nobody notices (the goal of the product), measured here on a machine that does other things too.
const APART: f64 = 40.0;

#[test]
fn pictures_come_with_their_sound_both_ways() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let mut caller = Party::call(&server, 1, 2, &[&["--video", "--for", "20"][..], &MEDIA].concat());
    caller.wait_for_state("connected");
    caller.wait_for_end(Duration::from_secs(60));
    callee.wait_for_end(Duration::from_secs(10));
    check(&caller);
    check(&callee);
}

fn check(party: &Party) {
    let events = party.seen();
    let story = party.story();
    let connected = events
        .iter()
        .find(|event| ahoy_tests::is_state(event, "connected"))
        .expect("was connected");
    let settled = |event: &Event| number(event, "at_ms") >= number(connected, "at_ms") + SETTLE_MS;

    let delays = |kind| {
        let probes = probes(events, kind).into_iter();
        median(
            probes
                .filter(|probe| settled(probe))
                .filter_map(|probe| probe["latency_ms"]["p50"].as_f64()),
        )
    };
    let (heard, seen) = (delays("audio"), delays("video"));
    assert!(
        (heard - seen).abs() < APART,
        "heard after {heard} ms, seen after {seen} ms\n{story}"
    );

    // The statistics, which know nothing of the probes, say the same.
    let stats = events
        .iter()
        .filter(|event| name(event) == "stats" && settled(event));
    let apart = stats.filter_map(|event| {
        let at = |side: &str| event[side]["estimatedPlayoutTimestamp"].as_f64();
        Some(at("video_in")? - at("audio_in")?)
    });
    let apart = median(apart);
    assert!(
        (apart - (heard - seen)).abs() < 25.0,
        "{apart} ms by the statistics, {} by what came\n{story}",
        heard - seen
    );

    let last = events
        .iter()
        .rfind(|event| name(event) == "stats")
        .expect("stats were printed");
    assert_eq!(number(&last["video_in"], "freezeCount"), 0.0, "{last}");
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    assert!(figures.len() > 8, "only {figures:?} were measured");
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
