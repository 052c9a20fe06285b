//! What a client is told at its start. No globals, no environment: the shell or the command line fills this in.

use ahoy_call::{Resolution, RoomId};
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::units::Bitrate;
use ahoy_media::video::Rotation;
use ahoy_peer::IceServer;
use ahoy_signaling::{Auth, ProtocolKind, Secret};
use std::time::Duration;

/// How a user proves who he is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A JWT, opaque to the client.
    Token(Secret),
    /// Exchanged for a token by the server's login.
    Password { name: String, password: Secret },
    /// A room on a server of rooms (ZLMediaKit), which asks nobody who he is.
    Room {
        /// Without one the server makes one up.
        room: Option<RoomId>,
        /// What the server wants to be told by everybody.
        secret: Option<Secret>,
    },
}

impl Credentials {
    /// The protocol that these open a server of.
    pub fn protocol(&self) -> ProtocolKind {
        match self {
            Credentials::Token(_) | Credentials::Password { .. } => ProtocolKind::ImSuite,
            Credentials::Room { .. } => ProtocolKind::Zlm,
        }
    }
}

/// Which devices a call uses.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceChoice {
    pub microphone: DeviceSpec,
    pub speaker: DeviceSpec,
    pub camera: DeviceSpec,
    pub screen: DeviceSpec,
    /// What an incoming call is heard on; `None` = nothing is heard, nor any other sign of a call.
    pub ring: Option<RingChoice>,
    /// A missing microphone becomes silence and a missing camera the test picture, with a notice, instead of a failure.
    pub fall_back: bool,
}

/// Where and how loudly an incoming call rings.
#[derive(Debug, Clone, PartialEq)]
pub struct RingChoice {
    pub device: DeviceSpec,
    /// Amplitude 0..1 of the ring as it was made.
    pub volume: f32,
}

/// What this side wishes to receive, and never exceeds in sending.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    pub max_bandwidth: Bitrate,
    pub min_bandwidth: Bitrate,
    pub resolution: Resolution,
    /// Frames per second.
    pub frame_rate: u32,
}

impl Default for Limits {
    /// 720p30 at 2.5 Mbit/s: what the reference client uses for one picture of that size.
    fn default() -> Self {
        Self {
            max_bandwidth: Bitrate::from_kbps(2500),
            min_bandwidth: Bitrate::from_kbps(64),
            resolution: Resolution {
                width: 1280,
                height: 720,
            },
            frame_rate: 30,
        }
    }
}

/// Everything a client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ws://…/ws` or `wss://…/ws`; `…/signaling` for rooms.
    pub server: String,
    pub credentials: Credentials,
    /// Stable per installation: `[A-Za-z0-9_-]{1,64}` (IM-Suite §1.6).
    pub device_id: String,
    /// Plain `ws://` to other machines is allowed.
    pub insecure_server: bool,
    /// How the token travels to the server.
    pub auth: Auth,
    pub devices: DeviceChoice,
    pub limits: Limits,
    /// In order of preference; the first is offered first.
    pub audio_codecs: Vec<SoundCodec>,
    /// In order of preference; the first is offered first.
    pub video_codecs: Vec<PictureCodec>,
    /// What the sound is, where it goes as Opus, and what is wished to be received.
    pub opus: OpusWish,
    /// How the own camera's pictures are turned.
    pub camera_rotation: Rotation,
    /// What is done to the voice of a microphone in a room.
    pub voice: VoiceSettings,
    /// STUN and TURN servers of the user's own, used beside those that the server offers.
    pub ice_servers: Vec<IceServer>,
    /// No other path than through a relay, and no other address told to anybody.
    pub relay_only: bool,
    /// Loopback addresses are candidates too: both sides may be on one machine.
    pub loopback: bool,
    /// Answer every call by itself, as offered, with no ringing: the Echo contact.
    pub auto_answer: bool,
    /// How often statistics are told.
    pub stats_interval: Duration,
}
