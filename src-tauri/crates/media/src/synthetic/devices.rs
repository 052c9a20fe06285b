//! Opens every device that needs no system: synthetic, file, null and probe.

use super::clock::WallClock;
use super::pattern::PatternSource;
use super::pattern_probe::{VideoProbe, VideoProbeReader};
use super::silence::{SilentMicrophone, SilentSpeaker};
use super::tone::ToneSource;
use super::tone_probe::{AudioProbe, AudioProbeReader};
use crate::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use crate::file::wav::{WavSink, WavSource};
use crate::file::y4m::{Y4mSink, Y4mSource};
use crate::spec::DeviceSpec;
use crate::video::screen::{DarkCamera, NullScreen};
use std::sync::{Mutex, PoisonError};

/// The devices of this crate; hardware is `NotFound` here. Probes are read through the readers kept here.
#[derive(Debug)]
pub struct SyntheticDevices {
    clock: WallClock,
    /// Of the probe opened last.
    audio_probe: Mutex<Option<AudioProbeReader>>,
    /// Of the probe opened last.
    video_probe: Mutex<Option<VideoProbeReader>>,
}

impl SyntheticDevices {
    /// Takes the time of day from the system clock.
    pub fn new() -> Self {
        Self::with_clock(WallClock::of_system())
    }

    /// Takes the time of day from `clock`, which all tones and probes then share.
    pub fn with_clock(clock: WallClock) -> Self {
        Self {
            clock,
            audio_probe: Mutex::new(None),
            video_probe: Mutex::new(None),
        }
    }

    /// Reads the sound probe that was opened last; `None` before the first.
    pub fn audio_probe(&self) -> Option<AudioProbeReader> {
        self.audio_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the picture probe that was opened last; `None` before the first.
    pub fn video_probe(&self) -> Option<VideoProbeReader> {
        self.video_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Default for SyntheticDevices {
    fn default() -> Self {
        Self::new()
    }
}

impl Devices for SyntheticDevices {
    fn microphone(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSource>, DeviceError> {
        match spec {
            DeviceSpec::Tone { hz } => Ok(Box::new(ToneSource::new(*hz, self.clock))),
            DeviceSpec::File(path) => Ok(Box::new(WavSource::open(path)?)),
            DeviceSpec::Null => Ok(Box::new(SilentMicrophone::new())),
            DeviceSpec::Default | DeviceSpec::Microphone(_) => Err(not_found(DeviceKind::Microphone, spec)),
            DeviceSpec::Speaker(_)
            | DeviceSpec::Camera(_)
            | DeviceSpec::Pattern { .. }
            | DeviceSpec::Probe { .. } => Err(wrong_kind(DeviceKind::Microphone, spec)),
        }
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        match spec {
            DeviceSpec::Probe { pattern: None } => {
                let (probe, reader) = AudioProbe::new(self.clock);
                *self.audio_probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
                Ok(Box::new(probe))
            }
            DeviceSpec::File(path) => Ok(Box::new(WavSink::create(path)?)),
            DeviceSpec::Null => Ok(Box::new(SilentSpeaker::new())),
            DeviceSpec::Default | DeviceSpec::Speaker(_) => Err(not_found(DeviceKind::Speaker, spec)),
            DeviceSpec::Microphone(_)
            | DeviceSpec::Camera(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Pattern { .. }
            | DeviceSpec::Probe { pattern: Some(_) } => Err(wrong_kind(DeviceKind::Speaker, spec)),
        }
    }

    fn camera(&self, spec: &DeviceSpec, _wanted: VideoRequest) -> Result<Box<dyn VideoSource>, DeviceError> {
        match spec {
            DeviceSpec::Pattern {
                resolution,
                frame_rate,
            } => Ok(Box::new(PatternSource::new(*resolution, *frame_rate)?)),
            DeviceSpec::File(path) => Ok(Box::new(Y4mSource::open(path)?)),
            DeviceSpec::Null => Ok(Box::new(DarkCamera)),
            DeviceSpec::Default | DeviceSpec::Camera(_) => Err(not_found(DeviceKind::Camera, spec)),
            DeviceSpec::Microphone(_)
            | DeviceSpec::Speaker(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Probe { .. } => Err(wrong_kind(DeviceKind::Camera, spec)),
        }
    }

    fn screen(&self, spec: &DeviceSpec) -> Result<Box<dyn VideoSink>, DeviceError> {
        match spec {
            DeviceSpec::Probe { pattern } => {
                let (probe, reader) = VideoProbe::new(*pattern);
                *self.video_probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
                Ok(Box::new(probe))
            }
            DeviceSpec::File(path) => Ok(Box::new(Y4mSink::create(path)?)),
            DeviceSpec::Null => Ok(Box::new(NullScreen)),
            DeviceSpec::Default => Err(not_found(DeviceKind::Screen, spec)),
            DeviceSpec::Microphone(_)
            | DeviceSpec::Speaker(_)
            | DeviceSpec::Camera(_)
            | DeviceSpec::Tone { .. }
            | DeviceSpec::Pattern { .. } => Err(wrong_kind(DeviceKind::Screen, spec)),
        }
    }
}

fn not_found(kind: DeviceKind, spec: &DeviceSpec) -> DeviceError {
    DeviceError::NotFound {
        kind,
        name: spec.to_string(),
    }
}

fn wrong_kind(kind: DeviceKind, spec: &DeviceSpec) -> DeviceError {
    DeviceError::Unusable {
        kind,
        why: format!("{spec} is not a {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Resolution;
    use std::time::{Duration, Instant};

    const WANTED: VideoRequest = VideoRequest {
        resolution: Resolution::new(640, 360),
        frame_rate: 30,
    };

    fn spec(text: &str) -> DeviceSpec {
        text.parse().expect("a spec")
    }

    #[test]
    fn hardware_is_not_found_and_the_wrong_kind_is_said_so() {
        let devices = SyntheticDevices::new();
        let error = |spec_of: &str| {
            devices
                .microphone(&spec(spec_of))
                .err()
                .expect("refused")
                .to_string()
        };
        assert_eq!(error("default"), "no microphone named default");
        assert_eq!(error("mic:Blue"), "no microphone named mic:Blue");
        assert_eq!(
            error("probe"),
            "the microphone cannot be used: probe is not a microphone"
        );
        let speaker = devices
            .speaker(&spec("tone:440"))
            .err()
            .expect("refused")
            .to_string();
        assert_eq!(speaker, "the speaker cannot be used: tone:440 is not a speaker");
    }

    #[test]
    fn a_tone_and_a_probe_of_one_program_share_their_clock() {
        let devices = SyntheticDevices::new();
        assert!(devices.audio_probe().is_none());
        let mut tone = devices.microphone(&spec("tone:440")).expect("a tone");
        let mut probe = devices.speaker(&spec("probe")).expect("a probe");
        let start = Instant::now();
        let mut samples = Vec::new();
        for tick in 0..600 {
            let now = start + Duration::from_millis(5) * tick;
            samples.clear();
            tone.read(now, &mut samples).expect("a tone does not fail");
            probe.write(now, &samples).expect("a probe does not fail");
        }
        let report = devices.audio_probe().expect("opened").total();
        assert_eq!(report.frequency, Some(440));
        assert!(
            report.latency_ms.is_some_and(|latency| latency.p50 < 6.0),
            "{report:?}"
        );
    }

    #[test]
    fn null_devices_open() {
        let devices = SyntheticDevices::new();
        assert!(devices.microphone(&DeviceSpec::Null).is_ok());
        assert!(devices.speaker(&DeviceSpec::Null).is_ok());
        assert!(devices.screen(&DeviceSpec::Null).is_ok());
        let mut camera = devices.camera(&DeviceSpec::Null, WANTED).expect("a dark camera");
        assert!(
            camera
                .next_frame(Duration::ZERO)
                .expect("does not fail")
                .is_none()
        );
    }

    #[test]
    fn a_pattern_is_read_by_the_picture_probe() {
        let devices = SyntheticDevices::new();
        assert!(devices.video_probe().is_none());
        let mut camera = devices
            .camera(&spec("pattern:160x90@100"), WANTED)
            .expect("a pattern");
        let mut screen = devices.screen(&spec("probe:160x90")).expect("a probe");
        for _ in 0..3 {
            let frame = camera
                .next_frame(Duration::from_secs(5))
                .expect("works")
                .expect("in time");
            screen.show(Instant::now(), frame);
        }
        let report = devices.video_probe().expect("opened").total();
        assert_eq!(
            (report.frames, report.lost, report.unreadable, report.width),
            (3, 0, 0, 160)
        );
        assert_eq!(report.likeness.map(|likeness| likeness.ssim), Some(1.0));
    }

    #[test]
    fn cameras_and_screens_are_refused_by_name() {
        let devices = SyntheticDevices::new();
        let camera = devices
            .camera(&spec("tone:440"), WANTED)
            .map(|_| ())
            .expect_err("refused");
        assert_eq!(
            camera.to_string(),
            "the camera cannot be used: tone:440 is not a camera"
        );
        let camera = devices
            .camera(&spec("cam:0"), WANTED)
            .map(|_| ())
            .expect_err("refused");
        assert_eq!(camera.to_string(), "no camera named cam:0");
        let screen = devices.screen(&spec("default")).map(|_| ()).expect_err("refused");
        assert_eq!(screen.to_string(), "no screen named default");
    }
}
