//! Digits in descriptions (RFC 4733 §7.1.1). Pure.
//!
//! Their clock is that of the voice beside them, so a description of voices with two clocks has them twice. The library
//! tells the two not apart and names one; the other is added to what is told.

use super::{lines_by, payload_types, telephone_events};
use crate::codec::{audio_clock_rate, event_parameters};
use crate::event::MediaKind;

/// What an offer names as digits: for each clock of its sounds one payload type, of those known from before if there is one.
pub(crate) fn offered_events(sdp: &str, before: &[(u8, u32)]) -> Vec<(u8, u32)> {
    let mut events = telephone_events(sdp);
    // All sections are bundled, so a number is taken wherever it stands (RFC 9143 §7.1).
    let taken: Vec<u8> = [MediaKind::Audio, MediaKind::Video]
        .into_iter()
        .flat_map(|kind| payload_types(sdp, kind))
        .map(|known| known.number)
        .collect();
    for clock in clocks(sdp) {
        if events.iter().any(|event| event.1 == clock) {
            continue;
        }
        let known = before.iter().find(|event| event.1 == clock);
        let number = known.map_or(event_parameters(clock).payload_type, |event| event.0);
        if !taken.contains(&number) {
            events.push((number, clock));
        }
    }
    events
}

/// What an answer names as digits: those of the offer, with its numbers, whose clock is that of a sound that is taken.
pub(crate) fn answered_events(sdp: &str, offer_sdp: &str) -> Vec<(u8, u32)> {
    let clocks = clocks(sdp);
    let mut events = telephone_events(offer_sdp);
    events.retain(|event| clocks.contains(&event.1));
    events
}

/// The description with these in its sound, where they are not there yet.
pub(crate) fn with_events(sdp: &str, events: &[(u8, u32)]) -> String {
    let there = telephone_events(sdp);
    let missing: Vec<(u8, u32)> = events
        .iter()
        .copied()
        .filter(|event| !there.contains(event))
        .collect();
    if missing.is_empty() {
        return sdp.to_owned();
    }
    let mut section = Section::Before;
    lines_by(sdp, |line| {
        if let Some(media) = line.strip_prefix("m=") {
            section = match section {
                Section::Before if media.starts_with("audio ") => Section::Head,
                Section::Before => Section::Before,
                Section::Head | Section::After => Section::After,
            };
            let numbers: String = missing.iter().map(|event| format!(" {}", event.0)).collect();
            return (section == Section::Head).then(|| format!("{}{numbers}\r\n", line.trim_end()));
        }
        if section != Section::Head || !line.starts_with("a=rtpmap:") {
            return None;
        }
        section = Section::After;
        let maps = missing.iter().map(|(number, clock)| {
            let format = event_parameters(*clock).rtp_codec.sdp_fmtp_line;
            format!("a=rtpmap:{number} telephone-event/{clock}\r\na=fmtp:{number} {format}\r\n")
        });
        Some(maps.chain([line.to_owned()]).collect())
    })
}

/// Where in a description a line is, as seen from the first section of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Before,
    /// Between its first line and its first map.
    Head,
    After,
}

/// The clocks of the sounds, each once.
fn clocks(sdp: &str) -> Vec<u32> {
    let mut clocks = Vec::new();
    for (_, codec) in super::audio_codecs(sdp) {
        let clock = audio_clock_rate(codec);
        if !clocks.contains(&clock) {
            clocks.push(clock);
        }
    }
    clocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\nm=audio 9 X 8\r\na=rtpmap:8 PCMA/8000\r\n";

    #[test]
    fn an_offer_has_digits_in_each_clock_of_its_sounds() {
        let both = [(110, 48_000), (126, 8_000)];
        assert_eq!(offered_events(OFFER, &[]), both);
        let told = with_events(OFFER, &both);
        assert_eq!(telephone_events(&told), both);
        assert!(
            told.contains(
                "SAVPF 111 0 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:126 telephone-event/8000\r\n\
                a=fmtp:126 0-15\r\na=rtpmap:111 opus"
            ),
            "{told}"
        );
        assert_eq!(told.lines().count(), OFFER.lines().count() + 2, "nothing else");
        assert_eq!(with_events(&told, &both), told);
        assert_eq!(
            offered_events(&told, &[(101, 8_000)]),
            both,
            "what is there stays"
        );
    }

    #[test]
    fn numbers_stay_as_they_were_and_none_is_used_twice() {
        let before = [(101, 8_000)];
        assert_eq!(offered_events(OFFER, &before), [(110, 48_000), (101, 8_000)]);
        let taken = OFFER.replace("SAVPF 96", "SAVPF 96 126");
        assert_eq!(offered_events(&taken, &[]), [(110, 48_000)]);
        let narrow = OFFER.replace("111 0 110", "0");
        assert_eq!(offered_events(&narrow, &[]), [(126, 8_000)]);
    }

    #[test]
    fn an_answer_has_the_digits_of_the_offer_in_the_clocks_that_it_takes() {
        let offer = with_events(OFFER, &[(101, 8_000), (102, 16_000)]);
        assert_eq!(answered_events(OFFER, &offer), [(110, 48_000), (101, 8_000)]);
        let narrow = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\n";
        assert_eq!(answered_events(narrow, &offer), [(101, 8_000)]);
        assert_eq!(answered_events(narrow, OFFER), []);
    }
}
