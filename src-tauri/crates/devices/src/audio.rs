//! Microphones and speakers over `cpal`.
//!
//! ```text
//! driver thread: realtime::capture  ──ring──► Microphone::read   (audio-tx thread)
//! driver thread: realtime::playback ◄──ring── Speaker::write     (audio-rx thread)
//! ```
//!
//! The stream itself lives on a thread named `mic` or `spk` that only waits for its end.

mod format;
mod health;
mod microphone;
mod open;
pub mod realtime;
mod speaker;

pub(crate) use format::{Direction, describe};
pub use microphone::Microphone;
pub(crate) use open::quiet;
pub use speaker::Speaker;
