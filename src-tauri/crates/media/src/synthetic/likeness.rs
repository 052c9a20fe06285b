//! How much a received picture is like the pattern that was drawn, as PSNR and SSIM of its brightness. Pure.

use super::pattern::{self, PatternMark};
use crate::units::Resolution;
use crate::video::I420;
use crate::video::scale::{Region, Scaler};
use std::time::{Duration, Instant};

/// Between two compared pictures: two a second cost about a hundredth of a core at 1280x720.
const EVERY: Duration = Duration::from_millis(500);

/// Of pictures that are the same; noise of one step in one pixel of 1280x720 has more.
const SAME_DB: f64 = 100.0;

/// Side of the windows of SSIM, pixels; they do not overlap.
const WINDOW: usize = 8;

/// What two pictures have in common.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Likeness {
    /// Peak signal-to-noise ratio, dB.
    pub psnr_db: f64,
    /// Structural similarity, at most 1 (Wang, Bovik, Sheikh, Simoncelli, 2004).
    pub ssim: f64,
}

impl Likeness {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            psnr_db: self.psnr_db + other.psnr_db,
            ssim: self.ssim + other.ssim,
        }
    }

    pub(super) fn over(self, count: u32) -> Self {
        Self {
            psnr_db: self.psnr_db / f64::from(count),
            ssim: self.ssim / f64::from(count),
        }
    }
}

/// Draws what a picture should show and compares, now and then, at the size in which it was drawn: a smaller one is
/// brought to it first, as a screen does.
#[derive(Debug)]
pub(super) struct PatternComparison {
    drawn: I420,
    brought: I420,
    scaler: Scaler,
    last: Option<Instant>,
}

impl PatternComparison {
    pub(super) fn new(pattern: Resolution) -> Self {
        Self {
            drawn: I420::black(pattern),
            brought: I420::black(pattern),
            scaler: Scaler::default(),
            last: None,
        }
    }

    /// `None` when the last comparison was a moment ago.
    pub(super) fn compare(&mut self, now: Instant, mark: PatternMark, picture: &I420) -> Option<Likeness> {
        if self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < EVERY)
        {
            return None;
        }
        self.last = Some(now);
        pattern::draw(mark, &mut self.drawn);
        let size = picture.resolution();
        if size == self.drawn.resolution() {
            return Some(likeness(&self.drawn, picture));
        }
        self.scaler.scale(picture, Region::whole(size), &mut self.brought);
        Some(likeness(&self.drawn, &self.brought))
    }
}

/// Of two pictures of one size.
fn likeness(one: &I420, other: &I420) -> Likeness {
    let width = one.resolution().width as usize;
    let (one, other) = (one.planes().0, other.planes().0);
    Likeness {
        psnr_db: psnr_db(one, other),
        ssim: ssim(one, other, width),
    }
}

fn psnr_db(one: &[u8], other: &[u8]) -> f64 {
    let squares: u64 = one
        .iter()
        .zip(other)
        .map(|(one, other)| u64::from(one.abs_diff(*other)).pow(2))
        .sum();
    if squares == 0 {
        return SAME_DB;
    }
    let mean = squares as f64 / one.len().max(1) as f64;
    10.0 * (255.0_f64.powi(2) / mean).log10()
}

/// The mean over whole windows.
fn ssim(one: &[u8], other: &[u8], width: usize) -> f64 {
    let (mut sum, mut windows) = (0.0, 0_u32);
    let bands = one
        .chunks_exact(width * WINDOW)
        .zip(other.chunks_exact(width * WINDOW));
    for (one, other) in bands {
        for left in (0..width / WINDOW).map(|window| window * WINDOW) {
            sum += window_ssim(one, other, width, left);
            windows += 1;
        }
    }
    sum / f64::from(windows.max(1))
}

fn window_ssim(one: &[u8], other: &[u8], width: usize, left: usize) -> f64 {
    const PIXELS: f64 = (WINDOW * WINDOW) as f64;
    /// (0.01 x 255)^2 and (0.03 x 255)^2, as the paper has them.
    const C1: f64 = 6.5025;
    const C2: f64 = 58.5225;
    let (mut a, mut b, mut aa, mut bb, mut ab) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for row in 0..WINDOW {
        let at = row * width + left;
        for (x, y) in one[at..at + WINDOW].iter().zip(&other[at..at + WINDOW]) {
            let (x, y) = (u32::from(*x), u32::from(*y));
            a += x;
            b += y;
            aa += x * x;
            bb += y * y;
            ab += x * y;
        }
    }
    let mean = |sum: u32| f64::from(sum) / PIXELS;
    let (a, b) = (mean(a), mean(b));
    let (var_a, var_b, covariance) = (mean(aa) - a * a, mean(bb) - b * b, mean(ab) - a * b);
    (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (var_a + var_b + C2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::scale::scaled;

    const SIZE: Resolution = Resolution::new(320, 180);
    const MARK: PatternMark = PatternMark {
        number: 77,
        wall_ms: 1_795_000_000_123,
    };

    fn drawn(mark: PatternMark, size: Resolution) -> I420 {
        let mut picture = I420::black(size);
        pattern::draw(mark, &mut picture);
        picture
    }

    fn compared(picture: &I420) -> Likeness {
        PatternComparison::new(SIZE)
            .compare(Instant::now(), MARK, picture)
            .expect("the first is compared")
    }

    #[test]
    fn the_same_picture_is_alike_and_another_is_not() {
        let same = compared(&drawn(MARK, SIZE));
        assert_eq!(
            same,
            Likeness {
                psnr_db: SAME_DB,
                ssim: 1.0
            }
        );
        let black = compared(&I420::black(SIZE));
        assert!(black.psnr_db < 10.0 && black.ssim < 0.5, "{black:?}");
    }

    #[test]
    fn two_greys_have_the_likeness_that_arithmetic_gives() {
        let mut grey = I420::black(SIZE);
        grey.as_bytes_mut().fill(32);
        let Likeness { psnr_db, ssim } = likeness(&grey, &I420::black(SIZE));
        // 20 log10(255 / 16), and (2 x 32 x 16 + C1) / (32^2 + 16^2 + C1).
        assert!((psnr_db - 24.0485).abs() < 0.001, "{psnr_db}");
        assert!((ssim - 0.80101).abs() < 0.0001, "{ssim}");
    }

    #[test]
    fn noise_has_the_ratio_that_arithmetic_gives() {
        let mut noisy = drawn(MARK, SIZE);
        let luma = SIZE.pixels() as usize;
        for (at, sample) in noisy.as_bytes_mut()[..luma].iter_mut().enumerate() {
            *sample = if at % 2 == 0 { *sample + 5 } else { *sample - 5 };
        }
        let noisy = compared(&noisy);
        // 20 log10(255 / 5).
        assert!((noisy.psnr_db - 34.151).abs() < 0.001, "{noisy:?}");
        assert!(noisy.ssim < 0.9, "{noisy:?}");
    }

    #[test]
    fn a_smaller_picture_is_compared_at_the_size_of_the_pattern() {
        let half = compared(&scaled(&drawn(MARK, SIZE), Resolution::new(160, 90)));
        let quarter = compared(&scaled(&drawn(MARK, SIZE), Resolution::new(80, 44)));
        assert!(
            half.psnr_db > quarter.psnr_db && half.ssim > quarter.ssim,
            "{half:?} {quarter:?}"
        );
        assert!((15.0..50.0).contains(&half.psnr_db), "{half:?}");
    }

    #[test]
    fn two_pictures_a_second_are_compared() {
        let mut comparison = PatternComparison::new(SIZE);
        let (start, picture) = (Instant::now(), drawn(MARK, SIZE));
        let compared = (0..60_u32)
            .filter(|at| {
                let now = start + Duration::from_millis(33) * *at;
                comparison.compare(now, MARK, &picture).is_some()
            })
            .count();
        assert_eq!(compared, 4);
    }
}
