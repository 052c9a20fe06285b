//! Names of devices in settings and on the command line.

use crate::units::Resolution;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// One device, in the grammar of the headless client's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceSpec {
    /// What the system calls its default.
    Default,
    /// `mic:<id or name>`
    Microphone(String),
    /// `speaker:<id or name>`
    Speaker(String),
    /// `cam:<index or name>`
    Camera(String),
    /// `tone:440`: a tone in Hz with a click every second.
    Tone { hz: u32 },
    /// `pattern:1280x720@30`: a moving picture that carries its number and time.
    Pattern { resolution: Resolution, frame_rate: u32 },
    /// `file:PATH`: `.wav` for sound, `.y4m` for pictures; input is looped.
    File(PathBuf),
    /// `probe`: an output that reads tone or pattern and reports; `probe:1280x720` also compares pictures with the pattern
    /// of that size.
    Probe { pattern: Option<Resolution> },
    /// `null`: silence, no picture, or nowhere.
    Null,
}

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("device {spec:?}: {fault}")]
pub struct DeviceSpecError {
    pub spec: String,
    pub fault: DeviceSpecFault,
}

/// What is wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceSpecFault {
    #[error(
        "not one of default, mic:NAME, speaker:NAME, cam:NAME, tone:HZ, pattern:WxH@FPS, file:PATH, probe, probe:WxH, null"
    )]
    Unknown,
    #[error("a name or path is missing after the colon")]
    Empty,
    #[error("the tone is not a whole number of Hz from 50 to 2000")]
    Tone,
    #[error("the pattern is not WIDTHxHEIGHT@FPS, as in 1280x720@30")]
    Pattern,
    #[error("the probed pattern is not WIDTHxHEIGHT, as in 1280x720")]
    ProbedSize,
    #[error("the size of the pattern is not from 48x36 to 3840x2160")]
    PatternSize,
    #[error("the frame rate of the pattern is not from 1 to 120")]
    FrameRate,
}

/// Hz. Below, a window of a few milliseconds holds no period; above, the tone comes close to its own click (3 kHz).
const TONE_HZ: std::ops::RangeInclusive<u32> = 50..=2000;
/// Pixels. Smaller has no room for the blocks that carry number and time.
const PATTERN_WIDTH: std::ops::RangeInclusive<u32> = 48..=3840;
const PATTERN_HEIGHT: std::ops::RangeInclusive<u32> = 36..=2160;
/// Frames per second.
const PATTERN_RATE: std::ops::RangeInclusive<u32> = 1..=120;

impl FromStr for DeviceSpec {
    type Err = DeviceSpecError;

    fn from_str(spec: &str) -> Result<Self, DeviceSpecError> {
        parse(spec).map_err(|fault| DeviceSpecError {
            spec: spec.to_owned(),
            fault,
        })
    }
}

fn parse(spec: &str) -> Result<DeviceSpec, DeviceSpecFault> {
    match spec.split_once(':') {
        None => match spec {
            "default" => Ok(DeviceSpec::Default),
            "probe" => Ok(DeviceSpec::Probe { pattern: None }),
            "null" => Ok(DeviceSpec::Null),
            _ => Err(DeviceSpecFault::Unknown),
        },
        Some((kind, rest)) => match kind {
            "mic" => named(rest).map(DeviceSpec::Microphone),
            "speaker" => named(rest).map(DeviceSpec::Speaker),
            "cam" => named(rest).map(DeviceSpec::Camera),
            "file" => named(rest).map(|path| DeviceSpec::File(PathBuf::from(path))),
            "tone" => tone(rest),
            "pattern" => pattern(rest),
            "probe" => probe(rest),
            _ => Err(DeviceSpecFault::Unknown),
        },
    }
}

fn named(name: &str) -> Result<String, DeviceSpecFault> {
    if name.is_empty() {
        Err(DeviceSpecFault::Empty)
    } else {
        Ok(name.to_owned())
    }
}

fn tone(text: &str) -> Result<DeviceSpec, DeviceSpecFault> {
    match number(text) {
        Some(hz) if TONE_HZ.contains(&hz) => Ok(DeviceSpec::Tone { hz }),
        _ => Err(DeviceSpecFault::Tone),
    }
}

fn pattern(text: &str) -> Result<DeviceSpec, DeviceSpecFault> {
    let parts = text
        .split_once('@')
        .and_then(|(size, rate)| Some((resolution(size)?, number(rate)?)));
    let (resolution, frame_rate) = parts.ok_or(DeviceSpecFault::Pattern)?;
    let resolution = drawable(resolution)?;
    if !PATTERN_RATE.contains(&frame_rate) {
        return Err(DeviceSpecFault::FrameRate);
    }
    Ok(DeviceSpec::Pattern {
        resolution,
        frame_rate,
    })
}

fn probe(text: &str) -> Result<DeviceSpec, DeviceSpecFault> {
    let size = resolution(text).ok_or(DeviceSpecFault::ProbedSize)?;
    Ok(DeviceSpec::Probe {
        pattern: Some(drawable(size)?),
    })
}

fn resolution(text: &str) -> Option<Resolution> {
    let (width, height) = text.split_once('x')?;
    Some(Resolution::new(number(width)?, number(height)?))
}

/// A size that a pattern can have.
fn drawable(size: Resolution) -> Result<Resolution, DeviceSpecFault> {
    if PATTERN_WIDTH.contains(&size.width) && PATTERN_HEIGHT.contains(&size.height) {
        Ok(size)
    } else {
        Err(DeviceSpecFault::PatternSize)
    }
}

/// Digits alone: `u32::from_str` would also take a plus sign.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceSpec::Default => f.write_str("default"),
            DeviceSpec::Microphone(name) => write!(f, "mic:{name}"),
            DeviceSpec::Speaker(name) => write!(f, "speaker:{name}"),
            DeviceSpec::Camera(name) => write!(f, "cam:{name}"),
            DeviceSpec::Tone { hz } => write!(f, "tone:{hz}"),
            DeviceSpec::Pattern {
                resolution,
                frame_rate,
            } => {
                write!(f, "pattern:{resolution}@{frame_rate}")
            }
            DeviceSpec::File(path) => write!(f, "file:{}", path.display()),
            DeviceSpec::Probe { pattern: None } => f.write_str("probe"),
            DeviceSpec::Probe { pattern: Some(size) } => write!(f, "probe:{size}"),
            DeviceSpec::Null => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_spec() -> impl Strategy<Value = DeviceSpec> {
        prop_oneof![
            Just(DeviceSpec::Default),
            Just(DeviceSpec::Probe { pattern: None }),
            (PATTERN_WIDTH, PATTERN_HEIGHT).prop_map(|(w, h)| DeviceSpec::Probe {
                pattern: Some(Resolution::new(w, h)),
            }),
            Just(DeviceSpec::Null),
            ".+".prop_map(DeviceSpec::Microphone),
            ".+".prop_map(DeviceSpec::Speaker),
            ".+".prop_map(DeviceSpec::Camera),
            ".+".prop_map(|path| DeviceSpec::File(path.into())),
            TONE_HZ.prop_map(|hz| DeviceSpec::Tone { hz }),
            (PATTERN_WIDTH, PATTERN_HEIGHT, PATTERN_RATE).prop_map(|(w, h, frame_rate)| {
                DeviceSpec::Pattern {
                    resolution: Resolution::new(w, h),
                    frame_rate,
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_spec_survives_its_own_text(spec in any_spec()) {
            prop_assert_eq!(spec.to_string().parse::<DeviceSpec>(), Ok(spec));
        }

        #[test]
        fn any_text_is_a_spec_or_an_error_that_names_it(text in ".*") {
            if let Err(error) = text.parse::<DeviceSpec>() {
                prop_assert_eq!(error.spec, text);
            }
        }
    }

    #[test]
    fn names_may_hold_colons_and_paths_backslashes() {
        assert_eq!("mic:hw:1,0".parse(), Ok(DeviceSpec::Microphone("hw:1,0".into())));
        assert_eq!(r"file:C:\a.wav".parse(), Ok(DeviceSpec::File(r"C:\a.wav".into())));
    }

    #[test]
    fn each_fault_is_told_apart() {
        for (text, fault) in [
            ("", DeviceSpecFault::Unknown),
            ("Default", DeviceSpecFault::Unknown),
            ("sound:1", DeviceSpecFault::Unknown),
            ("mic:", DeviceSpecFault::Empty),
            ("file:", DeviceSpecFault::Empty),
            ("tone:", DeviceSpecFault::Tone),
            ("tone:+440", DeviceSpecFault::Tone),
            ("tone:49", DeviceSpecFault::Tone),
            ("tone:2001", DeviceSpecFault::Tone),
            ("tone:99999999999", DeviceSpecFault::Tone),
            ("pattern:1280x720", DeviceSpecFault::Pattern),
            ("pattern:1280@30", DeviceSpecFault::Pattern),
            ("pattern:1280x720@30fps", DeviceSpecFault::Pattern),
            ("pattern:0x720@30", DeviceSpecFault::PatternSize),
            ("pattern:1280x9000@30", DeviceSpecFault::PatternSize),
            ("probe:", DeviceSpecFault::ProbedSize),
            ("probe:1280x720@30", DeviceSpecFault::ProbedSize),
            ("probe:8x8", DeviceSpecFault::PatternSize),
            ("pattern:1280x720@0", DeviceSpecFault::FrameRate),
            ("pattern:1280x720@121", DeviceSpecFault::FrameRate),
        ] {
            let error = text.parse::<DeviceSpec>().expect_err(text);
            assert_eq!(error.fault, fault, "{text}");
        }
    }

    #[test]
    fn the_error_says_which_text_and_why() {
        let error = "tone:x".parse::<DeviceSpec>().expect_err("not a number");
        assert_eq!(
            error.to_string(),
            "device \"tone:x\": the tone is not a whole number of Hz from 50 to 2000"
        );
    }
}
