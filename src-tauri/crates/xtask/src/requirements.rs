//! What must be on the machine before anything is built; installs it, asking once.

use crate::invocation::{Invocation, on_path};
use crate::platform::{self, Installer, Purpose};
use anyhow::{Result, bail};
use std::io::{BufRead, IsTerminal, Write};

/// Oldest Node that the page's build tools run on.
const NODE: u32 = 20;

/// How the question before an installation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// A person is asked; without a terminal the command is printed and nothing is installed.
    Ask,
    /// Given beforehand.
    Given,
}

impl Consent {
    /// Given for a machine that tests by itself: `CI=true`, or root without a terminal, as in a container.
    pub fn of_this_machine() -> Self {
        let ci =
            std::env::var_os("CI").is_some_and(|value| value != "false" && value != "0" && !value.is_empty());
        if ci || (platform::is_root() && !std::io::stdin().is_terminal()) {
            Self::Given
        } else {
            Self::Ask
        }
    }
}

/// Makes sure that the packages for these purposes are installed.
pub fn ensure_packages(purposes: &[Purpose], consent: Consent) -> Result<()> {
    let Some(installer) = Installer::detect() else {
        println!(
            "This Linux has neither apt, dnf nor pacman. Ahoy needs: a C and C++ compiler, cmake, pkg-config, \
             libclang, and the headers of ALSA, D-Bus, libvpx and WebKitGTK 4.1."
        );
        return Ok(());
    };
    if installer == Installer::Brew && !Invocation::new("xcode-select").arg("-p").succeeds() {
        bail!("the Xcode command line tools are missing; install them with: xcode-select --install");
    }
    let wanted: Vec<&str> = purposes
        .iter()
        .flat_map(|&purpose| installer.packages(purpose))
        .copied()
        .collect();
    let missing = installer.missing(&wanted);
    if missing.is_empty() {
        return Ok(());
    }
    println!("Missing on this system: {}", missing.join(", "));
    let Some(lines) = installer.install(&missing, platform::is_root(), consent == Consent::Given) else {
        bail!("{} missing\n{}", missing.join(" and "), platform::WINDOWS_STEPS);
    };
    if installer == Installer::Brew && !on_path("brew") {
        bail!("Homebrew is missing; see https://brew.sh, then run the same command again");
    }
    let shown: Vec<&str> = lines.iter().map(Invocation::shown).collect();
    let shown = shown.join(" && ");
    if consent == Consent::Ask && !agreed(&shown)? {
        bail!("nothing was installed; the command is\n  {shown}");
    }
    for line in lines {
        line.run()?;
    }
    match installer.missing(&missing) {
        left if left.is_empty() => Ok(()),
        left => bail!("still missing after the installation: {}", left.join(", ")),
    }
}

fn agreed(shown: &str) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    print!("Install with\n  {shown}\nnow? [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

/// Makes sure that Node is there and new enough.
pub fn ensure_node() -> Result<()> {
    let Some(version) = Invocation::new("node").arg("--version").output() else {
        bail!("Node is missing: install version {NODE} or newer from https://nodejs.org");
    };
    match major(&version) {
        Some(major) if major >= NODE => Ok(()),
        Some(_) => bail!(
            "Node is {}, but the page needs {NODE} or newer: https://nodejs.org",
            version.trim()
        ),
        None => bail!("node --version answers {:?}, which is no version", version.trim()),
    }
}

/// `v20.11.1` is 20.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read_by_their_first_number() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("18.0.0"), Some(18));
        assert_eq!(major("node"), None);
    }

    #[test]
    fn enter_means_yes_and_anything_unclear_means_no() {
        for yes in ["\n", "y\n", "YES\n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["n\n", "no\n", "what\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
