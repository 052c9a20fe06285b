//! What the switchboard is told, and when.
//!
//! Inputs and moments are plain values, so that the same ones can be given to several switchboards, which then stay equal.

use super::Person;
use ahoy_call::UserId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The time of an input on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Since any fixed instant; never goes back. Decides.
    pub at: Duration,
    /// Is displayed.
    pub wall: Timestamp,
}

/// Names one connection; never used twice, on any node of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnId(pub u64);

impl ConnId {
    /// The `counter`th connection of a node; nodes pick their number at random when they start.
    pub fn new(node: u32, counter: u32) -> Self {
        Self(u64::from(node) << 32 | u64::from(counter))
    }

    /// The node that holds the socket.
    pub fn node(self) -> u32 {
        u32::try_from(self.0 >> 32).expect("a u64 shifted by 32 bits has 32")
    }
}

/// Names one installation of a client (IM-Suite §1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceId(String);

impl DeviceId {
    /// Checks `[A-Za-z0-9_-]{1,64}`; `None` for anything else.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything that can happen to a switchboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// A signed-in user has opened a connection.
    Connected {
        conn: ConnId,
        user: UserId,
        device: DeviceId,
    },
    /// One text of at most [`super::MESSAGE_LIMIT`] bytes.
    Message { conn: ConnId, text: String },
    /// A connection is gone.
    Disconnected { conn: ConnId },
    /// People who are new or have changed; those not named stay as they are.
    People(Vec<Person>),
    /// [`super::Switchboard::poll_timeout`] has come.
    Time,
    /// The server ends.
    Shutdown,
}
