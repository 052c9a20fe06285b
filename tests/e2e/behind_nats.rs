//! Calls between rooms of people behind routers that translate addresses, in the laboratory's network: two clients, each
//! behind a NAT of its own, and the server, which is all that both can reach.
//!
//! `cargo xtask test` runs it where `AHOY_LAB` names the laboratory, and says so where not. It needs root, network
//! namespaces and nftables. `LINKEM` names the link emulator, if it is not the one built in the laboratory.

use ahoy_tests::{Event, Party, TempFolder, TestServer, cli, name, number, probes, serial};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// Where only a relay leads to the other side, a call is connected within this.
const CONNECTED_WITHIN_MS: f64 = 3000.0;
/// The host of the server in the laboratory.
const SERVER: &str = "10.77.3.1:0";
/// The server has no certificate: here nobody else listens.
const MEDIA: [&str; 7] = [
    "--insecure-ws",
    "--speaker",
    "probe",
    "--screen",
    "probe",
    "--camera",
    "pattern:320x180@15",
];

/// The hosts `a`, `b` and `s`, each a network namespace; gone when dropped.
struct Network {
    script: PathBuf,
    run: TempFolder,
    prefix: String,
}

impl Network {
    /// Both clients are behind routers of this kind, in the words of `net.sh`.
    fn behind(nat: &str) -> Self {
        let lab = std::env::var_os("AHOY_LAB").expect("AHOY_LAB names the laboratory");
        let network = Self {
            script: PathBuf::from(lab).join("net.sh"),
            run: TempFolder::new(),
            prefix: format!("rooms{}", std::process::id()),
        };
        let up = network
            .script(&["up"])
            .env("NAT_A", nat)
            .env("NAT_B", nat)
            .status();
        assert!(
            up.expect("sh starts").success(),
            "net.sh up failed: it needs root, network namespaces and nftables"
        );
        network
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(&self.script)
            .args(arguments)
            .env("NS", &self.prefix)
            .env("RUN", self.run.join("net"))
            // The emulator it leaves running would hold the pipe of a test open.
            .stdout(Stdio::null());
        command
    }

    /// The program and arguments that run `ahoy-cli` on a host.
    fn on<'a>(&self, host: char, arguments: &[&'a str]) -> Vec<String> {
        let namespace = format!("{}-{host}", self.prefix);
        let cli = cli().display().to_string();
        let place = ["netns", "exec", &namespace, &cli].map(str::to_owned);
        place
            .into_iter()
            .chain(arguments.iter().map(|argument: &&'a str| (*argument).to_owned()))
            .collect()
    }

    fn party(&self, host: char, label: &str, arguments: &[&str]) -> Party {
        let arguments = self.on(host, arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Party::run_program(label, "ip", &arguments)
    }

    fn server(&self) -> TestServer {
        let arguments = self.on('s', &["serve", "--listen", SERVER, "--turn", SERVER]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        TestServer::run_program("ip", &arguments)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What could not be taken down has its own names and harms no other run.
        self.script(&["down"]).status().ok();
    }
}

/// Calls from room to room for eight seconds; both sides' story after that, the caller's first.
fn call_between_rooms(network: &Network) -> [Party; 2] {
    let server = network.server();
    let url = server.listening()["rooms"]
        .as_str()
        .expect("listening has rooms")
        .to_owned();
    let listen = [
        "listen", "--server", &url, "--room", "alice", "--mic", "tone:660", "--calls", "1",
    ];
    let mut callee = network.party('b', "callee", &[&listen[..], &MEDIA].concat());
    callee.wait_for("signed_in", |event| name(event) == "signed_in");
    let call = [
        "call", "--server", &url, "--room", "bob", "--to", "alice", "--video", "--mic", "tone:440",
    ];
    let mut caller = network.party('a', "caller", &[&call[..], &MEDIA, &["--for", "8"]].concat());
    let connecting = caller.wait_for_state("connecting");
    let connected = caller.wait_for_state("connected");
    let took = number(&connected, "at_ms") - number(&connecting, "at_ms");
    assert!(took < CONNECTED_WITHIN_MS, "{took} ms\n{}", caller.story());
    caller.wait_for_end(LIMIT);
    callee.wait_for_end(LIMIT);
    for (party, tone_hz) in [(&caller, 660.0), (&callee, 440.0)] {
        heard_and_seen(party, tone_hz);
    }
    [caller, callee]
}

/// The other side's tone and the numbered pictures of its camera came through.
fn heard_and_seen(party: &Party, tone_hz: f64) {
    let story = party.story();
    let sound = *probes(party.seen(), "audio").last().expect("sound was probed");
    assert!((number(sound, "frequency") - tone_hz).abs() < 5.0, "{story}");
    assert!(number(sound, "tone_db") > 20.0, "{story}");
    let picture = *probes(party.seen(), "video")
        .last()
        .expect("pictures were probed");
    assert!(number(picture, "frames") > 60.0, "{story}");
}

/// The last statistics of the way between the two.
fn transport(party: &Party) -> &Event {
    let stats = party.seen().iter().rev().find(|event| name(event) == "stats");
    &stats.expect("stats were printed")["transport"]
}

#[test]
#[ignore = "needs the laboratory and root: cargo xtask test with AHOY_LAB"]
fn two_rooms_behind_symmetric_nats_talk_over_the_servers_relay() {
    let _turn = serial();
    let network = Network::behind("symmetric");
    for party in call_between_rooms(&network) {
        let transport = transport(&party);
        assert_eq!(transport["path"], "relay", "{transport}");
        assert_eq!(transport["relayProtocol"], "udp", "{transport}");
    }
}

#[test]
#[ignore = "needs the laboratory and root: cargo xtask test with AHOY_LAB"]
fn two_rooms_behind_nats_that_let_answers_through_need_no_relay() {
    let _turn = serial();
    let network = Network::behind("cone");
    for party in call_between_rooms(&network) {
        let transport = transport(&party);
        let path = transport["path"].as_str().unwrap_or_default();
        assert!(["srflx", "prflx"].contains(&path), "{transport}");
    }
}
