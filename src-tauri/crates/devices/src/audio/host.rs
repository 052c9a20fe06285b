//! The system's sound: which devices it has, and which of them is the default.
//!
//! On Linux that is a sound server, and only without one the ALSA library: its plugin for such a server keeps a thread
//! busy with polling and adds a buffer of its own.

use super::format::{Direction, describe};
#[cfg(target_os = "linux")]
use super::pulse::Connection;
use cpal::traits::{DeviceTrait, HostTrait};

/// Connects anew; belongs to the thread that asks.
pub(crate) enum SoundHost {
    #[cfg(target_os = "linux")]
    Server(Connection),
    System(cpal::Host),
}

/// A device to choose.
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    pub(crate) formats: Vec<String>,
}

impl SoundHost {
    pub(crate) fn new() -> Self {
        #[cfg(target_os = "linux")]
        if let Some(server) = Connection::open() {
            return Self::Server(server);
        }
        quiet();
        Self::System(cpal::default_host())
    }

    /// What there is to choose from; a default that nobody would choose is among it all the same.
    pub(crate) fn list(&self, direction: Direction) -> Vec<Listed> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Server(server) => {
                let default = server.default_id(direction);
                let devices = server.devices(direction).into_iter().map(|device| {
                    let is_default = default.as_ref() == Some(&device.id);
                    (device, is_default)
                });
                devices
                    .filter(|(device, is_default)| *is_default || !device.is_monitor)
                    .map(|(device, is_default)| Listed {
                        id: device.id,
                        name: device.name,
                        is_default,
                        formats: vec![device.format],
                    })
                    .collect()
            }
            Self::System(host) => list_system(host, direction),
        }
    }
}

fn list_system(host: &cpal::Host, direction: Direction) -> Vec<Listed> {
    let default = default_device(host, direction).and_then(|device| device.id().ok());
    let Ok(devices) = host.devices() else {
        return Vec::new();
    };
    let listed = devices
        .filter(|device| direction.is_of(device) && !is_plugin(device))
        .filter_map(|device| {
            let ranges: Vec<_> = match direction {
                Direction::Input => device.supported_input_configs().map(Iterator::collect),
                Direction::Output => device.supported_output_configs().map(Iterator::collect),
            }
            .ok()?;
            let id = device.id().ok().filter(|_| !ranges.is_empty())?;
            let name = device.description().map(|it| it.name().to_owned());
            Some(Listed {
                name: name.unwrap_or_else(|_| id.id().to_owned()),
                is_default: Some(&id) == default.as_ref(),
                id: id.to_string(),
                formats: describe(&ranges),
            })
        });
    listed.collect()
}

pub(super) fn default_device(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

impl Direction {
    pub(super) fn is_of(self, device: &cpal::Device) -> bool {
        match self {
            Direction::Input => device.supports_input(),
            Direction::Output => device.supports_output(),
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

/// Keeps the ALSA library from writing to stderr what is also returned as an error; for the calling thread.
#[cfg(target_os = "linux")]
fn quiet() {
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "the ALSA library stays loud");
    }
}

/// Other systems' sound libraries write nothing.
#[cfg(not(target_os = "linux"))]
fn quiet() {}
