//! One call between two programs in the laboratory, of ours or of another client.

use super::arrivals;
use super::figures::Figures;
use super::gap;
use super::lab::{Lab, Network, Side, Sound};
use super::program::Program;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SET_UP: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(10);

/// Which client makes the call.
#[derive(Debug, Clone)]
pub enum Client {
    Ours(PathBuf),
    /// A command for a shell, run once on each side.
    ///
    /// `AHOY_BENCH_SIDE` is `a` on the side that calls and speaks, else `b`; the sides reach each other at 10.77.1.1 and
    /// 10.77.2.1. Its sound devices are those of the system. It says `{"event":"state","state":"connected"}` when the
    /// call is up, may say statistics as ours does, and ends when its input does.
    Other(String),
}

/// What is the same for each call.
pub struct Studio<'a> {
    pub lab: &'a Lab,
    pub sound: &'a Sound<'a>,
    pub speech: &'a Path,
    pub seconds: u32,
    /// What ours does to the voice.
    pub voice: &'a str,
}

impl Studio<'_> {
    /// Makes one call and returns how it was; what it left is in `folder`.
    pub fn call(&self, client: &Client, scenario: &Path, seed: u64, folder: &Path) -> Result<Figures> {
        fs::create_dir_all(folder)?;
        let network = self.lab.network(scenario, seed)?;
        let mut line = match client {
            Client::Ours(program) => self.ours(program, &network, folder)?,
            Client::Other(command) => self.other(command, &network, folder)?,
        };
        for side in [&mut line.a, &mut line.b] {
            side.wait_for("that the call is up", SET_UP, is_connected)?;
        }
        network.go()?;
        let recording = folder.join("call.wav");
        self.sound.record(self.speech, &recording, self.seconds)?;
        if matches!(client, Client::Ours(_)) {
            line.a.write_line("hangup")?;
        }
        for side in [&mut line.a, &mut line.b] {
            side.finish(END)?;
        }
        let scores = self.lab.score(&recording)?;
        let log = fs::read_to_string(folder.join("b.log"))?;
        fs::write(folder.join("arrivals.txt"), arrivals::from_log(&log))?;
        save(&folder.join("a.jsonl"), &line.a.events)?;
        save(&folder.join("b.jsonl"), &line.b.events)?;
        save(&folder.join("scores.json"), std::slice::from_ref(&scores))?;
        let figures = Figures::read(&line.a.events, &line.b.events, &scores);
        let (said, heard) = both_ends(&recording)?;
        Ok(Figures {
            gap: figures.delay.and_then(|delay| gap::longest(&said, &heard, delay)),
            ..figures
        })
    }

    fn ours(&self, program: &Path, network: &Network<'_>, folder: &Path) -> Result<Line> {
        let mut serve = network.on("s", program);
        serve.args(["serve", "--listen", "10.77.3.1:0", "--turn", "10.77.3.1:0"]);
        serve.args(["--user", "1:Ada:secret", "--user", "2:Ben:secret"]);
        let mut server = Program::start("the server", serve, &folder.join("server.log"))?;
        let listening = server.wait_for("that it listens", SET_UP, |event| event["event"] == "listening")?;
        let address = listening["ws"].as_str().context("the server names no address")?;
        let client = |side: Side, words: &[&str]| -> Result<Command> {
            let user = if side == Side::A { "1" } else { "2" };
            let host = side.letter().to_ascii_lowercase().to_string();
            let token = listening["tokens"][user].as_str().context("no token")?;
            let mut command = network.on(&host, program);
            command.args(words).args(["--server", address, "--insecure-ws"]);
            command
                .args(["--token", token, "--voice", self.voice])
                .envs(self.sound.variables(side)?);
            Ok(command)
        };
        let mut listen = client(Side::B, &["listen", "--calls", "1", "--log", arrivals::FILTER])?;
        // Colours would stand between the words of its log.
        listen.env("NO_COLOR", "1");
        let mut b = Program::start("B", listen, &folder.join("b.log"))?;
        b.wait_for("that it is signed in", SET_UP, |event| {
            event["event"] == "signed_in"
        })?;
        let call = client(Side::A, &["call", "--to", "2"])?;
        let a = Program::start("A", call, &folder.join("a.log"))?;
        Ok(Line {
            a,
            b,
            _server: Some(server),
        })
    }

    fn other(&self, command: &str, network: &Network<'_>, folder: &Path) -> Result<Line> {
        let start = |side: Side| -> Result<Program> {
            let host = side.letter().to_ascii_lowercase().to_string();
            let mut shell = network.on(&host, Path::new("sh"));
            shell.args(["-c", command]).env("AHOY_BENCH_SIDE", &host);
            shell.envs(self.sound.variables(side)?);
            Program::start(
                &format!("the other client's {}", side.letter()),
                shell,
                &folder.join(format!("{host}.log")),
            )
        };
        Ok(Line {
            b: start(Side::B)?,
            a: start(Side::A)?,
            _server: None,
        })
    }
}

/// The programs of one call. A is first to go.
struct Line {
    a: Program,
    b: Program,
    _server: Option<Program>,
}

/// What A's microphone and B's loudspeaker had, of the laboratory's recording.
fn both_ends(recording: &Path) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut reader =
        hound::WavReader::open(recording).with_context(|| format!("cannot read {}", recording.display()))?;
    let (format, channels) = (reader.spec(), usize::from(reader.spec().channels));
    if channels != 4 || format.sample_rate as usize != gap::RATE {
        bail!("{} is not of the laboratory: {format:?}", recording.display());
    }
    let samples = reader.samples::<i16>().collect::<Result<Vec<i16>, _>>()?;
    let channel = |at: usize| {
        let its = samples.iter().skip(at).step_by(channels);
        its.map(|sample| f32::from(*sample) / 32_768.0).collect()
    };
    Ok((channel(0), channel(3)))
}

fn is_connected(event: &Value) -> bool {
    event["event"] == "state" && event["state"] == "connected"
}

fn save(file: &Path, events: &[Value]) -> Result<()> {
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
