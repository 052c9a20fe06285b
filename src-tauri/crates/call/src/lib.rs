//! Calls decided without IO.
//!
//! [`Endpoint`] is one signed-in user on one signaling server. Feed it with `handle_*`, then drain
//! [`Endpoint::poll_action`] until `None`, then wait until [`Endpoint::poll_timeout`] or the next input.
//! Nothing here knows a clock, a task, a socket, JSON or WebRTC.

mod action;
mod call;
mod end;
mod endpoint;
mod id;
mod local;
mod pictures;
mod recovery;
mod remote;
mod renegotiation;
mod signal;
mod snapshot;
mod state;
mod timer;

pub use action::{Action, Command, CommandError, PeerInput, Ring};
pub use end::{CallEnd, EndCause};
pub use endpoint::{Endpoint, EndpointConfig, ListedCall};
pub use id::{CallId, IdError, Party, RoomId, UserId};
pub use signal::{
    Candidate, Constraints, Direction, EndDetail, EndReason, LinkPath, LinkQuality, MediaState, NetworkStats,
    Offer, Purpose, Refusal, RefusalCode, RefusalGroup, Report, Resolution, Signal, StreamCall, Toggle,
};
pub use snapshot::{CallSnapshot, CallState};
