//! The page inside the window: its packages, checks and build, through npm.

use crate::invocation::Invocation;
use crate::workspace;
use anyhow::{Context, Result};
use std::fs;

fn npm() -> Invocation {
    Invocation::new("npm").current_dir(workspace::ui())
}

/// Runs one script of `ui/package.json`.
pub fn script(name: &str) -> Result<()> {
    npm().args(["run", name]).run()
}

/// Installs the locked packages, unless those installed are from this very lock file.
pub fn install_packages() -> Result<()> {
    let lock = workspace::ui().join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    // A copy of the lock file beside the packages it describes; npm removes it with them.
    let installed = workspace::ui().join("node_modules").join(".installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    npm().args(["ci", "--no-audit", "--no-fund"]).run()?;
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

/// Builds the page that the window embeds.
pub fn build() -> Result<()> {
    install_packages()?;
    script("build")
}
