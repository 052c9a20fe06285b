//! `cargo xtask run`: from a fresh checkout to an open window, or two.

use crate::invocation::Invocation;
use crate::page;
use crate::platform::Purpose;
use crate::requirements::{self, Consent};
use crate::workspace::{self, Profile};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// What stands behind `run`.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pair: bool,
    profile: Profile,
    consent: Consent,
    /// Go to the window as they are.
    window: Vec<String>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            pair: false,
            profile: Profile::Dev,
            consent: Consent::Ask,
            window: Vec::new(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--pair" => options.pair = true,
                "--release" => options.profile = Profile::Release,
                "--yes" | "-y" => options.consent = Consent::Given,
                "--" => options.window = rest.by_ref().cloned().collect(),
                unknown => bail!("run: unknown option {unknown} (options of the window stand behind --)"),
            }
        }
        Ok(options)
    }
}

pub fn run(options: &Options) -> Result<()> {
    requirements::ensure_packages(&[Purpose::Build], options.consent)?;
    requirements::ensure_node()?;
    page::build()?;
    let mut build = Invocation::cargo().args(["build", "--package", "ahoy", "--features", "custom-protocol"]);
    if options.profile == Profile::Release {
        build = build.arg("--release");
    }
    build.run()?;
    let window = || {
        let mut command = Command::new(workspace::built(options.profile, "ahoy"));
        command.args(&options.window);
        command
    };
    if options.pair {
        open_pair(window(), window())
    } else {
        open_one(window())
    }
}

fn open_one(mut window: Command) -> Result<()> {
    let status = window.status().context("cannot start the window")?;
    if !status.success() {
        bail!("the window ended with {status}");
    }
    Ok(())
}

/// The first window hosts the server; the second signs in on it as user 2.
fn open_pair(mut first: Command, mut second: Command) -> Result<()> {
    let mut first = first
        .arg("--host-pair")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the first window")?;
    let stdout = first.stdout.take().expect("stdout is piped");
    let mut lines = BufReader::new(stdout).lines();
    let Some(invitation) = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Invitation::parse(&line))
    else {
        let status = first.wait()?;
        bail!("the first window ended ({status}) before its server was up");
    };
    let second = second
        .args(["--server", &invitation.server])
        // Not an argument: every user of the machine can read those.
        .env("AHOY_TOKEN", &invitation.token)
        .spawn()
        .context("cannot start the second window")?;
    println!(
        "Two windows are open: user 1 and user 2, both on {}.",
        invitation.server
    );
    // Until the first window closes its end; it must always find a reader.
    lines.map_while(Result::ok).for_each(|line| println!("{line}"));
    wait_for(first, "first")?;
    wait_for(second, "second")
}

fn wait_for(mut window: Child, which: &str) -> Result<()> {
    let status = window.wait()?;
    if !status.success() {
        bail!("the {which} window ended with {status}");
    }
    Ok(())
}

/// What the hosting window says once: where its server is and a token for the second user.
#[derive(Debug, PartialEq, Eq)]
struct Invitation {
    server: String,
    token: String,
}

impl Invitation {
    /// `pair ws://127.0.0.1:40123/ws TOKEN`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("pair"), Some(server), Some(token), None) if server.starts_with("ws://") => Some(Self {
                server: server.to_owned(),
                token: token.to_owned(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_behind_the_dashes_go_to_the_window() {
        let options = parse("--pair --yes -- --camera pattern:640x360@15 --pair").expect("all known");
        assert!(options.pair && options.consent == Consent::Given && options.profile == Profile::Dev);
        assert_eq!(options.window, ["--camera", "pattern:640x360@15", "--pair"]);
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = parse("--fast").expect_err("no such option");
        assert!(error.to_string().contains("--fast"));
    }

    #[test]
    fn only_a_whole_invitation_is_taken() {
        let line = "pair ws://127.0.0.1:40123/ws abc.def.ghi";
        let invitation = Invitation::parse(line).expect("it is whole");
        assert_eq!(invitation.server, "ws://127.0.0.1:40123/ws");
        assert_eq!(invitation.token, "abc.def.ghi");
        for bad in [
            "",
            "pair",
            "pair ws://x/ws",
            "pair http://x y",
            "pair ws://x/ws a b",
            "INFO pair ws://x/ws a",
        ] {
            assert_eq!(Invitation::parse(bad), None, "{bad:?}");
        }
    }
}
