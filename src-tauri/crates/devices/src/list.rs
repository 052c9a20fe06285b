//! What devices the system has.

use crate::audio::{Direction, SoundHost};
use crate::camera;
use ahoy_media::device::{DeviceError, DeviceKind};
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
    let cameras = within_limit("list-cameras", list_cameras);
    list_sound().into_iter().chain(cameras).collect()
}

/// Lists microphones and speakers, and asks no camera. Blocks, at most five seconds.
pub fn list_sound() -> Vec<DeviceDescription> {
    within_limit("list-sound", || {
        let host = SoundHost::new();
        let mut devices = sound_devices(&host, Direction::Input);
        devices.extend(sound_devices(&host, Direction::Output));
        devices
    })
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

fn sound_devices(host: &SoundHost, direction: Direction) -> Vec<DeviceDescription> {
    let kind = match direction {
        Direction::Input => DeviceKind::Microphone,
        Direction::Output => DeviceKind::Speaker,
    };
    let listed = host.list(direction).into_iter().map(|device| DeviceDescription {
        kind,
        id: device.id,
        name: device.name,
        is_default: device.is_default,
        formats: device.formats,
    });
    listed.collect()
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
