//! Sound and its two pipelines.
//!
//! Inside a pipeline sound is mono `f32` in -1..1 at 48 kHz, cut into frames of 20 ms. Devices have any rate and any
//! number of channels; the conversion stands at the two ends.

pub mod attention;
pub mod capture;
pub mod frame;
pub mod level;
pub mod pace;
pub mod playout;
pub mod render_tap;
pub mod resample;
pub mod stretch;
pub mod voice;

pub use capture::{AudioCapture, AudioOutStats, CaptureSettings};
pub use playout::{AudioInStats, AudioPlayout, PacketInlet};
