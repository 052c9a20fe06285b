//! Constraints: flat wins over nested, values out of range count as absent (§5).

use crate::im_suite::wire::{AudioParams, Constraints, MediaWish, NetworkWish, Size, VideoParams};
use ahoy_call::Resolution;
use serde_json::Number;

/// The widest and highest picture that is believed (§5).
const MAX_SIDE: u64 = 7680;
/// The highest frame rate that is believed, frames per second (§5).
const MAX_FRAME_RATE: u64 = 120;
/// Names of codecs taken from one list; chosen, no list of a real client comes near.
const MAX_CODECS: usize = 32;

/// What the sender wishes to receive; what it does not say is the default of §5.
pub(in crate::im_suite) fn read(wire: &Constraints) -> ahoy_call::Constraints {
    let audio = wire
        .audio
        .as_ref()
        .and_then(MediaWish::params)
        .or(wire.audio_params.as_ref());
    let video = wire
        .video
        .as_ref()
        .and_then(MediaWish::params)
        .or(wire.video_params.as_ref());
    let network = wire.network.as_ref();
    let default = ahoy_call::Constraints::default();
    ahoy_call::Constraints {
        audio: enabled(wire.audio.as_ref(), audio.and_then(|params| params.enabled)),
        video: enabled(wire.video.as_ref(), video.and_then(|params| params.enabled)),
        audio_codecs: codecs(
            &wire.audio_codecs,
            audio.and_then(|params| params.codecs.as_ref()),
        )
        .unwrap_or(default.audio_codecs),
        video_codecs: codecs(
            &wire.video_codecs,
            video.and_then(|params| params.codecs.as_ref()),
        )
        .unwrap_or(default.video_codecs),
        max_bandwidth: bits(wire.max_bandwidth.as_ref())
            .or_else(|| bits(network.and_then(|network| network.max_bandwidth.as_ref())))
            .or(default.max_bandwidth),
        min_bandwidth: bits(network.and_then(|network| network.min_bandwidth.as_ref()))
            .or(default.min_bandwidth),
        prefer_hd: network.and_then(|network| network.prefer_hd),
        fallback_to_audio: network.and_then(|network| network.fallback_to_audio),
        resolution: video
            .and_then(|params| params.resolution.as_ref())
            .and_then(resolution)
            .or(default.resolution),
        frame_rate: video
            .and_then(|params| whole(params.frame_rate.as_ref()?, MAX_FRAME_RATE))
            .or(default.frame_rate),
    }
}

/// The flat form with `network`, and the nested settings beside it (§5).
pub(in crate::im_suite) fn write(wish: &ahoy_call::Constraints) -> Constraints {
    Constraints {
        audio: Some(MediaWish::Flag(wish.audio)),
        video: Some(MediaWish::Flag(wish.video)),
        audio_codecs: Some(wish.audio_codecs.clone()),
        video_codecs: Some(wish.video_codecs.clone()),
        max_bandwidth: wish.max_bandwidth.map(Number::from),
        network: Some(NetworkWish {
            max_bandwidth: wish.max_bandwidth.map(Number::from),
            min_bandwidth: wish.min_bandwidth.map(Number::from),
            prefer_hd: wish.prefer_hd,
            fallback_to_audio: wish.fallback_to_audio,
            ..NetworkWish::default()
        }),
        audio_params: Some(AudioParams {
            enabled: Some(wish.audio),
            codecs: Some(wish.audio_codecs.clone()),
            ..AudioParams::default()
        }),
        video_params: Some(VideoParams {
            enabled: Some(wish.video),
            codecs: Some(wish.video_codecs.clone()),
            resolution: wish.resolution.map(|size| Size {
                width: size.width.into(),
                height: size.height.into(),
                extra: serde_json::Map::new(),
            }),
            frame_rate: wish.frame_rate.map(Number::from),
            ..VideoParams::default()
        }),
        extra: serde_json::Map::new(),
    }
}

/// The flag decides; an object without `enabled` counts as enabled, and so does silence.
fn enabled<P>(wish: Option<&MediaWish<P>>, nested: Option<bool>) -> bool {
    match wish {
        Some(MediaWish::Flag(flag)) => *flag,
        Some(MediaWish::Params(_)) | None => nested.unwrap_or(true),
    }
}

fn codecs(flat: &Option<Vec<String>>, nested: Option<&Vec<String>>) -> Option<Vec<String>> {
    let names = flat.as_ref().or(nested)?;
    Some(names.iter().take(MAX_CODECS).cloned().collect())
}

fn bits(number: Option<&Number>) -> Option<u64> {
    number.and_then(whole_number).filter(|bits| *bits > 0)
}

fn resolution(size: &Size) -> Option<Resolution> {
    Some(Resolution {
        width: whole(&size.width, MAX_SIDE)?,
        height: whole(&size.height, MAX_SIDE)?,
    })
}

fn whole(number: &Number, max: u64) -> Option<u32> {
    whole_number(number)
        .filter(|n| (1..=max).contains(n))
        .and_then(|n| u32::try_from(n).ok())
}

/// Takes `30` and `30.0`, which JSON of some languages writes; not `29.97`, nor negative numbers.
fn whole_number(number: &Number) -> Option<u64> {
    let exact = |value: f64| (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64);
    number.as_u64().or_else(|| number.as_f64().and_then(exact))
}
