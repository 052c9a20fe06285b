//! Devices that read and write files: `.wav` for sound, `.y4m` for pictures.

pub mod wav;
pub mod y4m;
