//! `cargo xtask bench`: calls in the laboratory, and a table of how good they were.

mod arrivals;
mod call;
mod gap;
mod goal;
mod lab;
mod options;
mod picture;
mod program;
mod rounds;
mod scenario;
mod scorer;
mod span;
mod voice;

pub use lab::link_emulator;
pub use options::Options;

use crate::cross::laboratory;
use anyhow::Result;
use lab::Lab;
use options::Subject;
use picture::Picture;
use voice::Voice;

pub fn bench(options: &Options) -> Result<()> {
    let Some(tools) = laboratory().filter(|lab| lab.join("net.sh").is_file()) else {
        println!("skipped: no laboratory with net.sh in AHOY_LAB or ../shared/lab beside the checkout");
        return Ok(());
    };
    let lab = Lab::set_up(tools)?;
    match options.subject {
        Subject::Voice => rounds::run(&Voice::set_up(&lab, options)?, &lab, options),
        Subject::Picture => rounds::run(&Picture::set_up(&lab, options)?, &lab, options),
    }
}
