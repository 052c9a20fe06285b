//! Offers, answers and candidates in the order the library can take them (RFC 9429).
//!
//! Knows the library's connection and nothing of its packets. Descriptions of the other side are untrusted: what the
//! library makes of them may fail, and even panic, without harm to the caller.

use crate::codec::codec_of;
use crate::config::OfferMedia;
#[cfg(test)]
use crate::engine::Workarounds;
use crate::error::PeerError;
use crate::event::{Codec, MediaKind};
use crate::frame_sender::FrameSender;
use crate::handler::Handler;
use crate::held_candidates::HeldCandidates;
use crate::sdp::{self, Section, Setup};
use ahoy_call::Candidate;
use futures_util::FutureExt;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::shared::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};
use webrtc::rtp_transceiver::RtpSender;

/// One track of this side: given to the library when the media is first wanted.
struct LocalMedia {
    kind: MediaKind,
    track: Arc<TrackLocalStaticRTP>,
    sender: Option<Arc<dyn RtpSender>>,
}

pub(crate) struct Negotiation {
    media: Vec<LocalMedia>,
    candidates: HeldCandidates,
    /// The DTLS role of this side, once both sides know it; it stays for the life of the connection (RFC 8842 §5.5).
    role: Option<Setup>,
    described: bool,
    local: Vec<Section>,
    remote: Vec<Section>,
    #[cfg(test)]
    workarounds: Workarounds,
}

impl Negotiation {
    pub(crate) fn new(
        audio: Option<Arc<TrackLocalStaticRTP>>,
        video: Option<Arc<TrackLocalStaticRTP>>,
    ) -> Self {
        let media = [(MediaKind::Audio, audio), (MediaKind::Video, video)]
            .into_iter()
            .filter_map(|(kind, track)| {
                track.map(|track| LocalMedia {
                    kind,
                    track,
                    sender: None,
                })
            })
            .collect();
        Self {
            media,
            candidates: HeldCandidates::default(),
            role: None,
            described: false,
            local: Vec::new(),
            remote: Vec::new(),
            #[cfg(test)]
            workarounds: Workarounds::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_workarounds(self, workarounds: Workarounds) -> Self {
        Self { workarounds, ..self }
    }

    pub(crate) async fn create_offer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        media: OfferMedia,
    ) -> Result<String, PeerError> {
        if media.audio {
            self.add_track(connection, MediaKind::Audio).await?;
        }
        if media.video {
            self.add_track(connection, MediaKind::Video).await?;
        }
        self.offer(connection, handler, None).await
    }

    pub(crate) async fn restart_offer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
    ) -> Result<String, PeerError> {
        let restart = RTCOfferOptions { ice_restart: true };
        self.offer(connection, handler, Some(restart)).await
    }

    async fn offer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        options: Option<RTCOfferOptions>,
    ) -> Result<String, PeerError> {
        let failed = |error: Error| PeerError::failed("make an offer", error);
        let offer = connection.create_offer(options).await.map_err(failed)?;
        let sdp = self
            .describe_locally(connection, handler, offer)
            .await
            .map_err(failed)?;
        self.candidates.handle_offer_sent();
        Ok(sdp)
    }

    pub(crate) async fn create_answer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        offer_sdp: &str,
    ) -> Result<String, PeerError> {
        let offered = read_sections(offer_sdp)?;
        let description =
            RTCSessionDescription::offer(offer_sdp.to_owned()).map_err(PeerError::bad_description)?;
        apply_remote(connection, description).await?;
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if sdp::live(&offered, kind).is_some() {
                self.add_track(connection, kind).await?;
            }
        }
        let failed = |error: Error| match error {
            Error::ErrUnsupportedCodec | Error::ErrCodecNotFound | Error::ErrNoCodecsAvailable => {
                PeerError::NoCommonCodec
            }
            error => PeerError::failed("make an answer", error),
        };
        let answer = connection.create_answer(None).await.map_err(failed)?;
        let sdp = self
            .describe_locally(connection, handler, answer)
            .await
            .map_err(failed)?;
        self.remote = offered;
        self.follow_remote(connection, offer_sdp).await;
        if self.shared_kinds().next().is_none() {
            return Err(PeerError::NoCommonCodec);
        }
        let role = *self
            .role
            .get_or_insert(sdp::setup(&sdp).unwrap_or(Setup::Passive));
        if !self.keeps_dtls_role() {
            return Ok(sdp);
        }
        Ok(sdp::with_setup(&sdp, role))
    }

    pub(crate) async fn set_answer(
        &mut self,
        connection: &dyn PeerConnection,
        answer_sdp: &str,
    ) -> Result<(), PeerError> {
        let answered = read_sections(answer_sdp)?;
        let description =
            RTCSessionDescription::answer(answer_sdp.to_owned()).map_err(PeerError::bad_description)?;
        apply_remote(connection, description).await?;
        // Without a word the answerer is the client (RFC 8842 §5.3 leaves it to `actpass` offers; RFC 4145 §4.1).
        let theirs = sdp::setup(answer_sdp).unwrap_or(Setup::Active);
        self.role.get_or_insert(theirs.opposite());
        self.remote = answered;
        self.follow_remote(connection, answer_sdp).await;
        if self.shared_kinds().next().is_none() {
            return Err(PeerError::NoCommonCodec);
        }
        Ok(())
    }

    pub(crate) async fn add_candidate(&mut self, connection: &dyn PeerConnection, candidate: Candidate) {
        if !self.holds_candidates() {
            apply_candidate(connection, candidate).await;
        } else if let Some(candidate) = self.candidates.handle_candidate(candidate) {
            apply_candidate(connection, candidate).await;
        }
    }

    /// Tells each sender with which codec and payload type it sends from here on, if at all.
    pub(crate) async fn open_gates(
        &self,
        connection: &dyn PeerConnection,
        audio_out: &FrameSender,
        video_out: &FrameSender,
    ) {
        debug_assert!(connection.remote_description().await.is_some());
        for (kind, frames) in [(MediaKind::Audio, audio_out), (MediaKind::Video, video_out)] {
            let negotiated = self.negotiated(kind).await;
            tracing::debug!(?kind, ?negotiated, "negotiated");
            frames.gate().set_negotiated(negotiated);
        }
    }

    async fn negotiated(&self, kind: MediaKind) -> Option<(Codec, u8)> {
        let taken = sdp::live(&self.remote, kind).is_some_and(|section| section.receives);
        if !taken || sdp::live(&self.local, kind).is_none() {
            return None;
        }
        let local = self.media.iter().find(|local| local.kind == kind)?;
        let parameters = local.sender.as_ref()?.get_parameters().await.ok()?;
        parameters.rtp_parameters.codecs.iter().find_map(|codec| {
            let ours = codec_of(&codec.rtp_codec.mime_type)?;
            (ours.kind() == kind).then_some((ours, codec.payload_type))
        })
    }

    /// Kinds that neither side refused.
    fn shared_kinds(&self) -> impl Iterator<Item = MediaKind> {
        [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter(|&kind| sdp::live(&self.local, kind).is_some() && sdp::live(&self.remote, kind).is_some())
    }

    async fn add_track(&mut self, connection: &dyn PeerConnection, kind: MediaKind) -> Result<(), PeerError> {
        let Some(local) = self.media.iter_mut().find(|local| local.kind == kind) else {
            return Ok(());
        };
        if local.sender.is_none() {
            let track = Arc::clone(&local.track);
            match connection.add_track(track).await {
                Ok(sender) => local.sender = Some(sender),
                // The other side offers this kind with none of our codecs: the answer goes without it.
                Err(Error::ErrRTPTransceiverCodecUnsupported) => {}
                Err(error) => return Err(PeerError::failed("add a track", error)),
            }
        }
        Ok(())
    }

    /// Sets the local description, which begins the gathering, and returns it as the other side gets it.
    async fn describe_locally(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        description: RTCSessionDescription,
    ) -> Result<String, Error> {
        let sdp = description.sdp.clone();
        handler.set_local_ufrag(sdp::ice_ufrag(&sdp));
        self.local = sdp::sections(&sdp);
        connection.set_local_description(description).await?;
        if !self.described {
            return Ok(sdp);
        }
        // After the first negotiation the library tells no candidates again: they are in the description alone.
        let whole = connection.local_description().await;
        Ok(whole.map_or(sdp, |description| description.sdp))
    }

    async fn follow_remote(&mut self, connection: &dyn PeerConnection, remote_sdp: &str) {
        self.described = true;
        for candidate in self.candidates.handle_description(sdp::ice_ufrag(remote_sdp)) {
            apply_candidate(connection, candidate).await;
        }
    }

    fn keeps_dtls_role(&self) -> bool {
        #[cfg(test)]
        return self.workarounds.keeps_dtls_role;
        #[cfg(not(test))]
        true
    }

    fn holds_candidates(&self) -> bool {
        #[cfg(test)]
        return self.workarounds.holds_candidates;
        #[cfg(not(test))]
        true
    }
}

/// Refuses what is too large to parse or describes no call.
fn read_sections(description: &str) -> Result<Vec<Section>, PeerError> {
    if description.len() > sdp::LARGEST {
        let size = description.len();
        return Err(PeerError::bad_description(format_args!(
            "{size} bytes are more than {}",
            sdp::LARGEST
        )));
    }
    let sections = sdp::sections(description);
    if sections.is_empty() {
        return Err(PeerError::bad_description("neither sound nor picture in it"));
    }
    Ok(sections)
}

async fn apply_remote(
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

async fn apply_candidate(connection: &dyn PeerConnection, candidate: Candidate) {
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
