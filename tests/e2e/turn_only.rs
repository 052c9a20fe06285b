//! Calls that have nothing but a relay: over UDP through the server itself, and over TCP where UDP is no way.

use ahoy_tests::{Event, Party, TestServer, name, number, probes, serial};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// Where UDP is blocked a call is connected within this.
const CONNECTED_WITHIN_MS: f64 = 5000.0;
const RELAY: [&str; 2] = ["--turn", "127.0.0.1:0"];
const MEDIA: [&str; 8] = [
    "--ice",
    "relay",
    "--speaker",
    "probe",
    "--screen",
    "probe",
    "--camera",
    "pattern:320x180@15",
];

/// What the server's REST tells user 1 about its relay: URLs, name and password.
fn relay_of(server: &TestServer) -> (Vec<String>, String, String) {
    let told: Value = ureq::get(format!("{}/api/webrtc/config", server.http()))
        .header("Authorization", format!("Bearer {}", server.token(1)))
        .call()
        .and_then(|mut answer| answer.body_mut().read_json())
        .expect("the server tells its relay");
    let servers = told["data"]["ice_servers"].as_array().expect("ice_servers");
    let relay = servers
        .iter()
        .find(|server| server["username"].is_string())
        .expect("one with credentials");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let urls = relay["urls"].as_array().expect("urls").iter().map(text).collect();
    (urls, text(&relay["username"]), text(&relay["credential"]))
}

/// A call of eight seconds with both parties given these servers.
fn call_over(server: &TestServer, ice_server: &str, protocol: &str) {
    let options = [&MEDIA[..], &["--ice-server", ice_server]].concat();
    let mut callee = Party::listen(
        server,
        2,
        &[&["--mic", "tone:660", "--calls", "1"], &options[..]].concat(),
    );
    let mut caller = Party::call(
        server,
        1,
        2,
        &[&["--video", "--mic", "tone:440", "--for", "8"], &options[..]].concat(),
    );
    let connecting = caller.wait_for_state("connecting");
    let connected = caller.wait_for_state("connected");
    let took = number(&connected, "at_ms") - number(&connecting, "at_ms");
    assert!(took < CONNECTED_WITHIN_MS, "{took} ms\n{}", caller.story());
    caller.wait_for_end(LIMIT);
    callee.wait_for_end(LIMIT);
    for (party, tone_hz) in [(&caller, 660.0), (&callee, 440.0)] {
        check(party, tone_hz, protocol);
    }
}

fn check(party: &Party, tone_hz: f64, protocol: &str) {
    let story = party.story();
    let sound = *probes(party.seen(), "audio").last().expect("sound was probed");
    assert!((number(sound, "frequency") - tone_hz).abs() < 5.0, "{story}");
    assert!(number(sound, "tone_db") > 20.0, "{story}");
    assert_eq!(number(sound, "clicks_lost"), 0.0, "{story}");
    let picture = *probes(party.seen(), "video")
        .last()
        .expect("pictures were probed");
    assert!(number(picture, "frames") > 60.0, "{story}");
    let stats: Vec<&Event> = party
        .seen()
        .iter()
        .filter(|event| name(event) == "stats")
        .collect();
    let last = stats.last().expect("stats were printed");
    assert_eq!(last["transport"]["path"], "relay", "{last}");
    assert_eq!(last["transport"]["relayProtocol"], protocol, "{last}");
}

#[test]
fn a_call_over_the_servers_relay_alone_carries_picture_and_sound() {
    let _turn = serial();
    let server = TestServer::start_with(&RELAY);
    let (urls, user, password) = relay_of(&server);
    let over_udp = urls
        .iter()
        .find(|url| url.ends_with("=udp"))
        .expect("a URL of UDP");
    call_over(&server, &format!("{over_udp},{user},{password}"), "udp");
}

#[test]
fn a_call_over_tcp_alone_carries_picture_and_sound() {
    let _turn = serial();
    let signaling = TestServer::start_with(&["--turn", "off"]);
    let relay = TestServer::start_with(&RELAY);
    let (urls, user, password) = relay_of(&relay);
    let over_tcp = urls
        .iter()
        .find(|url| url.ends_with("=tcp"))
        .expect("a URL of TCP");
    call_over(&signaling, &format!("{over_tcp},{user},{password}"), "tcp");
}
