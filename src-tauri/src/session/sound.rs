//! The sound in the settings: what there is to choose from, how loud the microphone is, how a speaker sounds.
//!
//! Owned by the session's task. The microphone is open only while the page shows the settings and no call is there.

use super::problem;
use crate::settings_file::StoredSettings;
use crate::view_model::{DeviceView, MeterView, ProblemView, SoundView};
use ahoy_client::{DeviceChoice, MicrophoneMeter, MicrophoneReading, Playing, Ringer, notice_code};
use ahoy_devices::DeviceDescription;
use ahoy_media::device::{DeviceKind, Devices};
use ahoy_media::sounds::Sound;
use ahoy_media::spec::DeviceSpec;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use ts_rs::TS;

/// What a device for sound is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SoundUse {
    Microphone,
    Speaker,
    Ring,
}

/// Percent; the ring as it was made is the loudest.
pub fn ring_volume(settings: &StoredSettings) -> u8 {
    settings.ring_volume.unwrap_or(100).min(100)
}

/// The amplitude 0..1 of a slider's percent: squared, so that half the slider sounds about half as loud.
pub fn amplitude(percent: u8) -> f32 {
    (f32::from(percent) / 100.0).powi(2)
}

/// The device that the page chose for a use; files and tones are for the command line.
pub fn chosen(used: SoundUse, spec: &str) -> Result<DeviceSpec, ProblemView> {
    let unknown = || problem("device_unknown", spec);
    let spec: DeviceSpec = spec.parse().map_err(|_| unknown())?;
    match (&spec, used) {
        (DeviceSpec::Default, _)
        | (DeviceSpec::Microphone(_), SoundUse::Microphone)
        | (DeviceSpec::Speaker(_), SoundUse::Speaker | SoundUse::Ring) => Ok(spec),
        _ => Err(unknown()),
    }
}

pub struct SoundCheck {
    devices: Arc<dyn Devices>,
    /// Blocks for as long as the drivers do.
    list: fn() -> Vec<DeviceDescription>,
    listed: Vec<DeviceDescription>,
    listing: Option<JoinHandle<Vec<DeviceDescription>>>,
    shown: bool,
    meter: Option<(DeviceSpec, MicrophoneMeter)>,
    test: Option<Ringer>,
}

impl SoundCheck {
    pub fn new(devices: Arc<dyn Devices>, list: fn() -> Vec<DeviceDescription>) -> Self {
        Self {
            devices,
            list,
            listed: Vec::new(),
            listing: None,
            shown: false,
            meter: None,
            test: None,
        }
    }

    /// The page shows the devices, or no longer. They are listed anew each time; a test ends with the settings.
    pub fn show(&mut self, shown: bool) {
        if shown && self.listing.is_none() {
            self.listing = Some(tokio::task::spawn_blocking(self.list));
        }
        if !shown {
            self.test = None;
        }
        self.shown = shown;
    }

    /// Opens and closes the microphone as the moment has it: never beside a call.
    pub fn suit(&mut self, in_call: bool, microphone: &DeviceSpec) {
        let wanted = self.shown && !in_call;
        if in_call {
            self.test = None;
        }
        if self
            .meter
            .as_ref()
            .is_some_and(|(open, _)| !wanted || open != microphone)
        {
            self.meter = None;
        }
        if wanted && self.meter.is_none() {
            let meter = MicrophoneMeter::start(Arc::clone(&self.devices), microphone.clone());
            self.meter = Some((microphone.clone(), meter));
        }
    }

    /// Plays a sound to try a speaker, and tells whether there is one; another test ends it.
    pub fn test(
        &mut self,
        used: SoundUse,
        choice: &DeviceChoice,
        reply: oneshot::Sender<Result<(), ProblemView>>,
    ) {
        let (sound, device, volume) = match (used, &choice.ring) {
            (SoundUse::Ring, Some(ring)) => (Sound::RingTest, ring.device.clone(), ring.volume),
            (SoundUse::Ring | SoundUse::Speaker | SoundUse::Microphone, _) => {
                (Sound::SpeakerTest, choice.speaker.clone(), 1.0)
            }
        };
        let playing = Playing {
            sound,
            device,
            volume,
        };
        self.test = Some(Ringer::start(Arc::clone(&self.devices), playing, move |opened| {
            let told = opened.map_err(|error| problem(notice_code(&error), &error.to_string()));
            // Whoever asked may have gone away.
            reply.send(told).ok();
        }));
    }

    /// Waits until there is something else to show.
    pub async fn changed(&mut self) {
        let Self {
            meter,
            listing,
            listed,
            ..
        } = self;
        let needle = async {
            match meter {
                Some((_, meter)) => meter.changed().await,
                None => std::future::pending().await,
            }
        };
        let list = async {
            match listing {
                Some(listing) => listing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = needle => {}
            result = list => {
                *listing = None;
                match result {
                    Ok(devices) => *listed = devices,
                    Err(error) => tracing::warn!(%error, "the devices could not be listed"),
                }
            }
        }
    }

    pub fn view(&self, choice: &DeviceChoice, settings: &StoredSettings) -> SoundView {
        let of_kind = |kind: DeviceKind, prefix: &str| {
            let listed = self.listed.iter().filter(|device| device.kind == kind);
            let view = |device: &DeviceDescription| DeviceView {
                spec: format!("{prefix}:{}", device.id),
                name: device.name.clone(),
                is_default: device.is_default,
            };
            listed.map(view).collect()
        };
        SoundView {
            microphones: of_kind(DeviceKind::Microphone, "mic"),
            speakers: of_kind(DeviceKind::Speaker, "speaker"),
            microphone: choice.microphone.to_string(),
            speaker: choice.speaker.to_string(),
            ring: settings.ring.clone(),
            ring_volume: ring_volume(settings),
            meter: self.meter.as_ref().map(|(_, meter)| meter_view(&meter.reading())),
        }
    }
}

fn meter_view(reading: &MicrophoneReading) -> MeterView {
    let (db, problem) = match reading {
        MicrophoneReading::Opening => (None, None),
        // Steps that nobody sees are not sent.
        MicrophoneReading::Level(db) => (Some(db.round()), None),
        MicrophoneReading::Failed(error) => (None, Some(notice_code(error).to_owned())),
    };
    MeterView { db, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_chooses_devices_of_the_right_kind_and_no_files() {
        assert_eq!(chosen(SoundUse::Ring, "default"), Ok(DeviceSpec::Default));
        let desk = DeviceSpec::Speaker("desk".into());
        assert_eq!(chosen(SoundUse::Ring, "speaker:desk"), Ok(desk));
        for (used, spec) in [
            (SoundUse::Speaker, "mic:desk"),
            (SoundUse::Microphone, "speaker:desk"),
            (SoundUse::Speaker, "file:/home/maya/letter.wav"),
            (SoundUse::Microphone, "tone:440"),
            (SoundUse::Ring, ""),
            (SoundUse::Ring, "speaker:"),
        ] {
            assert_eq!(chosen(used, spec).unwrap_err().code, "device_unknown", "{spec}");
        }
    }

    #[test]
    fn the_slider_is_heard_evenly_and_never_amplifies() {
        assert_eq!([0, 50, 100].map(amplitude), [0.0, 0.25, 1.0]);
        let settings = |ring_volume| StoredSettings {
            ring_volume,
            ..StoredSettings::default()
        };
        let shown = [None, Some(0), Some(70), Some(250)].map(|percent| ring_volume(&settings(percent)));
        assert_eq!(shown, [100, 0, 70, 100]);
    }
}
