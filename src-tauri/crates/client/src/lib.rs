//! The actor that joins signaling, peer connection and media into calls.
//!
//! [`Client::start`] spawns one task that owns the call endpoint, the protocol session, the socket, the peer of the
//! live call and its media. Commands go in through [`ClientHandle`]; out come whole [`Snapshot`]s (newest wins, for a
//! window) and [`ClientEvent`]s (every one, in order, for a script or a test). It knows neither Tauri nor a terminal.
//!
//! | file | owns |
//! |---|---|
//! | `actor` | the one loop |
//! | `signaling`, `account`, `calls`, `media_control`, `reports` | what the actor does with the server's WebSocket and its REST half, the endpoint, the media, the figures |
//! | `live`, `legs` | the state of a connection, and the one or two that the call that goes on has |
//! | `halves` | what the actor does with the two calls that a two-way call with a media server is |
//! | `peer_task` | the connection, on a task of its own |
//! | `media_session` | the devices and the four pipelines, opened and closed on blocking threads |
//! | `in_band` | the words of a call's end over its own connection |
//! | `ice_servers` | the relays that the server offers, on a task of its own |
//! | `ringer`, `microphone_meter` | a thread that plays a sound, a thread that listens to how loud a microphone is |
//! | `network` | changes of the system's network |
//! | `ladder`, `quality`, `verdict`, `measure`, `people`, `history`, `problem`, `recovery`, `streams`, `two_way` | pure decisions |

mod account;
mod actor;
mod attention;
mod calls;
mod client;
mod device_loss;
pub mod echo;
mod halves;
mod history;
mod ice_servers;
mod in_band;
mod inbox;
mod ladder;
mod legs;
mod live;
mod measure;
mod media_control;
mod media_news;
mod media_session;
mod microphone_meter;
mod network;
mod notice_code;
mod peer_task;
mod people;
mod problem;
mod process;
mod quality;
mod recovery;
mod reports;
mod ringer;
mod settings;
mod signaling;
mod snapshot;
mod sound_repairs;
mod sounds;
mod stats;
mod streams;
mod two_way;
pub mod verdict;
mod view;

pub use ahoy_media::video::send::stats::QualityLimitationReason;
pub use ahoy_peer::{BadDigits, Digits};
pub use ahoy_signaling::zlm::own::Room;
pub use client::{Client, ClientHandle};
pub use ladder::PictureStep;
pub use microphone_meter::{MicrophoneMeter, MicrophoneReading};
pub use notice_code::notice_code;
pub use ringer::{Playing, Ringer};
pub use settings::{Credentials, DeviceChoice, Limits, RingChoice, Settings};
pub use snapshot::{
    CameraState, ClientEvent, Command, CommandRefused, EndedCall, Found, LiveCall, MediaMoment,
    MicrophoneState, Notice, PathKind, Person, Phase, Presence, Problem, Receipt, RecentCall, RecentSource,
    SearchState, ServerState, Snapshot,
};
pub use stats::CallStats;
pub use two_way::{Half, LostHalf};
