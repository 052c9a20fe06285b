//! `cargo xtask cross`: the other two systems, from Linux, with the laboratory's cross tools.

use crate::invocation::Invocation;
use crate::page;
use crate::requirements;
use crate::steps::{Outcome, Steps};
use crate::workspace::{self, Profile};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The folder that `cross.sh windows` builds into.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

pub fn cross() -> Result<()> {
    let Some(cross) = laboratory()
        .map(|lab| lab.join("cross").join("cross.sh"))
        .filter(|tool| tool.is_file())
    else {
        println!(
            "skipped: no laboratory with cross/cross.sh in AHOY_LAB or ../shared/lab beside the checkout"
        );
        return Ok(());
    };
    let mut steps = Steps::default();
    steps.step("cross tools", || tool(&cross).arg("setup").run().map(done))?;
    steps.step("page", || {
        requirements::ensure_node()?;
        page::build().map(done)
    })?;
    steps.step("windows: build", || {
        let build = tool(&cross).args(["windows", "build", "--package", "ahoy-cli", "--package", "ahoy"]);
        build.args(["--features", "ahoy/custom-protocol"]).run().map(done)
    })?;
    steps.step("windows: a call under Wine", || {
        Invocation::cargo()
            .args([
                "build",
                "--workspace",
                "--bins",
                "--features",
                "ahoy/custom-protocol",
            ])
            .run()?;
        Invocation::cargo()
            .args([
                "test",
                "--workspace",
                "--features",
                "ahoy/custom-protocol",
                "--test",
                "wine_call",
            ])
            .args(["--", "--nocapture"])
            .env("AHOY_CLI", workspace::built(Profile::Dev, "ahoy-cli"))
            .env("AHOY_CROSS", &cross)
            .env(
                "AHOY_WINDOWS_CLI",
                workspace::target()
                    .join(WINDOWS)
                    .join("debug")
                    .join("ahoy-cli.exe"),
            )
            .run()
            .map(done)
    })?;
    steps.step("macos: check", || {
        tool(&cross)
            .args(["macos", "check", "--workspace"])
            .run()
            .map(done)
    })?;
    steps.print_summary();
    Ok(())
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

fn tool(cross: &Path) -> Invocation {
    Invocation::new(&cross.to_string_lossy()).current_dir(workspace::root())
}

/// The laboratory's folder, if there is one.
pub fn laboratory() -> Option<PathBuf> {
    let beside = workspace::root().join("..").join("shared").join("lab");
    let folder = std::env::var_os("AHOY_LAB").map_or(beside, PathBuf::from);
    folder.canonicalize().ok()
}
