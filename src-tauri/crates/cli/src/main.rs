//! Ahoy without a window.

mod args;
mod call;
mod devices;
mod events;
mod exit;
mod interrupt;
mod output;
mod serve;
mod stdin;

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
    if let Err(error) = start_log(&cli.log) {
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
            Command::Devices => devices::run(output),
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

fn start_log(filter: &str) -> Result<(), String> {
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .map_err(|error| format!("--log {filter}: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
