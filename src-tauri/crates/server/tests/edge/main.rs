//! The server as HTTP clients meet it: REST, tokens, limits, TLS, metrics, the end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod door;
mod end;
mod lists;
mod sign_in;
mod support;
mod tokens;
