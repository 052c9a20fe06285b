//! Screens that need no system: one that shows nothing, and one that a window reads from.

use super::latest::Latest;
use crate::device::VideoSink;
use crate::video::VideoFrame;
use std::time::Instant;

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
