//! A camera that is mounted on its side and turned by the person it belongs to.

use ahoy_tests::{Event, Party, TestServer, name, number, serial};
use std::time::Duration;

const MEDIA: [&str; 8] = [
    "--camera",
    "pattern:320x180@15",
    "--mic",
    "tone:440",
    "--speaker",
    "null",
    "--screen",
    "probe",
];

#[test]
fn the_own_picture_is_turned_for_the_other_side_and_theirs_is_not() {
    let _turn = serial();
    let server = TestServer::start();
    let mut callee = Party::listen(&server, 2, &[&["--calls", "1"][..], &MEDIA].concat());
    let turned = ["--video", "--rotate-camera", "90"];
    let mut caller = Party::call(&server, 1, 2, &[&turned[..], &MEDIA].concat());
    let sees = |event: &Event| {
        name(event) == "probe"
            && event["kind"] == "video"
            && event["frames"].as_f64().is_some_and(|n| n > 10.0)
    };
    // The pattern lies on its side, where nobody can read it.
    let seen = callee.wait_for("pictures", sees);
    assert_eq!(number(&seen, "unreadable"), number(&seen, "frames"), "{seen}");
    let seen = callee.wait_for("statistics", |event| {
        name(event) == "stats" && event["video_in"]["frameWidth"].as_f64().is_some_and(|n| n > 0.0)
    });
    let size = ["frameWidth", "frameHeight"].map(|side| number(&seen["video_in"], side));
    assert_eq!(size, [180.0, 320.0], "{seen}");
    let seen = caller.wait_for("pictures", sees);
    assert_eq!(number(&seen, "unreadable"), 0.0, "{seen}");
    caller.write_line("hangup");
    caller.wait_for_end(Duration::from_secs(20));
    callee.wait_for_end(Duration::from_secs(20));
}
