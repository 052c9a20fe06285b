//! Turning pictures by right angles. Pure.

use super::frame::{I420, PicturePool};
use crate::units::Resolution;
use std::sync::Arc;

/// How far a picture is to be turned clockwise to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rotation {
    #[default]
    None,
    Right,
    Half,
    Left,
}

/// Pixels: a square of 16 is four lines of a cache on either side.
const TILE: usize = 16;

impl Rotation {
    /// Reads the coordination of video orientation (3GPP TS 26.114 §7.4.5): the two lowest bits. Those for the camera's side
    /// and for a mirrored picture change nothing here, as in browsers.
    pub fn from_orientation(byte: u8) -> Self {
        match byte & 0b11 {
            0 => Rotation::None,
            1 => Rotation::Right,
            2 => Rotation::Half,
            _ => Rotation::Left,
        }
    }

    /// `None` unless it is 0, 90, 180 or 270.
    pub fn from_degrees(degrees: u32) -> Option<Self> {
        match degrees {
            0 => Some(Rotation::None),
            90 => Some(Rotation::Right),
            180 => Some(Rotation::Half),
            270 => Some(Rotation::Left),
            _ => None,
        }
    }

    pub fn as_degrees(self) -> u32 {
        match self {
            Rotation::None => 0,
            Rotation::Right => 90,
            Rotation::Half => 180,
            Rotation::Left => 270,
        }
    }

    /// The size of a picture after turning.
    pub fn of_size(self, size: Resolution) -> Resolution {
        match self {
            Rotation::None | Rotation::Half => size,
            Rotation::Right | Rotation::Left => Resolution::new(size.height, size.width),
        }
    }
}

/// The picture turned; itself when there is nothing to turn.
pub fn turned(picture: Arc<I420>, rotation: Rotation, pool: &mut PicturePool) -> Arc<I420> {
    if rotation == Rotation::None {
        return picture;
    }
    let size = picture.resolution();
    let (width, height) = (size.width as usize, size.height as usize);
    let (chroma_width, chroma_height) = (picture.chroma_width(), picture.chroma_height());
    let (y, u, v) = picture.planes();
    pool.draw(rotation.of_size(size), |out| {
        let (out_y, out_u, out_v) = out.planes_mut();
        turn(y, width, height, rotation, out_y);
        turn(u, chroma_width, chroma_height, rotation, out_u);
        turn(v, chroma_width, chroma_height, rotation, out_v);
    })
}

fn turn(plane: &[u8], width: usize, height: usize, rotation: Rotation, out: &mut [u8]) {
    match rotation {
        Rotation::None => out.copy_from_slice(plane),
        Rotation::Half => {
            for (to, from) in out.iter_mut().zip(plane.iter().rev()) {
                *to = *from;
            }
        }
        Rotation::Right => transpose(plane, width, height, |x, y| x * height + (height - 1 - y), out),
        Rotation::Left => transpose(plane, width, height, |x, y| (width - 1 - x) * height + y, out),
    }
}

/// Moves each pixel to its place, a tile at a time, so that lines of neither side leave the cache half used.
fn transpose(
    plane: &[u8],
    width: usize,
    height: usize,
    place: impl Fn(usize, usize) -> usize,
    out: &mut [u8],
) {
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for y in top..(top + TILE).min(height) {
                for x in left..(left + TILE).min(width) {
                    out[place(x, y)] = plane[y * width + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel tells its place.
    fn picture(size: Resolution) -> Arc<I420> {
        let mut picture = I420::black(size);
        for (at, byte) in picture.as_bytes_mut().iter_mut().enumerate() {
            *byte = (at * 7 % 251) as u8;
        }
        Arc::new(picture)
    }

    const SIZES: [Resolution; 6] = [
        Resolution::new(1, 1),
        Resolution::new(2, 3),
        Resolution::new(5, 3),
        Resolution::new(17, 33),
        Resolution::new(64, 36),
        Resolution::new(161, 91),
    ];

    #[test]
    fn a_turn_to_the_right_brings_the_left_column_to_the_top() {
        let size = Resolution::new(3, 2);
        let picture = I420::from_bytes(size, vec![1, 2, 3, 4, 5, 6, 10, 11, 20, 21]).expect("its length");
        let mut pool = PicturePool::default();
        let turned = |rotation, pool: &mut PicturePool| {
            let turned = turned(Arc::new(picture.clone()), rotation, pool);
            (turned.resolution(), turned.as_bytes().to_vec())
        };
        let upright = Resolution::new(2, 3);
        assert_eq!(
            turned(Rotation::Right, &mut pool),
            (upright, vec![4, 1, 5, 2, 6, 3, 10, 11, 20, 21])
        );
        assert_eq!(
            turned(Rotation::Half, &mut pool),
            (size, vec![6, 5, 4, 3, 2, 1, 11, 10, 21, 20])
        );
        assert_eq!(
            turned(Rotation::Left, &mut pool),
            (upright, vec![3, 6, 2, 5, 1, 4, 11, 10, 21, 20])
        );
    }

    #[test]
    fn turns_of_every_size_add_up() {
        let mut pool = PicturePool::default();
        for size in SIZES {
            let original = picture(size);
            let mut right = Arc::clone(&original);
            for quarter in 1..=4 {
                right = turned(right, Rotation::Right, &mut pool);
                let whole = match quarter {
                    1 => turned(Arc::clone(&right), Rotation::Left, &mut pool),
                    2 => turned(Arc::clone(&right), Rotation::Half, &mut pool),
                    3 => turned(Arc::clone(&right), Rotation::Right, &mut pool),
                    _ => Arc::clone(&right),
                };
                assert_eq!(whole, original, "{size} after {quarter} quarters");
            }
        }
    }

    #[test]
    fn what_stands_upright_is_not_copied() {
        let original = picture(SIZES[4]);
        let same = turned(Arc::clone(&original), Rotation::None, &mut PicturePool::default());
        assert!(Arc::ptr_eq(&same, &original));
    }

    #[test]
    fn every_byte_of_orientation_means_something() {
        for byte in 0..=u8::MAX {
            let expected = [0, 90, 180, 270][usize::from(byte % 4)];
            assert_eq!(Rotation::from_orientation(byte).as_degrees(), expected);
            assert_eq!(
                Rotation::from_degrees(expected),
                Some(Rotation::from_orientation(byte))
            );
        }
        assert_eq!(Rotation::from_degrees(45), None);
    }
}
