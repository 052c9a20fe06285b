//! Why a peer connection refused something.

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
