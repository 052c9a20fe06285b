//! Compares this relay with coturn, both as programs of their own on this machine, turn by turn:
//!
//! `cargo run --release -p ahoy-turn --example against_coturn -- [rounds] [seconds]`
//!
//! Four clients keep 32 datagrams of 200 bytes each on their way through the relay to an echo and back. The figure is
//! datagrams relayed per second of the relay's processor time, so that it does not matter what else the machine does.
//! Then one client sends a datagram a millisecond and compares the round trip with that to the echo itself.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use ahoy_turn::{TurnConfig, TurnSecret, TurnServer, credentials};
use rtc_stun::attributes::*;
use rtc_stun::crypto::default_provider;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::*;
use rtc_stun::xoraddr::XorMappedAddress;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SECRET: &str = "north";
const CLIENTS: usize = 4;
const ON_THE_WAY: usize = 32;
const PAYLOAD: usize = 200;
const CHANNEL: [u8; 4] = [0x40, 0x01, 0, 0];
/// Clock ticks of /proc, per second.
const TICKS: f64 = 100.0;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("serve") {
        serve();
        return;
    }
    let rounds: usize = first.map_or(3, |text| text.parse().expect("a number of rounds"));
    let seconds: f64 = arguments
        .next()
        .map_or(3.0, |text| text.parse().expect("seconds"));
    let echo = echo();
    let mut figures = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for (which, start) in [start_ours as fn() -> Program, start_coturn]
            .into_iter()
            .enumerate()
        {
            let program = start();
            let rate = relayed_per_core(&program, echo, Duration::from_secs_f64(seconds));
            let delay = added_delay(&program, echo, Duration::from_secs_f64(seconds));
            println!(
                "round {round} {:>7}: {rate:>8.0} datagrams/s per core, round trip added p50 {:>6.3} ms p99 {:>6.3} ms",
                program.name, delay[0], delay[1]
            );
            figures[which].push((rate, delay[1]));
        }
    }
    let [ours, coturn] = figures.map(|figures| {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (rates, delays): (Vec<_>, Vec<_>) = figures.into_iter().unzip();
        (median(rates), median(delays))
    });
    println!(
        "medians: ours {:.0}, coturn {:.0} datagrams/s per core: ratio {:.2}; added p99 {:.3} and {:.3} ms",
        ours.0,
        coturn.0,
        ours.0 / coturn.0,
        ours.1,
        coturn.1
    );
}

/// A relay that runs.
struct Program {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Seconds of processor time that it has used.
    fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .expect("a name")
            .split_whitespace()
            .collect();
        let ticks: f64 = fields[11..13]
            .iter()
            .map(|text| text.parse::<f64>().expect("ticks"))
            .sum();
        ticks / TICKS
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs the relay until its stdin closes.
fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut config = TurnConfig::new(
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            TurnSecret::new(SECRET),
        );
        config.allow = vec!["127.0.0.0/8".parse().expect("a network")];
        config.bandwidth = None;
        config.quota = 1000;
        let server = TurnServer::bind(config).await.expect("a port");
        println!("{}", server.address());
        let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        closed.await.expect("stdin").expect("stdin");
    });
}

fn start_ours() -> Program {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    Program {
        name: "ours",
        child,
        address: line.trim().parse().expect("an address"),
    }
}

fn start_coturn() -> Program {
    let port = UdpSocket::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("bound")
        .port();
    let folder = std::env::temp_dir().join(format!("ahoy-against-coturn-{port}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let child = Command::new("turnserver")
        .args([
            "-n",
            "--no-cli",
            "--no-tls",
            "--no-dtls",
            "--allow-loopback-peers",
            "-m",
            "1",
        ])
        .args([
            "-L",
            "127.0.0.1",
            "-E",
            "127.0.0.1",
            "-r",
            "ahoy",
            "-p",
            &port.to_string(),
        ])
        .args([
            "--use-auth-secret",
            "--static-auth-secret",
            SECRET,
            "--log-file",
            "/dev/null",
        ])
        .arg("--pidfile")
        .arg(folder.join("pid"))
        .arg("--userdb")
        .arg(folder.join("db"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("turnserver is installed (Debian package coturn)");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "coturn does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Program {
        name: "coturn",
        child,
        address,
    }
}

/// Sends every datagram back, for as long as this program runs.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            // A client that is gone gets nothing.
            socket.send_to(&bytes[..length], from).ok();
        }
    });
    address
}

fn relayed_per_core(program: &Program, echo: SocketAddr, time: Duration) -> f64 {
    let clients: Vec<UdpSocket> = (0..CLIENTS).map(|_| client(program.address, echo)).collect();
    let datagram = channel_data(0);
    let before = program.processor_time();
    let running: Vec<_> = clients
        .into_iter()
        .map(|socket| {
            let datagram = datagram.clone();
            std::thread::spawn(move || {
                socket
                    .set_read_timeout(Some(Duration::from_millis(50)))
                    .expect("a timeout");
                let (mut came, mut on_the_way) = (0u64, 0);
                let mut bytes = [0; 2048];
                let end = Instant::now() + time;
                while Instant::now() < end {
                    while on_the_way < ON_THE_WAY {
                        socket.send(&datagram).ok();
                        on_the_way += 1;
                    }
                    match socket.recv(&mut bytes) {
                        Ok(_) => {
                            came += 1;
                            on_the_way -= 1;
                        }
                        // What was on its way is lost.
                        Err(_) => on_the_way = 0,
                    }
                }
                came
            })
        })
        .collect();
    let came: u64 = running
        .into_iter()
        .map(|thread| thread.join().expect("it ends"))
        .sum();
    // Each went through the relay twice.
    2.0 * came as f64 / (program.processor_time() - before)
}

/// Median and 99th percentile of what the relay adds to a round trip, in ms.
fn added_delay(program: &Program, echo: SocketAddr, time: Duration) -> [f64; 2] {
    let direct = UdpSocket::bind("127.0.0.1:0").expect("a port");
    direct.connect(echo).expect("loopback");
    let relayed = client(program.address, echo);
    // Turn by turn, so that what else the machine does meets both.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let end = Instant::now() + time;
    while Instant::now() < end {
        for (socket, times) in [(&relayed, &mut with), (&direct, &mut without)] {
            socket
                .set_read_timeout(Some(Duration::from_millis(200)))
                .expect("a timeout");
            let mut bytes = [0; 2048];
            let sent = Instant::now();
            socket.send(&channel_data(0)).expect("it is sent");
            if socket.recv(&mut bytes).is_ok() {
                times.push(sent.elapsed().as_secs_f64() * 1000.0);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let at = |values: &mut Vec<f64>, part: f64| {
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * part) as usize]
    };
    [0.5, 0.99].map(|part| at(&mut with, part) - at(&mut without, part))
}

fn channel_data(fill: u8) -> Vec<u8> {
    let mut bytes = vec![CHANNEL[0], CHANNEL[1], 0, PAYLOAD as u8];
    bytes.resize(4 + PAYLOAD, fill);
    bytes
}

/// A client with an allocation and a channel to the echo.
fn client(relay: SocketAddr, echo: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.connect(relay).expect("loopback");
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("a timeout");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let issued = credentials::issue(&TurnSecret::new(SECRET), "7", now, Duration::from_secs(3600));
    let udp: (AttrType, &[u8]) = (ATTR_REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let challenge = ask(&socket, METHOD_ALLOCATE, &[udp], None, None);
    let (realm, nonce) = (text(&challenge, ATTR_REALM), text(&challenge, ATTR_NONCE));
    let provider = default_provider().expect("ring is built in");
    let key = MessageIntegrity::long_term_integrity_key(
        issued.username.clone(),
        realm.clone(),
        issued.credential,
        provider.crypto(),
    )
    .expect("a key");
    let own: [(AttrType, &[u8]); 3] = [
        (ATTR_USERNAME, issued.username.as_bytes()),
        (ATTR_REALM, realm.as_bytes()),
        (ATTR_NONCE, nonce.as_bytes()),
    ];
    for (method, attribute, peer) in [
        (METHOD_ALLOCATE, udp, None),
        (
            METHOD_CHANNEL_BIND,
            (ATTR_CHANNEL_NUMBER, &CHANNEL[..]),
            Some(echo),
        ),
    ] {
        let answer = ask(
            &socket,
            method,
            &[&own[..], &[attribute]].concat(),
            peer,
            Some(&key),
        );
        assert_eq!(answer.typ.class, CLASS_SUCCESS_RESPONSE, "{answer}");
    }
    socket
}

fn text(message: &Message, kind: AttrType) -> String {
    String::from_utf8(message.get(kind).expect("a challenge")).expect("text")
}

fn ask(
    socket: &UdpSocket,
    method: Method,
    attributes: &[(AttrType, &[u8])],
    peer: Option<SocketAddr>,
    key: Option<&[u8]>,
) -> Message {
    let mut message = Message::new();
    message.set_type(MessageType::new(method, CLASS_REQUEST));
    message.write_header();
    message.new_transaction_id().expect("random numbers");
    for (kind, value) in attributes {
        message.add(*kind, value);
    }
    if let Some(peer) = peer {
        let (ip, port) = (peer.ip(), peer.port());
        let address = XorMappedAddress { ip, port };
        address
            .add_to_as(&mut message, ATTR_XOR_PEER_ADDRESS)
            .expect("fits");
    }
    if let Some(key) = key {
        let provider = default_provider().expect("ring is built in");
        MessageIntegrity::new_raw_integrity_with_provider(key, provider.crypto())
            .add_to(&mut message)
            .expect("it can be signed");
    }
    let mut bytes = [0; 2048];
    // coturn takes TCP a moment before it takes UDP.
    let length = (0..20)
        .find_map(|_| {
            let answered = socket.send(&message.raw).and_then(|_| socket.recv(&mut bytes));
            if answered.is_err() {
                std::thread::sleep(Duration::from_millis(100));
            }
            answered.ok()
        })
        .expect("an answer");
    let mut answer = Message::new();
    answer
        .unmarshal_binary(&bytes[..length])
        .expect("an answer can be read");
    answer
}
