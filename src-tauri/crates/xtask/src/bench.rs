//! `cargo xtask bench`: calls in the laboratory, and a table of how good they were.

mod arrivals;
mod call;
mod figures;
mod gap;
mod goals;
mod lab;
mod options;
mod program;
mod scenario;
mod voice;

pub use lab::link_emulator;
pub use options::Options;

use anyhow::Result;

pub fn bench(options: &Options) -> Result<()> {
    voice::bench(options)
}
