//! What is remembered between two starts: one JSON file in the system's folder for settings.
//!
//! It holds no secrets. A token lives in memory only, until the system's keychain keeps it; so a server other than the
//! embedded one asks for the sign-in again after a restart.

use ahoy_media::audio::voice::{NoiseSuppression, VoiceSettings};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use ts_rs::TS;

/// The settings as the file has them. Fields that this version does not know are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct StoredSettings {
    /// `ws(s)://…/ws`; `None` = the embedded server.
    pub server: Option<String>,
    /// The name to sign in with, for the form.
    pub user: Option<String>,
    /// How this person is called on the embedded server; `None` = as the system calls them.
    pub display_name: Option<String>,
    /// `en` or `zh`; `None` = as the system.
    pub language: Option<String>,
    /// Stable per installation (IM-Suite §1.6); made at the first start.
    pub device_id: Option<String>,
    /// Device specs; `None` = the system's default.
    pub microphone: Option<String>,
    pub speaker: Option<String>,
    pub camera: Option<String>,
    /// Degrees that the camera's pictures are turned by, clockwise; anything but a right angle is none.
    pub camera_rotation: u32,
    /// Where an incoming call rings; `None` = on the speaker.
    pub ring: Option<String>,
    /// Percent; `None` = as loud as the ring was made.
    pub ring_volume: Option<u8>,
    /// What is done to the voice.
    pub voice: StoredVoice,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// Everything is on at the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct StoredVoice {
    pub echo_cancellation: bool,
    pub noise_suppression: StoredSuppression,
    pub auto_gain_control: bool,
    pub high_pass: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StoredSuppression {
    Off,
    Normal,
    Strong,
}

impl Default for StoredVoice {
    fn default() -> Self {
        Self {
            echo_cancellation: true,
            noise_suppression: StoredSuppression::Normal,
            auto_gain_control: true,
            high_pass: true,
        }
    }
}

impl From<StoredVoice> for VoiceSettings {
    fn from(voice: StoredVoice) -> Self {
        Self {
            echo_cancellation: voice.echo_cancellation,
            noise_suppression: match voice.noise_suppression {
                StoredSuppression::Off => NoiseSuppression::Off,
                StoredSuppression::Normal => NoiseSuppression::Normal,
                StoredSuppression::Strong => NoiseSuppression::Strong,
            },
            auto_gain_control: voice.auto_gain_control,
            high_pass: voice.high_pass,
        }
    }
}

/// Why the settings cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    #[error("cannot read the settings in {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the settings in {path} are not valid")]
    Invalid {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("cannot write the settings to {path}")]
    Write { path: PathBuf, source: io::Error },
}

/// The file itself.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
}

impl SettingsFile {
    /// Names the file inside the folder for settings; nothing is read or made yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join("settings.json"),
        }
    }

    /// Reads the settings; those of a first start when there is no file.
    pub fn load(&self) -> Result<StoredSettings, SettingsFileError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoredSettings::default()),
            Err(source) => {
                return Err(SettingsFileError::Read {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        serde_json::from_str(&text).map_err(|source| SettingsFileError::Invalid {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes the settings; the old file stays whole until the new one is.
    pub fn save(&self, settings: &StoredSettings) -> Result<(), SettingsFileError> {
        let failed = |source| SettingsFileError::Write {
            path: self.path.clone(),
            source,
        };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = serde_json::to_string_pretty(settings).expect("settings have text keys only");
        let fresh = self.path.with_extension("json.new");
        fs::write(&fresh, text).map_err(failed)?;
        fs::rename(&fresh, &self.path).map_err(failed)
    }

    /// Puts a file that cannot be read aside, so that the next save does not destroy it.
    pub fn set_aside(&self) -> Result<(), SettingsFileError> {
        let aside = self.path.with_extension("json.invalid");
        fs::rename(&self.path, &aside).map_err(|source| SettingsFileError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ahoy-settings-{}-{name}", std::process::id()));
        // Left over from a run with the same process id, or not there.
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn the_first_start_has_defaults_and_the_second_what_was_saved() {
        let folder = folder("saved");
        let file = SettingsFile::in_folder(&folder);
        assert_eq!(file.load().unwrap(), StoredSettings::default());
        let settings = StoredSettings {
            server: Some("wss://calls.example/ws".into()),
            device_id: Some("d1".into()),
            ..StoredSettings::default()
        };
        file.save(&settings).unwrap();
        assert_eq!(file.load().unwrap(), settings);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_newer_version_wrote_survives() {
        let folder = folder("newer");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("settings.json"), r#"{"theme":"dark","user":"maya"}"#).unwrap();
        let file = SettingsFile::in_folder(&folder);
        let settings = file.load().unwrap();
        assert_eq!(settings.user.as_deref(), Some("maya"));
        file.save(&settings).unwrap();
        assert!(
            fs::read_to_string(folder.join("settings.json"))
                .unwrap()
                .contains("\"theme\": \"dark\"")
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_voice_of_an_older_version_gets_what_it_lacks_switched_on() {
        let older = r#"{"voice":{"echo_cancellation":false,"noise_suppression":"strong"}}"#;
        let settings: StoredSettings = serde_json::from_str(older).unwrap();
        let voice = VoiceSettings::from(settings.voice);
        let wanted = VoiceSettings {
            echo_cancellation: false,
            noise_suppression: NoiseSuppression::Strong,
            ..VoiceSettings::usual()
        };
        assert_eq!(voice, wanted);
    }

    #[test]
    fn a_broken_file_is_an_error_that_names_it_and_is_kept_aside() {
        let folder = folder("broken");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("settings.json"), "{").unwrap();
        let file = SettingsFile::in_folder(&folder);
        let error = file.load().unwrap_err();
        assert!(error.to_string().contains("settings.json"), "{error}");
        file.set_aside().unwrap();
        assert_eq!(file.load().unwrap(), StoredSettings::default());
        assert!(folder.join("settings.json.invalid").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
