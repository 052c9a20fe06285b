//! The server as an operator runs it: its file, its users, its log.

use ahoy_tests::{Party, TempFolder, TestServer, name};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Runs a command to its end and gives the code, the lines and stderr.
fn run(arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let mut party = Party::run("command", arguments);
    let code = party.exit_code(LIMIT);
    (code, party.seen().to_vec(), party.stderr())
}

#[test]
fn a_file_is_read_and_options_override_it() {
    let folder = TempFolder::new();
    let file = folder.join("ahoy.toml");
    let text = "listen = \"127.0.0.1:1\"\nuser = [\"7:Dora:secret\"]\nturn = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n";
    std::fs::write(&file, text).expect("a file can be written");
    let server = TestServer::run(&["serve", "--config", &file, "--listen", "127.0.0.1:0"]);
    assert!(!server.token(7).is_empty());
    let listening = server.listening();
    assert!(
        listening["turn"]
            .as_str()
            .is_some_and(|url| url.starts_with("turn:127.0.0.1:")),
        "{listening}"
    );
    assert!(listening["metrics"].is_string(), "{listening}");
    let (code, stderr) = server.stop();
    assert_eq!(code, Some(0), "{stderr}");
    let server = TestServer::run(&[
        "serve",
        "--config",
        &file,
        "--listen",
        "127.0.0.1:0",
        "--turn",
        "off",
    ]);
    assert!(server.listening()["turn"].is_null());
}

#[test]
fn a_fault_in_the_file_is_one_line_with_file_line_and_key() {
    let folder = TempFolder::new();
    let file = folder.join("ahoy.toml");
    for (text, named) in [
        ("\ncolour = 1\n", ":2: colour: "),
        ("ring_timeout = 5\n", ":1: ring_timeout: "),
        ("listen = \n", ":1: "),
    ] {
        std::fs::write(&file, text).expect("a file can be written");
        let (code, lines, stderr) = run(&["serve", "--config", &file]);
        assert_eq!((code, lines.len()), (Some(2), 0), "{stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        assert!(stderr.contains(&format!("{file}{named}")), "{stderr}");
    }
    let missing = folder.join("missing.toml");
    let (code, _, stderr) = run(&["serve", "--config", &missing]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains(&missing), "{stderr}");
}

#[test]
fn users_are_kept_by_a_command_while_the_server_runs() {
    let folder = TempFolder::new();
    let data = folder.join("data");
    let (code, lines, _) = run(&["user", "add", "Ada", "--data", &data, "--password", "secret"]);
    assert_eq!((code, &lines[0]["id"]), (Some(0), &Value::from(1)));
    let server = TestServer::run(&["serve", "--data", &data]);
    let ws = server.ws();
    let sign_in = |password: &str| {
        Party::run(
            "listener",
            &["listen", "--server", &ws, "--user", "ada", "--password", password],
        )
    };
    let mut ada = sign_in("secret");
    ada.wait_for("signed_in", |event| name(event) == "signed_in");

    // A made-up password is told once.
    let (_, lines, _) = run(&["user", "passwd", "ada", "--data", &data]);
    let password = lines[0]["password"].as_str().expect("a password").to_owned();
    let (_, lines, _) = run(&["user", "list", "--data", &data]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["password"].is_null(), "{}", lines[0]);
    let mut wrong = sign_in("secret");
    assert_eq!(wrong.exit_code(LIMIT), Some(3), "{}", wrong.story());
    let mut right = sign_in(&password);
    right.wait_for("signed_in", |event| name(event) == "signed_in");

    let (code, lines, _) = run(&["user", "ban", "Ada", "--data", &data]);
    assert_eq!((code, &lines[0]["banned"]), (Some(0), &Value::from(true)));
    // Their connections are closed.
    assert_ne!(right.exit_code(LIMIT), Some(0), "{}", right.story());
    let mut banned = sign_in(&password);
    assert_eq!(banned.exit_code(LIMIT), Some(3), "{}", banned.story());

    let (code, _, stderr) = run(&["user", "ban", "Eve", "--data", &data]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("Eve"), "{stderr}");
    let (code, _, stderr) = run(&["serve", "--data", &data]);
    assert_eq!(code, Some(5), "one server for one folder: {stderr}");
    assert!(stderr.contains("in use"), "{stderr}");
    drop(ada);
}

#[test]
fn the_log_is_json_and_has_no_secrets_even_when_it_has_everything() {
    let server = TestServer::start_with(&["--log", "trace", "--turn", "127.0.0.1:0"]);
    let (ws, token) = (server.ws(), server.token(1));
    let mut callee = Party::run(
        "callee",
        &[
            "listen",
            "--server",
            &ws,
            "--user",
            "Ben",
            "--password",
            "secret",
            "--mic",
            "tone:440",
            "--speaker",
            "null",
            "--calls",
            "1",
        ],
    );
    callee.wait_for("signed_in", |event| name(event) == "signed_in");
    let mut caller = Party::call(
        &server,
        1,
        2,
        &["--mic", "tone:440", "--speaker", "null", "--for", "1"],
    );
    caller.wait_for_end(LIMIT);
    // Two requests whose tokens are in the address.
    for path in ["ws", "api/users/me"] {
        // Refused or not an upgrade: it is the log that counts.
        ureq::get(format!("{}/{path}?token={token}", server.http()))
            .call()
            .ok();
    }
    assert_eq!(callee.exit_code(LIMIT), Some(0), "{}", callee.story());
    let tokens: Vec<String> = (1..=3).map(|user| server.token(user)).collect();
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(
        log.contains("ringing") && log.contains("/api/auth/login"),
        "it was to log everything: {log}"
    );
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(
            entry["level"].is_string() && entry["timestamp"].is_string(),
            "{line}"
        );
    }
    let mut secrets: Vec<&str> = vec![
        "\"secret\"",
        "token=",
        "eyJ",
        "a=ice-pwd",
        "a=ice-ufrag",
        "a=candidate",
        "candidate:",
        "typ host",
        "v=0",
        "Bearer",
    ];
    secrets.extend(tokens.iter().map(String::as_str));
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    for level in ["INFO", "DEBUG"] {
        assert!(log.contains(level), "{level} is missing:\n{log}");
    }
}
