//! Ahoy without a window.

mod address;
mod args;
mod bench;
mod call;
mod devices;
mod events;
mod exit;
mod interrupt;
mod open_files;
mod output;
mod serve;
mod stdin;
mod user;

use args::{Cli, Command};
use clap::Parser;
use exit::Exit;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let output = Output::new();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.exit_code() == 0 => error.exit(),
        Err(error) => return Exit::Usage(first_line(&error.to_string())).report(),
    };
    if let Err(error) = start_log(&cli.log, matches!(cli.command, Command::Serve(_))) {
        return Exit::Usage(error).report();
    }
    // Two libraries bring TLS; both use this provider.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Exit::failed(&error).report(),
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Call(args) => call::place(args, output).await,
            Command::Listen(args) => call::listen(args, output).await,
            Command::Serve(args) => serve::run(args, output).await,
            Command::User(args) => user::run(args, output),
            Command::Devices => devices::run(output),
            Command::Bench(args) => bench::run(args, output).await,
        }
    });
    // A blocking read of stdin would hold the runtime up.
    runtime.shutdown_background();
    exit.report()
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("bad usage");
    line.trim_start_matches("error: ").to_owned()
}

/// Logs on stderr; those of a server are for programs to read: one JSON object a line.
fn start_log(filter: &str, as_json: bool) -> Result<(), String> {
    let filter = own(filter)
        .parse::<tracing_subscriber::EnvFilter>()
        .map_err(|error| format!("--log {filter}: {error}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if as_json {
        log.json().flatten_event(true).init();
    } else {
        log.init();
    }
    Ok(())
}

/// A level alone is for this program. Libraries that carry its requests would write down tokens from `debug` on.
fn own(filter: &str) -> String {
    match filter.to_ascii_lowercase().as_str() {
        level @ ("debug" | "trace") => format!("info,ahoy={level}"),
        _ => filter.to_owned(),
    }
}
