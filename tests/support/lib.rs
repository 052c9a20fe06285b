//! Runs the headless client and the server as separate programs and reads what they print; drives windows and browsers.

mod folder;
pub mod media_server;
mod mute_keeper;
mod party;
pub mod pictures;
mod process;
mod programs;
mod relay;
mod server;
mod talk;
pub mod webdriver;
pub mod window;

pub use folder::TempFolder;
pub use mute_keeper::mute_keeper;
pub use party::Party;
pub use process::Usage;
pub use programs::{cli, serial};
pub use server::TestServer;
pub use talk::talk;

use serde_json::Value;

/// One line of output.
pub type Event = Value;

/// The `event` of a line.
pub fn name(event: &Event) -> &str {
    event["event"].as_str().unwrap_or_default()
}

/// Whether this line says that a call is in this state.
pub fn is_state(event: &Event, state: &str) -> bool {
    name(event) == "state" && event["state"] == state
}

/// The probe lines of a kind, oldest first.
pub fn probes<'a>(events: &'a [Event], kind: &str) -> Vec<&'a Event> {
    events
        .iter()
        .filter(|event| name(event) == "probe" && event["kind"] == kind)
        .collect()
}

/// A number in a line, or a panic that shows the line.
pub fn number(event: &Event, field: &str) -> f64 {
    event[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field} is not a number in {event}"))
}
