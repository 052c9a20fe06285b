//! Finds a camera and starts it; runs on the camera's own thread.

use super::choose::{TAKEN, choose};
use super::error::device_error;
use ahoy_media::device::{DeviceError, DeviceKind, VideoRequest};
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, CameraInfo, RequestedFormat, RequestedFormatType,
};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long the user has to answer the system's question before the camera counts as refused (chosen; below the limit
/// for opening a device).
const CONSENT_LIMIT: Duration = Duration::from_secs(6);

/// Opens and starts a camera in the format nearest to `wanted`.
pub(super) fn open(name: Option<&str>, wanted: VideoRequest) -> Result<nokhwa::Camera, DeviceError> {
    let found = find(name)?;
    if !has_consent() {
        return Err(DeviceError::PermissionDenied(DeviceKind::Camera));
    }
    let shown = found.human_name();
    let failed = |error: nokhwa::NokhwaError| device_error(&shown, &error);
    let mut camera = with_any_format(found.index()).map_err(failed)?;
    let formats = camera.compatible_camera_formats().map_err(failed)?;
    let chosen = choose(&formats, wanted).ok_or_else(unusable)?;
    if camera.camera_format() != chosen {
        let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(chosen), &TAKEN);
        camera.set_camera_requset(exactly).map_err(failed)?;
    }
    camera.open_stream().map_err(failed)?;
    Ok(camera)
}

/// The cameras of the system, the default first.
pub(crate) fn cameras() -> Vec<CameraInfo> {
    let mut cameras = nokhwa::query(ApiBackend::Auto).unwrap_or_else(|error| {
        tracing::debug!(%error, "the cameras cannot be listed");
        Vec::new()
    });
    cameras.sort_by_key(|camera| camera.index().as_index().unwrap_or(u32::MAX));
    cameras
}

/// The formats of a camera that can be used, without starting it.
pub(crate) fn formats(camera: &CameraInfo) -> Result<Vec<CameraFormat>, DeviceError> {
    let failed = |error: nokhwa::NokhwaError| device_error(&camera.human_name(), &error);
    let mut opened = with_any_format(camera.index()).map_err(failed)?;
    let mut formats = opened.compatible_camera_formats().map_err(failed)?;
    formats.retain(|format| TAKEN.contains(&format.format()));
    Ok(formats)
}

fn with_any_format(index: &CameraIndex) -> Result<nokhwa::Camera, nokhwa::NokhwaError> {
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &TAKEN);
    nokhwa::Camera::new(index.clone(), any)
}

fn find(name: Option<&str>) -> Result<CameraInfo, DeviceError> {
    let is_named = |camera: &CameraInfo| match name {
        None => true,
        Some(name) => camera.index().as_string() == name || camera.human_name().eq_ignore_ascii_case(name),
    };
    let usable =
        |camera: &CameraInfo| name.is_some() || formats(camera).is_ok_and(|formats| !formats.is_empty());
    let mut named = cameras().into_iter().filter(is_named);
    let first = named.next();
    // A camera of Linux often has a second node without pictures; the default is the first that has some.
    match first {
        Some(first) if usable(&first) => Ok(first),
        Some(first) => Ok(named.find(usable).unwrap_or(first)),
        None => Err(DeviceError::NotFound {
            kind: DeviceKind::Camera,
            name: name.unwrap_or("default").to_owned(),
        }),
    }
}

/// Asks for the user's consent where the system wants it (macOS); elsewhere it is given.
fn has_consent() -> bool {
    if nokhwa::nokhwa_check() {
        return true;
    }
    let (answer_tx, answer) = sync_channel(1);
    nokhwa::nokhwa_initialize(move |granted| {
        // Nobody waits any more when the answer comes late; the next opening finds it.
        let _ = answer_tx.try_send(granted);
    });
    answer.recv_timeout(CONSENT_LIMIT).unwrap_or(false)
}

fn unusable() -> DeviceError {
    DeviceError::Unusable {
        kind: DeviceKind::Camera,
        why: "it has no picture format that can be converted".to_owned(),
    }
}
