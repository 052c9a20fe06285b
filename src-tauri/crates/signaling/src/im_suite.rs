//! IM-Suite signaling v1: `call.*` messages in a JSON envelope `{type, payload, timestamp}`.
//!
//! `wire` is the messages as they travel, `translate` their meaning as neutral signals, `session` one signed-in connection;
//! `encoding` puts the texts into frames.
//! Section numbers (§) in this folder are those of the IM-Suite wire specification.

pub mod encoding;
mod outbox;
mod recent;
mod session;
mod translate;
pub mod wire;
pub(crate) mod words;

pub use session::Session;
