//! Where things lie in the checkout.

use std::path::PathBuf;

/// Top folder of the checkout.
pub fn root() -> PathBuf {
    // Compiled in: xtask always runs from the checkout that built it.
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .expect("xtask lies three folders below the checkout")
}

/// The page's folder.
pub fn ui() -> PathBuf {
    root().join("ui")
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// A program that cargo built for this machine.
pub fn built(profile: Profile, name: &str) -> PathBuf {
    target()
        .join(profile.folder())
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// How the window is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Media code is optimised, the rest builds fast.
    Dev,
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Profile::Dev => "debug",
            Profile::Release => "release",
        }
    }
}
