//! The neutral vocabulary: what one side of a call tells the other, whatever the protocol.

use crate::{CallId, Party};
use std::time::Duration;

/// One message about one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Begins a call, or renegotiates a live one (same call id, `negotiation` > 0).
    Offer(Box<Offer>),
    /// A device of the callee alerts its user.
    Ringing { call: CallId },
    /// Takes the call, or answers a re-offer.
    Answer {
        call: CallId,
        sdp: String,
        candidates: Vec<Candidate>,
        constraints: Option<Constraints>,
        negotiation: Option<u32>,
    },
    /// Another device of this user took the call.
    AnsweredElsewhere { call: CallId },
    /// One more ICE candidate; `None` is the end of candidates.
    Candidate {
        call: CallId,
        candidate: Option<Candidate>,
    },
    /// The call is over.
    End {
        call: CallId,
        reason: EndReason,
        detail: Option<EndDetail>,
    },
    /// Something sent was refused, or the other side failed. `call` is `None` when the server could not tell.
    Refused { call: Option<CallId>, refusal: Refusal },
    /// How the call goes at the sender of the report.
    Report { call: CallId, report: Report },
    /// The callee asks the caller for a re-offer (IM-Suite §4.7).
    Renegotiate {
        call: CallId,
        ice_restart: bool,
        video: Option<bool>,
    },
}

/// An offer with all that the callee needs to ring.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub call: CallId,
    pub from: Party,
    pub to: Party,
    /// A video call, else audio only.
    pub video: bool,
    pub sdp: String,
    pub candidates: Vec<Candidate>,
    pub constraints: Constraints,
    /// 0 for the first offer, +1 for each re-offer.
    pub negotiation: u32,
    /// How much longer it rings, when the server says so.
    pub expires_in: Option<Duration>,
    /// The caller's name for display, when the server says so.
    pub caller_name: Option<String>,
    /// What a call to a room is for; `None` = a call between two people.
    pub stream: Option<StreamCall>,
}

/// A stream in a room and what its caller wants with it (ZLMediaKit).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamCall {
    pub purpose: Purpose,
    pub vhost: String,
    pub app: String,
    pub stream: String,
}

/// What the caller of a stream wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To talk: both ways.
    Call,
    /// To receive only.
    Play,
    /// To send only.
    Push,
    /// A word this version does not know; both ways.
    Other(String),
}

impl Purpose {
    /// Reads the `type` of a ZLMediaKit call.
    pub fn from_word(word: &str) -> Self {
        match word {
            "call" => Purpose::Call,
            "play" => Purpose::Play,
            "push" => Purpose::Push,
            _ => Purpose::Other(word.to_owned()),
        }
    }

    /// The `type` of a ZLMediaKit call.
    pub fn as_str(&self) -> &str {
        match self {
            Purpose::Call => "call",
            Purpose::Play => "play",
            Purpose::Push => "push",
            Purpose::Other(word) => word,
        }
    }

    /// Which way media goes, as the caller or the callee sees it.
    pub fn way(&self, outgoing: bool) -> Direction {
        match (self, outgoing) {
            (Purpose::Play, true) | (Purpose::Push, false) => Direction::RecvOnly,
            (Purpose::Push, true) | (Purpose::Play, false) => Direction::SendOnly,
            (Purpose::Call | Purpose::Other(_), _) => Direction::SendRecv,
        }
    }
}

/// An ICE candidate as W3C `RTCIceCandidateInit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// With or without the `candidate:` prefix.
    pub candidate: String,
    pub sdp_mid: Option<String>,
    pub sdp_m_line_index: Option<u16>,
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// A candidate of a relay, which tells no address of this machine (RFC 8839 §5.1).
    pub fn is_relay(&self) -> bool {
        let mut words = self.candidate.split(' ').skip_while(|word| *word != "typ");
        words.nth(1) == Some("relay")
    }
}

/// Which way the pictures of a call go, as one side sees it (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resolution {
    pub width: u32,
    pub height: u32,
}

/// What the sender of the constraints wishes to receive (IM-Suite §5). Names of codecs are in order of preference.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraints {
    pub audio: bool,
    pub video: bool,
    pub audio_codecs: Vec<String>,
    pub video_codecs: Vec<String>,
    /// Bits per second, all media together.
    pub max_bandwidth: Option<u64>,
    /// Bits per second.
    pub min_bandwidth: Option<u64>,
    pub prefer_hd: Option<bool>,
    pub fallback_to_audio: Option<bool>,
    pub resolution: Option<Resolution>,
    /// Frames per second.
    pub frame_rate: Option<u32>,
}

impl Default for Constraints {
    /// The examples of IM-Suite §5.
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
            audio_codecs: ["opus", "PCMU", "PCMA"].map(String::from).to_vec(),
            video_codecs: ["VP8", "VP9", "H264"].map(String::from).to_vec(),
            max_bandwidth: Some(2_000_000),
            min_bandwidth: Some(64_000),
            prefer_hd: None,
            fallback_to_audio: None,
            resolution: Some(Resolution {
                width: 1280,
                height: 720,
            }),
            frame_rate: Some(30),
        }
    }
}

/// Why a call ended, as the protocols say it (IM-Suite §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    UserHangup,
    UserRejected,
    UserBusy,
    Timeout,
    NetworkError,
    ServerError,
}

impl EndReason {
    /// Reads the word of IM-Suite §6; an unknown one counts as a hang-up (§4.4).
    pub fn from_word(word: &str) -> Self {
        match word {
            "user_rejected" => EndReason::UserRejected,
            "user_busy" => EndReason::UserBusy,
            "timeout" => EndReason::Timeout,
            "network_error" => EndReason::NetworkError,
            "server_error" => EndReason::ServerError,
            _ => EndReason::UserHangup,
        }
    }

    /// The word of IM-Suite §6.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::UserHangup => "user_hangup",
            EndReason::UserRejected => "user_rejected",
            EndReason::UserBusy => "user_busy",
            EndReason::Timeout => "timeout",
            EndReason::NetworkError => "network_error",
            EndReason::ServerError => "server_error",
        }
    }
}

/// The machine word beside an [`EndReason`] (IM-Suite §6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EndDetail {
    Cancelled,
    MediaFailure,
    Glare,
    Ring,
    IceFailed,
    DtlsFailed,
    BadSdp,
    SignalingLost,
    MediaLost,
    /// A word this version does not know.
    Other(String),
}

impl EndDetail {
    /// Reads the word of IM-Suite §6.
    pub fn from_word(word: &str) -> Self {
        match word {
            "cancelled" => EndDetail::Cancelled,
            "media_failure" => EndDetail::MediaFailure,
            "glare" => EndDetail::Glare,
            "ring" => EndDetail::Ring,
            "ice_failed" => EndDetail::IceFailed,
            "dtls_failed" => EndDetail::DtlsFailed,
            "bad_sdp" => EndDetail::BadSdp,
            "signaling_lost" => EndDetail::SignalingLost,
            "media_lost" => EndDetail::MediaLost,
            _ => EndDetail::Other(word.to_owned()),
        }
    }

    /// The word of IM-Suite §6.
    pub fn as_str(&self) -> &str {
        match self {
            EndDetail::Cancelled => "cancelled",
            EndDetail::MediaFailure => "media_failure",
            EndDetail::Glare => "glare",
            EndDetail::Ring => "ring",
            EndDetail::IceFailed => "ice_failed",
            EndDetail::DtlsFailed => "dtls_failed",
            EndDetail::BadSdp => "bad_sdp",
            EndDetail::SignalingLost => "signaling_lost",
            EndDetail::MediaLost => "media_lost",
            EndDetail::Other(word) => word,
        }
    }
}

/// The three groups of IM-Suite §8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalGroup {
    Signaling,
    Media,
    Network,
}

/// The codes of IM-Suite §8 that decide what happens next; every other code is `Other`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    UserOffline,
    UserNotFound,
    NotPermitted,
    SelfCall,
    AlreadyInCall,
    Glare,
    DuplicateCallId,
    UnknownCall,
    AnsweredElsewhere,
    BadSdp,
    RateLimited,
    /// A re-offer is unanswered; another may follow after `retry_after`.
    RenegotiationPending,
    /// This server cannot do calls (IM-Suite §13).
    CallsUnsupported,
    /// The media server has no such stream (ZLMediaKit).
    StreamNotFound,
    /// Somebody else sends this stream already (ZLMediaKit).
    StreamTaken,
    /// The other side takes no re-offers: what was agreed on at first stays.
    RenegotiationUnsupported,
    Other(String),
}

/// A `call.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub group: RefusalGroup,
    pub code: RefusalCode,
    /// The call is over for the receiver.
    pub fatal: bool,
    /// Text for a person, as it came.
    pub text: String,
    /// With [`RefusalCode::Glare`]: the call that goes on.
    pub winner: Option<CallId>,
    /// How long to wait before the refused thing is tried again, when the server says so.
    pub retry_after: Option<Duration>,
}

/// The quality words of IM-Suite §4.5, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkQuality {
    Excellent,
    Good,
    Fair,
    Poor,
    VeryPoor,
}

/// On or off, as `call.status` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Toggle {
    On,
    Off,
}

/// What the sender of a report sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaState {
    /// `Off` = muted.
    pub audio: Option<Toggle>,
    pub video: Option<Toggle>,
    pub screen: Option<Toggle>,
}

/// The kind of the sender's own candidate on the selected path (RFC 8445 §4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkPath {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relay,
}

/// The link as the sender of the report receives it (IM-Suite §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NetworkStats {
    /// Fraction 0..1 of expected packets that did not come, this interval.
    pub packet_loss: Option<f64>,
    /// Milliseconds.
    pub jitter: Option<f64>,
    /// Milliseconds.
    pub rtt: Option<f64>,
    /// Bits per second.
    pub bitrate_in: Option<u64>,
    /// Bits per second.
    pub bitrate_out: Option<u64>,
    /// Bits per second.
    pub available_out: Option<u64>,
    /// Received frames per second.
    pub fps: Option<f64>,
    pub resolution: Option<Resolution>,
    pub path: Option<LinkPath>,
}

/// A `call.status` of a connected call: `connected`, `disconnected` or `failed`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `true` = connected; `false` = the transport is lost and recovery runs.
    pub connected: bool,
    /// Since the answer.
    pub duration: Option<Duration>,
    pub audio_quality: Option<LinkQuality>,
    pub video_quality: Option<LinkQuality>,
    pub network: Option<NetworkStats>,
    pub media: Option<MediaState>,
}

impl Signal {
    /// The call this is about.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            Signal::Offer(offer) => Some(&offer.call),
            Signal::Ringing { call }
            | Signal::Answer { call, .. }
            | Signal::AnsweredElsewhere { call }
            | Signal::Candidate { call, .. }
            | Signal::End { call, .. }
            | Signal::Report { call, .. }
            | Signal::Renegotiate { call, .. } => Some(call),
            Signal::Refused { call, .. } => call.as_ref(),
        }
    }
}
