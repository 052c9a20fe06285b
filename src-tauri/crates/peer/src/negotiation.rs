//! Offers, answers and candidates in the order the library can take them (RFC 9429).
//!
//! Knows the library's connection and nothing of its packets. Descriptions of the other side are untrusted: what the
//! library makes of them may fail, and even panic, without harm to the caller.

use crate::channel;
use crate::codec::{audio_clock_rate, codec_of, is_events};
use crate::config::{AudioCodec, OfferMedia, PeerConfig, VideoCodec};
#[cfg(test)]
use crate::engine::Workarounds;
use crate::error::PeerError;
use crate::event::{Codec, MediaKind};
use crate::event_numbers::EventNumbers;
use crate::frame_sender::FrameSender;
use crate::handler::Handler;
use crate::held_candidates::HeldCandidates;
use crate::sdp::{self, Section, Setup};
use crate::streams::LocalStreams;
use crate::track_out::TrackSlot;
use ahoy_call::{Candidate, Direction};
use ahoy_media::codec::opus::{OpusParameters, OpusWish};
use futures_util::FutureExt;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodec;
use rtc::shared::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};
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

/// What an offer names that could be ours.
struct Offered {
    codecs: Vec<Codec>,
    /// Hz.
    event_clocks: Vec<u32>,
}

impl Offered {
    fn of(sdp: &str) -> Self {
        let audio = sdp::audio_codecs(sdp).into_iter();
        let video = sdp::video_codecs(sdp).into_iter();
        Self {
            codecs: audio
                .map(|(_, codec)| Codec::Audio(codec))
                .chain(video.map(|(_, codec)| Codec::Video(codec)))
                .collect(),
            event_clocks: sdp::telephone_events(sdp)
                .into_iter()
                .map(|(_, clock)| clock)
                .collect(),
        }
    }

    fn has(&self, codec: &RTCRtpCodec) -> bool {
        if is_events(&codec.mime_type) {
            return self.event_clocks.contains(&codec.clock_rate);
        }
        codec_of(&codec.mime_type).is_some_and(|codec| self.codecs.contains(&codec))
    }
}

pub(crate) struct Negotiation {
    streams: LocalStreams,
    wish: OpusWish,
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
    /// What the other side says of the Opus that it gets under each of its payload types.
    remote_opus: Vec<(u8, OpusParameters)>,
    /// Payload types of pictures, likewise, and of what repairs them.
    local_video: Vec<(u8, VideoCodec)>,
    remote_video: Vec<(u8, VideoCodec)>,
    local_repairs: Vec<(u8, u8)>,
    remote_repairs: Vec<(u8, u8)>,
    /// Payload types of digits with their clocks, as each side numbers what it receives.
    local_events: Vec<(u8, u32)>,
    remote_events: Vec<(u8, u32)>,
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
            local: Vec::new(),
            remote: Vec::new(),
            local_audio: Vec::new(),
            remote_audio: Vec::new(),
            remote_opus: Vec::new(),
            local_video: Vec::new(),
            remote_video: Vec::new(),
            local_repairs: Vec::new(),
            remote_repairs: Vec::new(),
            local_events: Vec::new(),
            remote_events: Vec::new(),
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
        Ok(self.told(&sdp, &self.local_events))
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
        Ok(self.told(&sdp, &sdp::offered_events(&sdp, &self.local_events)))
    }

    pub(crate) async fn create_answer(
        &mut self,
        connection: &dyn PeerConnection,
        handler: &Handler,
        offer_sdp: &str,
        send_video: bool,
    ) -> Result<String, PeerError> {
        let offered = read_sections(offer_sdp)?;
        let offered_codecs = Offered::of(offer_sdp);
        self.proposal = None;
        let for_library = sdp::with_constrained_baseline(&sdp::with_living_sections(offer_sdp));
        let description = RTCSessionDescription::offer(for_library).map_err(PeerError::bad_description)?;
        apply_remote(connection, description).await?;
        for (kind, sends) in [(MediaKind::Audio, true), (MediaKind::Video, send_video)] {
            if let Some(section) = sdp::live(&offered, kind) {
                self.add_track(connection, kind, Some(&offered_codecs)).await?;
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
        self.remote = offered;
        self.follow_remote(connection, offer_sdp).await;
        if self.shared_kinds().next().is_none() {
            return Err(PeerError::NoCommonCodec);
        }
        let sdp = self.told(&sdp::with_private_relays(&sdp), &self.local_events);
        // The library keeps its own order, and the other side sends what comes first here.
        let ours: Vec<AudioCodec> = self.local_audio.iter().map(|&(_, codec)| codec).collect();
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
        let answered = read_sections(answer_sdp)?;
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
        event_numbers: &EventNumbers,
        audio_out: &FrameSender,
        video_out: &FrameSender,
    ) {
        debug_assert!(connection.remote_description().await.is_some());
        for (kind, frames) in [(MediaKind::Audio, audio_out), (MediaKind::Video, video_out)] {
            let negotiated = self.negotiated(kind).await;
            tracing::debug!(?kind, ?negotiated, "negotiated");
            if let Some((Codec::Audio(codec), payload_type)) = negotiated {
                let events = self.events_beside(codec).zip(self.library_events().await);
                if let Some(((number, _), library)) = events {
                    event_numbers.set(library, number);
                }
                frames
                    .gate()
                    .set_events(events.map(|((_, clock), library)| (library, clock)));
                let mut said = self.remote_opus.iter();
                let said = said.find_map(|&(number, said)| (number == payload_type).then_some(said));
                frames.gate().set_opus(said.unwrap_or_default());
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
        let ours = parameters.rtp_parameters.codecs.iter().filter_map(|codec| {
            let ours = codec_of(&codec.rtp_codec.mime_type)?;
            (ours.kind() == kind).then_some((ours, codec.payload_type))
        });
        match kind {
            // Likewise below; one codec may be there under several numbers, of which not all are agreed on.
            MediaKind::Video => {
                let ours: Vec<(Codec, u8)> = ours.collect();
                let theirs = || {
                    self.remote_video
                        .iter()
                        .map(|&(number, codec)| (Codec::Video(codec), number))
                };
                let same_codec = |theirs: (Codec, u8)| ours.iter().copied().find(|ours| ours.0 == theirs.0);
                theirs()
                    .find(|theirs| ours.contains(theirs))
                    .or_else(|| theirs().find_map(same_codec))
            }
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

    /// What the other side may send as pictures, by payload type.
    pub(crate) fn video_payload_types(&self) -> &[(u8, VideoCodec)] {
        &self.local_video
    }

    /// What the other side may repair pictures with, each with what it repairs.
    pub(crate) fn repairs_received(&self) -> &[(u8, u8)] {
        &self.local_repairs
    }

    /// What pictures that are sent with this payload type are repaired with.
    pub(crate) fn repair_of(&self, payload_type: u8) -> Option<u8> {
        let mut repairs = self.remote_repairs.iter();
        repairs.find_map(|&(repairing, repaired)| (repaired == payload_type).then_some(repairing))
    }

    /// What the other side may send as digits, by payload type.
    pub(crate) fn events_received(&self) -> impl Iterator<Item = u8> {
        self.local_events.iter().map(|&(number, _)| number)
    }

    /// Whether the other side's sound and pictures belong together.
    pub(crate) fn in_sync(&self) -> bool {
        self.in_sync
    }

    /// The number of the header extension that says how the other side's pictures are to be turned.
    pub(crate) fn orientation(&self) -> Option<u8> {
        self.orientation
    }

    /// As what digits are sent beside this codec, and their clock, which must be its own.
    fn events_beside(&self, codec: AudioCodec) -> Option<(u8, u32)> {
        let clock = audio_clock_rate(codec);
        let find = |events: &[(u8, u32)]| events.iter().copied().find(|event| event.1 == clock);
        find(&self.local_events).and_then(|_| find(&self.remote_events))
    }

    /// The number under which the library takes digits.
    async fn library_events(&self) -> Option<u8> {
        let local = self.media.iter().find(|local| local.kind == MediaKind::Audio)?;
        let parameters = local.sender.as_ref()?.get_parameters().await.ok()?;
        let mut codecs = parameters.rtp_parameters.codecs.iter();
        codecs.find_map(|codec| is_events(&codec.rtp_codec.mime_type).then_some(codec.payload_type))
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

    /// Whether the other side may send sound that can be decoded here.
    pub(crate) fn hears(&self) -> bool {
        let shared = self.shared_kinds().any(|kind| kind == MediaKind::Audio);
        shared && self.direction(MediaKind::Audio).receives()
    }

    /// Kinds that neither side refused and both can decode.
    fn shared_kinds(&self) -> impl Iterator<Item = MediaKind> {
        let taken = |sections: &[Section], kind| sdp::live(sections, kind).is_some();
        // The library is content with digits in common.
        let voice = |codec: &(u8, AudioCodec)| self.remote_audio.iter().any(|theirs| theirs.1 == codec.1);
        let picture = |codec: &(u8, VideoCodec)| self.remote_video.iter().any(|theirs| theirs.1 == codec.1);
        [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter(move |&kind| taken(&self.local, kind) && taken(&self.remote, kind))
            .filter(move |&kind| match kind {
                MediaKind::Audio => self.local_audio.iter().any(voice),
                MediaKind::Video => self.local_video.iter().any(picture),
            })
    }

    /// Gives the library the track of a kind. Once an offer is applied it takes no codec that is not offered.
    async fn add_track(
        &mut self,
        connection: &dyn PeerConnection,
        kind: MediaKind,
        offered: Option<&Offered>,
    ) -> Result<(), PeerError> {
        let Some(local) = self.media.iter_mut().find(|local| local.kind == kind) else {
            return Ok(());
        };
        if local.sender.is_none() {
            let mut codecs = local.codecs.clone();
            if let Some(offered) = offered {
                codecs.retain(|codec| offered.has(codec));
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
        self.local = sdp::sections(&sdp);
        self.local_audio = sdp::audio_codecs(&sdp);
        self.local_events = match offer_sdp {
            Some(offer) => sdp::answered_events(&sdp, offer),
            None => sdp::offered_events(&sdp, &self.local_events),
        };
        self.local_video = sdp::video_codecs(&sdp);
        self.local_repairs = sdp::repairs(&sdp);
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
        self.remote_audio = sdp::audio_codecs(remote_sdp);
        let opus = self.remote_audio.iter();
        let opus = opus.filter(|(_, codec)| *codec == AudioCodec::Opus);
        self.remote_opus = opus
            .map(|&(number, _)| (number, sdp::opus_parameters(remote_sdp, number)))
            .collect();
        self.remote_events = sdp::telephone_events(remote_sdp);
        self.remote_video = sdp::video_codecs(remote_sdp);
        self.remote_repairs = sdp::repairs(remote_sdp);
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
