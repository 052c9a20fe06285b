//! Offers, answers and candidates in the order the library can take them (RFC 9429).
//!
//! Knows the library's connection and nothing of its packets. Descriptions of the other side are untrusted: what the
//! library makes of them may fail, and even panic, without harm to the caller.

use crate::channel;
use crate::codec::{audio_clock_rate, codec_of};
use crate::config::{AudioCodec, OfferMedia};
#[cfg(test)]
use crate::engine::Workarounds;
use crate::error::PeerError;
use crate::event::{Codec, MediaKind};
use crate::frame_sender::FrameSender;
use crate::handler::Handler;
use crate::held_candidates::HeldCandidates;
use crate::sdp::{self, Section, Setup};
use ahoy_call::{Candidate, Direction};
use futures_util::FutureExt;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::shared::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RtpSender, RtpTransceiver};

/// One track of this side: given to the library when the media is first wanted.
struct LocalMedia {
    kind: MediaKind,
    track: Arc<TrackLocalStaticRTP>,
    sender: Option<Arc<dyn RtpSender>>,
    /// Where the library keeps its direction.
    transceiver: Option<Arc<dyn RtpTransceiver>>,
}

/// A re-offer that waits for its answer. Nothing of it is applied before: the old path and media go on, and one that is
/// never answered, or gives way to one of the other side, leaves no trace.
struct Proposal {
    description: RTCSessionDescription,
}

pub(crate) struct Negotiation {
    media: Vec<LocalMedia>,
    candidates: HeldCandidates,
    /// The DTLS role of this side, once both sides know it; it stays for the life of the connection (RFC 8842 §5.5).
    role: Option<Setup>,
    described: bool,
    local: Vec<Section>,
    remote: Vec<Section>,
    /// Payload types of sound, as each side numbers what it receives.
    local_audio: Vec<(u8, AudioCodec)>,
    remote_audio: Vec<(u8, AudioCodec)>,
    /// Payload types of digits with their clocks, as each side numbers what it receives.
    local_events: Vec<(u8, u32)>,
    remote_events: Vec<(u8, u32)>,
    proposal: Option<Proposal>,
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
                    transceiver: None,
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
            local_audio: Vec::new(),
            remote_audio: Vec::new(),
            local_events: Vec::new(),
            remote_events: Vec::new(),
            proposal: None,
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
        let failed = |error: Error| PeerError::failed("make an offer", error);
        if media.direction != Direction::SendRecv {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                self.direct(kind, media.direction).await.map_err(failed)?;
            }
        }
        let channel = connection
            .create_data_channel(channel::LABEL, None)
            .await
            .map_err(failed)?;
        handler.take_channel(channel);
        let offer = connection.create_offer(None).await.map_err(failed)?;
        self.describe_locally(connection, handler, offer)
            .await
            .map_err(failed)
    }

    pub(crate) async fn reoffer(
        &mut self,
        connection: &dyn PeerConnection,
        restart: bool,
        video: Direction,
    ) -> Result<String, PeerError> {
        let failed = |error: Error| PeerError::failed("make a re-offer", error);
        if !self.described {
            return Err(PeerError::failed("make a re-offer", "there was no first offer"));
        }
        if video != Direction::Inactive {
            self.add_track(connection, MediaKind::Video).await?;
        }
        self.direct(MediaKind::Video, video).await.map_err(failed)?;
        let options = restart.then_some(RTCOfferOptions { ice_restart: true });
        let description = connection.create_offer(options).await.map_err(failed)?;
        let sdp = if restart {
            sdp::without_candidates(&description.sdp)
        } else {
            sdp::with_private_relays(&description.sdp)
        };
        self.proposal = Some(Proposal { description });
        Ok(sdp)
    }

    pub(crate) async fn create_answer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        offer_sdp: &str,
        send_video: bool,
    ) -> Result<String, PeerError> {
        let offered = read_sections(offer_sdp)?;
        self.proposal = None;
        let description = RTCSessionDescription::offer(sdp::with_living_sections(offer_sdp))
            .map_err(PeerError::bad_description)?;
        apply_remote(connection, description).await?;
        for (kind, sends) in [(MediaKind::Audio, true), (MediaKind::Video, send_video)] {
            if let Some(section) = sdp::live(&offered, kind) {
                self.add_track(connection, kind).await?;
                let sends = sends && section.direction.receives();
                self.direct(kind, Direction::of(sends, section.direction.sends()))
                    .await
                    .map_err(|error| PeerError::failed("make an answer", error))?;
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
        let sdp = sdp::with_private_relays(&sdp);
        // An offer that leaves no choice decides (RFC 4145 §4.1); the library takes the right role then and names its usual
        // one all the same.
        let decided = sdp::setup(offer_sdp).map(Setup::opposite);
        let role = *self
            .role
            .get_or_insert(decided.or_else(|| sdp::setup(&sdp)).unwrap_or(Setup::Passive));
        if !self.keeps_dtls_role() {
            return Ok(sdp);
        }
        Ok(sdp::with_setup(&sdp, role))
    }

    pub(crate) async fn set_answer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        answer_sdp: &str,
    ) -> Result<(), PeerError> {
        let answered = read_sections(answer_sdp)?;
        let description =
            RTCSessionDescription::answer(answer_sdp.to_owned()).map_err(PeerError::bad_description)?;
        if let Some(proposal) = self.proposal.take() {
            self.describe_locally(connection, handler, proposal.description)
                .await
                .map_err(|error| PeerError::failed("apply its own re-offer", error))?;
        }
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
            if let Some((Codec::Audio(codec), _)) = negotiated {
                frames.gate().set_events(self.event_payload_type(codec));
            }
            frames.gate().set_negotiated(negotiated);
        }
    }

    async fn negotiated(&self, kind: MediaKind) -> Option<(Codec, u8)> {
        if !self.direction(kind).sends() {
            return None;
        }
        let local = self.media.iter().find(|local| local.kind == kind)?;
        let parameters = local.sender.as_ref()?.get_parameters().await.ok()?;
        let mut ours = parameters.rtp_parameters.codecs.iter().filter_map(|codec| {
            let ours = codec_of(&codec.rtp_codec.mime_type)?;
            (ours.kind() == kind).then_some((ours, codec.payload_type))
        });
        match kind {
            MediaKind::Video => ours.next(),
            // The other side's order and numbers count (RFC 3264 §6.1 and §7); the library keeps its own.
            MediaKind::Audio => {
                let ours: Vec<Codec> = ours.map(|(codec, _)| codec).collect();
                let mut theirs = self.remote_audio.iter();
                theirs.find_map(|&(number, codec)| {
                    let codec = Codec::Audio(codec);
                    ours.contains(&codec).then_some((codec, number))
                })
            }
        }
    }

    /// What the other side may send as sound, by payload type.
    pub(crate) fn audio_payload_types(&self) -> &[(u8, AudioCodec)] {
        &self.local_audio
    }

    /// What the other side may send as digits, by payload type.
    pub(crate) fn events_received(&self) -> impl Iterator<Item = u8> {
        self.local_events.iter().map(|&(number, _)| number)
    }

    /// As what digits are sent beside this codec, whose clock theirs must be.
    fn event_payload_type(&self, codec: AudioCodec) -> Option<u8> {
        let clock = audio_clock_rate(codec);
        let find = |events: &[(u8, u32)]| events.iter().find(|event| event.1 == clock).map(|event| event.0);
        find(&self.local_events).and_then(|_| find(&self.remote_events))
    }

    /// Which way media of a kind goes by both descriptions.
    pub(crate) fn direction(&self, kind: MediaKind) -> Direction {
        let said = |sections| {
            sdp::live(sections, kind).map_or(Direction::Inactive, |section: Section| section.direction)
        };
        let (local, remote) = (said(&self.local), said(&self.remote));
        Direction::of(
            local.sends() && remote.receives(),
            local.receives() && remote.sends(),
        )
    }

    /// Kinds that neither side refused and both can decode.
    fn shared_kinds(&self) -> impl Iterator<Item = MediaKind> {
        let taken = |sections: &[Section], kind| sdp::live(sections, kind).is_some();
        // The library is content with digits in common.
        let voice = |codec: &(u8, AudioCodec)| self.remote_audio.iter().any(|theirs| theirs.1 == codec.1);
        [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter(move |&kind| taken(&self.local, kind) && taken(&self.remote, kind))
            .filter(move |&kind| kind == MediaKind::Video || self.local_audio.iter().any(voice))
    }

    async fn add_track(&mut self, connection: &dyn PeerConnection, kind: MediaKind) -> Result<(), PeerError> {
        let Some(local) = self.media.iter_mut().find(|local| local.kind == kind) else {
            return Ok(());
        };
        if local.sender.is_none() {
            let track = Arc::clone(&local.track);
            match connection.add_track(track).await {
                Ok(sender) => {
                    local.transceiver = transceiver_of(connection, &sender).await;
                    local.sender = Some(sender);
                }
                // The other side offers this kind with none of our codecs: the answer goes without it.
                Err(Error::ErrRTPTransceiverCodecUnsupported) => {}
                Err(error) => return Err(PeerError::failed("add a track", error)),
            }
        }
        Ok(())
    }

    /// Sets what the next description says of a kind; nothing if there is none of it.
    async fn direct(&self, kind: MediaKind, direction: Direction) -> Result<(), Error> {
        let local = self.media.iter().find(|local| local.kind == kind);
        let Some(transceiver) = local.and_then(|local| local.transceiver.as_ref()) else {
            return Ok(());
        };
        transceiver
            .set_direction(match direction {
                Direction::SendRecv => RTCRtpTransceiverDirection::Sendrecv,
                Direction::SendOnly => RTCRtpTransceiverDirection::Sendonly,
                Direction::RecvOnly => RTCRtpTransceiverDirection::Recvonly,
                Direction::Inactive => RTCRtpTransceiverDirection::Inactive,
            })
            .await
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
        self.local_audio = sdp::audio_codecs(&sdp);
        self.local_events = sdp::telephone_events(&sdp);
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
        self.remote_audio = sdp::audio_codecs(remote_sdp);
        self.remote_events = sdp::telephone_events(remote_sdp);
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

async fn transceiver_of(
    connection: &dyn PeerConnection,
    sender: &Arc<dyn RtpSender>,
) -> Option<Arc<dyn RtpTransceiver>> {
    for transceiver in connection.get_transceivers().await {
        if let Ok(Some(its)) = transceiver.sender().await
            && its.id() == sender.id()
        {
            return Some(transceiver);
        }
    }
    None
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
