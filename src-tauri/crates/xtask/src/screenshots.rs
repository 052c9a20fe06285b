//! `cargo xtask screenshots`: a picture of every screen, drawn by a real browser from scripted states.

use crate::page;
use crate::platform::Purpose;
use crate::requirements::{self, Consent};
use anyhow::Result;

pub fn screenshots() -> Result<()> {
    requirements::ensure_packages(&[Purpose::Pictures], Consent::of_this_machine())?;
    requirements::ensure_node()?;
    page::install_packages()?;
    page::script("screenshots")
}
