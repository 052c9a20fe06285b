//! The measured server in a process of its own, so that the memory of the clients does not count.

use crate::exit::Exit;
use crate::output::Output;
use ahoy_call::UserId;
use ahoy_server::{Account, Server, ServerConfig};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// The one line that the server's process prints.
#[derive(Debug, Serialize, Deserialize)]
struct Listening {
    ws: String,
    /// In the order of the users, whose ids are 1, 2, …
    tokens: Vec<String>,
}

/// Runs the server until its standard input ends.
pub(super) async fn run(users: u32, output: Output) -> Exit {
    let ids: Vec<UserId> = (1..=u64::from(users))
        .map(|id| UserId::new(id).expect("small ids are good"))
        .collect();
    let config = ServerConfig {
        users: ids
            .iter()
            .map(|id| Account::without_password(*id, format!("user {id}")))
            .collect(),
        // All clients have one address here.
        http_rate: 0,
        ..ServerConfig::default()
    };
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) => return Exit::failed(&error),
    };
    output.line(&Listening {
        ws: server.ws_url(),
        tokens: ids.iter().map(|id| server.token_for(*id)).collect(),
    });
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    if let Ok(Err(error)) = closed.await {
        tracing::debug!(%error, "the input broke, which ends it too");
    }
    server.shutdown().await;
    Exit::Ok
}

/// A server's process, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Host {
    child: Child,
    pub(super) url: String,
    pub(super) tokens: Vec<String>,
}

impl Host {
    /// Starts this very program as the server. Blocks until it listens.
    pub(super) fn start(users: u32) -> Result<Self> {
        let program = std::env::current_exe().context("this program does not find itself")?;
        let mut child = Command::new(program)
            .args(["bench", "host", "--users", &users.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server does not start")?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Ok(Listening { ws, tokens }) = serde_json::from_str(&line) else {
            bail!("the server did not come up");
        };
        Ok(Self {
            child,
            url: ws,
            tokens,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "the server's process was lost");
        }
    }
}
