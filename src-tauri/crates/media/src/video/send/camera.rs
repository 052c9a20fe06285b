//! Thread `cam`: reads one video source and keeps the newest picture for the encoder.
//!
//! One thread lives as long as its source is open; ending it closes the device.

use crate::device::{DeviceError, VideoSink, VideoSource};
use crate::thread::{OwnedThread, Stop};
use crate::video::VideoFrame;
use crate::video::latest::Latest;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for a picture without looking at the end: a camera that is switched off is closed after at most this
/// and its own closing time.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// Where pictures go; outlives the sources, so that each new one uses it.
pub(super) struct CameraOutputs {
    pub(super) newest: Latest<VideoFrame>,
    /// Locked by the one camera thread that runs.
    pub(super) callbacks: Mutex<CameraCallbacks>,
}

pub(super) struct CameraCallbacks {
    pub(super) preview: Option<Box<dyn VideoSink>>,
    pub(super) on_device_failure: Box<dyn FnMut(DeviceError) + Send>,
}

/// Starts reading; the source is dropped on the thread itself when that ends.
pub(super) fn start(source: Box<dyn VideoSource>, outputs: Arc<CameraOutputs>) -> io::Result<OwnedThread> {
    OwnedThread::spawn("cam", move |stop| read(source, &outputs, &stop))
}

fn read(mut source: Box<dyn VideoSource>, outputs: &CameraOutputs, stop: &Stop) {
    while !stop.is_set() {
        match source.next_frame(WAKE_EVERY) {
            Ok(None) => {}
            // What arrives after the end was asked for must not be seen any more.
            Ok(Some(_)) if stop.is_set() => {}
            Ok(Some(frame)) => {
                if let Some(preview) = &mut lock(&outputs.callbacks).preview {
                    preview.show(Instant::now(), frame.clone());
                }
                outputs.newest.put(frame);
            }
            Err(error) => {
                tracing::info!(%error, "camera failed");
                drop(source);
                (lock(&outputs.callbacks).on_device_failure)(error);
                return;
            }
        }
    }
}

/// A callback that panicked leaves nothing half-done of ours.
fn lock(callbacks: &Mutex<CameraCallbacks>) -> std::sync::MutexGuard<'_, CameraCallbacks> {
    callbacks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
