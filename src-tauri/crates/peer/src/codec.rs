//! The codecs as the library's media engine names them.

use crate::config::{AudioCodec, VideoCodec};
use crate::event::{Codec, MediaKind};
use rtc::rtp_transceiver::PayloadType;
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};

/// Hz; RFC 7587 §4.1, whatever the rate of the sound.
pub(crate) const AUDIO_CLOCK_RATE: u32 = 48_000;
/// Hz; RFC 7741 §4.1.
pub(crate) const VIDEO_CLOCK_RATE: u32 = 90_000;

/// Hz; RFC 3551 §4.5.2 and §4.5.14, also of G.722.
const WAVEFORM_CLOCK_RATE: u32 = 8_000;

/// The encoding name of digits.
pub(crate) const EVENTS: &str = "telephone-event";
const EVENTS_MIME: &str = "audio/telephone-event";

const RTX_MIME: &str = "video/rtx";

/// A sound codec with its payload type: the static ones of RFC 3551 §6, and one for Opus. Lost packets may be asked for.
pub(crate) fn audio_parameters(codec: AudioCodec) -> RTCRtpCodecParameters {
    let (payload_type, clock_rate, channels, fmtp) = match codec {
        AudioCodec::Opus => (111, AUDIO_CLOCK_RATE, 2, "minptime=10;useinbandfec=1"),
        AudioCodec::Pcmu => (0, WAVEFORM_CLOCK_RATE, 0, ""),
        AudioCodec::Pcma => (8, WAVEFORM_CLOCK_RATE, 0, ""),
        AudioCodec::G722 => (9, WAVEFORM_CLOCK_RATE, 0, ""),
    };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: format!("audio/{}", codec.name()),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback: vec![feedback("nack", "")],
        },
        payload_type,
    }
}

/// Digits among the packets of sound with this clock (RFC 4733 §7.1.1: their clock is the voice's).
pub(crate) fn event_parameters(clock_rate: u32) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: EVENTS_MIME.to_owned(),
            clock_rate,
            channels: 0,
            sdp_fmtp_line: "0-15".to_owned(),
            rtcp_feedback: Vec::new(),
        },
        payload_type: if clock_rate == AUDIO_CLOCK_RATE { 110 } else { 126 },
    }
}

/// The clocks of these codecs, each once, that of the most wanted codec first: the library tells digits of different
/// clocks not apart and offers the first of them alone; the others are added to what it says.
pub(crate) fn clock_rates(codecs: &[AudioCodec]) -> Vec<u32> {
    let mut rates = Vec::new();
    for codec in codecs {
        let rate = audio_clock_rate(*codec);
        if !rates.contains(&rate) {
            rates.push(rate);
        }
    }
    rates
}

/// RTP ticks per second.
pub(crate) fn audio_clock_rate(codec: AudioCodec) -> u32 {
    audio_parameters(codec).rtp_codec.clock_rate
}

/// A picture codec and the RTX stream that repairs it (RFC 4588), with the payload types that browsers use too.
pub(crate) fn video_parameters(codec: VideoCodec) -> [RTCRtpCodecParameters; 2] {
    let (payload_type, fmtp) = match codec {
        VideoCodec::Vp8 => (96, ""),
        VideoCodec::Vp9 => (98, "profile-id=0"),
        // Constrained baseline, level 3.1 (RFC 6184 §8.1).
        VideoCodec::H264 => (
            102,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
    };
    with_rtx(
        format!("video/{}", codec.name()),
        fmtp,
        payload_type,
        payload_type + 1,
    )
}

fn with_rtx(
    mime_type: String,
    fmtp: &str,
    payload_type: PayloadType,
    rtx: PayloadType,
) -> [RTCRtpCodecParameters; 2] {
    let codec = |mime_type: String, sdp_fmtp_line: String, rtcp_feedback| RTCRtpCodec {
        mime_type,
        clock_rate: VIDEO_CLOCK_RATE,
        channels: 0,
        sdp_fmtp_line,
        rtcp_feedback,
    };
    let repair = vec![
        feedback("nack", ""),
        feedback("nack", "pli"),
        feedback("ccm", "fir"),
    ];
    [
        RTCRtpCodecParameters {
            rtp_codec: codec(mime_type, fmtp.to_owned(), repair),
            payload_type,
        },
        RTCRtpCodecParameters {
            rtp_codec: codec(RTX_MIME.to_owned(), format!("apt={payload_type}"), Vec::new()),
            payload_type: rtx,
        },
    ]
}

fn feedback(typ: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback {
        typ: typ.to_owned(),
        parameter: parameter.to_owned(),
    }
}

/// Whether a MIME type is that of digits.
pub(crate) fn is_events(mime_type: &str) -> bool {
    mime_type.eq_ignore_ascii_case(EVENTS_MIME)
}

/// The codec behind a MIME type, when it is one of ours.
pub(crate) fn codec_of(mime_type: &str) -> Option<Codec> {
    let (kind, name) = mime_type.split_once('/')?;
    if kind.eq_ignore_ascii_case("audio") {
        name.parse().ok().map(Codec::Audio)
    } else if kind.eq_ignore_ascii_case("video") {
        name.parse().ok().map(Codec::Video)
    } else {
        None
    }
}

impl Codec {
    /// The codec as the library names it in a track.
    pub(crate) fn to_library(self) -> RTCRtpCodec {
        match self {
            Codec::Audio(codec) => audio_parameters(codec).rtp_codec,
            Codec::Video(codec) => {
                let [picture, _] = video_parameters(codec);
                picture.rtp_codec
            }
        }
    }

    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Codec::Audio(_) => MediaKind::Audio,
            Codec::Video(_) => MediaKind::Video,
        }
    }
}

impl MediaKind {
    pub(crate) fn to_library(self) -> RtpCodecKind {
        match self {
            MediaKind::Audio => RtpCodecKind::Audio,
            MediaKind::Video => RtpCodecKind::Video,
        }
    }
}
