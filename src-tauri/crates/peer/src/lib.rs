//! One peer connection: SDP, ICE, tracks, congestion control, statistics.
//!
//! [`Peer`] is the only door; no type of the WebRTC library shows through it. Its own tasks run on the caller's tokio
//! runtime; packet sinks are called on those tasks and must not block. Nothing here knows signaling, devices or codecs'
//! insides: frames come encoded and leave as RTP payloads.

mod config;
mod error;
mod event;
mod frame_sender;
mod peer;
mod stats;

pub use config::{AudioCodec, Credential, IceServer, OfferMedia, PeerConfig, VideoCodec};
pub use error::PeerError;
pub use event::{Codec, MediaKind, PacketSink, PeerEvent, RemoteTrack, TransportState};
pub use frame_sender::FrameSender;
pub use peer::Peer;
pub use stats::{
    CandidateType, InboundStats, NetworkPath, OutboundStats, PeerStats, RemoteInboundStats,
    SelectedCandidate, TransportStats,
};
