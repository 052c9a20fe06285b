//! Microphones, speakers and cameras of the system: the only crate that names `cpal` and `nokhwa`.
//!
//! Every device has a thread of its own, so a driver that hangs holds nobody else; what crosses threads is a lock-free
//! ring (sound) or a newest-wins slot (pictures). Nothing here knows a call or a network. The real-time callbacks are in
//! [`audio::realtime`].

pub mod audio;
pub mod camera;
mod list;
mod sync;
mod system;
mod thread;

pub use list::{DeviceDescription, list, list_sound};
pub use system::SystemDevices;
