//! `call.status`: ringing, answered elsewhere, and the quality report (§4.5).

use crate::im_suite::wire::{CallStatus, Map, MediaStatus, NetworkStats};
use ahoy_call::{CallId, LinkPath, LinkQuality, MediaState, Report, Resolution, Signal, Toggle, UserId};
use serde_json::Number;
use std::time::Duration;

/// `None` for a word this version does not know.
pub(in crate::im_suite) fn read(status: CallStatus) -> Option<Signal> {
    let connected = match status.status.as_str() {
        "ringing" => return Some(Signal::Ringing { call: status.call_id }),
        "answered" => return Some(Signal::AnsweredElsewhere { call: status.call_id }),
        "connected" => true,
        "disconnected" | "failed" => false,
        _ => return None,
    };
    Some(Signal::Report {
        call: status.call_id,
        report: Report {
            connected,
            duration: status.duration.map(Duration::from_secs),
            audio_quality: status.audio_quality.as_deref().and_then(quality_of),
            video_quality: status.video_quality.as_deref().and_then(quality_of),
            network: status.network_stats.as_ref().map(network_of),
            media: status.media.as_ref().map(media_of),
        },
    })
}

pub(super) fn ringing(call_id: CallId, from_user: Option<UserId>, to_user: Option<UserId>) -> CallStatus {
    bare("ringing", call_id, from_user, to_user)
}

pub(super) fn failed(call_id: CallId, from_user: Option<UserId>, to_user: Option<UserId>) -> CallStatus {
    bare("failed", call_id, from_user, to_user)
}

fn bare(status: &str, call_id: CallId, from_user: Option<UserId>, to_user: Option<UserId>) -> CallStatus {
    CallStatus {
        call_id,
        from_user,
        to_user,
        status: status.to_owned(),
        duration: None,
        audio_quality: None,
        video_quality: None,
        network_stats: None,
        media: None,
        extra: Map::new(),
    }
}

pub(in crate::im_suite) fn write(
    call_id: CallId,
    report: Report,
    from_user: Option<UserId>,
    to_user: Option<UserId>,
) -> CallStatus {
    let word = |quality: LinkQuality| quality_word(quality).to_owned();
    let status = if report.connected {
        "connected"
    } else {
        "disconnected"
    };
    CallStatus {
        duration: report.duration.map(|duration| duration.as_secs()),
        audio_quality: report.audio_quality.map(word),
        video_quality: report.video_quality.map(word),
        network_stats: report.network.map(wire_network),
        media: report.media.map(wire_media),
        ..bare(status, call_id, from_user, to_user)
    }
}

/// `unknown` and unknown words are both no quality.
fn quality_of(word: &str) -> Option<LinkQuality> {
    Some(match word {
        "excellent" => LinkQuality::Excellent,
        "good" => LinkQuality::Good,
        "fair" => LinkQuality::Fair,
        "poor" => LinkQuality::Poor,
        "very_poor" => LinkQuality::VeryPoor,
        _ => return None,
    })
}

fn quality_word(quality: LinkQuality) -> &'static str {
    match quality {
        LinkQuality::Excellent => "excellent",
        LinkQuality::Good => "good",
        LinkQuality::Fair => "fair",
        LinkQuality::Poor => "poor",
        LinkQuality::VeryPoor => "very_poor",
    }
}

fn network_of(stats: &NetworkStats) -> ahoy_call::NetworkStats {
    let side = |number: &Option<Number>| {
        number
            .as_ref()
            .and_then(Number::as_u64)
            .and_then(|n| u32::try_from(n).ok())
    };
    ahoy_call::NetworkStats {
        packet_loss: measured(&stats.packet_loss).filter(|loss| *loss <= 1.0),
        jitter: measured(&stats.jitter),
        rtt: measured(&stats.rtt),
        bitrate_in: bits(&stats.bitrate_in),
        bitrate_out: bits(&stats.bitrate_out),
        available_out: bits(&stats.available_out),
        fps: measured(&stats.fps),
        resolution: side(&stats.width)
            .zip(side(&stats.height))
            .map(|(width, height)| Resolution { width, height }),
        path: stats.path.as_deref().and_then(path_of),
    }
}

fn path_of(word: &str) -> Option<LinkPath> {
    Some(match word {
        "host" => LinkPath::Host,
        "srflx" => LinkPath::ServerReflexive,
        "prflx" => LinkPath::PeerReflexive,
        "relay" => LinkPath::Relay,
        _ => return None,
    })
}

fn path_word(path: LinkPath) -> &'static str {
    match path {
        LinkPath::Host => "host",
        LinkPath::ServerReflexive => "srflx",
        LinkPath::PeerReflexive => "prflx",
        LinkPath::Relay => "relay",
    }
}

fn wire_network(stats: ahoy_call::NetworkStats) -> NetworkStats {
    NetworkStats {
        packet_loss: number(stats.packet_loss),
        jitter: number(stats.jitter),
        rtt: number(stats.rtt),
        bitrate_in: stats.bitrate_in.map(Number::from),
        bitrate_out: stats.bitrate_out.map(Number::from),
        available_out: stats.available_out.map(Number::from),
        fps: number(stats.fps),
        width: stats.resolution.map(|size| size.width.into()),
        height: stats.resolution.map(|size| size.height.into()),
        path: stats.path.map(|path| path_word(path).to_owned()),
        extra: Map::new(),
    }
}

/// No measurement of a link is negative.
fn measured(number: &Option<Number>) -> Option<f64> {
    number
        .as_ref()
        .and_then(Number::as_f64)
        .filter(|value| *value >= 0.0)
}

fn bits(number: &Option<Number>) -> Option<u64> {
    measured(number)
        .filter(|bits| *bits < 9e15)
        .map(|bits| bits as u64)
}

/// JSON has no infinities; such a value is left out. A thousandth is finer than any of these is measured.
fn number(value: Option<f64>) -> Option<Number> {
    value.and_then(|value| Number::from_f64((value * 1000.0).round() / 1000.0))
}

fn media_of(media: &MediaStatus) -> MediaState {
    MediaState {
        audio: media.audio.as_deref().and_then(toggle_of),
        video: media.video.as_deref().and_then(toggle_of),
        screen: media.screen.as_deref().and_then(toggle_of),
    }
}

fn toggle_of(word: &str) -> Option<Toggle> {
    match word {
        "on" => Some(Toggle::On),
        "off" | "muted" => Some(Toggle::Off),
        _ => None,
    }
}

fn wire_media(media: MediaState) -> MediaStatus {
    let word = |off: &'static str| {
        move |toggle: Toggle| match toggle {
            Toggle::On => "on".to_owned(),
            Toggle::Off => off.to_owned(),
        }
    };
    MediaStatus {
        audio: media.audio.map(word("muted")),
        video: media.video.map(word("off")),
        screen: media.screen.map(word("off")),
        extra: Map::new(),
    }
}
