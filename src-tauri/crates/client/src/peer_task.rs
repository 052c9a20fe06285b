//! The task that owns the peer connection of one call and does what it is told in order.
//!
//! Order matters: a candidate that is told after an answer is added after it. The actor never waits for the
//! connection; results and events come back on its channel, marked with the call they belong to.

use crate::inbox::Inbox;
use ahoy_call::{CallId, Candidate, PeerInput};
use ahoy_peer::{OfferMedia, Peer, PeerConfig, PeerError, PeerEvent, PeerStats};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Work for the connection; the sender is the actor, which drops and counts when it is full.
pub(crate) const WORK_QUEUE: usize = 128;

/// Events of the connection; the library waits when it is full.
const EVENT_QUEUE: usize = 128;

pub(crate) enum PeerWork {
    Offer {
        video: bool,
    },
    Answer {
        offer: String,
        candidates: Vec<Candidate>,
    },
    ApplyAnswer {
        sdp: String,
        candidates: Vec<Candidate>,
    },
    Candidate(Option<Candidate>),
    RequestKeyframe,
    Stats,
}

/// What comes back.
pub(crate) enum PeerNews {
    /// The connection exists; media can be attached.
    Ready(Arc<Peer>),
    Input(PeerInput),
    /// A description could not be made or applied, or nothing is in common.
    Broken(PeerError),
    Event(PeerEvent),
    Stats(Box<PeerStats>),
}

/// Starts the task; it closes the connection when the returned sender is dropped.
pub(crate) fn spawn(call: CallId, config: PeerConfig, inbox: Inbox) -> mpsc::Sender<PeerWork> {
    let (work_tx, work_rx) = mpsc::channel(WORK_QUEUE);
    tokio::spawn(run(call, config, work_rx, inbox));
    work_tx
}

async fn run(call: CallId, config: PeerConfig, mut work: mpsc::Receiver<PeerWork>, inbox: Inbox) {
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
                if let Some(news) = perform(&peer, next).await {
                    inbox.peer(&call, news).await;
                }
            }
            Some(event) = events.recv() => inbox.peer(&call, PeerNews::Event(event)).await,
        }
    }
    peer.close().await;
}

async fn perform(peer: &Peer, work: PeerWork) -> Option<PeerNews> {
    match work {
        PeerWork::Offer { video } => Some(match peer.create_offer(OfferMedia { audio: true, video }).await {
            Ok(sdp) => PeerNews::Input(PeerInput::LocalOffer { sdp }),
            Err(error) => PeerNews::Broken(error),
        }),
        PeerWork::Answer { offer, candidates } => {
            let answered = peer.create_answer(&offer).await;
            add_all(peer, candidates).await;
            Some(match answered {
                Ok(sdp) => PeerNews::Input(PeerInput::LocalAnswer { sdp }),
                Err(error) => PeerNews::Broken(error),
            })
        }
        PeerWork::ApplyAnswer { sdp, candidates } => {
            let applied = peer.set_answer(&sdp).await;
            add_all(peer, candidates).await;
            applied.err().map(PeerNews::Broken)
        }
        PeerWork::Candidate(candidate) => {
            add(peer, candidate).await;
            None
        }
        PeerWork::RequestKeyframe => {
            peer.request_keyframe().await;
            None
        }
        PeerWork::Stats => Some(PeerNews::Stats(Box::new(peer.stats().await))),
    }
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
