//! Files of the product whose threads share something without the help of a channel.
//!
//! They take their primitives from `crate::sync`, which is the standard library's there and the model's here.

#[path = "../../../src-tauri/crates/media/src/video/latest.rs"]
pub mod latest;
#[path = "../../../src-tauri/crates/devices/src/audio/realtime.rs"]
pub mod realtime;
#[path = "../../../src-tauri/crates/media/src/audio/render_tap.rs"]
pub mod render_tap;

mod sync {
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
}
