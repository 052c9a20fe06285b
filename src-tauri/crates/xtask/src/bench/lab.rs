//! The laboratory's tools, and what of them is up: sound cards and network are taken down when their values go.

use crate::invocation::Invocation;
use crate::platform::Purpose;
use crate::requirements::{self, Consent};
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One end of the line; A calls, B answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn letter(self) -> char {
        match self {
            Side::A => 'A',
            Side::B => 'B',
        }
    }

    /// The name of its host.
    pub fn host(self) -> String {
        self.letter().to_ascii_lowercase().to_string()
    }
}

pub struct Lab {
    pub tools: PathBuf,
    /// Everything that is made: builds, recordings, logs.
    pub folder: PathBuf,
    linkem: PathBuf,
}

impl Lab {
    /// Installs and builds what the tools need.
    pub fn set_up(tools: PathBuf) -> Result<Self> {
        requirements::ensure_packages(&[Purpose::Build, Purpose::Laboratory], Consent::of_this_machine())?;
        let folder = workspace::target().join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            linkem: link_emulator(&tools)?,
            tools,
            folder,
        })
    }

    /// Where its tools keep what they log.
    fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(self.tools.join(name))
            .env("RUN", self.run())
            .env("LINKEM", &self.linkem);
        command
    }

    /// Speech of at least so many seconds.
    pub fn speech(&self, seconds: u32) -> Result<PathBuf> {
        let (once, whole) = (self.folder.join("speech.wav"), self.folder.join("long.wav"));
        succeed(self.tool("speech.sh").arg(&once))?;
        // It is some 30 seconds; silence between would be scored too.
        let repeats = (seconds / 25).to_string();
        succeed(
            Command::new("sox")
                .args([&once, &whole])
                .args(["repeat", &repeats]),
        )?;
        Ok(whole)
    }

    pub fn sound(&self) -> Result<Sound<'_>> {
        succeed(self.tool("sound.sh").arg("up"))?;
        Ok(Sound { lab: self })
    }

    pub fn network(&self, scenario: &Path, seed: u64) -> Result<Network<'_>> {
        // Left behind by a run that was killed.
        succeed(self.tool("net.sh").arg("down"))?;
        let seed = seed.to_string();
        succeed(
            self.tool("net.sh")
                .arg("up")
                .arg(scenario)
                .args(["--hold", "--seed", &seed]),
        )?;
        Ok(Network { lab: self })
    }
}

/// The virtual sound cards.
pub struct Sound<'a> {
    lab: &'a Lab,
}

impl Sound<'_> {
    /// Variables that make the cards of one side those of the system.
    pub fn variables(&self, side: Side) -> Result<Vec<(String, String)>> {
        let output = self
            .lab
            .tool("sound.sh")
            .args(["env", &side.letter().to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let variables = text.trim().trim_start_matches("export ").split_whitespace();
        Ok(variables
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Speaks into A's microphone and records all cards until the time is over.
    pub fn record(&self, speech: &Path, recording: &Path, seconds: u32) -> Result<()> {
        let mut recorder = self.lab.tool("sound.sh");
        recorder.arg("record").arg(recording).arg(seconds.to_string());
        let mut recorder = quiet(&mut recorder).spawn()?;
        let mut speaker = self.lab.tool("sound.sh");
        speaker.args(["say", "A"]).arg(speech);
        let mut speaker = quiet(&mut speaker).spawn()?;
        let recorded = recorder.wait()?;
        // The speech is longer than the recording.
        let _ = speaker.kill();
        speaker.wait()?;
        if !recorded.success() {
            bail!("the sound cards were not recorded ({recorded})");
        }
        Ok(())
    }
}

impl Drop for Sound<'_> {
    fn drop(&mut self) {
        let _ = succeed(self.lab.tool("sound.sh").arg("down"));
    }
}

/// The hosts of A, B and the server, with the emulated links between them.
pub struct Network<'a> {
    lab: &'a Lab,
}

impl Network<'_> {
    /// Starts the scenario's clock.
    pub fn go(&self) -> Result<()> {
        succeed(self.lab.tool("net.sh").arg("go"))
    }

    /// What the emulator logged so far: each pipe's packets, second by second.
    pub fn log(&self) -> Result<Vec<serde_json::Value>> {
        let file = self.lab.run().join("linkem.jsonl");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        // The last line may be half written.
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// A program on one of the hosts `a`, `b` and `s`.
    pub fn on(&self, host: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &format!("lab-{host}")])
            .arg(program);
        command
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        let _ = succeed(self.lab.tool("net.sh").arg("down"));
    }
}

/// Builds the emulator of links between the laboratory's hosts.
pub fn link_emulator(tools: &Path) -> Result<PathBuf> {
    let linkem = workspace::target().join("bench").join("linkem");
    Invocation::cargo()
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(tools.join("linkem").join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &linkem)
        .run()?;
    Ok(linkem.join("release").join("linkem"))
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Runs a command of the laboratory; its own words are in the error. Not those of what it leaves running.
fn succeed(command: &mut Command) -> Result<()> {
    let status = quiet(command)
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status}); this needs root, network namespaces and /dev/net/tun");
    }
    Ok(())
}
