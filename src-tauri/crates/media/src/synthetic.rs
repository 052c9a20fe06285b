//! Devices made of arithmetic: they stand in for hardware and carry what proves that a call works.

pub mod clock;
pub mod devices;
pub mod echo_audio;
mod echo_recorder;
pub mod echo_video;
pub mod likeness;
pub mod pattern;
pub mod pattern_probe;
pub mod silence;
pub mod tone;
pub mod tone_probe;

pub use devices::SyntheticDevices;
pub use echo_audio::audio_echo;
pub use echo_video::video_echo;
