//! The reference server as its own program.

use crate::process::Process;
use crate::{cli, name};
use serde_json::Value;
use std::ffi::OsStr;
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
        Self::start_on("127.0.0.1:0", options)
    }

    /// At the address of one that was killed.
    pub fn start_at(address: &str) -> Self {
        Self::start_on(address, &[])
    }

    fn start_on(address: &str, options: &[&str]) -> Self {
        let mut command = Command::new(cli());
        command.arg("serve").args(["--listen", address]).args(options);
        for user in ["1:Ada:secret", "2:Ben:secret", "3:Cora:secret"] {
            command.args(["--user", user]);
        }
        Self::start_command(command)
    }

    /// A server with exactly these arguments.
    pub fn run(arguments: &[&str]) -> Self {
        Self::run_program(cli(), arguments)
    }

    /// A server that another program starts.
    pub fn run_program(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_command(command)
    }

    fn start_command(command: Command) -> Self {
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

    /// The base of the REST addresses.
    pub fn http(&self) -> String {
        self.listening["http"]
            .as_str()
            .expect("listening has http")
            .to_owned()
    }

    /// The first line.
    pub fn listening(&self) -> &Value {
        &self.listening
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

    /// Ends it politely and gives the exit code and all of stderr.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.process.terminate();
        let code = self.process.wait_for_exit(Duration::from_secs(10)).code();
        (code, self.process.stderr())
    }
}
