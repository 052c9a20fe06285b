//! The streams this side sends, as the library wants them described.

use crate::codec::{audio_parameters, clock_rates, event_parameters, video_parameters};
use crate::config::{AudioCodec, VideoCodec};
use crate::error::PeerError;
use crate::event::MediaKind;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
};

/// Random numbers of one connection (RFC 3550 §8: SSRC, §5.1: first sequence number).
#[derive(Debug, Clone)]
pub(crate) struct LocalStreams {
    pub(crate) audio: u32,
    pub(crate) video: u32,
    pub(crate) video_rtx: u32,
    pub(crate) first_sequence: u16,
    /// Names the stream and tracks in the description; the other side sees it.
    name: String,
}

impl LocalStreams {
    pub(crate) fn random() -> Result<Self, PeerError> {
        let mut random = [0; 22];
        getrandom::fill(&mut random).map_err(|error| PeerError::failed("draw random numbers", error))?;
        let word =
            |at: usize| u32::from_be_bytes([random[at], random[at + 1], random[at + 2], random[at + 3]]);
        // The low bits keep the three apart.
        let ssrc = |at: usize, low: u32| (word(at) & !3 | low).max(4);
        Ok(Self {
            audio: ssrc(0, 1),
            video: ssrc(4, 2),
            video_rtx: ssrc(8, 3),
            first_sequence: word(12) as u16,
            name: format!("{:08x}{:08x}", word(14), word(18)),
        })
    }

    /// The track of a kind with one encoding for each codec, all of the one stream.
    pub(crate) fn track(&self, kind: MediaKind, codecs: Vec<RTCRtpCodec>) -> MediaStreamTrack {
        let (name, ssrc, rtx) = match kind {
            MediaKind::Audio => ("audio", self.audio, None),
            MediaKind::Video => ("video", self.video, Some(self.video_rtx)),
        };
        let encoding = |codec| RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
                ..RTCRtpCodingParameters::default()
            },
            active: true,
            codec,
            ..RTCRtpEncodingParameters::default()
        };
        MediaStreamTrack::new(
            self.name.clone(),
            format!("{}-{name}", self.name),
            name.to_owned(),
            kind.to_library(),
            codecs.into_iter().map(encoding).collect(),
        )
    }
}

/// The codecs that a track of this kind names; none of a kind that this side does not speak.
///
/// The library offers those of the encodings alone, and answers NACKs and reports on the stream (RFC 3550 §6.4.1) only
/// where the first of them is the one agreed on: negotiation sees to that.
pub(crate) fn track_codecs(kind: MediaKind, audio: &[AudioCodec], video: &[VideoCodec]) -> Vec<RTCRtpCodec> {
    let pictures = video.iter().map(|codec| {
        let [picture, _] = video_parameters(*codec);
        picture.rtp_codec
    });
    let sounds = audio.iter().map(|codec| audio_parameters(*codec));
    let events = clock_rates(audio).into_iter().map(event_parameters);
    match kind {
        MediaKind::Audio => sounds.chain(events).map(|codec| codec.rtp_codec).collect(),
        MediaKind::Video => pictures.collect(),
    }
}
