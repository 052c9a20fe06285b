//! IM-Suite signaling v1: `call.*` messages in a JSON envelope `{type, payload, timestamp}`.
//!
//! `wire` is the messages as they travel, `translate` their meaning as neutral signals, `session` one signed-in connection.
//! Section numbers (§) in this folder are those of the IM-Suite wire specification.

mod outbox;
mod recent;
mod session;
mod translate;
pub mod wire;

pub use session::Session;

/// The WebSocket subprotocol of the JSON encoding (§12).
pub const SUBPROTOCOL: &str = "im-suite.v1.json";
