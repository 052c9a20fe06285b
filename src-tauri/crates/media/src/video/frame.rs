//! Pictures in planar YUV 4:2:0, and the pool their buffers come from.

use crate::units::Resolution;
use std::convert::Infallible;
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

    /// Takes three planes that stand one after the other; `None` when the length is not that of the resolution.
    pub fn from_bytes(resolution: Resolution, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == Self::bytes_of(resolution)).then_some(Self { resolution, bytes })
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

    /// The three planes one after the other, for writing.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
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

/// Hands out pictures whose buffers are used again once nobody holds them.
///
/// Belongs to one thread; the pictures may go anywhere. A picture that is still held is never written to: when all are
/// held, a fresh one is allocated and not kept, so memory stays bounded by [`PicturePool::KEPT`] plus what others hold.
#[derive(Debug, Default)]
pub struct PicturePool {
    kept: Vec<Arc<I420>>,
}

impl PicturePool {
    /// Pictures kept for use again. Of a camera: one being drawn, one in each newest-wins slot of a pipeline (two), one at
    /// the encoder, one at each of preview and screen. Of a decoder: those that wait for their sound, one being decoded, one
    /// at the screen, and one to spare. A picture is only made when all are in use.
    pub const KEPT: usize = 11;

    /// Draws a picture. The buffer holds an old picture or black; `draw` writes every pixel.
    pub fn draw(&mut self, resolution: Resolution, draw: impl FnOnce(&mut I420)) -> Arc<I420> {
        let drawn = self.try_draw(resolution, |picture| {
            draw(picture);
            Ok::<(), Infallible>(())
        });
        match drawn {
            Ok(picture) => picture,
            Err(never) => match never {},
        }
    }

    /// Draws a picture that may fail to be drawn.
    pub fn try_draw<E>(
        &mut self,
        resolution: Resolution,
        draw: impl FnOnce(&mut I420) -> Result<(), E>,
    ) -> Result<Arc<I420>, E> {
        self.kept.retain(|kept| kept.resolution == resolution);
        if let Some(free) = self.kept.iter_mut().find(|kept| Arc::strong_count(kept) == 1)
            && let Some(picture) = Arc::get_mut(free)
        {
            draw(picture)?;
            return Ok(Arc::clone(free));
        }
        let mut picture = I420::black(resolution);
        draw(&mut picture)?;
        let picture = Arc::new(picture);
        if self.kept.len() < Self::KEPT {
            self.kept.push(Arc::clone(&picture));
        }
        Ok(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Resolution = Resolution::new(16, 8);

    fn fill(pool: &mut PicturePool, value: u8) -> Arc<I420> {
        pool.draw(SIZE, |picture| picture.as_bytes_mut().fill(value))
    }

    #[test]
    fn a_picture_in_use_is_never_drawn_over() {
        let mut pool = PicturePool::default();
        let held: Vec<_> = (0..20).map(|value| fill(&mut pool, value)).collect();
        for (value, picture) in held.iter().enumerate() {
            assert!(picture.as_bytes().iter().all(|byte| usize::from(*byte) == value));
        }
    }

    #[test]
    fn a_free_buffer_is_used_again_and_the_pool_is_bounded() {
        let mut pool = PicturePool::default();
        let first = fill(&mut pool, 1);
        let address = first.as_bytes().as_ptr();
        drop(first);
        assert_eq!(fill(&mut pool, 2).as_bytes().as_ptr(), address);
        drop((0..50).map(|value| fill(&mut pool, value)).collect::<Vec<_>>());
        assert!(pool.kept.len() <= PicturePool::KEPT);
        pool.draw(Resolution::new(4, 4), |_| ());
        assert_eq!(pool.kept.len(), 1, "pictures of another size are let go");
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        assert_eq!(I420::bytes_of(Resolution::new(5, 3)), 15 + 2 * 6);
        assert!(I420::from_bytes(Resolution::new(5, 3), vec![0; 27]).is_some());
        assert!(I420::from_bytes(Resolution::new(5, 3), vec![0; 26]).is_none());
    }
}
