//! `devices`: what the system has.

use crate::exit::Exit;
use crate::output::Output;
use serde_json::json;

/// Prints one line for each microphone, speaker and camera.
pub fn run(output: Output) -> Exit {
    for device in ahoy_devices::list() {
        output.line(&json!({
            "event": "device",
            "kind": device.kind.to_string(),
            "id": device.id,
            "name": device.name,
            "default": device.is_default,
            "formats": device.formats,
        }));
    }
    Exit::Ok
}
