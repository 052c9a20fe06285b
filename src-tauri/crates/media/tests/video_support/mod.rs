//! Pictures that are hard enough for a codec, and how near two pictures are.

use ahoy_media::units::Resolution;
use ahoy_media::video::{I420, VideoFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A textured picture that moves three pixels a frame, with a little noise, as a camera has.
pub fn textured(size: Resolution, number: usize) -> I420 {
    let mut picture = I420::black(size);
    let (width, chroma_width) = (size.width as usize, picture.chroma_width());
    let (y, u, v) = picture.planes_mut();
    let mut noise = number as u32 + 1;
    for (at, sample) in y.iter_mut().enumerate() {
        let (column, row) = (at % width + number * 3, at / width + number);
        let texture = (column * 5 % 160).min(row * 3 % 140) + (column / 16 * 7 + row / 16 * 13) % 40;
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = (30 + texture as u32 + (noise >> 30)) as u8;
    }
    for (plane, slope) in [(u, 1), (v, 2)] {
        for (at, sample) in plane.iter_mut().enumerate() {
            *sample = (96 + ((at % chroma_width + number) * slope / 4) % 64) as u8;
        }
    }
    picture
}

/// Frames at 30 per second, starting at `start`.
pub fn frame(start: Instant, number: usize, picture: I420) -> VideoFrame {
    let captured_at = start + Duration::from_secs(1) * number as u32 / 30;
    VideoFrame {
        picture: Arc::new(picture),
        captured_at,
    }
}

/// Likeness of brightness in dB.
pub fn psnr(one: &I420, other: &I420) -> f64 {
    assert_eq!(one.resolution(), other.resolution());
    let (one, other) = (one.planes().0, other.planes().0);
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let error = one.iter().zip(other).map(square).sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / error.max(1e-9)).log10()
}
