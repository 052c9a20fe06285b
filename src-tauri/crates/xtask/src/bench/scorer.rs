//! The laboratory's scores of speech, and the Python that they need.

use super::lab::Lab;
use crate::invocation::Invocation;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `score.py` imports.
const SCORES: [&str; 6] = [
    "numpy",
    "scipy",
    "soundfile",
    "pystoi",
    "pesq",
    "visqol-python[lattice]",
];

pub struct Scorer {
    python: PathBuf,
    script: PathBuf,
}

impl Scorer {
    /// Installs what it needs.
    pub fn set_up(lab: &Lab) -> Result<Self> {
        Ok(Self {
            python: python(&lab.folder)?,
            script: lab.tools.join("score.py"),
        })
    }

    /// The scores of what B heard of A, as JSON.
    pub fn score(&self, recording: &Path) -> Result<serde_json::Value> {
        let output = Command::new(&self.python)
            .arg(&self.script)
            .arg("--rig")
            .arg(recording)
            .args(["1", "4"])
            .output()
            .with_context(|| format!("cannot start {}", self.python.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // Its libraries talk too.
        text.lines()
            .rev()
            .find_map(|line| serde_json::from_str(line).ok())
            .with_context(|| format!("no scores: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// A Python with the libraries of the scores: the one of `AHOY_LAB_PYTHON`, else one of its own.
fn python(folder: &Path) -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("AHOY_LAB_PYTHON") {
        return Ok(PathBuf::from(python));
    }
    let home = folder.join("python");
    let python = home.join("bin").join("python");
    let ready = Invocation::new(&python.display().to_string())
        .args(["-c", "import numpy, scipy, soundfile, pystoi, pesq, visqol"])
        .succeeds();
    if !ready {
        Invocation::new("python3").args(["-m", "venv"]).arg(&home).run()?;
        let install =
            Invocation::new(&python.display().to_string()).args(["-m", "pip", "install", "--quiet"]);
        install.args(SCORES).run()?;
    }
    Ok(python)
}
