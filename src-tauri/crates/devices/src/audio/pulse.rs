//! Sound by a PulseAudio server, or by PipeWire in its place, over libpulse.
//!
//! The server itself takes a stream to another device when its default changes or a device goes, so a stream here only
//! hears of it. Everything that touches libpulse is in this folder: a thread of the library calls back under its lock,
//! and every other thread takes that lock first.

mod connection;
mod devices;
mod stream;

pub(crate) use connection::Connection;
pub(super) use stream::{ServerEnd, ServerStream};
