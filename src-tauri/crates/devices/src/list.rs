//! What devices the system has.

use crate::audio::{self, Direction, describe};
use crate::camera;
use ahoy_media::device::{DeviceError, DeviceKind};
use cpal::traits::{DeviceTrait, HostTrait};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long each kind of device may take to be listed (chosen, not measured).
const LIMIT: Duration = Duration::from_secs(5);

/// One device for a list to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceDescription {
    pub kind: DeviceKind,
    /// What follows `mic:`, `speaker:` or `cam:` in a device spec.
    pub id: String,
    /// For people; not always unique.
    pub name: String,
    pub is_default: bool,
    /// What it can do, one line each, such as `f32 1-2 channels 8000-192000 Hz` or `1280x720@30 MJPEG`.
    pub formats: Vec<String>,
}

/// Lists microphones, speakers and cameras; empty when there are none. A driver that hangs costs its own kind only.
pub fn list() -> Vec<DeviceDescription> {
    let sound = within_limit("list-sound", || {
        audio::quiet();
        let mut devices = sound_devices(Direction::Input);
        devices.extend(sound_devices(Direction::Output));
        devices
    });
    let cameras = within_limit("list-cameras", list_cameras);
    sound.into_iter().chain(cameras).collect()
}

fn within_limit(
    name: &'static str,
    work: impl FnOnce() -> Vec<DeviceDescription> + Send + 'static,
) -> Vec<DeviceDescription> {
    let (tx, rx) = sync_channel(1);
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = tx.send(work());
    });
    match spawned.map(|_| rx.recv_timeout(LIMIT)) {
        Ok(Ok(devices)) => devices,
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(name, limit = ?LIMIT, "devices could not be listed");
            Vec::new()
        }
    }
}

/// ALSA's plugins that stand in its list beside devices. Opening them writes to stderr, starts servers, or leads nowhere.
const ALSA_PLUGINS: [&str; 9] = [
    "jack",
    "null",
    "oss",
    "lavrate",
    "samplerate",
    "speexrate",
    "speex",
    "upmix",
    "vdownmix",
];

fn is_plugin(device: &cpal::Device) -> bool {
    cfg!(target_os = "linux") && device.id().is_ok_and(|id| ALSA_PLUGINS.contains(&id.id()))
}

fn sound_devices(direction: Direction) -> Vec<DeviceDescription> {
    let host = cpal::default_host();
    let (kind, default) = match direction {
        Direction::Input => (DeviceKind::Microphone, host.default_input_device()),
        Direction::Output => (DeviceKind::Speaker, host.default_output_device()),
    };
    let default_id = default.as_ref().and_then(|device| device.id().ok());
    let Ok(devices) = host.devices() else {
        return Vec::new();
    };
    let mut listed = Vec::new();
    for device in devices.filter(|device| !is_plugin(device)) {
        let ranges: Vec<_> = match direction {
            Direction::Input if device.supports_input() => {
                device.supported_input_configs().map(Iterator::collect)
            }
            Direction::Output if device.supports_output() => {
                device.supported_output_configs().map(Iterator::collect)
            }
            Direction::Input | Direction::Output => continue,
        }
        .unwrap_or_default();
        let (Ok(id), false) = (device.id(), ranges.is_empty()) else {
            continue;
        };
        let name = device
            .description()
            .map_or_else(|_| id.id().to_owned(), |it| it.name().to_owned());
        listed.push(DeviceDescription {
            kind,
            is_default: Some(&id) == default_id.as_ref(),
            id: id.to_string(),
            name,
            formats: describe(&ranges),
        });
    }
    listed
}

fn list_cameras() -> Vec<DeviceDescription> {
    let mut listed: Vec<DeviceDescription> = Vec::new();
    for camera in camera::cameras() {
        let formats = match camera::formats(&camera) {
            Ok(formats) if !formats.is_empty() => formats,
            // In use, or not permitted: it is there all the same.
            Err(DeviceError::Busy(_) | DeviceError::PermissionDenied(_)) => Vec::new(),
            Ok(_) | Err(_) => continue,
        };
        let line = |format: &nokhwa::utils::CameraFormat| {
            format!(
                "{}x{}@{} {}",
                format.width(),
                format.height(),
                format.frame_rate(),
                format.format()
            )
        };
        listed.push(DeviceDescription {
            kind: DeviceKind::Camera,
            id: camera.index().as_string(),
            name: camera.human_name(),
            is_default: listed.is_empty(),
            formats: formats.iter().map(line).collect(),
        });
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_needs_no_devices() {
        let devices = list();
        for kind in [DeviceKind::Microphone, DeviceKind::Speaker, DeviceKind::Camera] {
            let defaults = devices
                .iter()
                .filter(|device| device.kind == kind && device.is_default);
            assert!(defaults.count() <= 1, "{devices:#?}");
        }
    }
}
