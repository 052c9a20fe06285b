//! The measurements of `bench server`, one after the other, each a line of JSON.

use super::ServerArgs;
use super::calls::{self, MOST_PER_CONNECTION};
use super::host::Host;
use super::process;
use super::swarm::{Swarm, Target};
use crate::output::Output;
use ahoy_signaling::TokenClaims;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Between connecting and measuring: handshakes leave memory behind that is given back later (chosen).
const SETTLE: Duration = Duration::from_secs(2);
/// Idle connections have something to do every 30 s (IM-Suite §1.8); a shorter look would miss it.
const HEARTBEAT: Duration = Duration::from_secs(30);

pub(super) async fn server(args: ServerArgs, output: Output) -> Result<()> {
    let per_connection = args.messages_per_second.div_ceil(2 * args.calls);
    if per_connection > MOST_PER_CONNECTION {
        bail!(
            "{} messages per second in {} calls are over the server's limit of {MOST_PER_CONNECTION} per connection",
            args.messages_per_second,
            args.calls
        );
    }
    if 2 * args.calls > args.sockets {
        bail!("{} calls need {} sockets", args.calls, 2 * args.calls);
    }
    let started = match &args.server {
        Some(_) => None,
        None => {
            let users = args.sockets;
            Some(tokio::task::spawn_blocking(move || Host::start(users)).await??)
        }
    };
    let target = Arc::new(target(&args, started.as_ref())?);
    let pid = started.as_ref().map(Host::pid);
    let users = users(&target)?;
    let sockets = target.tokens.len();
    let run = format!("{:016x}", getrandom::u64().context("no random numbers")?);

    let before = (pid.and_then(process::memory), process::tcp_buffers());
    let begun = Instant::now();
    let (mut swarm, slowest) = Swarm::connect(&target).await?;
    output.line(&json!({
        "event": "connected", "sockets": sockets, "seconds": seconds(begun), "slowest_ms": slowest.as_millis() as u64,
    }));
    sleep(SETTLE).await;
    let after = (pid.and_then(process::memory), process::tcp_buffers());
    let per_socket =
        |before: Option<u64>, after: Option<u64>| Some((after?.saturating_sub(before?)) / sockets as u64);
    output.line(&json!({
        "event": "idle_memory", "sockets": sockets, "pss_before": before.0, "pss_after": after.0,
        "bytes_per_socket": per_socket(before.0, after.0),
        "kernel_buffer_bytes_per_socket": per_socket(before.1, after.1),
    }));

    let span = Duration::from_secs(args.seconds.into());
    let idle = span.max(HEARTBEAT);
    let cores = cores_during(pid, sleep(idle)).await.1;
    output
        .line(&json!({ "event": "idle_cpu", "sockets": sockets, "seconds": idle.as_secs(), "cores": cores }));

    let calls = args.calls as usize;
    let begun = Instant::now();
    calls::establish(&mut swarm, &users, calls, &run).await?;
    output.line(&json!({ "event": "calls", "calls": calls, "seconds": seconds(begun) }));
    let exchange = calls::exchange(&mut swarm, calls, args.messages_per_second, span, &run);
    let (delays, cores) = cores_during(pid, exchange).await;
    output.line(&json!({
        "event": "messages", "per_second": args.messages_per_second, "seconds": args.seconds, "cores": cores,
        "delays": delays?,
    }));
    if !swarm.is_whole() {
        bail!("clients have lost their connections");
    }

    swarm.break_off().await;
    // The old sockets are gone before the new ones come, or both together would be over what a process may open.
    sleep(SETTLE).await;
    let begun = Instant::now();
    let (swarm, slowest) = Swarm::connect(&target).await?;
    output.line(&json!({
        "event": "reconnected", "sockets": sockets, "seconds": seconds(begun), "slowest_ms": slowest.as_millis() as u64,
    }));
    swarm.break_off().await;
    sleep(SETTLE).await;
    output.line(&json!({ "event": "left", "pss": pid.and_then(process::memory) }));
    tokio::task::spawn_blocking(move || drop(started)).await?;
    Ok(())
}

fn target(args: &ServerArgs, started: Option<&Host>) -> Result<Target> {
    let (url, tokens) = match (started, &args.server, &args.tokens) {
        (Some(host), _, _) => (host.url.clone(), host.tokens.clone()),
        (None, Some(url), Some(file)) => {
            let text = std::fs::read_to_string(file).context("the tokens cannot be read")?;
            let tokens: Vec<String> = text.lines().map(str::to_owned).collect();
            (url.clone(), tokens)
        }
        (None, _, _) => bail!("--server needs --tokens"),
    };
    let tokens: Vec<String> = tokens.into_iter().take(args.sockets as usize).collect();
    if tokens.len() < args.sockets as usize {
        bail!("{} tokens are too few for {} sockets", tokens.len(), args.sockets);
    }
    let address: SocketAddr = url
        .strip_prefix("ws://")
        .and_then(|rest| rest.split('/').next()?.parse().ok())
        .context("the server's address is not ws://IP:PORT/…")?;
    if !address.ip().is_loopback() || !address.is_ipv4() {
        bail!("only servers on 127.0.0.1 are put under load");
    }
    Ok(Target {
        url,
        address,
        tokens,
        subprotocol: args.subprotocol.clone(),
    })
}

fn users(target: &Target) -> Result<Vec<u64>> {
    let user = |token: &String| TokenClaims::of(token).user.map(|user| user.as_u64());
    target
        .tokens
        .iter()
        .map(user)
        .collect::<Option<_>>()
        .context("a token does not say whose it is")
}

/// Processors that a process kept busy while something went on.
async fn cores_during<T>(pid: Option<u32>, work: impl Future<Output = T>) -> (T, Option<f64>) {
    let (busy, begun) = (pid.and_then(process::busy), Instant::now());
    let outcome = work.await;
    let spent = pid
        .and_then(process::busy)
        .zip(busy)
        .map(|(after, before)| after - before);
    let cores = spent.map(|spent| (spent.as_secs_f64() / begun.elapsed().as_secs_f64() * 1e3).round() / 1e3);
    (outcome, cores)
}

fn seconds(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1e3).round() / 1e3
}
