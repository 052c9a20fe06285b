//! Cameras over `nokhwa`: raw buffers only, made I420 here.
//!
//! The camera lives on a thread named `cam` that blocks in the driver, converts, and puts each picture into a slot where
//! the newest wins. Whoever waits for pictures waits at the slot and never in the driver.

mod choose;
mod convert;
mod error;
mod open;

pub(crate) use open::{cameras, formats};

use crate::thread::{self, DeviceThread, StopSignal};
use ahoy_media::device::{DeviceError, DeviceKind, VideoRequest, VideoSource};
use ahoy_media::video::latest::Latest;
use ahoy_media::video::{PicturePool, VideoFrame};
use convert::Converter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A camera whose first picture takes longer is gone. Some measure the light for two seconds (chosen).
const FIRST_PICTURE: Duration = Duration::from_secs(4);
/// A camera that has delivered and then delivers nothing for so long is gone: above the 1 s exposure of a camera in the
/// dark, and short enough that another opening is under way within 2 s (chosen).
const STALL: Duration = Duration::from_millis(1500);
/// Failures in a row after which the camera is given up (chosen, not measured).
const MOST_FAILURES: u32 = 30;

/// An open camera; dropping it releases the device.
#[derive(Debug)]
pub struct Camera {
    pictures: Latest<VideoFrame>,
    failure: Failure,
    /// Until when the next picture must have come.
    deadline: Instant,
    _thread: DeviceThread,
}

/// Why the thread ended by itself.
type Failure = Arc<Mutex<Option<DeviceError>>>;

impl Camera {
    /// Opens a camera by index or name, `None` for the first, in the format nearest to `wanted`.
    pub fn open(name: Option<&str>, wanted: VideoRequest) -> Result<Self, DeviceError> {
        let name = name.map(str::to_owned);
        let pictures = Latest::new();
        let failure = Failure::default();
        let (slot, why) = (pictures.clone(), Arc::clone(&failure));
        let ((), thread) = thread::start("cam", DeviceKind::Camera, move |opened, stop| {
            let mut camera = match open::open(name.as_deref(), wanted) {
                Ok(camera) => camera,
                Err(error) => return drop(opened.send(Err(error))),
            };
            // A failed send means that the owner has given up; the camera is closed then.
            if opened.send(Ok(())).is_ok() {
                let ended = deliver(&mut camera, &slot, &stop);
                *why.lock().unwrap_or_else(PoisonError::into_inner) = ended.err();
                slot.close();
            }
            if let Err(error) = camera.stop_stream() {
                tracing::debug!(%error, "the camera did not stop cleanly");
            }
        })?;
        Ok(Self {
            pictures,
            failure,
            deadline: Instant::now() + FIRST_PICTURE,
            _thread: thread,
        })
    }
}

impl VideoSource for Camera {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        if let Some(frame) = self.pictures.wait(timeout) {
            self.deadline = Instant::now() + STALL;
            return Ok(Some(frame));
        }
        if let Some(error) = self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
        {
            return Err(error);
        }
        if Instant::now() >= self.deadline {
            Err(DeviceError::Lost(DeviceKind::Camera))
        } else {
            Ok(None)
        }
    }
}

/// Runs until the owner is gone or the camera fails for good.
fn deliver(
    camera: &mut nokhwa::Camera,
    slot: &Latest<VideoFrame>,
    stop: &StopSignal,
) -> Result<(), DeviceError> {
    let format = camera.camera_format();
    tracing::debug!(%format, "camera open");
    let mut converter = Converter::new(format)?;
    let mut pool = PicturePool::default();
    let mut failures = 0;
    while !stop.is_set() {
        let taken = match camera.frame_raw() {
            Ok(bytes) => {
                let captured_at = Instant::now();
                let picture = converter.convert(&bytes, &mut pool);
                picture
                    .map(|picture| VideoFrame { picture, captured_at })
                    .map_err(|why| why.to_string())
            }
            Err(error) if error::is_gone(&error.to_string()) => {
                return Err(DeviceError::Lost(DeviceKind::Camera));
            }
            Err(error) => Err(error.to_string()),
        };
        match taken {
            Ok(frame) => {
                failures = 0;
                slot.put(frame);
            }
            Err(why) if failures >= MOST_FAILURES => {
                return Err(DeviceError::Unusable {
                    kind: DeviceKind::Camera,
                    why,
                });
            }
            Err(why) => {
                failures += 1;
                tracing::debug!(why, failures, "a picture could not be taken");
            }
        }
    }
    Ok(())
}
