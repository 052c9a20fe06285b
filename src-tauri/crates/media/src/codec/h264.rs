//! H.264, constrained baseline, over openh264: pictures as NAL units with start codes.

mod decoder;
mod encoder;
mod parameters;

pub use decoder::H264Decoder;
pub use encoder::H264Encoder;

use super::CodecError;

/// As in SDP and in errors.
const NAME: &str = "H264";

fn failed(what: &'static str, error: &openh264::Error) -> CodecError {
    CodecError::Failed {
        codec: NAME,
        why: format!("{what}: {error}"),
    }
}

fn corrupt(why: impl Into<String>) -> CodecError {
    CodecError::Corrupt {
        codec: NAME,
        why: why.into(),
    }
}
