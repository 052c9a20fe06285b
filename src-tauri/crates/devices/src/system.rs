//! Opens by name: hardware here, everything else by the devices it was made with.

use crate::audio::{Microphone, Speaker};
use crate::camera::Camera;
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::devices::SyntheticDevices;
use std::sync::Arc;

/// Hardware for `default`, `mic:`, `speaker:` and `cam:`; other specs go to the devices behind it.
pub struct SystemDevices {
    others: Arc<dyn Devices>,
}

impl SystemDevices {
    /// Puts the hardware of the system in front of `others`.
    pub fn new(others: Arc<dyn Devices>) -> Self {
        Self { others }
    }
}

impl Default for SystemDevices {
    /// The hardware of the system in front of synthetic devices of its own.
    fn default() -> Self {
        Self::new(Arc::new(SyntheticDevices::new()))
    }
}

impl std::fmt::Debug for SystemDevices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemDevices").finish_non_exhaustive()
    }
}

impl Devices for SystemDevices {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
        match spec {
            DeviceSpec::Default => Ok(Box::new(Microphone::open(None)?)),
            DeviceSpec::Microphone(name) => Ok(Box::new(Microphone::open(Some(name))?)),
            DeviceSpec::Speaker(_)
            | DeviceSpec::Camera(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Pattern { .. }
            | DeviceSpec::File(_)
            | DeviceSpec::Probe { .. }
            | DeviceSpec::Null => self.others.microphone(spec),
        }
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        match spec {
            DeviceSpec::Default => Ok(Box::new(Speaker::open(None)?)),
            DeviceSpec::Speaker(name) => Ok(Box::new(Speaker::open(Some(name))?)),
            DeviceSpec::Microphone(_)
            | DeviceSpec::Camera(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Pattern { .. }
            | DeviceSpec::File(_)
            | DeviceSpec::Probe { .. }
            | DeviceSpec::Null => self.others.speaker(spec),
        }
    }

    fn camera(&self, spec: &DeviceSpec, wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
        match spec {
            DeviceSpec::Default => Ok(Box::new(Camera::open(None, wanted)?)),
            DeviceSpec::Camera(name) => Ok(Box::new(Camera::open(Some(name), wanted)?)),
            DeviceSpec::Microphone(_)
            | DeviceSpec::Speaker(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Pattern { .. }
            | DeviceSpec::File(_)
            | DeviceSpec::Probe { .. }
            | DeviceSpec::Null => self.others.camera(spec, wanted),
        }
    }

    fn screen(&self, spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
        self.others.screen(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_media::units::Resolution;

    #[test]
    fn what_is_no_hardware_is_opened_by_the_others() {
        let devices = SystemDevices::default();
        assert!(devices.microphone(&DeviceSpec::Tone { hz: 440 }).is_ok());
        assert!(devices.speaker(&DeviceSpec::Null).is_ok());
        assert!(devices.speaker(&DeviceSpec::Tone { hz: 440 }).is_err());
    }

    #[test]
    fn unknown_names_are_not_found() {
        let devices = SystemDevices::default();
        let request = VideoRequest {
            resolution: Resolution::new(640, 480),
            frame_rate: 30,
        };
        let name = || "no such device anywhere".to_owned();
        let errors = [
            devices.microphone(&DeviceSpec::Microphone(name())).err(),
            devices.speaker(&DeviceSpec::Speaker(name())).err(),
            devices.camera(&DeviceSpec::Camera(name()), request).err(),
        ];
        for error in errors {
            assert!(matches!(error, Some(DeviceError::NotFound { .. })), "{error:?}");
        }
    }
}
