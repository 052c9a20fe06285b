//! What a peer connection is made from.

use ahoy_call::Direction;
use ahoy_media::codec::opus::OpusWish;
pub use ahoy_media::codec::{PictureCodec as VideoCodec, SoundCodec as AudioCodec};
use ahoy_media::units::Bitrate;
use std::fmt;

/// Everything a [`Peer`](crate::Peer) is told at its start.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    pub ice_servers: Vec<IceServer>,
    /// Certificates in DER that `turns:` servers are also checked against, beside those of the system.
    pub extra_roots: Vec<Vec<u8>>,
    /// Only relayed candidates are offered and used.
    pub relay_only: bool,
    /// Also gathers 127.0.0.1, for two sides on one machine.
    pub loopback: bool,
    /// In order of preference; the first is offered first.
    pub audio_codecs: Vec<AudioCodec>,
    /// In order of preference; the first is offered first.
    pub video_codecs: Vec<VideoCodec>,
    /// What the other side is told of the Opus that is wanted here.
    pub opus: OpusWish,
    /// Where the bandwidth estimate starts.
    pub start_bitrate: Bitrate,
    /// The estimate never falls below this; it should carry one voice.
    pub min_bitrate: Bitrate,
    /// The estimate never grows above this.
    pub max_bitrate: Bitrate,
}

impl Default for PeerConfig {
    /// No servers, Opus and VP8, 1 Mbit/s at the start, 10 kbit/s (6 of voice and the headers of 120 ms frames) to
    /// 5 Mbit/s.
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            extra_roots: Vec::new(),
            relay_only: false,
            loopback: false,
            audio_codecs: vec![AudioCodec::Opus],
            video_codecs: vec![VideoCodec::Vp8],
            opus: OpusWish::default(),
            start_bitrate: Bitrate::from_kbps(1000),
            min_bitrate: Bitrate::from_kbps(10),
            max_bitrate: Bitrate::from_kbps(5000),
        }
    }
}

/// A STUN or TURN server, as W3C `RTCIceServer`.
#[derive(Debug, Clone, Default)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp` or `tcp`, or `turns:host:port?transport=tcp`.
    pub urls: Vec<String>,
    pub username: String,
    pub credential: Credential,
}

/// A TURN password; its `Debug` form hides it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// What an offer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferMedia {
    pub audio: bool,
    pub video: bool,
    /// Which way both go.
    pub direction: Direction,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_never_shows_in_debug_output() {
        let server = IceServer {
            credential: Credential::new("hunter2"),
            ..IceServer::default()
        };
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
