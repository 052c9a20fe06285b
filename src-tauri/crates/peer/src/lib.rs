//! One peer connection: SDP, ICE, tracks, congestion control, statistics.
//!
//! [`Peer`] is the only door; no type of the WebRTC library shows through it. Its own tasks run on the caller's tokio
//! runtime; packet sinks are called on those tasks and must not block. Nothing here knows signaling, devices or codecs'
//! insides: frames come encoded and leave as RTP payloads.

mod capture_clock;
mod channel;
mod check_code;
mod codec;
mod config;
mod digits;
mod early_media;
mod engine;
mod error;
mod estimator;
mod event;
mod event_numbers;
mod feedback_interval;
mod frame_sender;
mod handler;
mod handshake_repeat;
mod held_candidates;
mod interceptor;
mod interfaces;
mod ledger;
mod media_tap;
mod negotiation;
mod outlet;
mod pacer;
mod pacing;
mod padding;
mod payload;
mod peer;
mod plain_socket;
mod rehearsal;
mod relay_flush;
mod repair_types;
mod repairs;
mod rtx;
mod sdp;
mod sequence;
mod sockets;
mod stats;
mod stream_binding;
mod streams;
mod track_out;
mod transport_stats;
mod turn_stream;
mod voice_repair;
mod voice_requests;
mod wire_tap;

// The support of the tests names this crate, from outside and from here.
#[cfg(test)]
extern crate self as ahoy_peer;
#[cfg(test)]
mod tests;

pub use config::{AudioCodec, Credential, IceServer, OfferMedia, PeerConfig, VideoCodec};
pub use digits::{BadDigits, Digits, DigitsRefused};
pub use error::PeerError;
pub use event::{
    Codec, MediaKind, PacketSink, PeerEvent, PictureSink, RemoteTrack, ReportSink, SoundOut, TransportState,
};
pub use frame_sender::FrameSender;
pub use peer::Peer;
pub use sdp::answered_codec;
pub use stats::{
    CandidateType, InboundStats, NetworkPath, OutboundStats, PeerStats, RemoteInboundStats,
    SelectedCandidate, TransportStats,
};
