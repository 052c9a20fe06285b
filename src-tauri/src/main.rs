//! The Ahoy window.
//!
//! | file | owns |
//! |---|---|
//! | `app` | start and end: window, feed, session |
//! | `only_window` | what becomes of a second start: its link goes to the window that is open |
//! | `session` | who is signed in where: the client, and the embedded server with Echo |
//! | `commands` | one function per intent of the user |
//! | `view_model` | what the page shows, and the contract with it |
//! | `bridge` | view models on their way into the page |
//! | `video_feed` | pictures on their way into the page |
//! | `graphics` | how the window is drawn on this machine |
//! | `invitation`, `typed_stream` | links that invite to a room, names of streams that a person typed |
//! | `settings_file`, `arguments` | what is remembered, and what the command line says |

// A release on Windows is no console program.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod app;
mod arguments;
mod bridge;
mod commands;
mod embedded;
mod graphics;
mod invitation;
mod only_window;
mod random;
mod session;
mod settings_file;
mod typed_stream;
mod video_feed;
mod view_model;

use anyhow::{Context, Result, anyhow};
use arguments::Arguments;
use clap::Parser;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let filter = arguments
        .log
        .parse::<tracing_subscriber::EnvFilter>()
        .with_context(|| format!("--log {}", arguments.log))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("a TLS provider is installed already"))?;
    app::run(arguments)
}
