//! One call between two programs in the laboratory, of ours or of another client.

use super::arrivals;
use super::lab::{Lab, Network, Side};
use super::program::Program;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SET_UP: Duration = Duration::from_secs(30);
/// On a path that loses four packets in ten the word of the end is repeated for long.
const END: Duration = Duration::from_secs(60);

/// Which client makes the call.
#[derive(Debug, Clone)]
pub enum Client {
    Ours(PathBuf),
    /// A command for a shell, run once on each side.
    ///
    /// `AHOY_BENCH_SIDE` is `a` on the side that calls (and, in a bench of the voice, speaks), else `b`; the sides reach each
    /// other at 10.77.1.1 and 10.77.2.1. Its sound devices are those of the system. It says
    /// `{"event":"state","state":"connected"}` when the call is up, may say statistics as ours does, and ends when its
    /// input does.
    Other(String),
}

/// A call that is to be made.
pub struct Plan<'a> {
    pub lab: &'a Lab,
    pub client: &'a Client,
    /// What the network does in it, from the moment that it is up.
    pub scenario: &'a Path,
    pub seed: u64,
    /// Where what it leaves is kept.
    pub folder: &'a Path,
}

/// What one side is started with.
#[derive(Debug, Default)]
pub struct End {
    /// For ours alone, behind those that say whom it is and whom it calls.
    pub options: Vec<String>,
    pub variables: Vec<(String, String)>,
}

impl<'a> Plan<'a> {
    /// Makes the call and starts the scenario.
    pub fn connect(&self, end: impl Fn(Side) -> Result<End>) -> Result<Line<'a>> {
        fs::create_dir_all(self.folder)?;
        let network = self.lab.network(self.scenario, self.seed)?;
        let mut line = match self.client {
            Client::Ours(program) => self.ours(program, network, end)?,
            Client::Other(command) => self.other(command, network, end)?,
        };
        for side in [&mut line.a, &mut line.b] {
            side.wait_for("that the call is up", SET_UP, is_connected)?;
        }
        line.network.go()?;
        Ok(line)
    }

    fn ours(
        &self,
        program: &Path,
        network: Network<'a>,
        end: impl Fn(Side) -> Result<End>,
    ) -> Result<Line<'a>> {
        let mut serve = network.on("s", program);
        serve.args(["serve", "--listen", "10.77.3.1:0", "--turn", "10.77.3.1:0"]);
        serve.args(["--user", "1:Ada:secret", "--user", "2:Ben:secret"]);
        let mut server = Program::start("the server", serve, &self.folder.join("server.log"))?;
        let listening = server.wait_for("that it listens", SET_UP, |event| event["event"] == "listening")?;
        let address = listening["ws"].as_str().context("the server names no address")?;
        let client = |side: Side, words: &[&str]| -> Result<Command> {
            let user = if side == Side::A { "1" } else { "2" };
            let token = listening["tokens"][user].as_str().context("no token")?;
            let end = end(side)?;
            let mut command = network.on(&side.host(), program);
            command.args(words).args(["--server", address, "--insecure-ws"]);
            command
                .args(["--token", token])
                .args(end.options)
                .envs(end.variables);
            Ok(command)
        };
        let mut listen = client(Side::B, &["listen", "--calls", "1", "--log", arrivals::FILTER])?;
        // Colours would stand between the words of its log.
        listen.env("NO_COLOR", "1");
        let mut b = Program::start("B", listen, &self.folder.join("b.log"))?;
        b.wait_for("that it is signed in", SET_UP, |event| {
            event["event"] == "signed_in"
        })?;
        let call = client(Side::A, &["call", "--to", "2"])?;
        let a = Program::start("A", call, &self.folder.join("a.log"))?;
        Ok(Line {
            a,
            b,
            server: Some(server),
            network,
        })
    }

    fn other(
        &self,
        command: &str,
        network: Network<'a>,
        end: impl Fn(Side) -> Result<End>,
    ) -> Result<Line<'a>> {
        let start = |side: Side| -> Result<Program> {
            let host = side.host();
            let mut shell = network.on(&host, Path::new("sh"));
            shell.args(["-c", command]).env("AHOY_BENCH_SIDE", &host);
            shell.envs(end(side)?.variables);
            Program::start(
                &format!("the other client's {}", side.letter()),
                shell,
                &self.folder.join(format!("{host}.log")),
            )
        };
        let b = start(Side::B)?;
        let a = start(Side::A)?;
        Ok(Line {
            a,
            b,
            server: None,
            network,
        })
    }
}

/// A call that is up: its programs, of which A is first to go, and the network between them.
pub struct Line<'a> {
    a: Program,
    b: Program,
    server: Option<Program>,
    network: Network<'a>,
}

/// What was said and counted in a call, oldest first.
pub struct Record {
    pub a: Vec<Value>,
    pub b: Vec<Value>,
    /// The log of the link emulator.
    pub network: Vec<Value>,
}

impl Line<'_> {
    /// Lets both talk for so long; an error when either ends before.
    pub fn talk(&mut self, time: Duration) -> Result<()> {
        self.a.listen_for(time)
    }

    /// Ends the call, and returns what both said and the network did; it is also written into the folder.
    pub fn hang_up(mut self, folder: &Path) -> Result<Record> {
        // Another client ends with its input.
        if self.server.is_some() {
            self.a.write_line("hangup")?;
        }
        let record = Record {
            a: self.a.finish(END)?,
            b: self.b.finish(END)?,
            network: self.network.log()?,
        };
        save(&folder.join("a.jsonl"), &record.a)?;
        save(&folder.join("b.jsonl"), &record.b)?;
        save(&folder.join("network.jsonl"), &record.network)?;
        Ok(record)
    }
}

fn is_connected(event: &Value) -> bool {
    event["event"] == "state" && event["state"] == "connected"
}

pub fn save(file: &Path, events: &[Value]) -> Result<()> {
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
