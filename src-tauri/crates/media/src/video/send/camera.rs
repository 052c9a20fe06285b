//! Thread `cam`: reads one video source and keeps the newest picture for the encoder.
//!
//! One thread lives as long as its source is open; ending it closes the device.

use crate::device::{DeviceError, VideoSink, VideoSource};
use crate::thread::{OwnedThread, Stop};
use crate::video::latest::Latest;
use crate::video::rotation::turned;
use crate::video::{PicturePool, Rotation, VideoFrame};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for a picture without looking at the end: a camera that is switched off is closed after at most this
/// and its own closing time.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// Where pictures go; outlives the sources, so that each new one uses it.
pub(super) struct CameraOutputs {
    pub(super) newest: Latest<VideoFrame>,
    /// How the camera's pictures are turned before anybody sees them.
    pub(super) rotation: Mutex<Rotation>,
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
    let mut pool = PicturePool::default();
    while !stop.is_set() {
        match source.next_frame(WAKE_EVERY) {
            Ok(None) => {}
            // What arrives after the end was asked for must not be seen any more.
            Ok(Some(_)) if stop.is_set() => {}
            // Nor is a camera missed that was let go of: it would be looked for again.
            Err(error) if stop.is_set() => tracing::debug!(%error, "camera failed as it was closed"),
            Ok(Some(frame)) => {
                let rotation = *lock(&outputs.rotation);
                let frame = VideoFrame {
                    picture: turned(frame.picture, rotation, &mut pool),
                    ..frame
                };
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
fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKind;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Fails when it is told to, as a driver does that is closed in the middle of a picture.
    struct Failing {
        asked: Sender<()>,
        fail: Receiver<()>,
    }

    impl VideoSource for Failing {
        fn next_frame(&mut self, _timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
            let _ = self.asked.send(());
            let _ = self.fail.recv();
            Err(DeviceError::Lost(DeviceKind::Camera))
        }
    }

    /// How often a camera is missed that fails in use, or after its end was asked for.
    fn missed(closed_first: bool) -> usize {
        let (missed, was_missed) = channel();
        let outputs = CameraOutputs {
            newest: Latest::new(),
            rotation: Mutex::default(),
            callbacks: Mutex::new(CameraCallbacks {
                preview: None,
                on_device_failure: Box::new(move |error| missed.send(error).expect("the test counts")),
            }),
        };
        let ((asked, was_asked), (fail, told)) = (channel(), channel());
        let source = Box::new(Failing { asked, fail: told });
        let thread = start(source, Arc::new(outputs)).expect("a thread");
        was_asked.recv().expect("a picture is asked for");
        if closed_first {
            thread.stop();
        }
        drop(fail);
        // Until the thread has ended, and its callbacks with it.
        was_missed.iter().count()
    }

    #[test]
    fn a_camera_that_fails_as_it_is_closed_is_not_missed() {
        assert_eq!(missed(true), 0);
    }

    #[test]
    fn a_camera_that_fails_in_use_is_missed_once() {
        assert_eq!(missed(false), 1);
    }
}
