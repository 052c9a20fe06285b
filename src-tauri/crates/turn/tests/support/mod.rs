//! What the tests of the relay share: a server, an echo, and coturn's client.
#![allow(
    dead_code,
    unused_imports,
    clippy::print_stderr,
    reason = "each test file uses a part of it"
)]

pub mod bench;
pub mod stun;

use ahoy_turn::{TurnConfig, TurnSecret, TurnServer};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The secret of every relay here.
pub const SECRET: &str = "north";

/// A relay on loopback whose peers may be on loopback, too.
pub fn config() -> TurnConfig {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = TurnConfig::new(listen, TurnSecret::new(SECRET));
    config.allow = vec!["127.0.0.0/8".parse().expect("a network")];
    config
}

/// A relay with everything, TLS too.
pub async fn server() -> TurnServer {
    let mut config = config();
    config.tls = Some(tls());
    TurnServer::bind(config).await.expect("loopback has free ports")
}

/// TLS with a certificate that nobody trusts; coturn's client does not check it.
pub fn tls() -> Arc<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has all versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("the key fits");
    Arc::new(config)
}

/// Sends every datagram back, until dropped.
pub struct Echo {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    pub async fn start() -> Self {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                // A client that is gone gets nothing.
                socket.send_to(&bytes[..length], from).await.ok();
            }
        });
        Self { address, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether a program of coturn is there. Where tests must be complete (`CI` is set), it has to be.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-h").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{program} is missing: install coturn"
        );
        eprintln!("SKIPPED: {program} is missing (Debian package coturn)");
    }
    found
}

/// Runs coturn's client with a user's name, and returns what it says; panics unless everything came back.
pub async fn uclient(server: SocketAddr, arguments: &[&str]) -> String {
    let said = uclient_says(server, arguments).await;
    assert!(
        said.contains("Total lost packets 0 (0.000000%), total send dropped 0 (0.000000%)"),
        "{said}"
    );
    said
}

/// How many of its messages coturn's client lost.
pub async fn uclient_loses(server: SocketAddr, arguments: &[&str]) -> u32 {
    let said = uclient_says(server, arguments).await;
    let lost = said.split("Total lost packets ").nth(1);
    let number = lost.and_then(|text| text.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no loss is told: {said}"))
}

async fn uclient_says(server: SocketAddr, arguments: &[&str]) -> String {
    let mut command = Command::new("turnutils_uclient");
    command
        .args(["-W", SECRET, "-u", "7", "-p", &server.port().to_string()])
        .args(arguments)
        .arg(server.ip().to_string());
    let running = tokio::task::spawn_blocking(move || command.output().expect("it is there"));
    let output = tokio::time::timeout(Duration::from_secs(60), running)
        .await
        .expect("it ends by itself")
        .expect("it was waited for");
    let (out, errors) = (output.stdout, output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&errors)
    )
}
