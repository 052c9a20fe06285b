//! The STUN and TURN servers that the server offers, kept fresh (IM-Suite §11).
//!
//! One tokio task owns what was fetched and asks again when under ten minutes are left; whoever makes or restarts a
//! connection waits for it a moment. A server without relays, or without this question, is no error: calls then go on
//! with what the user configured.

use ahoy_peer::{Credential, IceServer};
use ahoy_signaling::Secret;
use ahoy_signaling::rest::{IceConfig, IceServerEntry, Rest, RestError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Credentials with less than this left are fetched anew before a call (IM-Suite §9).
const LEFT: Duration = Duration::from_secs(10 * 60);
/// How long credentials hold when the server does not say (IM-Suite §11).
const TTL: Duration = Duration::from_secs(3600);
/// A server that does not know the question, or has no credentials to give, is asked again after so long; chosen.
const ASK_AGAIN: Duration = Duration::from_secs(30 * 60);
/// After a failure the server is not asked again sooner; chosen, so that a restart of ICE is not held up twice.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How long a call waits for the answer; after that it begins with what there is. Chosen: below the patience of a caller.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions that wait: one call, its restarts, one look ahead. Full: the asker goes on without.
const QUESTIONS: usize = 8;

/// What a new connection is to use beside the user's own servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offered {
    pub(crate) servers: Vec<IceServer>,
    /// The server wants every call to go through a relay.
    pub(crate) relay_only: bool,
}

/// Where the servers come from.
#[derive(Debug, Clone)]
pub(crate) enum IceServers {
    /// The way to the task; it ends when the last of these is dropped.
    Asked(mpsc::Sender<oneshot::Sender<Offered>>),
    /// The signaling server tells them by itself (ZLMediaKit); the newest count.
    Told(watch::Sender<Offered>),
}

impl IceServers {
    /// Starts the task on the current runtime. Without a token nothing is asked.
    pub(crate) fn start(rest: Option<Rest>, token: watch::Receiver<Option<Secret>>) -> Self {
        let (tx, rx) = mpsc::channel(QUESTIONS);
        tokio::spawn(run(rest, token, rx));
        Self::Asked(tx)
    }

    /// Nothing is asked; [`IceServers::tell`] says what there is.
    pub(crate) fn told() -> Self {
        Self::Told(watch::channel(Offered::default()).0)
    }

    /// The signaling server told these.
    pub(crate) fn tell(&self, servers: Vec<IceServerEntry>) {
        if let Self::Told(told) = self {
            let binding = binding_servers(&servers);
            told.send_replace(Offered {
                servers: servers.into_iter().map(server).chain(binding).collect(),
                relay_only: false,
            });
        }
    }

    /// The servers to use for a connection that begins, fetched first if they are too old; waits at most three seconds.
    pub(crate) async fn fresh(&self) -> Offered {
        let questions = match self {
            Self::Asked(questions) => questions,
            Self::Told(told) => return told.borrow().clone(),
        };
        let (reply_tx, reply_rx) = oneshot::channel();
        if questions.try_send(reply_tx).is_err() {
            tracing::debug!("the server's relays are asked for too often; this connection goes without");
            return Offered::default();
        }
        reply_rx.await.unwrap_or_default()
    }

    /// Fetches them ahead of a call.
    pub(crate) fn look_ahead(&self) {
        if let Self::Asked(questions) = self {
            // A full queue means that others are asking already.
            questions.try_send(oneshot::channel().0).ok();
        }
    }
}

async fn run(
    rest: Option<Rest>,
    token: watch::Receiver<Option<Secret>>,
    mut questions: mpsc::Receiver<oneshot::Sender<Offered>>,
) {
    let mut cache = Cache::default();
    while let Some(reply) = questions.recv().await {
        let bearer = token.borrow().clone();
        if let (Some(rest), Some(bearer)) = (&rest, bearer)
            && !cache.serves(Instant::now())
        {
            let asked = tokio::time::timeout(PATIENCE, rest.ice_config(&bearer)).await;
            let now = Instant::now();
            match asked {
                Ok(Ok(config)) => cache.store(now, config),
                Ok(Err(RestError::Unsupported)) => cache.store(now, IceConfig::default()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the server's relays cannot be fetched");
                    cache.note_failure(now);
                }
                Err(_) => {
                    tracing::warn!("the server does not say in time which relays there are");
                    cache.note_failure(now);
                }
            }
        }
        // Whoever asked may have gone away, and a look ahead waits for nothing.
        reply.send(cache.offered(Instant::now())).ok();
    }
}

/// What was fetched, and until when it is good. Pure.
#[derive(Debug, Default)]
struct Cache {
    offered: Offered,
    /// When the credentials end; without credentials, when to ask again.
    until: Option<Instant>,
    not_before: Option<Instant>,
}

impl Cache {
    /// Nothing has to be asked now.
    fn serves(&self, now: Instant) -> bool {
        let young = self.until.is_some_and(|until| until >= now + LEFT);
        young || self.not_before.is_some_and(|at| now < at)
    }

    fn store(&mut self, now: Instant, config: IceConfig) {
        let with_credentials = config.servers.iter().any(|server| server.credential.is_some());
        let life = if with_credentials {
            config.ttl.unwrap_or(TTL)
        } else {
            ASK_AGAIN
        };
        self.until = Some(now + life);
        // A life of under ten minutes must not make every restart ask.
        self.not_before = Some(now + AFTER_FAILURE);
        self.offered = Offered {
            servers: config.servers.into_iter().map(server).collect(),
            relay_only: config.relay_only,
        };
    }

    fn note_failure(&mut self, now: Instant) {
        self.not_before = Some(now + AFTER_FAILURE);
    }

    /// Credentials that have ended are left out: a relay only answers them with an error.
    fn offered(&self, now: Instant) -> Offered {
        let mut offered = self.offered.clone();
        if self.until.is_some_and(|until| until <= now) {
            offered.servers.retain(|server| server.username.is_empty());
        }
        offered
    }
}

fn server(entry: IceServerEntry) -> IceServer {
    let credential = entry.credential.as_ref().map_or("", Secret::expose);
    IceServer {
        urls: entry.urls,
        username: entry.username.unwrap_or_default(),
        credential: Credential::new(credential),
    }
}

/// The same relays as mere STUN servers, which each of them is (RFC 8656 §3): such a server tells one address alone, the
/// library asks none for a reflexive candidate that is called a relay, and without one every call would need the relay.
fn binding_servers(servers: &[IceServerEntry]) -> Option<IceServer> {
    let over_udp = servers.iter().flat_map(|server| &server.urls).filter_map(|url| {
        let rest = url.strip_prefix("turn:")?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        (!query.contains("transport=tcp")).then(|| format!("stun:{address}"))
    });
    let urls: Vec<String> = over_udp.collect();
    (!urls.is_empty()).then(|| IceServer {
        urls,
        username: String::new(),
        credential: Credential::new(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(ttl: Option<u64>) -> IceConfig {
        let entry = |url: &str, name: Option<&str>| IceServerEntry {
            urls: vec![url.to_owned()],
            username: name.map(str::to_owned),
            credential: name.map(Secret::new),
        };
        IceConfig {
            servers: vec![entry("stun:h:3478", None), entry("turn:h:3478", Some("9:1"))],
            ttl: ttl.map(Duration::from_secs),
            relay_only: false,
        }
    }

    #[test]
    fn relays_are_asked_for_again_when_under_ten_minutes_are_left() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        assert!(!cache.serves(now));
        cache.store(now, config(Some(3600)));
        assert!(cache.serves(now + Duration::from_secs(3000)));
        assert!(!cache.serves(now + Duration::from_secs(3001)));
        cache.store(now, config(None));
        assert!(
            cache.serves(now + Duration::from_secs(3000)),
            "an hour is the rule"
        );
    }

    #[test]
    fn credentials_that_have_ended_are_not_used_and_stun_is() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.store(now, config(Some(60)));
        assert_eq!(cache.offered(now).servers.len(), 2);
        let later = cache.offered(now + Duration::from_secs(60));
        assert_eq!(later.servers.len(), 1);
        assert_eq!(later.servers[0].urls, ["stun:h:3478"]);
    }

    #[test]
    fn a_server_without_relays_is_not_asked_before_every_call() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.store(now, IceConfig::default());
        assert!(cache.serves(now + Duration::from_secs(600)));
        assert!(!cache.serves(now + ASK_AGAIN));
    }

    #[test]
    fn a_failure_holds_up_one_attempt_and_keeps_what_there_was() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.store(now, config(Some(900)));
        let later = now + Duration::from_secs(500);
        assert!(!cache.serves(later));
        cache.note_failure(later);
        assert!(cache.serves(later) && cache.offered(later).servers.len() == 2);
        assert!(!cache.serves(later + AFTER_FAILURE));
    }

    #[tokio::test]
    async fn what_the_server_told_last_counts() {
        let ice = IceServers::told();
        assert!(ice.fresh().await.servers.is_empty());
        ice.tell(config(None).servers);
        ice.tell(config(None).servers.split_off(1));
        let offered = ice.clone().fresh().await;
        assert_eq!(offered.servers.len(), 2);
        assert_eq!(offered.servers[0].urls, ["turn:h:3478"]);
        assert_eq!(offered.servers[1].urls, ["stun:h:3478"]);
    }

    #[test]
    fn a_relay_over_udp_is_asked_for_the_own_address_too() {
        let entry = |url: &str| IceServerEntry {
            urls: vec![url.to_owned()],
            username: Some("9:1".to_owned()),
            credential: Some(Secret::new("x")),
        };
        let told = [
            "turn:h:1?transport=udp",
            "turn:h:2?transport=tcp",
            "turns:h:3",
            "stun:h:4",
        ]
        .map(entry);
        let binding = binding_servers(&told).expect("one is a relay over UDP");
        assert_eq!(
            (binding.urls, binding.username.as_str()),
            (vec!["stun:h:1".to_owned()], "")
        );
        assert!(binding_servers(&told[1..]).is_none());
    }

    #[tokio::test]
    async fn without_a_server_to_ask_there_is_nothing_and_nobody_waits() {
        let (_token, token_rx) = watch::channel(None);
        let offered = IceServers::start(None, token_rx).fresh().await;
        assert!(offered.servers.is_empty() && !offered.relay_only);
    }
}
