//! Pictures in planar YUV 4:2:0.

use crate::units::Resolution;
use std::sync::Arc;
use std::time::Instant;

/// One picture with the moment it was taken (or, when received, decoded). Cloning shares the pixels.
#[derive(Debug, Clone)]
pub struct VideoFrame {
    pub picture: Arc<I420>,
    pub captured_at: Instant,
}

/// Planes Y, U, V without padding: a row of Y is `width` bytes, of U and V `(width + 1) / 2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I420 {
    resolution: Resolution,
    bytes: Vec<u8>,
}

impl I420 {
    /// A black picture (Y 16, U and V 128: limited range).
    pub fn black(resolution: Resolution) -> Self {
        let mut bytes = vec![128; Self::bytes_of(resolution)];
        bytes[..resolution.pixels() as usize].fill(16);
        Self { resolution, bytes }
    }

    /// Bytes of a whole picture of this size.
    pub fn bytes_of(resolution: Resolution) -> usize {
        let (w, h) = (resolution.width as usize, resolution.height as usize);
        w * h + 2 * (w.div_ceil(2) * h.div_ceil(2))
    }

    pub fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Bytes in a row of U or V.
    pub fn chroma_width(&self) -> usize {
        self.resolution.width.div_ceil(2) as usize
    }

    /// Rows of U or V.
    pub fn chroma_height(&self) -> usize {
        self.resolution.height.div_ceil(2) as usize
    }

    /// The three planes one after the other, as a page or a file takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Y, U, V.
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let (y, chroma) = self.bytes.split_at(self.resolution.pixels() as usize);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        (y, u, v)
    }

    /// Y, U, V, for writing.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let (y, chroma) = self.bytes.split_at_mut(self.resolution.pixels() as usize);
        let half = chroma.len() / 2;
        let (u, v) = chroma.split_at_mut(half);
        (y, u, v)
    }
}
