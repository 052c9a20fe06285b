//! Whether a relay answers over UDP: a STUN Binding request, asked before the library gathers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long an answer is waited for. The library waits with it, so it is short: three times the round trip to a relay of
/// the same continent; a relay that is farther costs an allocation more, nothing else (chosen).
const PATIENCE: Duration = Duration::from_millis(300);
/// Between the repeats of a request (chosen: one may get lost).
const REPEAT: Duration = Duration::from_millis(100);
/// How long names are looked up at the most (chosen).
const LOOKUP: Duration = Duration::from_secs(1);
/// Sockets that are opened within this time belong to one gathering and share a probe (chosen).
const ONE_GATHERING: Duration = Duration::from_millis(500);
/// A Binding request without its transaction id (RFC 8489 §5).
const BINDING: [u8; 8] = [0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42];
/// Bytes of a transaction id.
const TRANSACTION: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Names and ports of the relays over UDP.
    relays: Mutex<Vec<(String, u16)>>,
    /// When the last probe began, and what it found.
    last: Mutex<Option<(Instant, watch::Receiver<Option<bool>>)>>,
}

impl Probe {
    /// Sets whom the next probe asks.
    pub(super) fn ask_from_now_on(&self, relays: Vec<(String, u16)>) {
        *self.relays.lock().unwrap_or_else(PoisonError::into_inner) = relays;
    }

    /// Asks all relays, unless that was done a moment ago.
    pub(super) fn start(&self, runtime: &Handle) {
        let relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if relays.is_empty() {
            *last = None;
            return;
        }
        let is_recent = |(began, _): &(Instant, _)| began.elapsed() < ONE_GATHERING;
        if last.as_ref().is_some_and(is_recent) {
            return;
        }
        let (found, result) = watch::channel(None);
        *last = Some((Instant::now(), result));
        runtime.spawn(async move {
            let answers = any_answers(relays).await;
            found.send_replace(Some(answers));
        });
    }

    /// Waits for what the last probe finds.
    pub(super) async fn udp_works(&self) -> bool {
        let result = {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.as_ref().map(|(_, result)| result.clone())
        };
        let Some(mut result) = result else {
            return false;
        };
        let found = result.wait_for(Option::is_some).await;
        found.is_ok_and(|found| *found == Some(true))
    }
}

async fn any_answers(relays: Vec<(String, u16)>) -> bool {
    let lookups = relays.into_iter().map(async |relay| {
        let found = tokio::net::lookup_host(relay).await;
        found.map(Iterator::collect::<Vec<_>>).unwrap_or_default()
    });
    let Ok(found) = timeout(LOOKUP, futures_util::future::join_all(lookups)).await else {
        return false;
    };
    let (v4, v6): (Vec<SocketAddr>, Vec<_>) = found.into_iter().flatten().partition(SocketAddr::is_ipv4);
    let asked = async {
        let (v4, v6) = (
            answers(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), &v4),
            answers(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), &v6),
        );
        let (mut v4, mut v6) = (std::pin::pin!(v4), std::pin::pin!(v6));
        tokio::select! {
            Ok(()) = &mut v4 => {}
            Ok(()) = &mut v6 => {}
            else => std::future::pending().await,
        }
    };
    timeout(PATIENCE, asked).await.is_ok()
}

/// Returns when one of the relays has answered.
async fn answers(from: SocketAddr, relays: &[SocketAddr]) -> io::Result<()> {
    if relays.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let socket = UdpSocket::bind(from).await?;
    let mut request = BINDING.to_vec();
    let mut transaction = [0; TRANSACTION];
    getrandom::fill(&mut transaction).map_err(io::Error::other)?;
    request.extend_from_slice(&transaction);
    let mut answer = [0; 256];
    loop {
        for relay in relays {
            if let Err(error) = socket.send_to(&request, relay).await {
                tracing::trace!(%error, "no way to a relay");
            }
        }
        let answered = async {
            loop {
                // Errors are those of relays that cannot be reached; another may still answer.
                if let Ok((length, _)) = socket.recv_from(&mut answer).await
                    && answer[..length].get(8..20) == Some(&transaction[..])
                {
                    return;
                }
            }
        };
        if timeout(REPEAT, answered).await.is_ok() {
            return Ok(());
        }
    }
}
