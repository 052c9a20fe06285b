//! What is to be done with connections.

use super::ConnId;
use serde::{Deserialize, Serialize};

/// A WebSocket close code (IM-Suite §1.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseCode(pub u16);

impl CloseCode {
    pub const GOING_AWAY: Self = Self(1001);
    pub const PROTOCOL_ERROR: Self = Self(1002);
    pub const WRONG_FRAME_KIND: Self = Self(1003);
    pub const BAD_UTF8: Self = Self(1007);
    pub const POLICY: Self = Self(1008);
    pub const TOO_BIG: Self = Self(1009);
    pub const TOKEN_EXPIRED: Self = Self(4401);
    pub const BANNED: Self = Self(4403);
    pub const HEARTBEAT: Self = Self(4408);
    pub const REPLACED: Self = Self(4409);
    pub const FLOODING: Self = Self(4429);
}

/// What is to be done with one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub conn: ConnId,
    pub frame: Frame,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    Text(String),
    Close(CloseCode),
}
