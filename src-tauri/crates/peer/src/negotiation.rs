//! Offers, answers and candidates in the order the library can take them (RFC 9429).
//!
//! Knows the library's connection and nothing of its packets.

mod agreed;
mod shielded;

use crate::channel;
use crate::codec::{codec_of, is_events};
use crate::config::{AudioCodec, OfferMedia, PeerConfig};
#[cfg(test)]
use crate::engine::Workarounds;
use crate::error::PeerError;
use crate::event::{Codec, MediaKind};
use crate::event_numbers::EventNumbers;
use crate::frame_sender::FrameSender;
use crate::handler::Handler;
use crate::held_candidates::HeldCandidates;
use crate::sdp::{self, Setup};
use crate::streams::LocalStreams;
use crate::track_out::TrackSlot;
use agreed::{Agreed, Described};
use ahoy_call::{Candidate, Direction};
use ahoy_media::codec::opus::OpusWish;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodec;
use rtc::shared::error::Error;
use shielded::{apply_candidate, apply_remote, check_description};
use std::sync::Arc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RtpSender, RtpTransceiver};

/// One track of this side: given to the library when the media is first wanted.
pub(crate) struct LocalMedia {
    kind: MediaKind,
    /// In order of preference.
    codecs: Vec<RTCRtpCodec>,
    track: TrackSlot,
    sender: Option<Arc<dyn RtpSender>>,
    /// Where the library keeps its direction.
    transceiver: Option<Arc<dyn RtpTransceiver>>,
}

impl LocalMedia {
    pub(crate) fn new(kind: MediaKind, codecs: Vec<RTCRtpCodec>) -> Self {
        Self {
            kind,
            codecs,
            track: TrackSlot::default(),
            sender: None,
            transceiver: None,
        }
    }

    /// Where the track will be.
    pub(crate) fn track(&self) -> TrackSlot {
        Arc::clone(&self.track)
    }
}

/// A re-offer that waits for its answer. Nothing of it is applied before: the old path and media go on, and one that is
/// never answered, or gives way to one of the other side, leaves no trace.
struct Proposal {
    description: RTCSessionDescription,
}

pub(crate) struct Negotiation {
    streams: LocalStreams,
    wish: OpusWish,
    media: Vec<LocalMedia>,
    candidates: HeldCandidates,
    /// The DTLS role of this side, once both sides know it; it stays for the life of the connection (RFC 8842 §5.5).
    role: Option<Setup>,
    described: bool,
    agreed: Agreed,
    /// The other side's sound and pictures belong together.
    in_sync: bool,
    /// The number of the header extension that says how pictures are to be turned.
    orientation: Option<u8>,
    proposal: Option<Proposal>,
    #[cfg(test)]
    workarounds: Workarounds,
}

impl Negotiation {
    pub(crate) fn new(
        streams: LocalStreams,
        config: &PeerConfig,
        audio: Option<LocalMedia>,
        video: Option<LocalMedia>,
    ) -> Self {
        Self {
            streams,
            wish: config.opus,
            media: audio.into_iter().chain(video).collect(),
            candidates: HeldCandidates::default(),
            role: None,
            described: false,
            agreed: Agreed::default(),
            in_sync: true,
            orientation: None,
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
            self.add_track(connection, MediaKind::Audio, None).await?;
        }
        if media.video {
            self.add_track(connection, MediaKind::Video, None).await?;
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
        let sdp = self
            .describe_locally(connection, handler, offer, None)
            .await
            .map_err(failed)?;
        Ok(self.told(&sdp, &self.agreed.local.events))
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
            self.add_track(connection, MediaKind::Video, None).await?;
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
        Ok(self.told(&sdp, &sdp::offered_events(&sdp, &self.agreed.local.events)))
    }

    pub(crate) async fn create_answer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        offer_sdp: &str,
        send_video: bool,
    ) -> Result<String, PeerError> {
        check_description(offer_sdp)?;
        let offered = Described::of(offer_sdp);
        self.proposal = None;
        let for_library = sdp::with_constrained_baseline(&sdp::with_living_sections(offer_sdp));
        let description = RTCSessionDescription::offer(for_library).map_err(PeerError::bad_description)?;
        apply_remote(connection, description).await?;
        for (kind, sends) in [(MediaKind::Audio, true), (MediaKind::Video, send_video)] {
            if let Some(section) = sdp::live(&offered.sections, kind) {
                self.add_track(connection, kind, Some(&offered)).await?;
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
        self.lead_with_agreed(&answer.sdp).await;
        let sdp = self
            .describe_locally(connection, handler, answer, Some(offer_sdp))
            .await
            .map_err(failed)?;
        self.follow_remote(connection, offer_sdp).await;
        if self.agreed.shared_kinds().next().is_none() {
            return Err(PeerError::NoCommonCodec);
        }
        let sdp = self.told(&sdp::with_private_relays(&sdp), &self.agreed.local.events);
        // The library keeps its own order, and the other side sends what comes first here.
        let ours: Vec<AudioCodec> = self.agreed.local.audio.iter().map(|&(_, codec)| codec).collect();
        let sdp = match sdp::answered_codec(offer_sdp, &ours) {
            Some(agreed) => sdp::with_leading_sound(&sdp, agreed),
            None => sdp,
        };
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
        check_description(answer_sdp)?;
        let description =
            RTCSessionDescription::answer(answer_sdp.to_owned()).map_err(PeerError::bad_description)?;
        if let Some(proposal) = self.proposal.take() {
            self.describe_locally(connection, handler, proposal.description, None)
                .await
                .map_err(|error| PeerError::failed("apply its own re-offer", error))?;
        }
        self.lead_with_agreed(answer_sdp).await;
        apply_remote(connection, description).await?;
        // Without a word the answerer is the client (RFC 8842 §5.3 leaves it to `actpass` offers; RFC 4145 §4.1).
        let theirs = sdp::setup(answer_sdp).unwrap_or(Setup::Active);
        self.role.get_or_insert(theirs.opposite());
        self.follow_remote(connection, answer_sdp).await;
        if self.agreed.shared_kinds().next().is_none() {
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
        event_numbers: &EventNumbers,
        audio_out: &FrameSender,
        video_out: &FrameSender,
    ) {
        debug_assert!(connection.remote_description().await.is_some());
        for (kind, frames) in [(MediaKind::Audio, audio_out), (MediaKind::Video, video_out)] {
            let negotiated = self.negotiated(kind).await;
            tracing::debug!(?kind, ?negotiated, "negotiated");
            if let Some((Codec::Audio(codec), payload_type)) = negotiated {
                let events = self.agreed.events_beside(codec).zip(self.library_events().await);
                if let Some(((number, _), library)) = events {
                    event_numbers.set(library, number);
                }
                frames
                    .gate()
                    .set_events(events.map(|((_, clock), library)| (library, clock)));
                frames.gate().set_opus(self.agreed.opus_of(payload_type));
            }
            frames.gate().set_negotiated(negotiated);
        }
    }

    async fn negotiated(&self, kind: MediaKind) -> Option<(Codec, u8)> {
        if !self.agreed.direction(kind).sends() {
            return None;
        }
        let local = self.media.iter().find(|local| local.kind == kind)?;
        let parameters = local.sender.as_ref()?.get_parameters().await.ok()?;
        let ours = parameters.rtp_parameters.codecs.iter().filter_map(|codec| {
            let ours = codec_of(&codec.rtp_codec.mime_type)?;
            (ours.kind() == kind).then_some((ours, codec.payload_type))
        });
        let ours: Vec<(Codec, u8)> = ours.collect();
        self.agreed.sent_as(kind, &ours)
    }

    /// What both descriptions say together.
    pub(crate) fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Whether the other side's sound and pictures belong together.
    pub(crate) fn in_sync(&self) -> bool {
        self.in_sync
    }

    /// The number of the header extension that says how the other side's pictures are to be turned.
    pub(crate) fn orientation(&self) -> Option<u8> {
        self.orientation
    }

    /// The number under which the library takes digits.
    async fn library_events(&self) -> Option<u8> {
        let local = self.media.iter().find(|local| local.kind == MediaKind::Audio)?;
        let parameters = local.sender.as_ref()?.get_parameters().await.ok()?;
        let mut codecs = parameters.rtp_parameters.codecs.iter();
        codecs.find_map(|codec| is_events(&codec.rtp_codec.mime_type).then_some(codec.payload_type))
    }

    /// Gives the library the track of a kind. Once an offer is applied it takes no codec that is not offered.
    async fn add_track(
        &mut self,
        connection: &dyn PeerConnection,
        kind: MediaKind,
        offered: Option<&Described>,
    ) -> Result<(), PeerError> {
        let Some(local) = self.media.iter_mut().find(|local| local.kind == kind) else {
            return Ok(());
        };
        if local.sender.is_none() {
            let mut codecs = local.codecs.clone();
            if let Some(offered) = offered {
                codecs.retain(|codec| offered.names(codec));
                let sounds = codecs.iter().filter(|codec| !is_events(&codec.mime_type));
                let clocks: Vec<u32> = sounds.map(|codec| codec.clock_rate).collect();
                // Digits alone are no voice.
                if clocks.is_empty() {
                    return Ok(());
                }
                // Digits go by the clock of the sounds.
                codecs.retain(|codec| !is_events(&codec.mime_type) || clocks.contains(&codec.clock_rate));
            }
            let new_track = || Arc::new(TrackLocalStaticRTP::new(self.streams.track(kind, codecs)));
            let track = Arc::clone(local.track.get_or_init(new_track));
            match connection.add_track(track).await {
                Ok(sender) => {
                    local.transceiver = transceiver_of(connection, &sender).await;
                    local.sender = Some(sender);
                }
                // Offered in a way that the library knows better than we do: the answer goes without it.
                Err(Error::ErrRTPTransceiverCodecUnsupported) => {
                    tracing::warn!(?kind, "the library knows none of the offered codecs");
                }
                Err(error) => return Err(PeerError::failed("add a track", error)),
            }
        }
        Ok(())
    }

    /// Names the codec that an answer prefers first in each track. The library serves a stream (reports, repairs,
    /// feedback) only when the first codec of its track was agreed on, and looks once, when it applies the answer.
    async fn lead_with_agreed(&self, answer_sdp: &str) {
        let audio = sdp::audio_codecs(answer_sdp)
            .into_iter()
            .map(|(_, codec)| Codec::Audio(codec));
        let video = sdp::video_codecs(answer_sdp)
            .into_iter()
            .map(|(_, codec)| Codec::Video(codec));
        let agreed: Vec<Codec> = audio.chain(video).collect();
        for local in &self.media {
            let first = agreed.iter().find(|codec| codec.kind() == local.kind);
            let (Some(codec), Some(sender)) = (first, &local.sender) else {
                continue;
            };
            let track = self.streams.track(local.kind, vec![codec.to_library()]);
            let replaced = sender
                .replace_track(Arc::new(TrackLocalStaticRTP::new(track)))
                .await;
            if let Err(error) = replaced {
                tracing::warn!(%error, kind = ?local.kind, "the agreed codec could not be named");
            }
        }
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

    /// The library's description with what it cannot say itself.
    fn told(&self, sdp: &str, events: &[(u8, u32)]) -> String {
        sdp::with_opus_wish(&sdp::with_events(sdp, events), self.wish)
    }

    /// Sets the local description, which begins the gathering, and returns it as the library has it. `offer_sdp`: what it
    /// answers.
    async fn describe_locally(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        description: RTCSessionDescription,
        offer_sdp: Option<&str>,
    ) -> Result<String, Error> {
        let sdp = description.sdp.clone();
        handler.set_local_ufrag(sdp::ice_ufrag(&sdp));
        let events = match offer_sdp {
            Some(offer) => sdp::answered_events(&sdp, offer),
            None => sdp::offered_events(&sdp, &self.agreed.local.events),
        };
        self.agreed.local = Described::of(&sdp);
        self.agreed.local.events = events;
        self.orientation = sdp::orientation(&sdp);
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
        self.agreed.remote = Described::of(remote_sdp);
        self.in_sync = sdp::in_sync(remote_sdp);
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
