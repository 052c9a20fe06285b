//! What two descriptions say together: which kinds go which way, as what, under which numbers. Pure.

use crate::codec::{audio_clock_rate, codec_of, is_events};
use crate::config::{AudioCodec, VideoCodec};
use crate::event::{Codec, MediaKind};
use crate::sdp::{self, Section};
use ahoy_call::Direction;
use ahoy_media::codec::opus::OpusParameters;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodec;

/// One side's description. Payload types are those under which that side receives.
#[derive(Default)]
pub(crate) struct Described {
    pub(super) sections: Vec<Section>,
    pub(super) audio: Vec<(u8, AudioCodec)>,
    /// What the side says of the Opus that it gets under each of its payload types.
    opus: Vec<(u8, OpusParameters)>,
    pub(super) video: Vec<(u8, VideoCodec)>,
    /// Each with what it repairs.
    repairs: Vec<(u8, u8)>,
    /// Digits with their clocks in Hz.
    pub(super) events: Vec<(u8, u32)>,
}

impl Described {
    pub(super) fn of(sdp: &str) -> Self {
        let audio = sdp::audio_codecs(sdp);
        let opus = audio.iter().filter(|(_, codec)| *codec == AudioCodec::Opus);
        Self {
            sections: sdp::sections(sdp),
            opus: opus
                .map(|&(number, _)| (number, sdp::opus_parameters(sdp, number)))
                .collect(),
            audio,
            video: sdp::video_codecs(sdp),
            repairs: sdp::repairs(sdp),
            events: sdp::telephone_events(sdp),
        }
    }

    /// Whether a codec of ours is among what the side takes.
    pub(super) fn names(&self, codec: &RTCRtpCodec) -> bool {
        if is_events(&codec.mime_type) {
            return self.events.iter().any(|event| event.1 == codec.clock_rate);
        }
        match codec_of(&codec.mime_type) {
            Some(Codec::Audio(ours)) => self.audio.iter().any(|theirs| theirs.1 == ours),
            Some(Codec::Video(ours)) => self.video.iter().any(|theirs| theirs.1 == ours),
            None => false,
        }
    }

    fn direction(&self, kind: MediaKind) -> Direction {
        sdp::live(&self.sections, kind).map_or(Direction::Inactive, |section: Section| section.direction)
    }
}

#[derive(Default)]
pub(crate) struct Agreed {
    pub(super) local: Described,
    pub(super) remote: Described,
}

impl Agreed {
    /// What the other side may send as sound, by payload type.
    pub(crate) fn audio_payload_types(&self) -> &[(u8, AudioCodec)] {
        &self.local.audio
    }

    /// What the other side may send as pictures, by payload type.
    pub(crate) fn video_payload_types(&self) -> &[(u8, VideoCodec)] {
        &self.local.video
    }

    /// What the other side may repair pictures with, each with what it repairs.
    pub(crate) fn repairs_received(&self) -> &[(u8, u8)] {
        &self.local.repairs
    }

    /// What pictures that are sent with this payload type are repaired with.
    pub(crate) fn repair_of(&self, payload_type: u8) -> Option<u8> {
        let mut repairs = self.remote.repairs.iter();
        repairs.find_map(|&(repairing, repaired)| (repaired == payload_type).then_some(repairing))
    }

    /// What the other side may send as digits, by payload type.
    pub(crate) fn events_received(&self) -> impl Iterator<Item = u8> {
        self.local.events.iter().map(|&(number, _)| number)
    }

    /// As what digits are sent beside this codec, and their clock, which must be its own.
    pub(super) fn events_beside(&self, codec: AudioCodec) -> Option<(u8, u32)> {
        let clock = audio_clock_rate(codec);
        let find = |events: &[(u8, u32)]| events.iter().copied().find(|event| event.1 == clock);
        find(&self.local.events).and_then(|_| find(&self.remote.events))
    }

    /// How the other side wants the Opus that it gets under this payload type.
    pub(super) fn opus_of(&self, payload_type: u8) -> OpusParameters {
        let mut said = self.remote.opus.iter();
        let said = said.find_map(|&(number, said)| (number == payload_type).then_some(said));
        said.unwrap_or_default()
    }

    /// Which way media of a kind goes by both descriptions.
    pub(crate) fn direction(&self, kind: MediaKind) -> Direction {
        let (local, remote) = (self.local.direction(kind), self.remote.direction(kind));
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
    pub(super) fn shared_kinds(&self) -> impl Iterator<Item = MediaKind> {
        let Self { local, remote } = self;
        let taken = |side: &Described, kind| sdp::live(&side.sections, kind).is_some();
        // The library is content with digits in common.
        let voice = |codec: &(u8, AudioCodec)| remote.audio.iter().any(|theirs| theirs.1 == codec.1);
        let picture = |codec: &(u8, VideoCodec)| remote.video.iter().any(|theirs| theirs.1 == codec.1);
        [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter(move |&kind| taken(local, kind) && taken(remote, kind))
            .filter(move |&kind| match kind {
                MediaKind::Audio => local.audio.iter().any(voice),
                MediaKind::Video => local.video.iter().any(picture),
            })
    }

    /// As what a kind is sent, of what the library has for it under its own numbers.
    pub(super) fn sent_as(&self, kind: MediaKind, ours: &[(Codec, u8)]) -> Option<(Codec, u8)> {
        match kind {
            // One codec may be there under several numbers, of which not all are agreed on.
            MediaKind::Video => {
                let theirs = || {
                    let theirs = self.remote.video.iter();
                    theirs.map(|&(number, codec)| (Codec::Video(codec), number))
                };
                let same_codec = |theirs: (Codec, u8)| ours.iter().copied().find(|ours| ours.0 == theirs.0);
                theirs()
                    .find(|theirs| ours.contains(theirs))
                    .or_else(|| theirs().find_map(same_codec))
            }
            // The other side's order and numbers count (RFC 3264 §6.1 and §7); the library keeps its own.
            MediaKind::Audio => {
                let mut theirs = self.remote.audio.iter();
                theirs.find_map(|&(number, codec)| {
                    let codec = Codec::Audio(codec);
                    let known = ours.iter().any(|&(ours, _)| ours == codec);
                    known.then_some((codec, number))
                })
            }
        }
    }
}
