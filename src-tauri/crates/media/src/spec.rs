//! Names of devices in settings and on the command line.

use crate::units::Resolution;
use std::path::PathBuf;

/// One device, in the grammar of the headless client's contract.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceSpec {
    /// What the system calls its default.
    Default,
    /// `mic:<id or name>`
    Microphone(String),
    /// `speaker:<id or name>`
    Speaker(String),
    /// `cam:<index or name>`
    Camera(String),
    /// `tone:440`: a tone in Hz with a click every second.
    Tone { hz: u32 },
    /// `pattern:1280x720@30`: a moving picture that carries its number and time.
    Pattern { resolution: Resolution, frame_rate: u32 },
    /// `file:PATH`: `.wav` for sound, `.y4m` for pictures; input is looped.
    File(PathBuf),
    /// `probe`: an output that reads tone or pattern and reports.
    Probe,
    /// `null`: silence, no picture, or nowhere.
    Null,
}
