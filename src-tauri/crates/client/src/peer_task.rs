//! The task that owns the peer connection of one call and does what it is told in order.
//!
//! Order matters: a candidate that is told after an answer is added after it. The actor never waits for the
//! connection; results and events come back on its channel, marked with the call they belong to.

use crate::ice_servers::IceServers;
use crate::inbox::Inbox;
use ahoy_call::{CallId, Candidate, Direction, PeerInput};
use ahoy_peer::{IceServer, OfferMedia, Peer, PeerConfig, PeerError, PeerEvent, PeerStats};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Work for the connection; the sender is the actor, which drops and counts when it is full.
pub(crate) const WORK_QUEUE: usize = 128;

/// Events of the connection; the library waits when it is full.
const EVENT_QUEUE: usize = 128;

pub(crate) enum PeerWork {
    Offer {
        video: bool,
        /// Of sound and pictures.
        direction: Direction,
    },
    Answer {
        offer: String,
        candidates: Vec<Candidate>,
    },
    ApplyAnswer {
        sdp: String,
        candidates: Vec<Candidate>,
    },
    Reoffer {
        restart: bool,
        video: Direction,
    },
    Reanswer {
        offer: String,
        send_video: bool,
        candidates: Vec<Candidate>,
    },
    Candidate(Option<Candidate>),
    RequestKeyframe,
    /// Says the last words over the connection itself.
    Say(String),
    /// Reads the digits that both people can compare.
    CheckCode,
    Stats,
}

/// What comes back.
pub(crate) enum PeerNews {
    /// The connection exists; media can be attached.
    Ready(Arc<Peer>),
    Input(PeerInput),
    /// A description could not be made or applied, or nothing is in common.
    Broken(PeerError),
    /// The other side agreed to send no sound.
    WithoutSound,
    Event(PeerEvent),
    CheckCode(String),
    Stats(Box<PeerStats>),
}

/// Starts the task; it closes the connection when the returned sender is dropped.
/// The servers of `config` are the user's own; those that the signaling server offers come to them.
pub(crate) fn spawn(
    call: CallId,
    config: PeerConfig,
    ice: IceServers,
    inbox: Inbox,
) -> mpsc::Sender<PeerWork> {
    let (work_tx, work_rx) = mpsc::channel(WORK_QUEUE);
    tokio::spawn(run(call, config, ice, work_rx, inbox));
    work_tx
}

async fn run(
    call: CallId,
    mut config: PeerConfig,
    ice: IceServers,
    mut work: mpsc::Receiver<PeerWork>,
    inbox: Inbox,
) {
    let servers = Servers {
        own: std::mem::take(&mut config.ice_servers),
        ice,
    };
    let (ice_servers, relay_only) = servers.fresh().await;
    config.ice_servers = ice_servers;
    config.relay_only |= relay_only;
    let (event_tx, mut events) = mpsc::channel(EVENT_QUEUE);
    let peer = match Peer::new(config, event_tx).await {
        Ok(peer) => Arc::new(peer),
        Err(error) => {
            inbox.peer(&call, PeerNews::Broken(error)).await;
            return;
        }
    };
    inbox.peer(&call, PeerNews::Ready(peer.clone())).await;
    loop {
        tokio::select! {
            // Work first: a flood of events must not hold up an answer.
            biased;
            next = work.recv() => {
                let Some(next) = next else { break };
                if next.may_restart() {
                    servers.renew(&peer).await;
                }
                for news in perform(&peer, &call, next).await {
                    inbox.peer(&call, news).await;
                }
            }
            Some(event) = events.recv() => inbox.peer(&call, PeerNews::Event(event)).await,
        }
    }
    peer.close().await;
}

/// The STUN and TURN servers of one call.
struct Servers {
    /// The user's own.
    own: Vec<IceServer>,
    /// Those that the signaling server offers.
    ice: IceServers,
}

impl Servers {
    /// All of them, and whether only relays may be used.
    async fn fresh(&self) -> (Vec<IceServer>, bool) {
        let offered = self.ice.fresh().await;
        let mut all = self.own.clone();
        all.extend(offered.servers);
        (all, offered.relay_only)
    }

    /// Before a restart, which opens the sockets anew: relays whose credentials are about to end are of no use to it
    /// (IM-Suite §9, network change).
    async fn renew(&self, peer: &Peer) {
        let (servers, _) = self.fresh().await;
        if let Err(error) = peer.set_ice_servers(&servers).await {
            tracing::warn!(%error, "the connection keeps the servers it has");
        }
    }
}

impl PeerWork {
    /// A restart is offered; whether one is answered is in the offer, and asking for what is fresh costs nothing.
    fn may_restart(&self) -> bool {
        match self {
            PeerWork::Reoffer { restart, .. } => *restart,
            PeerWork::Reanswer { .. } => true,
            PeerWork::Offer { .. }
            | PeerWork::Answer { .. }
            | PeerWork::ApplyAnswer { .. }
            | PeerWork::Candidate(_)
            | PeerWork::RequestKeyframe
            | PeerWork::Say(_)
            | PeerWork::CheckCode
            | PeerWork::Stats => false,
        }
    }
}

async fn perform(peer: &Peer, call: &CallId, work: PeerWork) -> Vec<PeerNews> {
    match work {
        PeerWork::Offer { video, direction } => {
            let media = OfferMedia {
                audio: true,
                video,
                direction,
            };
            offered(peer.create_offer(media).await)
        }
        PeerWork::Reoffer { restart, video } => offered(peer.reoffer(restart, video).await),
        PeerWork::Answer { offer, candidates } => answer(peer, &offer, true, candidates).await,
        PeerWork::Reanswer {
            offer,
            send_video,
            candidates,
        } => answer(peer, &offer, send_video, candidates).await,
        PeerWork::ApplyAnswer { sdp, candidates } => {
            let applied = peer.set_answer(&sdp).await;
            add_all(peer, candidates).await;
            match applied {
                Ok(()) => {
                    let mut news = vec![negotiated(peer).await];
                    if !peer.hears().await {
                        news.push(PeerNews::WithoutSound);
                    }
                    news
                }
                Err(error) => vec![PeerNews::Broken(error)],
            }
        }
        PeerWork::Candidate(candidate) => {
            add(peer, candidate).await;
            Vec::new()
        }
        PeerWork::RequestKeyframe => {
            peer.request_keyframe().await;
            Vec::new()
        }
        PeerWork::CheckCode => {
            let code = peer.check_code(call).await;
            code.map(PeerNews::CheckCode).into_iter().collect()
        }
        PeerWork::Say(text) => {
            let heard = peer.say(&text).await;
            tracing::debug!(heard, "last words over the connection");
            Vec::new()
        }
        PeerWork::Stats => {
            let mut news = vec![PeerNews::Stats(Box::new(peer.stats().await))];
            if peer.network_changed().await {
                news.push(PeerNews::Input(PeerInput::NetworkChanged));
            }
            news
        }
    }
}

fn offered(offer: Result<String, PeerError>) -> Vec<PeerNews> {
    vec![match offer {
        Ok(sdp) => PeerNews::Input(PeerInput::LocalOffer { sdp }),
        Err(error) => PeerNews::Broken(error),
    }]
}

async fn answer(peer: &Peer, offer: &str, send_video: bool, candidates: Vec<Candidate>) -> Vec<PeerNews> {
    let answered = peer.create_answer(offer, send_video).await;
    add_all(peer, candidates).await;
    match answered {
        Ok(sdp) => vec![
            PeerNews::Input(PeerInput::LocalAnswer { sdp }),
            negotiated(peer).await,
        ],
        Err(error) => vec![PeerNews::Broken(error)],
    }
}

async fn negotiated(peer: &Peer) -> PeerNews {
    let video = peer.video_direction().await;
    PeerNews::Input(PeerInput::Negotiated { video })
}

async fn add_all(peer: &Peer, candidates: Vec<Candidate>) {
    for candidate in candidates {
        add(peer, Some(candidate)).await;
    }
}

/// One bad candidate is not the end of a call: another may work.
async fn add(peer: &Peer, candidate: Option<Candidate>) {
    if let Err(error) = peer.add_candidate(candidate).await {
        tracing::debug!(%error, "candidate of the other side not used");
    }
}
