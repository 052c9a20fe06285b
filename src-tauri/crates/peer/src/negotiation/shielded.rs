//! What the library is given that the other side wrote. Untrusted: what the library makes of it may fail, and even panic,
//! without harm to the caller.

use crate::error::PeerError;
use crate::sdp;
use ahoy_call::Candidate;
use futures_util::FutureExt;
use rtc::shared::error::Error;
use std::panic::AssertUnwindSafe;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};

/// Refuses what is too large to parse or describes no call.
pub(super) fn check_description(sdp: &str) -> Result<(), PeerError> {
    if sdp.len() > sdp::LARGEST {
        return Err(PeerError::bad_description(format_args!(
            "{} bytes are more than {}",
            sdp.len(),
            sdp::LARGEST
        )));
    }
    if sdp::sections(sdp).is_empty() {
        return Err(PeerError::bad_description("neither sound nor picture in it"));
    }
    Ok(())
}

pub(super) async fn apply_remote(
    connection: &dyn PeerConnection,
    description: RTCSessionDescription,
) -> Result<(), PeerError> {
    tracing::trace!(sdp = %description.sdp, "remote description");
    let applied = AssertUnwindSafe(connection.set_remote_description(description))
        .catch_unwind()
        .await;
    match applied {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::ErrUnsupportedCodec | Error::ErrCodecNotFound)) => Err(PeerError::NoCommonCodec),
        Ok(Err(error)) => Err(PeerError::bad_description(error)),
        Err(_) => Err(PeerError::bad_description("the parser broke down over it")),
    }
}

pub(super) async fn apply_candidate(connection: &dyn PeerConnection, candidate: Candidate) {
    let init = RTCIceCandidateInit {
        candidate: candidate.candidate,
        sdp_mid: candidate.sdp_mid,
        sdp_mline_index: candidate.sdp_m_line_index,
        username_fragment: candidate.username_fragment,
        url: None,
    };
    let applied = AssertUnwindSafe(connection.add_ice_candidate(init))
        .catch_unwind()
        .await;
    match applied {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "candidate of the other side skipped"),
        Err(_) => tracing::debug!("candidate of the other side skipped: the parser broke down over it"),
    }
}
