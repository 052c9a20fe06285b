//! The connection as its owner sees it.

use crate::config::{OfferMedia, PeerConfig};
use crate::error::PeerError;
use crate::event::{MediaKind, PacketSink, PeerEvent};
use crate::frame_sender::FrameSender;
use crate::stats::PeerStats;
use ahoy_call::Candidate;
use tokio::sync::mpsc;

/// One peer connection; dropping it closes it.
pub struct Peer {
    audio_out: FrameSender,
    video_out: FrameSender,
}

#[allow(clippy::unused_async)]
impl Peer {
    /// Makes a connection that gathers nothing until an offer or answer is made.
    pub async fn new(_config: PeerConfig, _events: mpsc::Sender<PeerEvent>) -> Result<Peer, PeerError> {
        Err(PeerError::Closed)
    }

    /// Makes an offer, sets it as local description and begins to gather; candidates follow as events.
    pub async fn create_offer(&self, _media: OfferMedia) -> Result<String, PeerError> {
        Err(PeerError::Closed)
    }

    /// Applies an offer (the first, or a renegotiation) and answers both ways for audio, and for video when offered.
    pub async fn create_answer(&self, _offer_sdp: &str) -> Result<String, PeerError> {
        Err(PeerError::Closed)
    }

    /// Applies the answer to the last offer.
    pub async fn set_answer(&self, _sdp: &str) -> Result<(), PeerError> {
        Err(PeerError::Closed)
    }

    /// Takes a candidate of the other side at any time; `None` is the end of candidates.
    pub async fn add_candidate(&self, _candidate: Option<Candidate>) -> Result<(), PeerError> {
        Err(PeerError::Closed)
    }

    /// Makes an offer that restarts ICE, with the media of the last one.
    pub async fn restart_offer(&self) -> Result<String, PeerError> {
        Err(PeerError::Closed)
    }

    /// Sets where received packets of a kind go; the sink before it is dropped.
    pub fn set_receiver(&self, _kind: MediaKind, _sink: PacketSink) {}

    /// Returns the way for encoded sound.
    pub fn audio_out(&self) -> FrameSender {
        self.audio_out.clone()
    }

    /// Returns the way for encoded pictures.
    pub fn video_out(&self) -> FrameSender {
        self.video_out.clone()
    }

    /// Asks the other side for a keyframe (PLI, RFC 4585 §6.3.1).
    pub async fn request_keyframe(&self) {}

    /// Reads all counters.
    pub async fn stats(&self) -> PeerStats {
        PeerStats::default()
    }

    /// Ends the connection; sockets and tasks are gone when it returns.
    pub async fn close(&self) {}
}
