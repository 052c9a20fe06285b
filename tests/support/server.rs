//! The reference server as its own program.

use crate::process::Process;
use crate::{cli, name};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// A server with users 1, 2 and 3, whose password is `secret`.
pub struct TestServer {
    process: Process,
    listening: Value,
}

impl TestServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> Self {
        let mut command = Command::new(cli());
        command
            .arg("serve")
            .args(["--listen", "127.0.0.1:0"])
            .args(options);
        for user in ["1:Ada:secret", "2:Ben:secret", "3:Cora:secret"] {
            command.args(["--user", user]);
        }
        let mut process = Process::start("server", command);
        let listening = process.wait_for("listening", Duration::from_secs(10), |event| {
            name(event) == "listening"
        });
        Self { process, listening }
    }

    pub fn ws(&self) -> String {
        self.listening["ws"]
            .as_str()
            .expect("listening has ws")
            .to_owned()
    }

    pub fn token(&self, user: u64) -> String {
        self.listening["tokens"][user.to_string()]
            .as_str()
            .expect("listening has tokens")
            .to_owned()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}
