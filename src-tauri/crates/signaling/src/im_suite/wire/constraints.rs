//! Media constraints in both their forms (§5). They are advice, so a malformed value is kept unread and ignored singly.

use super::fields::{Fields, FromFields, FromJson, Map, WireError, mistyped};
use serde::Serialize;
use serde_json::{Number, Value};

/// `constraints` of an offer or answer, flat or nested.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Constraints {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaWish<AudioParams>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<MediaWish<VideoParams>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_codecs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codecs: Option<Vec<String>>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkWish>,
    /// The nested settings beside the flat form, which takes the name `audio` for a flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_params: Option<AudioParams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_params: Option<VideoParams>,
    #[serde(flatten)]
    pub extra: Map,
}

/// `audio` or `video`: a flag in the flat form, an object in the nested one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MediaWish<P> {
    Flag(bool),
    Params(P),
}

/// Nested audio settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct AudioParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<Vec<String>>,
    /// Hertz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_cancellation: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_suppression: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_gain_control: Option<bool>,
    #[serde(flatten)]
    pub extra: Map,
}

/// Nested video settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct VideoParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Size>,
    /// Frames per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<Number>,
    /// `W:H`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aspect_ratio: Option<String>,
    #[serde(flatten)]
    pub extra: Map,
}

/// Width and height in pixels, unchecked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    pub width: Number,
    pub height: Number,
    #[serde(flatten)]
    pub extra: Map,
}

/// `network` of the nested form.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NetworkWish {
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<Number>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_bandwidth: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer_hd: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_to_audio: Option<bool>,
    #[serde(flatten)]
    pub extra: Map,
}

impl Constraints {
    /// Reads constraints by themselves.
    pub fn from_value(value: Value) -> Result<Self, WireError> {
        Self::from_json(value, "constraints")
    }
}

impl<P> MediaWish<P> {
    pub fn params(&self) -> Option<&P> {
        match self {
            MediaWish::Flag(_) => None,
            MediaWish::Params(params) => Some(params),
        }
    }
}

impl FromFields for Constraints {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            audio: fields.lenient("audio"),
            video: fields.lenient("video"),
            audio_codecs: fields.lenient("audio_codecs"),
            video_codecs: fields.lenient("video_codecs"),
            max_bandwidth: fields.lenient("max_bandwidth"),
            network: fields.lenient("network"),
            audio_params: fields.lenient("audio_params"),
            video_params: fields.lenient("video_params"),
            extra: fields.rest(),
        })
    }
}

impl<P: FromFields> FromJson for MediaWish<P> {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        match value {
            Value::Bool(flag) => Ok(MediaWish::Flag(flag)),
            Value::Object(_) => P::from_json(value, path).map(MediaWish::Params),
            _ => Err(mistyped(path, "true, false or an object")),
        }
    }
}

impl FromFields for AudioParams {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            enabled: fields.lenient("enabled"),
            codecs: fields.lenient("codecs"),
            sample_rate: fields.lenient("sample_rate"),
            channels: fields.lenient("channels"),
            bitrate: fields.lenient("bitrate"),
            echo_cancellation: fields.lenient("echo_cancellation"),
            noise_suppression: fields.lenient("noise_suppression"),
            auto_gain_control: fields.lenient("auto_gain_control"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for VideoParams {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            enabled: fields.lenient("enabled"),
            codecs: fields.lenient("codecs"),
            resolution: fields.lenient("resolution"),
            frame_rate: fields.lenient("frame_rate"),
            bitrate: fields.lenient("bitrate"),
            aspect_ratio: fields.lenient("aspect_ratio"),
            extra: fields.rest(),
        })
    }
}

impl FromFields for Size {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            width: fields.required("width")?,
            height: fields.required("height")?,
            extra: fields.rest(),
        })
    }
}

impl FromFields for NetworkWish {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            max_bandwidth: fields.lenient("max_bandwidth"),
            min_bandwidth: fields.lenient("min_bandwidth"),
            prefer_hd: fields.lenient("prefer_hd"),
            fallback_to_audio: fields.lenient("fallback_to_audio"),
            extra: fields.rest(),
        })
    }
}
