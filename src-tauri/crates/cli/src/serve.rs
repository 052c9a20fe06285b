//! `serve`: the reference server by itself.

use crate::args::ServeArgs;
use crate::exit::Exit;
use crate::output::Output;
use ahoy_server::{Account, Server, ServerConfig};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Runs until it is interrupted, then drains.
pub async fn run(args: ServeArgs, output: Output) -> Exit {
    let accounts = args
        .user
        .iter()
        .map(|user| Account::new(user.id, user.name.as_str(), user.password.as_str()))
        .collect();
    let config = ServerConfig {
        listen: args.listen,
        users: accounts,
        ring_timeout: Duration::from_secs(args.ring_timeout),
        ..ServerConfig::default()
    };
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) => return Exit::failed(&error),
    };
    let tokens: Map<String, Value> = args
        .user
        .iter()
        .map(|user| (user.id.to_string(), Value::from(server.token_for(user.id))))
        .collect();
    output.line(&json!({
        "event": "listening",
        "ws": server.ws_url(),
        "http": server.http_url(),
        "tokens": tokens,
    }));
    crate::interrupt::wait().await;
    server.shutdown().await;
    Exit::Ok
}
