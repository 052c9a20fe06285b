//! Media without network and without system: units, device and codec traits, codecs, jitter buffer, the four
//! pipelines (audio and video, out and in), and the synthetic and file devices.
//!
//! Nothing here knows a socket, a call, or a system device. Pipelines run on named OS threads; what decides is pure
//! and is told the time.

pub mod audio;
pub mod codec;
pub mod device;
pub mod file;
pub mod jitter_buffer;
pub mod lip_sync;
pub mod packet;
pub mod sounds;
pub mod spec;
mod sync;
pub mod synthetic;
mod thread;
pub mod units;
pub mod video;
