//! What a peer connection tells its owner.

use crate::config::{AudioCodec, VideoCodec};
use ahoy_call::Candidate;
use ahoy_media::codec::opus::OpusParameters;
use ahoy_media::packet::{ReceivedPacket, SenderReport};
use ahoy_media::units::Bitrate;

/// Sent in order over the channel given to [`Peer::new`](crate::Peer::new).
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// A local candidate to send to the other side.
    Candidate(Candidate),
    /// All local candidates have been told.
    CandidatesDone,
    State(TransportState),
    /// The other side sends this kind from here on; told again after each renegotiation that touched it.
    Track(RemoteTrack),
    /// The other side cannot decode our picture (PLI or FIR): encode a keyframe.
    KeyframeNeeded,
    /// The other side pressed a key of a telephone: 0 to 9, `*`, `#`, A to D.
    Digit(char),
    /// The other side said something over the connection's own data channel.
    Message(String),
    /// That channel was closed by the other side, which may be gone.
    ChannelClosed,
    /// The bandwidth estimate moved by more than 5 %.
    TargetBitrate(Bitrate),
}

/// How the transport stands.
///
/// ```text
/// Connecting ─► Connected ⇄ Disconnected ─► Failed
///      └───────────────────────────────────►┘   any ─► Closed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportState {
    Connecting,
    /// ICE and DTLS are up: media flows.
    Connected,
    /// No answer to checks for a few seconds; it may come back by itself.
    Disconnected,
    /// It does not come back without an ICE restart.
    Failed,
    Closed,
}

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    Audio,
    Video,
}

/// The codec of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    Audio(AudioCodec),
    Video(VideoCodec),
}

/// How sound is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundOut {
    pub codec: AudioCodec,
    /// As the other side numbers it.
    pub payload_type: u8,
    /// What the other side says of the Opus it gets, where it is Opus.
    pub opus: OpusParameters,
}

impl Codec {
    /// Its name (RFC 4855).
    pub fn name(self) -> &'static str {
        match self {
            Codec::Audio(codec) => codec.name(),
            Codec::Video(codec) => codec.name(),
        }
    }
}

/// A track of the other side; its packets go to the sink of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteTrack {
    pub kind: MediaKind,
    pub codec: Codec,
}

/// Takes received packets of pictures with their codec, as [`PacketSink`] does those of sound.
pub type PictureSink = Box<dyn FnMut(VideoCodec, ReceivedPacket) + Send>;

/// Takes received packets of sound, on a task of the peer connection: it copies or queues and never blocks.
pub type PacketSink = Box<dyn FnMut(ReceivedPacket) + Send>;

/// Takes what the other side says of the clocks of its streams, likewise.
pub type ReportSink = Box<dyn FnMut(MediaKind, SenderReport) + Send>;
