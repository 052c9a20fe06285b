//! What a client tells of its addresses: the test is the server, and reads every message (GOALS S18).

#[path = "shared/settings.rs"]
mod settings;

use ahoy_call::{Party, UserId};
use ahoy_client::{Client, ClientEvent, Command, Credentials, Settings};
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_peer::{Credential, IceServer, Peer, PeerConfig, PeerEvent};
use ahoy_signaling::Secret;
use ahoy_turn::{TurnConfig, TurnSecret, TurnServer};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const LIMIT: Duration = Duration::from_secs(30);

/// A server that knows user 1, the client, and user 2, whom the test plays.
struct Fake {
    socket: WebSocketStream<TcpStream>,
    /// Everything the client said about calls.
    heard: Vec<Value>,
}

impl Fake {
    /// Takes the client's connection; requests that are no WebSocket are none of this test's.
    async fn accept(listener: &TcpListener) -> Self {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
                continue;
            };
            let mut fake = Self {
                socket,
                heard: Vec::new(),
            };
            let welcome = json!({
                "user_id": 1,
                "device_id": "test",
                "features": ["status_relay", "renegotiate", "resume", "multi_device"],
                "ring_timeout": 30,
                "calls": []
            });
            // A client that asked for another subprotocol is gone already, and comes again.
            if fake.say("welcome", welcome).await && fake.ping().await {
                return fake;
            }
        }
    }

    async fn say(&mut self, kind: &str, payload: Value) -> bool {
        let text = json!({ "type": kind, "timestamp": "2026-01-01T00:00:00Z", "payload": payload });
        self.socket.send(Message::text(text.to_string())).await.is_ok()
    }

    /// Whether the client is there and reads.
    async fn ping(&mut self) -> bool {
        if self.socket.send(Message::Ping(Vec::new().into())).await.is_err() {
            return false;
        }
        while let Some(Ok(message)) = self.socket.next().await {
            if message.is_pong() {
                return true;
            }
            self.keep(&message);
        }
        false
    }

    fn keep(&mut self, message: &Message) -> Option<Value> {
        let Message::Text(text) = message else { return None };
        let value: Value = serde_json::from_str(text).expect("JSON");
        let is_call = value["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("call."));
        is_call.then(|| self.heard.push(value.clone()))?;
        Some(value)
    }

    /// The next message of a kind.
    async fn hear(&mut self, kind: &str) -> Value {
        let hear = async {
            loop {
                let message = self
                    .socket
                    .next()
                    .await
                    .expect("the client stays")
                    .expect("a message");
                if let Some(value) = self.keep(&message)
                    && value["type"] == kind
                {
                    return value["payload"].clone();
                }
            }
        };
        tokio::time::timeout(LIMIT, hear)
            .await
            .unwrap_or_else(|_| panic!("no {kind}"))
    }

    /// Everything that the client has said by now.
    async fn catch_up(&mut self) {
        assert!(self.ping().await, "the client stays");
    }
}

fn settings(listener: &TcpListener) -> Settings {
    let address = listener.local_addr().expect("bound");
    let token = Credentials::Token(Secret::new("a.b.c"));
    settings::settings(format!("ws://{address}/ws"), token)
}

/// The candidates of a message: of its own field and of its description.
fn candidates(message: &Value) -> Vec<String> {
    let payload = &message["payload"];
    let told = [&payload["ice_candidate"]]
        .into_iter()
        .chain(payload["ice_candidates"].as_array().into_iter().flatten())
        .filter_map(|candidate| candidate["candidate"].as_str());
    let described = payload["sdp"]["sdp"].as_str().unwrap_or_default().lines();
    let described = described.filter_map(|line| line.strip_prefix("a=candidate:"));
    told.chain(described)
        .filter(|candidate| !candidate.is_empty())
        .map(str::to_owned)
        .collect()
}

fn assert_clean(message: &Value) {
    for candidate in candidates(message) {
        assert!(candidate.contains("typ relay"), "{candidate}");
        assert!(
            !candidate.contains("raddr") || candidate.contains("raddr 0.0.0.0 rport 0"),
            "{candidate}"
        );
    }
    let description = message["payload"]["sdp"]["sdp"].as_str().unwrap_or_default();
    for line in description.lines() {
        let names = line.starts_with("c=") || line.starts_with("o=");
        assert!(!names || line.ends_with("IN IP4 0.0.0.0"), "{line}");
    }
}

/// Answers an offer as user 2 does.
async fn answer(fake: &mut Fake, peer: &Peer, offer: &Value) {
    let sdp = offer["sdp"]["sdp"].as_str().expect("an offer has a description");
    let sdp = peer.create_answer(sdp, true).await.expect("an answer");
    let negotiation = offer["negotiation"].as_u64().unwrap_or(0);
    let payload = json!({
        "call_id": offer["call_id"],
        "from_user": 2,
        "to_user": 1,
        "sdp": { "type": "answer", "sdp": sdp },
        "ice_candidates": [],
        "negotiation": negotiation
    });
    assert!(fake.say("call.answer", payload).await);
}

async fn candidates_done(events: &mut mpsc::Receiver<PeerEvent>) -> Vec<Value> {
    let mut own = Vec::new();
    let gather = async {
        while let Some(event) = events.recv().await {
            match event {
                PeerEvent::Candidate(candidate) => own.push(json!({
                    "candidate": candidate.candidate,
                    "sdpMid": candidate.sdp_mid,
                    "sdpMLineIndex": candidate.sdp_m_line_index,
                    "usernameFragment": candidate.username_fragment
                })),
                PeerEvent::CandidatesDone => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(LIMIT, gather).await.expect("gathering ends");
    own
}

async fn place_call(handle: &ahoy_client::ClientHandle, events: &mut mpsc::Receiver<ClientEvent>) {
    let signed_in = async {
        while let Some(event) = events.recv().await {
            if matches!(event, ClientEvent::SignedIn { .. }) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, signed_in).await.expect("signed in");
    let to = Party::User(UserId::new(2).expect("an id"));
    handle
        .command(Command::PlaceCall {
            to,
            video: false,
            stream: None,
        })
        .await
        .expect("a call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_no_address_before_it_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (handle, mut events) = Client::start(settings(&listener), Arc::new(SyntheticDevices::default()));
    let mut fake = Fake::accept(&listener).await;
    place_call(&handle, &mut events).await;
    let offer = fake.hear("call.offer").await;
    let config = PeerConfig {
        loopback: true,
        ..PeerConfig::default()
    };
    let (tx, mut told) = mpsc::channel(64);
    let peer = Peer::new(config, tx).await.expect("a peer");
    let ringing = json!({ "call_id": offer["call_id"], "status": "ringing", "from_user": 2, "to_user": 1 });
    assert!(fake.say("call.status", ringing).await);
    // As much work as the client had to do to find its own.
    peer.create_offer(ahoy_peer::OfferMedia {
        direction: ahoy_call::Direction::SendRecv,
        audio: true,
        video: false,
    })
    .await
    .expect("an offer");
    candidates_done(&mut told).await;
    fake.catch_up().await;
    for message in &fake.heard {
        assert_clean(message);
    }
    let (tx, _told) = mpsc::channel(64);
    let config = PeerConfig {
        loopback: true,
        ..PeerConfig::default()
    };
    let peer = Peer::new(config, tx).await.expect("a peer");
    answer(&mut fake, &peer, &offer).await;
    let first = fake.hear("call.ice").await;
    let candidate = first["ice_candidate"]["candidate"].as_str().unwrap_or_default();
    assert!(
        candidate.contains("typ host"),
        "it was held back, not lost: {candidate}"
    );
    handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_call_tells_nothing_but_its_relay_from_first_to_last() {
    let secret = TurnSecret::new(*b"a secret of this test");
    let mut config = TurnConfig::new((Ipv4Addr::LOCALHOST, 0).into(), secret.clone());
    config.allow = vec!["127.0.0.0/8".parse().expect("a network")];
    let turn = TurnServer::bind(config).await.expect("a relay");
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("it is after 1970")
        .as_secs();
    let given = ahoy_turn::credentials::issue(&secret, "1", now, Duration::from_secs(3600));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = Settings {
        relay_only: true,
        ice_servers: vec![IceServer {
            urls: vec![format!("turn:{}?transport=udp", turn.address())],
            username: given.username,
            credential: Credential::new(given.credential),
        }],
        ..settings(&listener)
    };
    let (handle, mut events) = Client::start(settings, Arc::new(SyntheticDevices::default()));
    let mut fake = Fake::accept(&listener).await;
    place_call(&handle, &mut events).await;
    let offer = fake.hear("call.offer").await;
    let config = PeerConfig {
        loopback: true,
        ..PeerConfig::default()
    };
    let (tx, mut told) = mpsc::channel(64);
    let peer = Peer::new(config, tx).await.expect("a peer");
    answer(&mut fake, &peer, &offer).await;
    for candidate in candidates_done(&mut told).await {
        let payload =
            json!({ "call_id": offer["call_id"], "from_user": 2, "to_user": 1, "ice_candidate": candidate });
        fake.say("call.ice", payload).await;
    }
    // The client's candidates reach the peer as the server would carry them.
    let relay = loop {
        let ice = fake.hear("call.ice").await;
        if ice["ice_candidate"]["candidate"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
        {
            break ice["ice_candidate"].clone();
        }
    };
    peer.add_candidate(Some(ahoy_call::Candidate {
        candidate: relay["candidate"].as_str().expect("a text").to_owned(),
        sdp_mid: None,
        sdp_m_line_index: Some(0),
        username_fragment: relay["usernameFragment"].as_str().map(str::to_owned),
    }))
    .await
    .expect("an open peer");
    fake.hear("call.status").await;
    let remote = peer.stats().await.transport.remote.expect("a path");
    let remote = remote.address.map(|address| address.ip());
    assert_eq!(remote, Some(IpAddr::from(Ipv4Addr::LOCALHOST)));
    handle.command(Command::RestartIce).await.expect("a live call");
    let reoffer = fake.hear("call.offer").await;
    assert_eq!(reoffer["negotiation"], 1);
    answer(&mut fake, &peer, &reoffer).await;
    fake.hear("call.ice").await;
    handle.command(Command::HangUp).await.expect("a live call");
    fake.hear("call.end").await;
    assert!(
        fake.heard
            .iter()
            .map(candidates)
            .map(|list| list.len())
            .sum::<usize>()
            >= 2
    );
    for message in &fake.heard {
        assert_clean(message);
    }
    handle.stop().await;
}
