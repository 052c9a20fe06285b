//! A call between the Windows program under Wine and the program of this system, both ways.
//!
//! Needs `AHOY_CROSS` (the cross-building tool that also starts Wine) and `AHOY_WINDOWS_CLI` (the built `.exe`).

use ahoy_tests::{Party, TestServer, number, probes};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const MEDIA: [&str; 6] = [
    "--speaker",
    "probe",
    "--screen",
    "probe",
    "--camera",
    "pattern:320x180@15",
];

#[test]
fn the_windows_program_calls_this_system_with_tone_and_pattern_both_ways() {
    let (Ok(cross), Ok(exe)) = (std::env::var("AHOY_CROSS"), std::env::var("AHOY_WINDOWS_CLI")) else {
        eprintln!(
            "skipped: AHOY_CROSS and AHOY_WINDOWS_CLI do not name the cross tool and the Windows program"
        );
        return;
    };
    let server = TestServer::start();
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--calls", "1", "--mic", "tone:660"][..], &MEDIA].concat(),
    );
    let (ws, token) = (server.ws(), server.token(1));
    let call = [
        "call", "--server", &ws, "--token", &token, "--to", "2", "--video", "--mic", "tone:440", "--for",
        "10",
    ];
    let mut caller = Party::run_program(
        "windows caller",
        &cross,
        &[&["windows", "run", &exe][..], &call, &MEDIA].concat(),
    );
    caller.wait_within("connected", LIMIT, |event| {
        ahoy_tests::is_state(event, "connected")
    });
    caller.wait_for_end(LIMIT);
    callee.wait_for_end(LIMIT);

    for (party, tone_hz) in [(&caller, 660.0), (&callee, 440.0)] {
        let story = party.story();
        let sound = *probes(party.seen(), "audio").last().expect("sound was probed");
        assert!((number(sound, "frequency") - tone_hz).abs() < 5.0, "{story}");
        assert!(number(sound, "tone_db") > 20.0, "{story}");
        let picture = *probes(party.seen(), "video")
            .last()
            .expect("pictures were probed");
        assert!(number(picture, "frames") > 90.0, "{story}");
        assert_eq!(number(picture, "backwards"), 0.0, "{story}");
    }
}
