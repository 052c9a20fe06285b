//! Starting one program: shown before it runs, an error that names it when it fails.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// One program with its arguments.
pub struct Invocation {
    command: Command,
    shown: String,
}

impl Invocation {
    pub fn new(program: &str) -> Self {
        Self {
            command: Command::new(program_file(program)),
            shown: program.to_owned(),
        }
    }

    /// The cargo that runs this program, in the checkout.
    pub fn cargo() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(crate::workspace::root());
        // Set by cargo for this process; the inner build must not believe that it is part of xtask.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text == "CARGO_MANIFEST_DIR" {
                command.env_remove(&name);
            }
        }
        Self {
            command,
            shown: "cargo".into(),
        }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let text = argument.as_ref().to_string_lossy().into_owned();
        let quoted = if text.contains([' ', '"', '$']) {
            format!("'{text}'")
        } else {
            text
        };
        self.shown = format!("{} {quoted}", self.shown);
        self.command.arg(argument);
        self
    }

    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(self, arguments: I) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// The command line as a person would type it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Runs it on this terminal until it ends; an error unless it succeeds.
    pub fn run(mut self) -> Result<()> {
        println!("$ {}", self.shown);
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot start {}", self.shown))?;
        if !status.success() {
            bail!("{} failed ({status})", self.shown);
        }
        Ok(())
    }

    /// Runs it unseen and returns what it wrote to its standard output; `None` when it cannot be started or fails.
    pub fn output(mut self) -> Option<String> {
        let output = self
            .command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it unseen; `true` when it succeeds.
    pub fn succeeds(self) -> bool {
        self.output().is_some()
    }
}

/// Windows starts `.cmd` scripts only by their full name.
fn program_file(program: &str) -> String {
    match program {
        "npm" | "npx" if cfg!(windows) => format!("{program}.cmd"),
        _ => program.to_owned(),
    }
}

/// Whether a program stands in `PATH`.
pub fn on_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|folder| folder.join(&file).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shown_line_can_be_typed_again() {
        let line = Invocation::new("apt-get").args(["install", "-y"]).arg("a b");
        assert_eq!(line.shown(), "apt-get install -y 'a b'");
    }

    #[test]
    fn a_program_that_is_not_there_gives_no_output() {
        assert!(!Invocation::new("no-such-program-of-ahoy").succeeds());
        assert!(!on_path("no-such-program-of-ahoy"));
    }
}
