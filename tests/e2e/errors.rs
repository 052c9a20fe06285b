//! What a user gets wrong or meets: one sentence and the right exit code.

use ahoy_tests::{Party, TestServer, name};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn expect(arguments: &[&str], code: i32, sentence: &str) {
    let mut party = Party::run("client", arguments);
    assert_eq!(
        party.exit_code(LIMIT),
        Some(code),
        "{arguments:?}\n{}\n{}",
        party.story(),
        party.stderr()
    );
    let stderr = party.stderr();
    assert!(
        stderr
            .trim_end()
            .lines()
            .last()
            .is_some_and(|line| line.contains(sentence)),
        "{arguments:?}: {stderr}"
    );
}

#[test]
fn wrong_usage_is_named_and_ends_with_two() {
    expect(
        &[
            "call",
            "--to",
            "2",
            "--server",
            "ws://127.0.0.1:1/ws",
            "--token",
            "t",
            "--colour",
            "red",
        ],
        2,
        "--colour",
    );
    expect(
        &[
            "call",
            "--to",
            "zwei",
            "--server",
            "ws://127.0.0.1:1/ws",
            "--token",
            "t",
        ],
        2,
        "zwei",
    );
    expect(
        &[
            "listen",
            "--server",
            "ws://127.0.0.1:1/ws",
            "--token",
            "t",
            "--camera",
            "lens:1",
        ],
        2,
        "lens:1",
    );
    expect(&["serve", "--listen", "nowhere"], 2, "nowhere");
}

#[test]
fn a_silent_server_ends_with_three() {
    // Nothing listens on the discard port of loopback.
    expect(
        &[
            "call",
            "--to",
            "2",
            "--server",
            "ws://127.0.0.1:9/ws",
            "--token",
            "t",
        ],
        3,
        "sign in",
    );
}

#[test]
fn plain_ws_to_another_machine_is_refused_before_the_token_leaves() {
    expect(
        &[
            "call",
            "--to",
            "2",
            "--server",
            "ws://192.0.2.1/ws",
            "--token",
            "t",
        ],
        3,
        "insecure_server",
    );
}

#[test]
fn a_wrong_token_ends_with_three_and_says_so() {
    let server = TestServer::start();
    expect(
        &["listen", "--server", &server.ws(), "--token", "wrong"],
        3,
        "token_wrong",
    );
}

#[test]
fn a_wrong_password_ends_with_three_and_a_right_one_signs_in() {
    let server = TestServer::start();
    let ws = server.ws();
    expect(
        &["listen", "--server", &ws, "--user", "Ada", "--password", "guess"],
        3,
        "credentials_wrong",
    );
    let mut party = Party::run(
        "client",
        &["listen", "--server", &ws, "--user", "Ada", "--password", "secret"],
    );
    let signed_in = party.wait_for("signed_in", |event| name(event) == "signed_in");
    assert_eq!(signed_in["user"], 1);
    party.interrupt();
    assert_eq!(party.exit_code(LIMIT), Some(0));
}

#[test]
fn a_taken_port_is_named() {
    let server = TestServer::start();
    let ws = server.ws();
    let address = ws.trim_start_matches("ws://").trim_end_matches("/ws");
    expect(&["serve", "--listen", address], 5, address);
}

#[test]
fn devices_prints_json_lines_or_nothing() {
    let mut party = Party::run("devices", &["devices"]);
    assert_eq!(party.exit_code(LIMIT), Some(0), "{}", party.stderr());
    assert!(
        party
            .seen()
            .iter()
            .all(|event| name(event) == "device" && event["kind"].is_string()),
        "{}",
        party.story()
    );
}

#[test]
fn a_call_without_microphone_and_camera_still_runs() {
    let server = TestServer::start();
    let devices = [
        "--mic",
        "mic:none of this name",
        "--camera",
        "cam:none of this name",
        "--speaker",
        "null",
    ];
    let mut callee = Party::listen(
        &server,
        2,
        &[&["--screen", "probe", "--calls", "1"][..], &devices].concat(),
    );
    let mut caller = Party::call(&server, 1, 2, &[&["--video"][..], &devices].concat());
    // In either order: the camera is opened for the preview, the microphone for the call.
    let mut untold = vec!["no_microphone", "no_camera"];
    while !untold.is_empty() {
        let notice = caller.wait_for("a notice", |event| {
            untold.iter().any(|code| event["code"] == *code)
        });
        untold.retain(|code| notice["code"] != *code);
    }
    callee.wait_for("the test picture", |event| {
        name(event) == "probe"
            && event["kind"] == "video"
            && event["frames"].as_f64().is_some_and(|n| n > 10.0)
    });
    caller.write_line("hangup");
    assert_eq!(caller.exit_code(LIMIT), Some(0), "{}", caller.story());
}
