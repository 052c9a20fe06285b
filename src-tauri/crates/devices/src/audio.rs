//! Microphones and speakers: over a sound server on Linux, else over `cpal`.
//!
//! ```text
//! driver thread: realtime::capture  ──ring──► Microphone::read   (audio-tx thread)
//! driver thread: realtime::playback ◄──ring── Speaker::write     (audio-rx thread)
//! ```
//!
//! The stream itself lives on a thread named `mic` or `spk`, which looks for another default device meanwhile.

mod follow;
mod format;
mod health;
mod host;
mod microphone;
mod open;
#[cfg(target_os = "linux")]
mod pulse;
pub mod realtime;
mod speaker;

pub(crate) use format::Direction;
pub(crate) use host::SoundHost;
pub use microphone::Microphone;
pub use speaker::Speaker;
