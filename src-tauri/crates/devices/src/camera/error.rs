//! What a failure of the camera library means. It gives texts only, so the system's own words decide.

use ahoy_media::device::{DeviceError, DeviceKind};
use nokhwa::NokhwaError;

const KIND: DeviceKind = DeviceKind::Camera;

/// Of opening a camera that was listed or named as `name`.
pub(super) fn device_error(name: &str, error: &NokhwaError) -> DeviceError {
    from_text(name, &error.to_string())
}

fn from_text(name: &str, text: &str) -> DeviceError {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["busy", "in use", "os error 16)", "0xc00d3704"]) {
        DeviceError::Busy(KIND)
    } else if has(&[
        "permission",
        "denied",
        "not authorized",
        "os error 13)",
        "os error 1)",
    ]) {
        DeviceError::PermissionDenied(KIND)
    } else if has(&["no such file", "not found", "os error 2)"]) || is_gone(text) {
        DeviceError::NotFound {
            kind: KIND,
            name: name.to_owned(),
        }
    } else {
        DeviceError::Unusable {
            kind: KIND,
            why: text.to_owned(),
        }
    }
}

/// Whether a failure to read says that the device was unplugged.
pub(super) fn is_gone(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "no such device",
        "os error 19)",
        "disconnected",
        "invalidated",
        "0xc00d3ea2",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_system_decide() {
        let of = |text: &str| from_text("0", text);
        assert_eq!(
            of("V4L2 Error: Device or resource busy (os error 16)"),
            DeviceError::Busy(KIND)
        );
        assert_eq!(
            of("Permission denied (os error 13)"),
            DeviceError::PermissionDenied(KIND)
        );
        assert_eq!(
            of("V4L2 Error: No such file or directory (os error 2)"),
            DeviceError::NotFound {
                kind: KIND,
                name: "0".into()
            }
        );
        let not_found = DeviceError::NotFound {
            kind: KIND,
            name: "0".into(),
        };
        assert_eq!(
            of("No such device or address (os error 6)"),
            not_found,
            "a node without a driver"
        );
        assert!(is_gone("No such device (os error 19)"));
        assert!(matches!(of("Failed to Fufill"), DeviceError::Unusable { .. }));
        assert!(!is_gone("Input/output error (os error 5)"));
    }
}
