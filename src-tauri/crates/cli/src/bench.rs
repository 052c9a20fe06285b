//! `bench`: measures what this program's server can bear, from outside, over loopback.

mod calls;
mod host;
mod process;
mod run;
mod swarm;

use crate::exit::Exit;
use crate::output::Output;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Memory, processor time, delay of messages and a storm of reconnects of the reference server.
    Server(ServerArgs),
    /// The server's process of `bench server`.
    #[command(hide = true)]
    Host(HostArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// A running server on this machine, `ws://127.0.0.1:PORT/ws`; without it one is started.
    #[arg(long, requires = "tokens")]
    server: Option<String>,
    /// Access tokens of the users of `--server`, one a line, each of another user.
    #[arg(long, requires = "server")]
    tokens: Option<PathBuf>,
    /// Sockets, each of another user.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    sockets: u32,
    /// Calls that the messages are spread over.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls: u32,
    /// Messages between peers, all calls together.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages_per_second: u32,
    /// How long the idle server (30 s at least) and the messages are measured, each.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// What clients ask for; nothing is JSON.
    #[arg(long)]
    subprotocol: Option<String>,
}

#[derive(Debug, Args)]
struct HostArgs {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
}

pub async fn run(args: BenchArgs, output: Output) -> Exit {
    crate::open_files::raise();
    match args.what {
        What::Server(args) => match run::server(args, output).await {
            Ok(()) => Exit::Ok,
            Err(error) => Exit::Failed(format!("{error:#}")),
        },
        What::Host(args) => host::run(args.users, output).await,
    }
}
