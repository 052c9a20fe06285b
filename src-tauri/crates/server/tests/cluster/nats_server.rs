//! A NATS server of its own for a test: the package `nats-server` of Debian, or the program of that name on the path.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(dead_code, reason = "not every test restarts the bus")]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

pub struct NatsServer {
    address: SocketAddr,
    process: Child,
}

impl NatsServer {
    /// `None`, with a line that says so, where the program is missing; under CI it has to be there.
    pub fn start() -> Option<Self> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        match launch(address) {
            Ok(process) => Some(Self { address, process }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "the program nats-server is missing"
                );
                eprintln!("SKIPPED: the program nats-server is missing (cargo xtask setup installs it)");
                None
            }
            Err(error) => panic!("nats-server does not start: {error}"),
        }
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.process = launch(self.address).unwrap();
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(address: SocketAddr) -> io::Result<Child> {
    let mut process = Command::new(program())
        .args(["-a", &address.ip().to_string(), "-p", &address.port().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert_eq!(process.try_wait().unwrap(), None, "nats-server ended");
        assert!(begun.elapsed() < DEADLINE, "nats-server does not listen");
        std::thread::yield_now();
    }
    Ok(process)
}

/// Debian puts it where only root's path leads.
fn program() -> &'static str {
    let debian = "/usr/sbin/nats-server";
    if std::path::Path::new(debian).exists() {
        debian
    } else {
        "nats-server"
    }
}
