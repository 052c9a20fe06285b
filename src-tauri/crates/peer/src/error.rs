//! Why a peer connection refused something.

use std::fmt;

/// One variant for each thing a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The other side's description cannot be used: end the call as `bad_sdp`.
    #[error("description of the other side cannot be used: {what}")]
    BadDescription { what: String },
    /// Nothing both sides can decode.
    #[error("no codec in common with the other side")]
    NoCommonCodec,
    /// The connection was closed before.
    #[error("peer connection is closed")]
    Closed,
    /// This side could not do it: no socket, no memory, or a defect.
    #[error("peer connection cannot {what}: {why}")]
    Failed { what: &'static str, why: String },
}

impl PeerError {
    pub(crate) fn failed(what: &'static str, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::Failed { what, why }
    }

    pub(crate) fn bad_description(what: impl fmt::Display) -> Self {
        let what = what.to_string();
        Self::BadDescription { what }
    }
}
