//! `cargo xtask test`: every check that needs nothing but this machine.

use crate::cross::laboratory;
use crate::invocation::{Invocation, on_path};
use crate::platform::{Purpose, is_root};
use crate::requirements::{self, Consent};
use crate::steps::{Outcome, Steps};
use crate::workspace::{self, Profile};
use crate::{bench, licences, page};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The window embeds its page in every build here, so that tauri is compiled once and not for two feature sets.
const FEATURES: [&str; 2] = ["--features", "ahoy/custom-protocol"];

pub fn test() -> Result<()> {
    let mut steps = Steps::default();
    steps.step("system packages", || {
        requirements::ensure_packages(&[Purpose::Build, Purpose::Test], Consent::of_this_machine())?;
        requirements::ensure_node()?;
        Ok(Outcome::Done)
    })?;
    steps.step("page: packages", || page::install_packages().map(done))?;
    steps.step("page: types", || page::script("check").map(done))?;
    steps.step("page: unit tests", || page::script("test").map(done))?;
    steps.step("page: build", || page::script("build").map(done))?;
    steps.step("formatting", || {
        Invocation::cargo()
            .args(["fmt", "--all", "--check"])
            .run()
            .map(done)
    })?;
    steps.step("lints", || {
        let clippy = Invocation::cargo()
            .args(["clippy", "--workspace", "--all-targets"])
            .args(FEATURES);
        clippy.args(["--", "-D", "warnings"]).run().map(done)
    })?;
    steps.step("licences and advisories", licences::check)?;
    // Programs and tests in one go: apart, what both stand on would be compiled for two sets of features.
    steps.step("programs", || {
        Invocation::cargo()
            .args(["build", "--workspace", "--all-targets"])
            .args(FEATURES)
            .run()
            .map(done)
    })?;
    steps.step("tests: unit, model, golden, e2e", || {
        Invocation::cargo()
            .args(["test", "--workspace"])
            .args(FEATURES)
            .run()
            .map(done)
    })?;
    steps.step("threads in every order", || {
        Invocation::cargo()
            .args([
                "test",
                "--manifest-path",
                "tests/loom/Cargo.toml",
                "--test",
                "models",
            ])
            .env("CARGO_TARGET_DIR", workspace::target().join("loom"))
            .run()
            .map(done)
    })?;
    steps.step("camera driver", camera)?;
    steps.step("calls with a browser", browser)?;
    steps.step("calls behind routers", behind_nats)?;
    steps.step("window", window)?;
    steps.print_summary();
    Ok(())
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

/// A browser is a large thing to ask for: where it cannot be had, everything else is still checked.
fn browser() -> Result<Outcome> {
    let installed = requirements::ensure_packages(&[Purpose::Browser], Consent::of_this_machine());
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let missing: Vec<&str> = [browser.as_str(), "chromedriver"]
        .into_iter()
        .filter(|program| !on_path(program))
        .collect();
    if !missing.is_empty() {
        let why = installed.map_or_else(|error| format!(" ({error:#})"), |()| String::new());
        return Ok(Outcome::Skipped(format!(
            "no {} on this system{why}",
            missing.join(" and ")
        )));
    }
    let left_out = workspace::target().join("browser-skipped.txt");
    // There may be none of an earlier run.
    fs::remove_file(&left_out).ok();
    Invocation::cargo()
        .args(["test", "--workspace", "--test", "browser"])
        .args(FEATURES)
        .args(["--", "--ignored", "--nocapture"])
        .env("AHOY_BROWSER_SKIPPED", &left_out)
        .run()?;
    match fs::read_to_string(&left_out) {
        Ok(names) => Ok(Outcome::Partly(names.trim_end().replace('\n', ", "))),
        // Written only when something was left out.
        Err(_) => Ok(Outcome::Done),
    }
}

/// The driver of real cameras on a virtual one, which changes nothing on this machine but for a node that root makes.
fn camera() -> Result<Outcome> {
    let Some(lab) = laboratory().filter(|lab| lab.join("fakecam/fakecam.c").is_file()) else {
        let why = "no laboratory with a virtual camera in AHOY_LAB or ../shared/lab beside the checkout";
        return Ok(Outcome::Skipped(why.into()));
    };
    if !cfg!(target_os = "linux") || !(is_root() || Path::new(CAMERA).exists()) {
        return Ok(Outcome::Skipped(format!(
            "takes Linux, and root to make {CAMERA}"
        )));
    }
    Invocation::cargo()
        .args(["test", "--workspace", "--test", "lab"])
        .args(FEATURES)
        .args(["--", "camera", "--nocapture"])
        .env("AHOY_LAB", lab)
        .run()?;
    Ok(Outcome::Done)
}

/// Where the virtual camera is found.
const CAMERA: &str = "/dev/video0";

/// Only who names a laboratory has its network made: it takes root, and changes this machine for as long.
fn behind_nats() -> Result<Outcome> {
    let Some(lab) = std::env::var_os("AHOY_LAB").map(PathBuf::from) else {
        return Ok(Outcome::Skipped("AHOY_LAB does not name a laboratory".into()));
    };
    requirements::ensure_packages(&[Purpose::Laboratory], Consent::of_this_machine())?;
    Invocation::cargo()
        .args(["test", "--workspace", "--test", "behind_nats"])
        .args(FEATURES)
        .args(["--", "--ignored", "--nocapture"])
        .env("LINKEM", bench::link_emulator(&lab)?)
        .run()?;
    Ok(Outcome::Done)
}

/// Programs without which the window cannot be driven unseen.
const WINDOW_TOOLS: [&str; 3] = ["Xvfb", "WebKitWebDriver", "dbus-daemon"];

fn window() -> Result<Outcome> {
    let missing: Vec<&str> = WINDOW_TOOLS
        .into_iter()
        .filter(|program| !on_path(program))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        if std::env::var_os("CI").is_some() {
            bail!("{missing} missing");
        }
        return Ok(Outcome::Skipped(format!("no {missing} on this system")));
    }
    Invocation::cargo()
        .args(["test", "--workspace"])
        .args([
            "--test",
            "window",
            "--test",
            "window_link",
            "--test",
            "window_stream",
        ])
        .args(FEATURES)
        .args(["--", "--ignored", "--nocapture"])
        .env("AHOY_WINDOW", workspace::built(Profile::Dev, "ahoy"))
        .env(
            "AHOY_WINDOW_PICTURE",
            workspace::target().join("window-smoke.png"),
        )
        .run()?;
    Ok(Outcome::Done)
}
