//! Licences, banned crates and known advisories of every dependency, by cargo-deny.

use crate::invocation::Invocation;
use crate::steps::Outcome;
use crate::workspace;
use anyhow::Result;
use std::path::PathBuf;

/// The version whose configuration format `.cargo/deny.toml` has.
const VERSION: &str = "0.20.2";

pub fn check() -> Result<Outcome> {
    let program = ensure_installed()?;
    let deny = || {
        Invocation::new(&program.to_string_lossy())
            .current_dir(workspace::root())
            .args(["--workspace", "--config", ".cargo/deny.toml"])
    };
    deny().args(["check", "licenses", "bans", "sources"]).run()?;
    // The database is a git repository on another machine; without it there is nothing to check against.
    if let Err(error) = deny().args(["fetch", "db"]).run() {
        println!("advisories are not checked, their database cannot be fetched: {error:#}");
        return Ok(Outcome::Partly(
            "advisories, their database cannot be fetched".into(),
        ));
    }
    deny().args(["check", "--disable-fetch", "advisories"]).run()?;
    Ok(Outcome::Done)
}

fn ensure_installed() -> Result<PathBuf> {
    let wanted = format!("cargo-deny {VERSION}");
    let folder = workspace::target().join("tools");
    let own = folder
        .join("bin")
        .join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    for candidate in [own.clone(), PathBuf::from("cargo-deny")] {
        let version = Invocation::new(&candidate.to_string_lossy())
            .arg("--version")
            .output();
        if version.is_some_and(|version| version.trim() == wanted) {
            return Ok(candidate);
        }
    }
    Invocation::cargo()
        .args(["install", "--locked", "--debug", "--root"])
        .arg(&folder)
        .arg(format!("cargo-deny@{VERSION}"))
        // It runs once for a few seconds: compile time counts.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .run()?;
    Ok(own)
}
