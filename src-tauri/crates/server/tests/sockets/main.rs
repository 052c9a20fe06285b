//! What travels over real sockets: the encodings of messages, and frames that break the rules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod encodings;
mod hostile;
mod support;
