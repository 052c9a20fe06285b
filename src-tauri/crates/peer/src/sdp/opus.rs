//! What descriptions say of Opus (RFC 7587 §6.1 and §7). Pure.

use super::{encoding_name, payload_types};
use crate::config::AudioCodec;
use crate::event::MediaKind;
use ahoy_media::codec::opus::{OpusMode, OpusParameters, OpusWish};
use ahoy_media::units::{Bitrate, SampleRate};
use std::time::Duration;

/// Bits per second and Hz that a description may name (RFC 7587 §6.1); others are as if nothing was said.
const AVERAGE_BITRATES: std::ops::RangeInclusive<u64> = 6_000..=510_000;
const PLAYBACK_RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// Milliseconds of a packet that make sense.
const PACKET_TIMES: std::ops::RangeInclusive<f64> = 3.0..=1000.0;

/// What the describing side says of the sound that it gets under this payload type.
pub(crate) fn opus_parameters(sdp: &str, payload_type: u8) -> OpusParameters {
    let types = payload_types(sdp, MediaKind::Audio);
    let known = types.into_iter().find(|known| known.number == payload_type);
    let said = |name: &str| known.as_ref().and_then(|known| known.parameter(name));
    let on = |name: &str| said(name) == Some("1");
    let default = OpusParameters::default();
    OpusParameters {
        stereo: on("stereo"),
        fec: on("useinbandfec"),
        dtx: on("usedtx"),
        cbr: on("cbr"),
        max_average_bitrate: said("maxaveragebitrate")
            .and_then(|said| said.parse().ok())
            .filter(|said| AVERAGE_BITRATES.contains(said))
            .map(Bitrate::from_bps),
        max_playback_rate: said("maxplaybackrate")
            .and_then(|said| said.parse().ok())
            .filter(|said| PLAYBACK_RATES.contains(said))
            .map_or(default.max_playback_rate, SampleRate::from_hz),
        frame_time: packet_time(sdp, "a=ptime:"),
        longest_frame: packet_time(sdp, "a=maxptime:"),
    }
}

/// The description with what this side wishes to receive as Opus, in place of whatever is said there.
pub(crate) fn with_opus_wish(sdp: &str, wish: OpusWish) -> String {
    let types = payload_types(sdp, MediaKind::Audio).into_iter();
    let opus: Vec<u8> = types
        .filter(|known| {
            known
                .map
                .is_some_and(|map| encoding_name(map).parse() == Ok(AudioCodec::Opus))
        })
        .map(|known| known.number)
        .collect();
    let about = |line: &str, attribute: &str| {
        let number = line.strip_prefix(attribute)?.split(' ').next()?.parse().ok()?;
        opus.contains(&number).then_some(number)
    };
    let mut in_sound = false;
    let mut told = String::with_capacity(sdp.len() + 64);
    for line in sdp.split_inclusive('\n') {
        if line.starts_with("m=") {
            in_sound = line.starts_with("m=audio ");
        }
        if !in_sound || about(line, "a=fmtp:").is_none() {
            told.push_str(line);
        }
        if in_sound && let Some(number) = about(line, "a=rtpmap:") {
            told.push_str(&format!("a=fmtp:{number} {}\r\n", format(wish)));
        }
    }
    told
}

fn format(wish: OpusWish) -> String {
    let mut format = "minptime=10;useinbandfec=1".to_owned();
    if wish.mode == OpusMode::Music {
        format.push_str(";stereo=1;sprop-stereo=1");
    }
    if wish.dtx {
        format.push_str(";usedtx=1");
    }
    format
}

/// What a line of the first sound section says in milliseconds.
fn packet_time(sdp: &str, attribute: &str) -> Option<Duration> {
    let lines = sdp.lines().map(str::trim_end);
    let section = lines
        .skip_while(|line| !line.starts_with("m=audio "))
        .skip(1)
        .take_while(|line| !line.starts_with("m="));
    let said = section.filter_map(|line| line.strip_prefix(attribute)).next()?;
    let milliseconds = said.trim().parse().ok()?;
    PACKET_TIMES
        .contains(&milliseconds)
        .then(|| Duration::from_secs_f64(milliseconds / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(format: &str, more: &str) -> String {
        format!(
            "v=0\r\na=ptime:7\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 109\r\na=rtpmap:109 opus/48000/2\r\n\
            a=fmtp:109 {format}\r\n{more}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=maxptime:9\r\n"
        )
    }

    #[test]
    fn everything_that_is_said_is_read() {
        let sdp = described(
            "maxplaybackrate=16000; stereo=1;sprop-stereo=1;maxaveragebitrate=20000;useinbandfec=1;usedtx=1;cbr=1",
            "a=ptime:40\r\na=maxptime:60\r\n",
        );
        assert_eq!(
            opus_parameters(&sdp, 109),
            OpusParameters {
                stereo: true,
                fec: true,
                dtx: true,
                cbr: true,
                max_average_bitrate: Some(Bitrate::from_kbps(20)),
                max_playback_rate: SampleRate::from_hz(16_000),
                frame_time: Some(Duration::from_millis(40)),
                longest_frame: Some(Duration::from_millis(60)),
            }
        );
    }

    #[test]
    fn what_is_not_said_or_makes_no_sense_is_the_default() {
        let nonsense = described(
            "stereo=2;maxaveragebitrate=5;maxplaybackrate=loud;usedtx",
            "a=ptime:0\r\na=maxptime:-20\r\n",
        );
        assert_eq!(opus_parameters(&nonsense, 109), OpusParameters::default());
        assert_eq!(opus_parameters("", 109), OpusParameters::default());
        assert_eq!(
            opus_parameters(&described("cbr=1", ""), 0),
            OpusParameters::default()
        );
    }

    #[test]
    fn the_own_wish_takes_the_place_of_what_is_there_and_is_read_back() {
        for (mode, dtx) in [
            (OpusMode::Voice, false),
            (OpusMode::LowDelay, true),
            (OpusMode::Music, true),
        ] {
            let told = with_opus_wish(&described("usedtx=0;cbr=1", ""), OpusWish { mode, dtx });
            let read = opus_parameters(&told, 109);
            let music = mode == OpusMode::Music;
            assert_eq!(
                (read.stereo, read.dtx, read.cbr, read.fec),
                (music, dtx, false, true)
            );
            assert_eq!(told.matches("a=fmtp:109 minptime=10;useinbandfec=1").count(), 1);
            assert_eq!(told.matches("fmtp").count(), 1, "{told}");
        }
        let without = "m=audio 9 X 96\r\na=rtpmap:96 PCMU/8000\r\nm=video 9 X 96\r\na=fmtp:96 x=1\r\n";
        assert_eq!(with_opus_wish(without, OpusWish::default()), without);
    }
}
