//! `serve`: the reference server by itself.

pub mod args;
mod file;
mod settings;

use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::output::Output;
use ahoy_server::Server;
use args::ServeArgs;
use serde_json::{Map, Value, json};
use settings::Settings;
use std::error::Error;

/// Runs until it is interrupted, then drains.
pub async fn run(args: ServeArgs, output: Output) -> Exit {
    if args.print_config {
        output.text(&file::defaults());
        return Exit::Ok;
    }
    let mut settings = Settings::default();
    if let Some(path) = &args.config
        && let Err(error) = file::read(path, &mut settings)
    {
        return Exit::Usage(error);
    }
    settings.override_by(&args);
    if settings.bus.is_some() && settings.turn.is_some() && settings.turn_secret.is_none() {
        tracing::warn!(
            "without a turn_secret that all nodes share, the relay of one knows no users of another"
        );
    }
    if settings.tls.is_none() && !settings.insecure_ws && !settings.listen.ip().is_loopback() {
        tracing::warn!(listen = %settings.listen, "other machines connect without TLS: tokens can be read on the way");
    }
    let config = match settings.server_config() {
        Ok(config) => config,
        Err(error) => return Exit::Failed(format!("{error:#}")),
    };
    crate::open_files::raise();
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) => return Exit::Failed(with_sources(&error)),
    };
    let tokens: Map<String, Value> = settings
        .user
        .iter()
        .map(|user| (user.id.to_string(), Value::from(server.token_for(user.id))))
        .collect();
    let mut listening = json!({
        "event": "listening",
        "ws": server.ws_url(),
        "http": server.http_url(),
        "rooms": server.rooms_url(),
        "tokens": tokens,
    });
    if let Some(turn) = server.turn_url() {
        listening["turn"] = turn.into();
    }
    if let Some(metrics) = server.metrics_address() {
        listening["metrics"] = format!("http://{metrics}/metrics").into();
    }
    // Whoever has read the line may end the server, and is to find it draining.
    let interrupts = Interrupts::listen();
    output.line(&listening);
    interrupts.wait().await;
    server.shutdown().await;
    Exit::Ok
}

/// An error with what is behind it, on one line.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let behind = error.to_string();
        // Some errors repeat what is behind them.
        if !text.contains(&behind) {
            text.push_str(": ");
            text.push_str(&behind);
        }
        source = error.source();
    }
    text.replace('\n', ", ")
}
