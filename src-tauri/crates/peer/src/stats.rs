//! How a peer connection goes, in the terms of W3C webrtc-stats.

use crate::event::Codec;
use ahoy_media::units::Bitrate;
use std::net::SocketAddr;
use std::time::Duration;

/// A snapshot of all counters; counters never go back during the life of a [`Peer`](crate::Peer).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PeerStats {
    pub audio_in: InboundStats,
    pub video_in: InboundStats,
    pub audio_out: OutboundStats,
    pub video_out: OutboundStats,
    pub transport: TransportStats,
}

/// One kind of received media.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InboundStats {
    /// Of the packet that came last, as this side numbers them.
    pub payload_type: Option<u8>,
    /// RTP packets, repaired ones included, each sequence number once.
    pub packets: u64,
    /// Payload bytes of them.
    pub bytes: u64,
    /// Expected and neither received nor repaired (RFC 3550 §6.4.1); late repairs lower it.
    pub packets_lost: i64,
    /// Interarrival jitter in seconds (RFC 3550 §6.4.1).
    pub jitter: f64,
    /// Packets received as retransmissions, over RTX (RFC 4588) or on the same SSRC.
    pub retransmitted_packets: u64,
    /// Packets that came again after they had been received.
    pub duplicates: u64,
    /// NACK messages this side sent.
    pub nack_count: u64,
    /// PLI messages this side sent.
    pub pli_count: u64,
}

/// One kind of sent media.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutboundStats {
    /// As it is sent, with the payload type as the other side numbers them; `None` = it is not.
    pub codec: Option<(Codec, u8)>,
    /// RTP packets, retransmissions not included.
    pub packets: u64,
    /// Payload bytes, retransmissions included.
    pub bytes: u64,
    /// Packets sent again over RTX or on the same SSRC.
    pub retransmitted_packets: u64,
    /// Payload bytes of them.
    pub retransmitted_bytes: u64,
    /// NACK messages the other side sent.
    pub nack_count: u64,
    /// PLI and FIR messages the other side sent.
    pub pli_count: u64,
    /// Frames refused because the queue to the connection was full.
    pub frames_dropped: u64,
    /// Packets the library refused to take.
    pub send_errors: u64,
    /// What the other side reports about this stream; `None` until its first report.
    pub remote: Option<RemoteInboundStats>,
}

/// A report block of the other side (RFC 3550 §6.4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteInboundStats {
    /// 0..1, since the report before.
    pub fraction_lost: f64,
    pub packets_lost: i64,
    /// Interarrival jitter there, in seconds.
    pub jitter: f64,
    /// From the report's LSR and DLSR; `None` until the other side has seen a sender report.
    pub rtt: Option<Duration>,
    /// Since the report came.
    pub age: Duration,
}

/// The transport under both kinds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TransportStats {
    /// Of the selected candidate pair.
    pub rtt: Option<Duration>,
    pub local: Option<SelectedCandidate>,
    pub remote: Option<SelectedCandidate>,
    /// The worse of the two sides: relay before prflx before srflx before host.
    pub path: Option<NetworkPath>,
    /// This side's bandwidth estimate.
    pub available_outgoing_bitrate: Option<Bitrate>,
    /// What part of this side's packets of the last second did not arrive, repairs counted as packets of their own; 0 where
    /// the other side gives no feedback on each.
    pub path_loss: f64,
    /// `new`, `connecting`, `connected`, `closed` or `failed`.
    pub dtls_state: String,
    pub srtp_cipher: Option<String>,
    /// Datagrams the system refused to send, checks of pairs that cannot work included.
    pub socket_send_errors: u64,
}

/// One end of the selected pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedCandidate {
    pub candidate_type: CandidateType,
    /// `None` when the address is not an IP address.
    pub address: Option<SocketAddr>,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// `udp`, `tcp` or `tls`: how our own relay is reached, where the candidate is on one.
    pub relay_protocol: Option<&'static str>,
}

/// RFC 8445 §5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CandidateType {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relay,
}

/// The way media takes.
pub type NetworkPath = CandidateType;

impl CandidateType {
    /// The word of W3C `RTCIceCandidateType`.
    pub fn as_str(self) -> &'static str {
        match self {
            CandidateType::Host => "host",
            CandidateType::ServerReflexive => "srflx",
            CandidateType::PeerReflexive => "prflx",
            CandidateType::Relay => "relay",
        }
    }
}
