//! The live call as a user sees it.

use crate::{CallId, Direction, Party, StreamCall};
use std::time::Instant;

/// The live call at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSnapshot {
    pub call: CallId,
    pub peer: Party,
    /// The caller's name, when the server said it.
    pub peer_name: Option<String>,
    /// This side placed the call.
    pub outgoing: bool,
    /// A video call, else audio only.
    pub video: bool,
    /// The own camera is part of the call; an incoming call has it after it was accepted with video.
    pub send_video: bool,
    pub state: CallState,
    /// The first time that ICE and DTLS were up.
    pub connected_at: Option<Instant>,
    pub began_at: Instant,
    /// Which way media goes by the purpose of the call; within it pictures may go or not.
    pub way: Direction,
    /// What a call to a room is for.
    pub stream: Option<StreamCall>,
}

/// The states of IM-Suite §10 that a user can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallState {
    Calling,
    RingingOut,
    RingingIn,
    Connecting,
    Connected,
    Reconnecting,
}

impl CallState {
    /// The word of the headless client's events.
    pub fn as_str(self) -> &'static str {
        match self {
            CallState::Calling => "calling",
            CallState::RingingOut => "ringing_out",
            CallState::RingingIn => "ringing_in",
            CallState::Connecting => "connecting",
            CallState::Connected => "connected",
            CallState::Reconnecting => "reconnecting",
        }
    }
}
