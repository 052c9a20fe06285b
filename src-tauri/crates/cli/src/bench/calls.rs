//! Pairs of clients in calls, and how long their messages take through the server.

use super::swarm::{Heard, Swarm};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, timeout, timeout_at};

/// For a message to come through at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages are sent in groups this far apart; finer than the delays that matter.
const TICK: Duration = Duration::from_millis(1);
/// What a connection may send (IM-Suite §12), messages per second.
pub(super) const MOST_PER_CONNECTION: u32 = 20;

/// Between sending and hearing, in milliseconds.
#[derive(Debug, serde::Serialize)]
pub(super) struct Delays {
    pub(super) sent: usize,
    pub(super) received: usize,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

/// Puts client 2n into a call with client 2n+1, for the first `calls` pairs. Call ids hold `run`, because none may come
/// twice. Users have the ids 1, 2, … in the order of the clients, unless `users` says otherwise.
pub(super) async fn establish(swarm: &mut Swarm, users: &[u64], calls: usize, run: &str) -> Result<()> {
    for call in 0..calls {
        let offer = json!({
            "call_id": call_id(run, call),
            "to_user": users[2 * call + 1],
            "call_type": "audio",
            "sdp": { "type": "offer", "sdp": SDP },
        });
        swarm.send(2 * call, text("call.offer", &offer, None)).await?;
        let heard = next_of(swarm, "call.offer").await?;
        if heard.member != 2 * call + 1 {
            bail!("the offer went to client {}", heard.member);
        }
        let answer = json!({
            "call_id": call_id(run, call),
            "sdp": { "type": "answer", "sdp": SDP },
        });
        swarm
            .send(heard.member, text("call.answer", &answer, None))
            .await?;
        next_of(swarm, "call.answer").await?;
    }
    Ok(())
}

/// Sends candidates both ways in all calls, evenly, and takes the time of each.
pub(super) async fn exchange(
    swarm: &mut Swarm,
    calls: usize,
    per_second: u32,
    span: Duration,
    run: &str,
) -> Result<Delays> {
    let total = (f64::from(per_second) * span.as_secs_f64()) as usize;
    let mut sent: Vec<Instant> = Vec::with_capacity(total);
    let mut delays: Vec<Duration> = Vec::with_capacity(total);
    let begun = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while sent.len() < total {
        tokio::select! {
            _ = ticks.tick() => {
                let due = (begun.elapsed().as_secs_f64() * f64::from(per_second)) as usize;
                while sent.len() < due.min(total) {
                    let member = sent.len() % (2 * calls);
                    let ice = json!({
                        "call_id": call_id(run, member / 2),
                        "ice_candidate": { "candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0 },
                    });
                    let id = sent.len().to_string();
                    let text = text("call.ice", &ice, Some(id));
                    sent.push(Instant::now());
                    swarm.send(member, text).await?;
                }
            }
            heard = swarm.heard.recv() => note(&mut delays, &sent, heard)?,
        }
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while delays.len() < total {
        match timeout_at(deadline, swarm.heard.recv()).await {
            Ok(heard) => note(&mut delays, &sent, heard)?,
            Err(_) => break,
        }
    }
    delays.sort_unstable();
    Ok(Delays {
        sent: sent.len(),
        received: delays.len(),
        p50_ms: part(&delays, 0.50),
        p95_ms: part(&delays, 0.95),
        p99_ms: part(&delays, 0.99),
        max_ms: part(&delays, 1.0),
    })
}

fn note(delays: &mut Vec<Duration>, sent: &[Instant], heard: Option<Heard>) -> Result<()> {
    let heard = heard.context("all clients have lost their connections")?;
    if heard.message["type"] == "call.error" {
        bail!("the server refused: {}", heard.message["payload"]["details"]);
    }
    let number = heard.message["id"]
        .as_str()
        .and_then(|id| id.parse::<usize>().ok());
    if let Some(at) = number.and_then(|number| sent.get(number)) {
        delays.push(heard.at.saturating_duration_since(*at));
    }
    Ok(())
}

/// The value below which a part of the sorted delays lies, in milliseconds.
fn part(sorted: &[Duration], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * part).round() as usize;
    let delay = sorted.get(index).copied().unwrap_or_default();
    (delay.as_secs_f64() * 1e6).round() / 1e3
}

async fn next_of(swarm: &mut Swarm, name: &str) -> Result<Heard> {
    loop {
        let heard = timeout(PATIENCE, swarm.heard.recv())
            .await
            .with_context(|| format!("no {name} came"))?
            .context("all clients have lost their connections")?;
        if heard.message["type"] == name {
            return Ok(heard);
        }
        if heard.message["type"] == "call.error" {
            bail!("the server refused: {}", heard.message["payload"]);
        }
    }
}

fn call_id(run: &str, call: usize) -> String {
    format!("call_bench_{run}_{call}")
}

fn text(name: &str, payload: &Value, id: Option<String>) -> String {
    let mut message = json!({ "type": name, "timestamp": "2026-01-01T00:00:00Z", "payload": payload });
    if let Some(id) = id {
        message["id"] = id.into();
    }
    message.to_string()
}

const CANDIDATE: &str = "candidate:1 1 udp 2122260223 192.0.2.10 54321 typ host generation 0 ufrag abcd";
/// As little as the server takes (IM-Suite §4.1).
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                   c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n\
                   a=fingerprint:sha-256 00:11:22:33\r\na=setup:actpass\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_delays_are_taken_from_the_sorted_list() {
        let delays: Vec<Duration> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(part(&delays, 0.5), 51.0);
        assert_eq!(part(&delays, 0.99), 100.0);
        assert_eq!(part(&delays, 1.0), 101.0);
        assert_eq!(part(&[], 0.5), 0.0);
    }
}
