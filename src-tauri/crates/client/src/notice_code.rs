//! Device errors as codes.

use ahoy_media::device::{DeviceError, DeviceKind};

/// The stable code under which a window explains a device error.
pub fn notice_code(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::NotFound { kind, .. } => {
            by_kind(*kind, ["no_microphone", "no_speaker", "no_camera", "no_screen"])
        }
        DeviceError::PermissionDenied(kind) => by_kind(
            *kind,
            [
                "microphone_denied",
                "speaker_denied",
                "camera_denied",
                "screen_denied",
            ],
        ),
        DeviceError::Busy(kind) => by_kind(
            *kind,
            ["microphone_busy", "speaker_busy", "camera_busy", "screen_busy"],
        ),
        DeviceError::Lost(_) => "device_lost",
        DeviceError::Unusable { kind, .. } => by_kind(
            *kind,
            [
                "microphone_unusable",
                "speaker_unusable",
                "camera_unusable",
                "screen_unusable",
            ],
        ),
    }
}

fn by_kind(kind: DeviceKind, codes: [&'static str; 4]) -> &'static str {
    match kind {
        DeviceKind::Microphone => codes[0],
        DeviceKind::Speaker => codes[1],
        DeviceKind::Camera => codes[2],
        DeviceKind::Screen => codes[3],
    }
}
