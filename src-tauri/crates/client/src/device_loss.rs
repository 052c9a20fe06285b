//! A device that is gone in the middle of a call: silence or no picture until one is open, and a word about it.
//!
//! When to try is decided in [`crate::recovery`]; devices are opened on blocking threads.

use crate::actor::Actor;
use crate::live::Live;
use crate::media_news::{MediaNews, Replacement};
use crate::media_session::Opening;
use crate::recovery::Recovery;
use crate::snapshot::{CameraState, MicrophoneState};
use ahoy_call::CallId;
use ahoy_media::device::{DeviceError, DeviceKind};
use ahoy_media::spec::DeviceSpec;
use std::time::Instant;

/// A device is gone and nothing has taken its place.
const LOST: &str = "device_lost";
/// The call goes on with the system's device.
pub(crate) const MOVED: &str = "device_moved";

/// What may be lost and opened again without being asked for.
const RECOVERED: [DeviceKind; 3] = [DeviceKind::Microphone, DeviceKind::Speaker, DeviceKind::Camera];

impl Live {
    fn recovery(&mut self, kind: DeviceKind) -> Option<&mut Recovery> {
        match kind {
            DeviceKind::Microphone => Some(&mut self.microphone_recovery),
            DeviceKind::Speaker => Some(&mut self.speaker_recovery),
            DeviceKind::Camera => Some(&mut self.camera_recovery),
            DeviceKind::Screen => None,
        }
    }

    fn has_its_devices(&self) -> bool {
        let recoveries = [
            &self.microphone_recovery,
            &self.speaker_recovery,
            &self.camera_recovery,
        ];
        recoveries.into_iter().all(Recovery::is_whole)
    }
}

impl Actor {
    /// The call goes on without the device: silence, or no picture. Devices of the system are looked for again.
    pub(crate) fn handle_lost_device(&mut self, call: &CallId, kind: DeviceKind, error: &DeviceError) {
        let camera_on = self.legs.sending().is_some_and(|live| live.camera_on);
        if kind == DeviceKind::Camera && !camera_on {
            // The person has turned it off meanwhile: it stays off, and nobody misses it.
            return;
        }
        self.dismiss(MOVED);
        self.notice(LOST, error.to_string());
        match kind {
            DeviceKind::Microphone | DeviceKind::Speaker => {
                let now = Instant::now();
                let chosen = self.chosen(kind);
                let Some(live) = self.legs.get_mut(call) else {
                    return;
                };
                if let (DeviceKind::Microphone, Some(session)) = (kind, live.session()) {
                    session.microphone_is_lost();
                }
                // A file or a tone that has failed would fail again; silence has taken its place already.
                if is_hardware(&chosen)
                    && let Some(recovery) = live.recovery(kind)
                {
                    recovery.handle_lost(now);
                    self.recover_devices(now);
                }
            }
            DeviceKind::Camera => {
                if let Err(refused) = self.set_camera(false) {
                    tracing::debug!(%refused, "a lost camera cannot be turned off");
                    return;
                }
                let now = Instant::now();
                let chosen = self.chosen(kind);
                if let Some(live) = self.legs.sending_mut().filter(|_| is_hardware(&chosen)) {
                    live.camera_recovery.handle_lost(now);
                    self.recover_devices(now);
                }
            }
            DeviceKind::Screen => {}
        }
    }

    /// Starts what attempts are due.
    pub(crate) fn recover_devices(&mut self, now: Instant) {
        for kind in RECOVERED {
            let Some(live) = self.legs.with_device_mut(kind) else {
                return;
            };
            let due = live
                .recovery(kind)
                .is_some_and(|recovery| recovery.poll_open(now));
            if due && live.session().is_some() {
                let call = live.call.clone();
                let opening = self.opening(call);
                let chosen = self.chosen(kind);
                tokio::task::spawn_blocking(move || opening.recover(kind, chosen));
            }
        }
    }

    /// Puts a device in the place of the lost one, unless the person was faster.
    pub(crate) fn handle_recovered(&mut self, device: Replacement, on_default: bool) {
        let kind = device.kind();
        let now = Instant::now();
        let Some(live) = self.legs.with_device_mut(kind) else {
            return;
        };
        if !live.recovery(kind).is_some_and(|recovery| recovery.is_opening()) {
            // Drivers may take their time.
            tokio::task::spawn_blocking(move || drop(device));
            return;
        }
        if kind == DeviceKind::Camera {
            // The other side is told again that there is a picture.
            if let Err(refused) = self.show_camera() {
                tracing::debug!(%refused, "a camera that is back is not wanted");
            }
        }
        let Some(live) = self.legs.with_device_mut(kind) else {
            return;
        };
        let camera_on = live.camera_on;
        if let Some(session) = live.session() {
            session.replace(device, camera_on);
        }
        tracing::info!(%kind, on_default, "a lost device is replaced");
        self.note_opened(kind, now);
        if on_default {
            self.notice(MOVED, kind.to_string());
        }
    }

    /// A device runs; what was said of its loss is taken back when nothing else is missing.
    pub(crate) fn note_opened(&mut self, kind: DeviceKind, now: Instant) {
        let Some(recovery) = self
            .legs
            .with_device_mut(kind)
            .and_then(|live| live.recovery(kind))
        else {
            return;
        };
        recovery.handle_opened(now);
        if self.legs.iter().all(Live::has_its_devices) {
            self.dismiss(LOST);
        }
    }

    pub(crate) fn note_not_recovered(&mut self, kind: DeviceKind) {
        if let Some(recovery) = self
            .legs
            .with_device_mut(kind)
            .and_then(|live| live.recovery(kind))
        {
            recovery.handle_failed(Instant::now());
        }
    }

    fn chosen(&self, kind: DeviceKind) -> DeviceSpec {
        let choice = &self.settings.devices;
        match kind {
            DeviceKind::Microphone => choice.microphone.clone(),
            DeviceKind::Speaker => choice.speaker.clone(),
            DeviceKind::Camera => choice.camera.clone(),
            DeviceKind::Screen => choice.screen.clone(),
        }
    }
}

impl Opening {
    /// Opens what was chosen, or else what the system uses; a choice that must be kept is only waited for, and no other
    /// camera is turned on than the one that was on.
    fn recover(self, kind: DeviceKind, chosen: DeviceSpec) {
        let mut candidates = vec![chosen];
        if self.choice.fall_back && kind != DeviceKind::Camera && candidates[0] != DeviceSpec::Default {
            candidates.push(DeviceSpec::Default);
        }
        for spec in candidates {
            let opened = match kind {
                DeviceKind::Microphone => {
                    self.devices
                        .microphone(&spec)
                        .map(|source| Replacement::Microphone {
                            source,
                            state: MicrophoneState::Ok,
                            in_room: true,
                        })
                }
                DeviceKind::Speaker => self.devices.speaker(&spec).map(Replacement::Speaker),
                DeviceKind::Camera => {
                    self.devices
                        .camera(&spec, self.picture_wanted())
                        .map(|source| Replacement::Camera {
                            source,
                            state: CameraState::On,
                        })
                }
                DeviceKind::Screen => return,
            };
            match opened {
                Ok(device) => {
                    let on_default = spec == DeviceSpec::Default && kind != DeviceKind::Camera;
                    let news = MediaNews::Recovered { device, on_default };
                    self.inbox.media_opened(&self.call, news);
                    return;
                }
                Err(error) => tracing::debug!(%error, %spec, "a lost device is not there yet"),
            }
        }
        self.inbox.media_opened(&self.call, MediaNews::NotRecovered(kind));
    }
}

fn is_hardware(spec: &DeviceSpec) -> bool {
    match spec {
        DeviceSpec::Default | DeviceSpec::Microphone(_) | DeviceSpec::Speaker(_) | DeviceSpec::Camera(_) => {
            true
        }
        DeviceSpec::Tone { .. }
        | DeviceSpec::Pattern { .. }
        | DeviceSpec::File(_)
        | DeviceSpec::Probe { .. }
        | DeviceSpec::Null => false,
    }
}
