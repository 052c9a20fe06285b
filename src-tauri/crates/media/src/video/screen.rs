//! A camera and screens that need no system: they deliver and show nothing, or keep a picture for a window.

use super::latest::Latest;
use crate::device::{DeviceError, VideoSink, VideoSource};
use crate::video::VideoFrame;
use std::time::{Duration, Instant};

/// A camera that delivers no picture.
#[derive(Debug, Default)]
pub struct DarkCamera;

impl VideoSource for DarkCamera {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        std::thread::sleep(timeout);
        Ok(None)
    }
}

/// Shows nothing.
#[derive(Debug, Default)]
pub struct NullScreen;

impl VideoSink for NullScreen {
    fn show(&mut self, _now: Instant, _frame: VideoFrame) {}
}

/// Keeps the newest picture for whoever draws it; the drawer holds a clone of [`SharedScreen::latest`].
#[derive(Debug, Clone, Default)]
pub struct SharedScreen {
    latest: Latest<VideoFrame>,
}

impl SharedScreen {
    /// Makes a screen over a slot that exists, so that the drawer keeps its slot over several calls.
    pub fn new(latest: Latest<VideoFrame>) -> Self {
        Self { latest }
    }

    pub fn latest(&self) -> Latest<VideoFrame> {
        self.latest.clone()
    }
}

impl VideoSink for SharedScreen {
    fn show(&mut self, _now: Instant, frame: VideoFrame) {
        self.latest.put(frame);
    }
}
