//! The library's defects and what this crate does about each: every test shows the harm with the workaround off.

mod fast_clock;
mod long_relay;
mod lossy;
mod moving;
mod orientation;
mod voice;
mod workarounds;

#[path = "../tests/support/mod.rs"]
mod support;
