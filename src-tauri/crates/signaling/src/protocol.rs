//! The seam between calls and the protocols: one trait, one variant and one folder per protocol.
//!
//! Sessions are pure: no clock, socket or task. They do not know who reads the texts they make.

use crate::im_suite::encoding::Encoding;
use crate::rest::IceServerEntry;
use crate::zlm::own::Room;
use crate::{Secret, im_suite, zlm};
use ahoy_call::{CallId, Party, RoomId, Signal, UserId};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// A signed-in session of one protocol, without IO.
///
/// After every `handle_*` call [`Protocol::poll_text`] and [`Protocol::poll_event`] are drained until `None`; then
/// [`Protocol::handle_timeout`] is due at [`Protocol::poll_timeout`], which may change with every input.
pub trait Protocol: Send {
    /// The link is up and has carried nothing yet.
    fn handle_connected(&mut self, now: Instant);

    /// The link is gone; texts that still matter are kept until the next [`Protocol::handle_connected`].
    fn handle_disconnected(&mut self, now: Instant);

    /// One text message of the server. Whatever it holds, the session goes on; nonsense becomes an [`Event::Problem`].
    fn handle_text(&mut self, now: Instant, text: &str);

    /// The link showed life without a text (a ping or pong frame).
    fn handle_alive(&mut self, now: Instant);

    /// Sends one signal; `wall` is the time of day written into it.
    fn handle_signal(&mut self, now: Instant, wall: Timestamp, signal: Signal) -> Result<(), ProtocolError>;

    /// Who the user is, found out elsewhere after [`Problem::UnknownUser`]; what the server says counts more.
    fn handle_user(&mut self, now: Instant, user: UserId);

    /// Tells whether a call is up: heartbeats are then closer and silence is noticed sooner.
    fn set_in_call(&mut self, now: Instant, in_call: bool);

    /// The time given by [`Protocol::poll_timeout`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The next text to send, oldest first.
    fn poll_text(&mut self) -> Option<String>;

    /// The next event, oldest first.
    fn poll_event(&mut self) -> Option<Event>;

    /// When [`Protocol::handle_timeout`] is due, if ever.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What a session tells its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Signed in, after every connect; comes again if the server introduces itself late.
    Ready {
        me: Party,
        /// How long the server lets a call ring, if it says so.
        ring_timeout: Option<Duration>,
        /// The server shows no features (IM-Suite §13): no renegotiation by request, no resume.
        basic_mode: bool,
        /// The calls the server holds for this user.
        live_calls: Vec<LiveCall>,
    },
    /// The other side or the server said something about a call.
    Signal(Signal),
    /// Somebody came or went; a hint only.
    Presence {
        user: UserId,
        name: Option<String>,
        online: bool,
        busy: Option<bool>,
    },
    /// The relays for calls that begin from here on, where the protocol says so (ZLMediaKit).
    IceServers(Vec<IceServerEntry>),
    /// The other rooms of the server, where it tells.
    Rooms(Vec<Room>),
    /// The server is there and does not take this side; nothing more is tried without the user.
    SignInRefused(SignInRefused),
    /// Nothing came for too long: the link should be dropped and made anew.
    Silent,
    /// Something the session skipped and goes on after.
    Problem(Problem),
}

/// Why a server does not take somebody who has reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefused {
    /// Somebody else has the room.
    #[error("somebody else has this room")]
    RoomTaken,
    /// The server has a secret for its rooms.
    #[error("the secret of the server's rooms is missing or wrong")]
    WrongSecret,
    /// For a reason that only the server knows.
    #[error("the server does not give this room")]
    Other,
}

/// A call the server holds for this user (`welcome.calls` of IM-Suite §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    pub call: CallId,
    /// This user made the call.
    pub outgoing: bool,
    pub peer: Party,
    pub video: bool,
    pub state: LiveCallState,
    /// The call is bound to this device.
    pub bound_here: bool,
    pub answered_at: Option<Timestamp>,
}

/// How far a [`LiveCall`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveCallState {
    Ringing,
    Active,
}

/// Why a message was skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A message of the server could not be read; the text names the field.
    #[error("malformed message from the server: {0}")]
    Malformed(String),
    /// Neither the server nor the token says who the user is; the session waits for [`Protocol::handle_user`].
    #[error("the server and the token do not say which user this is")]
    UnknownUser,
    /// More texts waited for the link than are kept; the least important were dropped.
    #[error("{0} signaling messages were dropped while there was no connection")]
    Overflow(u64),
    /// Somebody spoke of a call that is with somebody else; how many such messages were dropped so far.
    #[error("{0} signaling messages dropped that came from outside their call")]
    Stranger(u64),
}

/// Why a signal cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// This protocol addresses the other kind of party.
    #[error("{0} is not an address of this protocol")]
    WrongAddress(Party),
    /// Only servers say this.
    #[error("{0} is said by servers only")]
    ServerOnly(&'static str),
    /// The server lacks the feature.
    #[error("the server lacks the feature {0}")]
    Unsupported(&'static str),
    /// Nobody knows yet who this user is.
    #[error("not signed in yet")]
    NotReady,
}

/// What a session is told when it is made.
#[derive(Debug, Clone, Default)]
pub struct SessionConfig {
    /// The user the token names; counts when the server does not say.
    pub user: Option<UserId>,
    /// The room to have (ZLMediaKit); without one the server makes one up.
    pub room: Option<RoomId>,
    /// What everybody of this server tells it to have a room.
    pub room_secret: Option<Secret>,
    /// A random number, so that names made up here differ from those of another time.
    pub seed: u64,
}

/// The protocols Ahoy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolKind {
    ImSuite,
    /// ZLMediaKit: rooms.
    Zlm,
}

impl ProtocolKind {
    /// The protocol that a server's address stands for: rooms under `/signaling`, else IM-Suite.
    pub fn of_url(url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if path.trim_end_matches('/').ends_with("/signaling") {
            ProtocolKind::Zlm
        } else {
            ProtocolKind::ImSuite
        }
    }

    /// How often the link sends a ping frame of its own. A MediaServer answers it and sends none as long as it gets some;
    /// IM-Suite has a message for it (§1.8).
    pub fn ping_every(self) -> Option<Duration> {
        match self {
            ProtocolKind::ImSuite => None,
            ProtocolKind::Zlm => Some(Duration::from_secs(6)),
        }
    }

    /// Makes a session that is not connected.
    pub fn session(self, config: SessionConfig) -> Box<dyn Protocol> {
        match self {
            ProtocolKind::ImSuite => Box::new(im_suite::Session::new(config)),
            ProtocolKind::Zlm => Box::new(zlm::Session::new(config)),
        }
    }

    /// The encodings to ask a server for, the most wanted first. A MediaServer is asked for none: it repeats a list of
    /// several, which no client may take (RFC 6455 §4.1).
    pub fn encodings(self) -> &'static [Encoding] {
        match self {
            ProtocolKind::ImSuite => &im_suite::encoding::PREFERENCE,
            ProtocolKind::Zlm => &[],
        }
    }
}
