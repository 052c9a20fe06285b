//! What the README's commands do: `cargo xtask run`, `test`, `fuzz`, `bench`, `cross`, `screenshots`.
//!
//! Little more than the standard library, so that it builds in seconds on a fresh machine, before anything else is
//! installed. It starts other programs and reads their results; it knows nothing of calls.

// Speaking on the terminal is this program's work.
#![allow(clippy::print_stdout)]

mod bench;
mod check;
mod cross;
mod fuzz;
mod invocation;
mod licences;
mod page;
mod platform;
mod requirements;
mod run;
mod screenshots;
mod steps;
mod workspace;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask run [--pair] [--release] [--yes] [-- OPTIONS OF THE WINDOW]
    installs what is missing (one question first; --yes answers it), builds, and opens the Ahoy window;
    --pair opens two windows, users 1 and 2, that can ring each other
cargo xtask test
    every check: page, formatting, lints, licences, advisories, tests, calls with Chromium, one run of the real window;
    with AHOY_LAB=FOLDER also calls behind routers that translate addresses (root, Linux)
cargo xtask fuzz [--seconds N] [json] [rooms] [cbor] [stun]
    random bytes at every door for bytes of strangers, 60 seconds each; fails on a panic, a hang or runaway memory
cargo xtask bench voice [--scenario NAME]... [--seconds N] [--runs N] [--seed N] [--other COMMAND] [--before AHOY-CLI] [--dev]
    calls with speech in the laboratory (root, Linux), where it stands beside the checkout: delay, concealment and speech
    scores on bad networks, and which goals are met; COMMAND is another client, AHOY-CLI another build of ours,
    beside which this one is shown
cargo xtask bench picture [THE SAME]
    the same with pictures both ways: freezes, size, glass to glass, likeness, lip-sync, use of the link, cores and memory
cargo xtask cross
    Windows build, a call under Wine, and the macOS type check, where the laboratory stands beside the checkout
cargo xtask screenshots
    draws every screen into assets/screenshots";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((task, rest)) = arguments.split_first() else {
        println!("{USAGE}");
        return Ok(());
    };
    match (task.as_str(), rest) {
        ("run", options) => run::run(&run::Options::parse(options)?),
        ("test", []) => check::test(),
        ("fuzz", options) => fuzz::fuzz(&fuzz::Options::parse(options)?),
        ("bench", options) => bench::bench(&bench::Options::parse(options)?),
        ("cross", []) => cross::cross(),
        ("screenshots", []) => screenshots::screenshots(),
        ("help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            Ok(())
        }
        ("test" | "cross" | "screenshots", [unknown, ..]) => {
            bail!("{task}: unknown option {unknown}\n\n{USAGE}")
        }
        (unknown, _) => bail!("unknown task {unknown}\n\n{USAGE}"),
    }
}
