//! The words of the picture feed: what a page asks, and the head of what it gets. Pure.

use ahoy_media::units::Resolution;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Longest text message of a page, bytes: both messages have less than 150.
pub const MAX_TEXT: usize = 512;

/// Largest side of a tile, pixels: twice the largest picture that is sent, for screens with two dots per pixel.
const MAX_SIDE: u32 = 3840;

/// Which picture a connection shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    Remote,
    Local,
}

/// The first message of a connection.
#[derive(Deserialize)]
pub struct Hello {
    pub token: String,
    pub view: View,
}

/// Each further message: one picture for a tile of this size in device pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct TileSize {
    width: u32,
    height: u32,
}

impl TileSize {
    /// `None` when nothing could be drawn in it.
    pub fn parse(text: &str) -> Option<Self> {
        let size: Self = serde_json::from_str(text).ok()?;
        let drawable = |side| (1..=MAX_SIDE).contains(&side);
        (drawable(size.width) && drawable(size.height)).then_some(size)
    }

    /// The largest size with the shape of `picture` that fits in the tile and does not exceed the picture.
    pub fn fit(self, picture: Resolution) -> Resolution {
        let (tile_w, tile_h) = (u64::from(self.width), u64::from(self.height));
        let (w, h) = (u64::from(picture.width.max(1)), u64::from(picture.height.max(1)));
        if w <= tile_w && h <= tile_h {
            return picture;
        }
        // Compared by cross products: no rounding decides which side is the tight one.
        let (fit_w, fit_h) = if w * tile_h >= h * tile_w {
            (tile_w, (h * tile_w / w).max(1))
        } else {
            ((w * tile_h / h).max(1), tile_h)
        };
        let side = |pixels| u32::try_from(pixels).expect("a fitted side is not above the tile's");
        Resolution {
            width: side(fit_w),
            height: side(fit_h),
        }
    }
}

/// Bytes of the head before the planes.
pub const HEAD: usize = 24;

/// `AHOY` as little-endian bytes.
const MAGIC: u32 = 0x594f_4841;

/// The head of one picture: magic, width, height, number, and when it was taken (Unix microseconds); little endian.
pub fn head(size: Resolution, sequence: u64, captured: SystemTime) -> [u8; HEAD] {
    let unix = captured
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    head[4..8].copy_from_slice(&size.width.to_le_bytes());
    head[8..12].copy_from_slice(&size.height.to_le_bytes());
    // The number wraps after 2^32 pictures; the page only looks for a difference.
    head[12..16].copy_from_slice(&(sequence as u32).to_le_bytes());
    head[16..24].copy_from_slice(&(unix.as_micros() as u64).to_le_bytes());
    head
}

/// Compares without telling by its duration how much is right.
pub fn same_token(given: &str, wanted: &str) -> bool {
    let difference = given
        .bytes()
        .zip(wanted.bytes())
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    given.len() == wanted.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolution(width: u32, height: u32) -> Resolution {
        Resolution { width, height }
    }

    fn tile(width: u32, height: u32) -> TileSize {
        TileSize { width, height }
    }

    #[test]
    fn a_picture_keeps_its_shape_and_never_grows() {
        assert_eq!(tile(640, 640).fit(resolution(1280, 720)), resolution(640, 360));
        assert_eq!(tile(1000, 300).fit(resolution(1280, 720)), resolution(533, 300));
        assert_eq!(tile(3000, 2000).fit(resolution(1280, 720)), resolution(1280, 720));
        assert_eq!(tile(1, 1).fit(resolution(1280, 720)), resolution(1, 1));
    }

    #[test]
    fn sizes_that_cannot_be_drawn_are_no_requests() {
        assert_eq!(
            TileSize::parse(r#"{"width":640,"height":360}"#),
            Some(tile(640, 360))
        );
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"width":0,"height":1}"#,
            r#"{"width":-1,"height":1}"#,
            r#"{"width":1e9,"height":1}"#,
        ] {
            assert_eq!(TileSize::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_head_is_little_endian_and_24_bytes_long() {
        let captured = SystemTime::UNIX_EPOCH + Duration::from_micros(0x0102_0304_0506);
        let head = head(resolution(640, 360), 7, captured);
        assert_eq!(&head[0..4], b"AHOY");
        assert_eq!(&head[4..16], &[0x80, 2, 0, 0, 0x68, 1, 0, 0, 7, 0, 0, 0]);
        assert_eq!(&head[16..24], &[6, 5, 4, 3, 2, 1, 0, 0]);
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(same_token("abcd", "abcd"));
        for wrong in ["", "abc", "abcde", "abce"] {
            assert!(!same_token(wrong, "abcd"), "{wrong}");
        }
    }
}
