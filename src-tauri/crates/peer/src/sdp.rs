//! The little this crate reads and changes in descriptions itself (RFC 8866 lines). Pure; the library does the rest.

mod events;
mod opus;
mod orientation;
mod streams;

pub(crate) use events::{answered_events, offered_events, with_events};
pub(crate) use opus::{opus_parameters, with_opus_wish};
pub(crate) use orientation::{ORIENTATION, orientation};
pub(crate) use streams::in_sync;

use crate::codec::EVENTS;
use crate::config::{AudioCodec, VideoCodec};
use crate::event::MediaKind;
use ahoy_call::Direction;

/// Largest description taken, in bytes; Chromium with every codec and forty candidates makes some 12 kB.
pub(crate) const LARGEST: usize = 64 * 1024;

/// `a=setup` of RFC 4145 §4, as one side has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// This side is the DTLS client.
    Active,
    /// This side is the DTLS server.
    Passive,
}

impl Setup {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Setup::Active => Setup::Passive,
            Setup::Passive => Setup::Active,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
        }
    }
}

/// One `m=` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: MediaKind,
    /// Port 0: refused or stopped (RFC 3264 §6).
    pub(crate) rejected: bool,
    /// Which way media goes here, as the describing side sees it.
    pub(crate) direction: Direction,
}

/// The sound and picture sections in their order.
pub(crate) fn sections(sdp: &str) -> Vec<Section> {
    // Without a word it is both ways (RFC 8866 §6.7).
    let mut direction = Direction::SendRecv;
    let mut sections: Vec<Section> = Vec::new();
    // Lines after a section of another kind belong to none of ours.
    let mut in_ours = true;
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                _ => None,
            };
            in_ours = kind.is_some();
            if let Some(kind) = kind {
                sections.push(Section {
                    kind,
                    rejected: words.next().is_some_and(|port| port.trim() == "0"),
                    direction,
                });
            }
        } else if let Some(said) = direction_of(line) {
            match sections.last_mut() {
                Some(section) if in_ours => section.direction = said,
                Some(_) => {}
                None => direction = said,
            }
        }
    }
    sections
}

/// The section of a kind that the describing side takes part in.
pub(crate) fn live(sections: &[Section], kind: MediaKind) -> Option<Section> {
    sections
        .iter()
        .copied()
        .find(|section| section.kind == kind && !section.rejected)
}

/// The payload types of the first sound section in its order of preference, those of our codecs. Static types need no
/// line of their own (RFC 3551 §6).
pub(crate) fn audio_codecs(sdp: &str) -> Vec<(u8, AudioCodec)> {
    let codec = |(number, map): (u8, Option<&str>)| match map {
        Some(map) => Some((number, encoding_name(map).parse().ok()?)),
        None => Some((number, static_codec(number)?)),
    };
    let types = payload_types(sdp, MediaKind::Audio).into_iter();
    types
        .filter_map(|known| codec((known.number, known.map)))
        .collect()
}

/// The payload types of the first picture section in its order of preference, those of our codecs: VP9 of profile 0, H.264
/// of a baseline profile in packetization mode 1.
pub(crate) fn video_codecs(sdp: &str) -> Vec<(u8, VideoCodec)> {
    let codec = |known: PayloadType<'_>| {
        let codec = encoding_name(known.map?).parse().ok()?;
        let ours = match codec {
            VideoCodec::Vp8 => true,
            VideoCodec::Vp9 => known.parameter("profile-id").unwrap_or("0") == "0",
            VideoCodec::H264 => {
                // Without a word it is baseline (RFC 6184 §8.1).
                let profile = known.parameter("profile-level-id").unwrap_or("420010");
                profile.starts_with("42") && known.parameter("packetization-mode") == Some("1")
            }
        };
        ours.then_some((known.number, codec))
    };
    let types = payload_types(sdp, MediaKind::Video).into_iter();
    types.filter_map(codec).collect()
}

/// The payload types of the first picture section that repair another, each with the one it repairs (RFC 4588 §8.1).
pub(crate) fn repairs(sdp: &str) -> Vec<(u8, u8)> {
    let repair = |known: PayloadType<'_>| {
        let rtx = encoding_name(known.map?).eq_ignore_ascii_case("rtx");
        let repaired = known.parameter("apt").filter(|_| rtx)?.parse().ok()?;
        Some((known.number, repaired))
    };
    let types = payload_types(sdp, MediaKind::Video).into_iter();
    types.filter_map(repair).collect()
}

/// The payload types of digits in the first sound section, with their clocks in Hz.
pub(crate) fn telephone_events(sdp: &str) -> Vec<(u8, u32)> {
    let event = |known: PayloadType<'_>| {
        let map = known
            .map
            .filter(|map| encoding_name(map).eq_ignore_ascii_case(EVENTS))?;
        Some((known.number, map.split('/').nth(1)?.parse().ok()?))
    };
    let types = payload_types(sdp, MediaKind::Audio).into_iter();
    types.filter_map(event).collect()
}

fn encoding_name(map: &str) -> &str {
    map.split('/').next().unwrap_or_default()
}

/// A payload type with what `a=rtpmap` and `a=fmtp` say of it.
#[derive(Debug, Clone, Copy)]
struct PayloadType<'a> {
    number: u8,
    map: Option<&'a str>,
    format: Option<&'a str>,
}

impl<'a> PayloadType<'a> {
    /// The value of a parameter of the format, whose name is taken in any case of letters.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        let parameters = self
            .format?
            .split(';')
            .filter_map(|parameter| parameter.split_once('='));
        parameters
            .map(|(key, value)| (key.trim(), value.trim()))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// The payload types of the first section of a kind.
fn payload_types(sdp: &str, kind: MediaKind) -> Vec<PayloadType<'_>> {
    let name = match kind {
        MediaKind::Audio => "audio ",
        MediaKind::Video => "video ",
    };
    let mut types: Vec<PayloadType<'_>> = Vec::new();
    let mut in_section = false;
    for line in sdp.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            in_section = media.starts_with(name) && types.is_empty();
            if in_section {
                let numbers = media.split(' ').skip(3).filter_map(|word| word.parse().ok());
                types.extend(numbers.map(|number| PayloadType {
                    number,
                    map: None,
                    format: None,
                }));
            }
            continue;
        }
        let attribute = line.strip_prefix("a=").filter(|_| in_section);
        let Some((attribute, about)) = attribute.and_then(|line| line.split_once(':')) else {
            continue;
        };
        let Some((number, said)) = about.split_once(' ') else {
            continue;
        };
        let Some(known) = types.iter_mut().find(|known| Ok(known.number) == number.parse()) else {
            continue;
        };
        match attribute {
            "rtpmap" => known.map = Some(said),
            "fmtp" => known.format = Some(said),
            _ => {}
        }
    }
    types
}

/// The sound codec that an answer to `offer_sdp` agrees on: the first of the offer that is among `ours`, as RFC 3264 §6.1
/// wishes. `None` when there is none in common.
pub fn answered_codec(offer_sdp: &str, ours: &[AudioCodec]) -> Option<AudioCodec> {
    audio_codecs(offer_sdp)
        .into_iter()
        .map(|(_, codec)| codec)
        .find(|codec| ours.contains(codec))
}

/// The description with this codec in the first place of its sound: what it prefers (RFC 3264 §6.1).
pub(crate) fn with_leading_sound(sdp: &str, codec: AudioCodec) -> String {
    let leading: Vec<u8> = audio_codecs(sdp)
        .into_iter()
        .filter_map(|(number, its)| (its == codec).then_some(number))
        .collect();
    lines_by(sdp, |line| {
        let media = line.strip_prefix("m=audio ")?.trim_end();
        let mut words: Vec<&str> = media.split(' ').collect();
        let leads = |word: &&str| word.parse().is_ok_and(|number| leading.contains(&number));
        words.get_mut(2..)?.sort_by_key(|word| !leads(word));
        Some(format!("m=audio {}\r\n", words.join(" ")))
    })
}

fn static_codec(payload_type: u8) -> Option<AudioCodec> {
    match payload_type {
        0 => Some(AudioCodec::Pcmu),
        8 => Some(AudioCodec::Pcma),
        9 => Some(AudioCodec::G722),
        _ => None,
    }
}

fn direction_of(line: &str) -> Option<Direction> {
    match line.trim_end() {
        "a=sendrecv" => Some(Direction::SendRecv),
        "a=sendonly" => Some(Direction::SendOnly),
        "a=recvonly" => Some(Direction::RecvOnly),
        "a=inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

/// The description for the library, which ends a section for good when it is offered as inactive: it is told that the
/// other side only receives, and what is answered is set by hand.
pub(crate) fn with_living_sections(sdp: &str) -> String {
    lines_by(sdp, |line| match line.trim_end() {
        "a=inactive" => Some("a=recvonly\r\n".to_owned()),
        _ => None,
    })
}

/// The offer for the library with constrained baseline where it has baseline alone (RFC 6184 §8.1). The library takes the
/// two for different codecs and leaves H.264 out, as MediaServer offers it; what is sent here is both.
pub(crate) fn with_constrained_baseline(sdp: &str) -> String {
    const PARAMETER: &str = "profile-level-id=42";
    let has_both = sdp.contains("profile-level-id=42e0") || sdp.contains("profile-level-id=42E0");
    lines_by(sdp, |line| {
        let format = line.strip_prefix("a=fmtp:").filter(|_| !has_both)?;
        let one_packetization = format.contains("packetization-mode=1");
        let (before, rest) = format.split_once(PARAMETER).filter(|_| one_packetization)?;
        let level = rest.strip_prefix("00")?;
        Some(format!("a=fmtp:{before}{PARAMETER}e0{}\r\n", level.trim_end()))
    })
}

/// The description without candidates: those of a restart's offer are about to be given up.
pub(crate) fn without_candidates(sdp: &str) -> String {
    lines_by(sdp, |line| {
        let about = line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
        about.then(String::new)
    })
}

/// The description with no address of this machine behind its relayed candidates.
pub(crate) fn with_private_relays(sdp: &str) -> String {
    lines_by(sdp, |line| {
        let candidate = line.strip_prefix("a=candidate:")?;
        Some(format!(
            "a=candidate:{}\r\n",
            private_relay(candidate.trim_end())?
        ))
    })
}

/// A relayed candidate without its related address (RFC 8839 §5.1): the one behind the relay is nobody's business, and
/// the zero address stands for it as in browsers. `None` for any other candidate.
pub(crate) fn private_relay(candidate: &str) -> Option<String> {
    let mut words: Vec<&str> = candidate.split(' ').collect();
    let typ = words.iter().position(|word| *word == "typ")?;
    if words.get(typ + 1) != Some(&"relay") {
        return None;
    }
    let zero = if words.get(4).is_some_and(|address| address.contains(':')) {
        "::"
    } else {
        "0.0.0.0"
    };
    for (name, value) in [("raddr", zero), ("rport", "0")] {
        if let Some(at) = words.iter().position(|word| *word == name)
            && at + 1 < words.len()
        {
            words[at + 1] = value;
        }
    }
    Some(words.join(" "))
}

/// The description with some lines replaced.
fn lines_by(sdp: &str, mut replaced: impl FnMut(&str) -> Option<String>) -> String {
    sdp.split_inclusive('\n')
        .map(|line| replaced(line).unwrap_or_else(|| line.to_owned()))
        .collect()
}

/// The role the describing side has taken; `None` for `actpass` and when it says nothing.
pub(crate) fn setup(sdp: &str) -> Option<Setup> {
    sdp.lines().find_map(|line| match line.trim_end() {
        "a=setup:active" => Some(Setup::Active),
        "a=setup:passive" => Some(Setup::Passive),
        _ => None,
    })
}

/// The description with every `a=setup` saying `role`.
pub(crate) fn with_setup(sdp: &str, role: Setup) -> String {
    lines_by(sdp, |line| {
        let setup = line.starts_with("a=setup:");
        setup.then(|| format!("a=setup:{}\r\n", role.as_str()))
    })
}

/// The first `a=ice-ufrag` (RFC 8839 §5.4); sections of a bundle share it.
pub(crate) fn ice_ufrag(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_codecs_keep_the_order_and_the_numbers_of_the_description() {
        let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 9 63 111 0 13 126\r\na=rtpmap:63 red/48000/2\r\n\
            a=rtpmap:111 OPUS/48000/2\r\na=rtpmap:126 telephone-event/8000\r\na=rtpmap:13 CN/8000\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 opus/48000/2\r\nm=audio 9 X 8\r\n";
        assert_eq!(
            audio_codecs(sdp),
            [
                (9, AudioCodec::G722),
                (111, AudioCodec::Opus),
                (0, AudioCodec::Pcmu)
            ]
        );
        assert_eq!(
            answered_codec(sdp, &[AudioCodec::Pcmu, AudioCodec::Opus]),
            Some(AudioCodec::Opus)
        );
        assert_eq!(answered_codec(sdp, &[AudioCodec::Pcma]), None);
        assert_eq!(telephone_events(sdp), [(126, 8000)]);
        assert_eq!(audio_codecs("m=audio 9 X 300 x"), []);
        assert_eq!(audio_codecs(""), []);
    }

    #[test]
    fn the_agreed_sound_is_put_first() {
        let sdp =
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 110 0\r\na=rtpmap:111 opus/48000/2\r\nm=video 9 X 96\r\n";
        let led = with_leading_sound(sdp, AudioCodec::Pcmu);
        assert!(
            led.starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 0 111 9 110\r\na=rtpmap"),
            "{led}"
        );
        assert_eq!(with_leading_sound(sdp, AudioCodec::Opus), sdp);
        assert_eq!(with_leading_sound(sdp, AudioCodec::Pcma), sdp);
    }

    #[test]
    fn picture_codecs_keep_the_order_and_leave_out_other_profiles() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=rtpmap:111 VP8/90000\r\nm=video 9 UDP/TLS/RTP/SAVPF 98 99 100 102 103 \
            104 106 96 97 108\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 rtx/90000\r\n\
            a=fmtp:99 apt=98\r\na=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\na=rtpmap:102 H264/90000\r\n\
            a=fmtp:102 level-asymmetry-allowed=1; packetization-mode=1; profile-level-id=42001f\r\n\
            a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102;rtx-time=3000\r\na=rtpmap:104 H264/90000\r\n\
            a=fmtp:104 packetization-mode=0;profile-level-id=42e01f\r\na=rtpmap:106 H264/90000\r\n\
            a=fmtp:106 packetization-mode=1;profile-level-id=64001f\r\na=rtpmap:96 vp8/90000\r\n\
            a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=x\r\na=rtpmap:108 AV1/90000\r\n";
        assert_eq!(
            video_codecs(sdp),
            [
                (98, VideoCodec::Vp9),
                (102, VideoCodec::H264),
                (96, VideoCodec::Vp8)
            ]
        );
        assert_eq!(repairs(sdp), [(99, 98), (103, 102)]);
        assert_eq!(video_codecs("m=video 9 X 96\r\n"), []);
    }

    const ANSWER: &str = "v=0\r\na=inactive\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=setup:active\r\na=sendrecv\r\n\
        a=ice-ufrag:abcd\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=recvonly\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=setup:active\r\n";

    #[test]
    fn sections_know_refusal_and_direction() {
        let audio = Section {
            kind: MediaKind::Audio,
            rejected: false,
            direction: Direction::SendRecv,
        };
        let video = Section {
            kind: MediaKind::Video,
            rejected: true,
            direction: Direction::Inactive,
        };
        assert_eq!(sections(ANSWER), [audio, video]);
        assert_eq!(live(&sections(ANSWER), MediaKind::Audio), Some(audio));
        assert_eq!(live(&sections(ANSWER), MediaKind::Video), None);
    }

    #[test]
    fn the_role_is_read_and_rewritten_everywhere() {
        assert_eq!(setup(ANSWER), Some(Setup::Active));
        let rewritten = with_setup(ANSWER, Setup::Passive);
        assert_eq!(rewritten.matches("a=setup:passive\r\n").count(), 2);
        assert_eq!(rewritten.matches("a=setup").count(), 2);
        assert_eq!(rewritten.len(), ANSWER.len() + 2);
        assert_eq!(setup("a=setup:actpass\r\n"), None);
    }

    #[test]
    fn a_relayed_candidate_tells_no_address_behind_it() {
        let relay =
            "1 1 udp 41885439 198.51.100.7 50000 typ relay raddr 192.168.1.20 rport 50123 generation 0";
        let private = "1 1 udp 41885439 198.51.100.7 50000 typ relay raddr 0.0.0.0 rport 0 generation 0";
        assert_eq!(private_relay(relay).as_deref(), Some(private));
        let six = "1 1 udp 1 2001:db8::7 50000 typ relay raddr 2001:db8::20 rport 9";
        assert_eq!(
            private_relay(six).as_deref(),
            Some("1 1 udp 1 2001:db8::7 50000 typ relay raddr :: rport 0")
        );
        assert_eq!(private_relay("1 1 udp 1 192.0.2.1 9 typ host"), None);
        assert_eq!(private_relay("1 1 udp 1 192.0.2.1 9 typ"), None);
        let sdp =
            format!("m=audio 9 x\r\na=candidate:{relay}\r\na=candidate:2 1 udp 1 192.0.2.1 9 typ host\r\n");
        let scrubbed = with_private_relays(&sdp);
        assert!(!scrubbed.contains("192.168.1.20") && scrubbed.contains("192.0.2.1 9 typ host"));
        assert_eq!(without_candidates(&sdp), "m=audio 9 x\r\n");
    }

    #[test]
    fn baseline_is_constrained_for_the_library_where_nothing_else_is_offered() {
        let offer = "m=video 9 x 102 104\r\n\
            a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
            a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n";
        assert_eq!(
            with_constrained_baseline(offer),
            offer.replace("42001f", "42e01f"),
            "main profile stays"
        );
        let both = format!("{offer}a=fmtp:106 packetization-mode=1;profile-level-id=42e01f\r\n");
        assert_eq!(with_constrained_baseline(&both), both);
        let single = "a=fmtp:102 packetization-mode=0;profile-level-id=42001f\r\n";
        assert_eq!(with_constrained_baseline(single), single);
    }

    #[test]
    fn an_inactive_section_stays_alive_for_the_library() {
        assert_eq!(
            with_living_sections("m=video 9 x\r\na=inactive\r\na=mid:1\r\n"),
            "m=video 9 x\r\na=recvonly\r\na=mid:1\r\n"
        );
    }

    #[test]
    fn the_user_fragment_is_found() {
        assert_eq!(ice_ufrag(ANSWER), Some("abcd"));
        assert_eq!(ice_ufrag("v=0"), None);
    }
}
