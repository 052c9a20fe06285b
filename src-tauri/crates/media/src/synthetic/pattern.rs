//! `pattern:WxH@FPS`: a moving picture that says its number and when it was made.
//!
//! The upper two thirds are a grid of black and white blocks that hold number, time and a checksum; they are large, so
//! they survive a low bitrate and scaling down. Below them coloured stripes move, so every picture differs from the last
//! over its whole width. Both are rows that repeat, which makes a picture cheap to draw and to encode.

use crate::device::{DeviceError, DeviceKind, VideoSource};
use crate::units::Resolution;
use crate::video::pace::{Pace, wait_until_due};
use crate::video::{I420, PicturePool, VideoFrame};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternMark {
    /// Counted from 0 by the source, modulo 2^32.
    pub number: u32,
    /// Milliseconds since 1970 on the clock of the source, modulo 2^48.
    pub wall_ms: u64,
}

/// Blocks of the grid: 16 x 6 = 96 bits.
const COLUMNS: usize = 16;
const ROWS: usize = 6;
const MARK_BYTES: usize = COLUMNS * ROWS / 8;

/// Brightness of the blocks; away from the ends of the range so that ringing of the codec is not clipped.
const BLACK: u8 = 32;
const WHITE: u8 = 220;

/// The least size: below it a block is less than four pixels high.
const LEAST: Resolution = Resolution::new(48, 36);

/// Largest side in pixels, that of VP8.
const MAX_SIDE: u32 = 16_383;

/// Pictures per second; above it the clock of the system is too coarse.
const MAX_FRAME_RATE: u32 = 240;

impl PatternMark {
    const WALL_BITS: u32 = 48;

    fn to_bytes(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        bytes[..4].copy_from_slice(&self.number.to_be_bytes());
        bytes[4..10].copy_from_slice(&self.wall_ms.to_be_bytes()[2..]);
        let sum = checksum(&bytes[..10]);
        bytes[10..].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; MARK_BYTES]) -> Option<Self> {
        let (body, sum) = bytes.split_at(10);
        if checksum(body).to_be_bytes() != sum {
            return None;
        }
        let number = body[..4]
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte));
        let wall_ms = body[4..]
            .iter()
            .fold(0, |time, byte| time << 8 | u64::from(*byte));
        Some(Self { number, wall_ms })
    }
}

/// CRC-16 with the polynomial of CCITT and all ones at the start, so that a picture of one colour is never valid.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 {
                sum << 1
            } else {
                sum << 1 ^ 0x1021
            }
        })
    })
}

/// Milliseconds since 1970, as a mark holds them.
pub fn wall_ms_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX) & ((1 << PatternMark::WALL_BITS) - 1)
}

/// Draws the whole picture.
pub fn draw(mark: PatternMark, picture: &mut I420) {
    let Resolution { width, height } = picture.resolution();
    let (width, height) = (width as usize, height as usize);
    let chroma_width = picture.chroma_width();
    let grid = block_edge(ROWS, height);
    let bytes = mark.to_bytes();
    let (y, u, v) = picture.planes_mut();
    for row in 0..ROWS {
        let (top, bottom) = (block_edge(row, height), block_edge(row + 1, height));
        let band = &mut y[top * width..bottom * width];
        for column in 0..COLUMNS {
            let (left, right) = (column * width / COLUMNS, (column + 1) * width / COLUMNS);
            band[left..right].fill(if bit(&bytes, row, column) { WHITE } else { BLACK });
        }
        repeat_first_row(band, width);
    }
    let stripes = &mut y[grid * width..height * width];
    let shift = mark.number as usize;
    draw_stripe(&mut stripes[..width], width, shift, 64..192);
    repeat_first_row(stripes, width);
    let colour_from = grid.div_ceil(2) * chroma_width;
    for (plane, phase) in [(u, 0), (v, chroma_width / 4)] {
        let (grey, colour) = plane.split_at_mut(colour_from);
        grey.fill(128);
        draw_stripe(
            &mut colour[..chroma_width],
            chroma_width,
            shift / 2 + phase,
            96..160,
        );
        repeat_first_row(colour, chroma_width);
    }
}

/// Reads a picture of any size that shows a whole pattern; `None` when it shows none or is too broken.
pub fn read(picture: &I420) -> Option<PatternMark> {
    let Resolution { width, height } = picture.resolution();
    let (width, height) = (width as usize, height as usize);
    if width < COLUMNS || block_edge(1, height) == 0 {
        return None;
    }
    let (y, _, _) = picture.planes();
    let mut bytes = [0; MARK_BYTES];
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let brightness = middle_of_block(y, width, height, row, column);
            if brightness > (u32::from(WHITE) + u32::from(BLACK)) / 2 {
                let at = row * COLUMNS + column;
                bytes[at / 8] |= 0x80 >> (at % 8);
            }
        }
    }
    PatternMark::from_bytes(bytes)
}

/// The upper edge of a row of blocks; they fill two thirds of the height.
fn block_edge(row: usize, height: usize) -> usize {
    row * height * 2 / (ROWS * 3)
}

fn bit(bytes: &[u8; MARK_BYTES], row: usize, column: usize) -> bool {
    let at = row * COLUMNS + column;
    bytes[at / 8] & (0x80 >> (at % 8)) != 0
}

/// A triangle wave over the width that moves one pixel with each picture.
fn draw_stripe(row: &mut [u8], period: usize, shift: usize, range: std::ops::Range<usize>) {
    let span = range.end - range.start;
    for (column, sample) in row.iter_mut().enumerate() {
        let phase = (column + shift) % period * 2;
        let rise = if phase < period { phase } else { period * 2 - phase };
        *sample = (range.start + span * rise / period.max(1)).min(255) as u8;
    }
}

fn repeat_first_row(rows: &mut [u8], width: usize) {
    if rows.len() <= width {
        return;
    }
    let (first, rest) = rows.split_at_mut(width);
    rest.chunks_exact_mut(width)
        .for_each(|row| row.copy_from_slice(first));
}

/// Mean brightness of the middle ninth of a block, away from blurred edges.
fn middle_of_block(y: &[u8], width: usize, height: usize, row: usize, column: usize) -> u32 {
    let middle = |from: usize, to: usize| {
        let third = (to - from) / 3;
        (from + third)..(to - third).max(from + third + 1)
    };
    let rows = middle(block_edge(row, height), block_edge(row + 1, height));
    let columns = middle(column * width / COLUMNS, (column + 1) * width / COLUMNS);
    let samples = rows.len() * columns.len();
    let sum: u32 = rows
        .map(|row| {
            y[row * width..][columns.clone()]
                .iter()
                .map(|sample| u32::from(*sample))
                .sum::<u32>()
        })
        .sum();
    sum / samples.max(1) as u32
}

/// Delivers patterns at an even rate, on the clock of this machine.
#[derive(Debug)]
pub struct PatternSource {
    resolution: Resolution,
    pace: Pace,
    pool: PicturePool,
    number: u32,
}

impl PatternSource {
    /// `frame_rate` in pictures per second.
    ///
    /// Errors when the size is below 48x36 or not one VP8 can say, or the rate is not from 1 to 240.
    pub fn new(resolution: Resolution, frame_rate: u32) -> Result<Self, DeviceError> {
        let unusable = |why: String| {
            Err(DeviceError::Unusable {
                kind: DeviceKind::Camera,
                why: format!("pattern: {why}"),
            })
        };
        let source = Self::nearest(resolution, frame_rate);
        if source.resolution != resolution {
            return unusable(format!(
                "{resolution} is not from {LEAST} to {MAX_SIDE}x{MAX_SIDE}"
            ));
        }
        if !(1..=MAX_FRAME_RATE).contains(&frame_rate) {
            return unusable(format!(
                "{frame_rate} pictures per second is not from 1 to {MAX_FRAME_RATE}"
            ));
        }
        Ok(source)
    }

    /// The source that comes nearest to what is asked for.
    pub fn nearest(resolution: Resolution, frame_rate: u32) -> Self {
        let side = |side: u32, least: u32| side.clamp(least, MAX_SIDE);
        let resolution = Resolution::new(
            side(resolution.width, LEAST.width),
            side(resolution.height, LEAST.height),
        );
        let pace = Pace::new(frame_rate.clamp(1, MAX_FRAME_RATE), Duration::from_secs(1));
        Self {
            resolution,
            pace,
            pool: PicturePool::default(),
            number: 0,
        }
    }
}

impl VideoSource for PatternSource {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        if !wait_until_due(&mut self.pace, timeout) {
            return Ok(None);
        }
        self.pace.advance();
        let captured_at = Instant::now();
        let mark = PatternMark {
            number: self.number,
            wall_ms: wall_ms_now(),
        };
        self.number = self.number.wrapping_add(1);
        let picture = self.pool.draw(self.resolution, |picture| draw(mark, picture));
        Ok(Some(VideoFrame { picture, captured_at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::scale::scaled;
    use proptest::prelude::*;

    const SIZES: [Resolution; 7] = [
        LEAST,
        Resolution::new(160, 90),
        Resolution::new(161, 91),
        Resolution::new(320, 240),
        Resolution::new(640, 360),
        Resolution::new(1280, 720),
        Resolution::new(1920, 1080),
    ];

    fn drawn(mark: PatternMark, size: Resolution) -> I420 {
        let mut picture = I420::black(size);
        draw(mark, &mut picture);
        picture
    }

    #[test]
    fn what_is_drawn_is_read_at_every_size() {
        for size in SIZES {
            for number in [0, 1, 0x00ff_ff00, u32::MAX] {
                let mark = PatternMark {
                    number,
                    wall_ms: 1_795_000_000_123,
                };
                assert_eq!(read(&drawn(mark, size)), Some(mark), "{size}");
            }
        }
    }

    #[test]
    fn a_quarter_of_the_size_is_still_read() {
        let mark = PatternMark {
            number: 77_777,
            wall_ms: 1_795_000_000_123,
        };
        for size in SIZES.into_iter().skip(1) {
            let small = Resolution::new(size.width / 4, size.height / 4);
            assert_eq!(
                read(&scaled(&drawn(mark, size), small)),
                Some(mark),
                "{size} to {small}"
            );
        }
    }

    #[test]
    fn pictures_without_a_pattern_are_not_read() {
        for value in [0, 16, 128, 255] {
            let mut picture = I420::black(Resolution::new(160, 90));
            picture.as_bytes_mut().fill(value);
            assert_eq!(read(&picture), None);
        }
        assert_eq!(read(&I420::black(Resolution::new(2, 2))), None);
    }

    #[test]
    fn every_picture_differs_from_the_last_over_its_whole_width() {
        let size = Resolution::new(320, 180);
        let last_row = |number| {
            let picture = drawn(PatternMark { number, wall_ms: 0 }, size);
            picture.planes().0[179 * 320..].to_vec()
        };
        let (one, next) = (last_row(8), last_row(11));
        let changed = one.iter().zip(&next).filter(|(one, next)| one != next).count();
        assert!(changed > 300, "{changed} of 320");
    }

    #[test]
    fn the_source_numbers_its_pictures_and_keeps_its_rate() {
        let mut source = PatternSource::new(Resolution::new(160, 90), 100).expect("usable");
        let begun = Instant::now();
        for number in 0..21 {
            let frame = source
                .next_frame(Duration::from_secs(5))
                .expect("works")
                .expect("in time");
            assert_eq!(read(&frame.picture).map(|mark| mark.number), Some(number));
        }
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(199),
            "{took:?} for 20 intervals of 10 ms"
        );
        let early = source.next_frame(Duration::ZERO).expect("works");
        assert!(early.is_none() || took > Duration::from_millis(210));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_by_name() {
        let error = PatternSource::new(Resolution::new(20, 20), 30)
            .map(|_| ())
            .expect_err("too small");
        assert_eq!(
            error.to_string(),
            "the camera cannot be used: pattern: 20x20 is not from 48x36 to 16383x16383"
        );
        assert!(PatternSource::new(Resolution::new(640, 360), 0).is_err());
    }

    proptest! {
        #[test]
        fn any_mark_is_read_back(number: u32, wall_ms in 0..1_u64 << 48) {
            let mark = PatternMark { number, wall_ms };
            prop_assert_eq!(read(&drawn(mark, LEAST)), Some(mark));
        }
    }
}
