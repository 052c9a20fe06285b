//! Where the programs under test are.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The headless client: `AHOY_CLI`, else the one built beside this test.
pub fn cli() -> PathBuf {
    if let Some(path) = std::env::var_os("AHOY_CLI") {
        return path.into();
    }
    // target/debug/deps/this-test → target/debug/ahoy-cli
    let test = std::env::current_exe().expect("a running test has a path");
    let built = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests run from target/*/deps");
    let path = built.join(format!("ahoy-cli{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p ahoy-cli` first",
        path.display()
    );
    path
}

/// Calls need the whole machine: tests of one file that make them take turns.
pub fn serial() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
