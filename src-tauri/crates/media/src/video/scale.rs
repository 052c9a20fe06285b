//! Sizes that fit, and pictures brought to them.

use super::frame::I420;
use crate::units::Resolution;

/// A part of a picture, in pixels; edges are even so that colour and brightness stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Region {
    /// The whole of a picture.
    pub fn whole(of: Resolution) -> Self {
        Self {
            x: 0,
            y: 0,
            width: of.width,
            height: of.height,
        }
    }
}

/// The largest size of the same shape as `source` within `limit`; never larger than `source`.
///
/// A size that is changed comes out even in both ways and at least 2x2. A limit that is taller than wide while the source is
/// wider than tall (or the reverse) is turned, so one limit serves both ways of holding a camera.
pub fn fit_within(source: Resolution, limit: Resolution) -> Resolution {
    let turned = (source.width < source.height) != (limit.width < limit.height);
    let limit = if turned {
        Resolution::new(limit.height, limit.width)
    } else {
        limit
    };
    if source.width <= limit.width && source.height <= limit.height {
        return source;
    }
    let (width, height) = (u64::from(source.width), u64::from(source.height));
    let by_width = u64::from(limit.width) * height <= u64::from(limit.height) * width;
    let (to, from) = if by_width {
        (u64::from(limit.width), width)
    } else {
        (u64::from(limit.height), height)
    };
    let even = |side: u64| ((side * to / from.max(1)) as u32 & !1).max(2);
    Resolution::new(even(width), even(height))
}

/// The largest middle part of `source` that has the shape of `aspect`.
pub fn crop_to_aspect(source: Resolution, aspect: Resolution) -> Region {
    let (width, height) = (u64::from(source.width), u64::from(source.height));
    let (across, down) = (u64::from(aspect.width.max(1)), u64::from(aspect.height.max(1)));
    let even = |side: u64| (side as u32 & !1).max(2);
    if width * down > height * across {
        let cut = even(height * across / down).min(source.width);
        return Region {
            x: ((source.width - cut) / 2) & !1,
            y: 0,
            width: cut,
            height: source.height,
        };
    }
    let cut = even(width * down / across).min(source.height);
    Region {
        x: 0,
        y: ((source.height - cut) / 2) & !1,
        width: source.width,
        height: cut,
    }
}

/// Scales a whole picture to a size, into fresh memory. A thread that scales many keeps a [`Scaler`].
pub fn scaled(source: &I420, to: Resolution) -> I420 {
    let mut out = I420::black(to);
    Scaler::default().scale(source, Region::whole(source.resolution()), &mut out);
    out
}

/// Scales pictures; holds the scratch memory for it, so one belongs to each thread.
///
/// Halves by averaging 2x2 as often as that fits, and goes the rest of the way by bilinear interpolation.
#[derive(Debug, Default)]
pub struct Scaler {
    /// The halved plane, and the one before it.
    halved: [Vec<u8>; 2],
    /// One source row, interpolated vertically.
    row: Vec<u8>,
    /// The same row, each sample joined with its right neighbour.
    pairs: Vec<u16>,
    /// The pair for each output sample, and the place and weight it is made with.
    picked: Vec<u16>,
    columns: Vec<usize>,
    weights: Vec<u16>,
}

/// Where an output sample lies: between `low` and its neighbour.
#[derive(Debug, Clone, Copy)]
struct Tap {
    low: usize,
    /// Share of the neighbour, of 256.
    weight: u16,
}

#[derive(Clone, Copy)]
struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Scaler {
    /// Scales a part of `source` onto the whole of `out`.
    ///
    /// The part is cut to what lies inside of the source; an empty one leaves `out` as it is.
    pub fn scale(&mut self, source: &I420, part: Region, out: &mut I420) {
        let size = source.resolution();
        let x = (part.x & !1).min(size.width);
        let y = (part.y & !1).min(size.height);
        let width = part.width.min(size.width - x) as usize;
        let height = part.height.min(size.height - y) as usize;
        if width == 0 || height == 0 || out.resolution().pixels() == 0 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let chroma_stride = source.chroma_width();
        let (out_width, out_height) = (out.resolution().width as usize, out.resolution().height as usize);
        let (out_chroma_width, out_chroma_height) = (out.chroma_width(), out.chroma_height());
        let (luma, blue, red) = source.planes();
        let (out_luma, out_blue, out_red) = out.planes_mut();
        let stride = size.width as usize;
        let from = Plane {
            samples: &luma[y * stride + x..],
            stride,
            width,
            height,
        };
        self.scale_plane(from, out_luma, out_width, out_height);
        for (chroma, out) in [(blue, out_blue), (red, out_red)] {
            let from = Plane {
                samples: &chroma[y / 2 * chroma_stride + x / 2..],
                stride: chroma_stride,
                width: width.div_ceil(2),
                height: height.div_ceil(2),
            };
            self.scale_plane(from, out, out_chroma_width, out_chroma_height);
        }
    }

    fn scale_plane(&mut self, from: Plane<'_>, out: &mut [u8], width: usize, height: usize) {
        let [mut next, mut held] = std::mem::take(&mut self.halved);
        let mut halvings = 0;
        let (mut now_width, mut now_height) = (from.width, from.height);
        // Each pass reads what the pass before has written, the first one the picture itself.
        while now_width >= width * 2 && now_height >= height * 2 {
            let plane = pass_source(from, &held, halvings, now_width, now_height);
            (now_width, now_height) = (now_width / 2, now_height / 2);
            if now_width == width && now_height == height {
                halve(plane, out, width);
                self.halved = [next, held];
                return;
            }
            next.resize(now_width * now_height, 0);
            halve(plane, &mut next, now_width);
            std::mem::swap(&mut next, &mut held);
            halvings += 1;
        }
        self.interpolate(
            pass_source(from, &held, halvings, now_width, now_height),
            out,
            width,
            height,
        );
        self.halved = [next, held];
    }

    fn interpolate(&mut self, from: Plane<'_>, out: &mut [u8], width: usize, height: usize) {
        self.columns.clear();
        self.weights.clear();
        for tap in (0..width).map(|column| tap(column, from.width, width)) {
            self.columns.push(tap.low);
            self.weights.push(tap.weight);
        }
        self.row.resize(from.width, 0);
        self.pairs.resize(from.width, 0);
        for (row, line) in out.chunks_exact_mut(width).take(height).enumerate() {
            let vertical = tap(row, from.height, height);
            let below = (vertical.low + 1).min(from.height - 1);
            let above = &from.samples[vertical.low * from.stride..][..from.width];
            let below = &from.samples[below * from.stride..][..from.width];
            for ((out, above), below) in self.row.iter_mut().zip(above).zip(below) {
                *out = blend(u16::from(*above), u16::from(*below), vertical.weight);
            }
            if from.width == width {
                line.copy_from_slice(&self.row);
                continue;
            }
            self.stretch(line);
        }
    }

    /// Interpolates the row horizontally. In three steps, of which the first and the last work on many samples at once: each
    /// sample is joined with its right neighbour, the joined ones are picked, the two halves are blended.
    fn stretch(&mut self, line: &mut [u8]) {
        if let (Some(pair), Some(last)) = (self.pairs.last_mut(), self.row.last()) {
            *pair = u16::from_le_bytes([*last, *last]);
        }
        let rights = self.row.get(1..).unwrap_or_default();
        for ((pair, left), right) in self.pairs.iter_mut().zip(&self.row).zip(rights) {
            *pair = u16::from_le_bytes([*left, *right]);
        }
        self.picked.clear();
        self.picked
            .extend(self.columns.iter().map(|column| self.pairs[*column]));
        for ((out, pair), weight) in line.iter_mut().zip(&self.picked).zip(&self.weights) {
            *out = blend(pair & 0xff, pair >> 8, *weight);
        }
    }
}

/// Blends two samples of 8 bits; `weight` is the share of `high`, of 256. The sum is at most 255 x 256, so nothing wraps;
/// arithmetic without checks lets the compiler do many at once in development builds, too.
fn blend(low: u16, high: u16, weight: u16) -> u8 {
    let low = low.wrapping_mul(256_u16.wrapping_sub(weight));
    (low.wrapping_add(high.wrapping_mul(weight)) >> 8) as u8
}

fn pass_source<'a>(
    picture: Plane<'a>,
    held: &'a [u8],
    halvings: u32,
    width: usize,
    height: usize,
) -> Plane<'a> {
    match halvings {
        0 => picture,
        _ => Plane {
            samples: held,
            stride: width,
            width,
            height,
        },
    }
}

/// Averages 2x2 samples into one.
fn halve(from: Plane<'_>, out: &mut [u8], width: usize) {
    for (row, line) in out.chunks_exact_mut(width).enumerate().take(from.height / 2) {
        let above = &from.samples[row * 2 * from.stride..][..width * 2];
        let below = &from.samples[(row * 2 + 1) * from.stride..][..width * 2];
        for ((out, above), below) in line
            .iter_mut()
            .zip(above.chunks_exact(2))
            .zip(below.chunks_exact(2))
        {
            // Two neighbours as one number: the compiler adds eight such pairs at once.
            let pair = |pair: &[u8]| {
                let both = u16::from_le_bytes([pair[0], pair[1]]);
                (both & 0xff).wrapping_add(both >> 8)
            };
            *out = (pair(above).wrapping_add(pair(below)).wrapping_add(2) >> 2) as u8;
        }
    }
}

/// Lays the middle of an output sample over the input: (at + 0.5) * from / to - 0.5, in 1/256.
fn tap(at: usize, from: usize, to: usize) -> Tap {
    let middle = ((at * 2 + 1) * from * 128 / to).saturating_sub(128);
    Tap {
        low: (middle >> 8).min(from - 1),
        weight: (middle & 255) as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(size: Resolution) -> I420 {
        let mut picture = I420::black(size);
        let (width, height) = (size.width as usize, size.height as usize);
        let (y, _, _) = picture.planes_mut();
        for (at, value) in y.iter_mut().enumerate() {
            *value = (at % width * 120 / width + at / width * 120 / height) as u8;
        }
        picture
    }

    fn scaled_part(source: &I420, part: Region, to: Resolution) -> I420 {
        let mut out = I420::black(to);
        Scaler::default().scale(source, part, &mut out);
        out
    }

    #[test]
    fn sizes_keep_their_shape_and_never_grow() {
        let fit = |w, h, lw, lh| fit_within(Resolution::new(w, h), Resolution::new(lw, lh));
        assert_eq!(fit(1280, 720, 640, 360), Resolution::new(640, 360));
        assert_eq!(fit(1280, 720, 1920, 1080), Resolution::new(1280, 720));
        assert_eq!(fit(1280, 960, 1280, 720), Resolution::new(960, 720));
        assert_eq!(
            fit(720, 1280, 640, 360),
            Resolution::new(360, 640),
            "a limit is turned with the camera"
        );
        assert_eq!(fit(1281, 3, 320, 180), Resolution::new(320, 2));
        assert_eq!(fit(641, 361, 640, 360), Resolution::new(638, 360));
    }

    #[test]
    fn a_crop_lies_in_the_middle() {
        let crop = crop_to_aspect(Resolution::new(1280, 720), Resolution::new(1, 1));
        assert_eq!(
            crop,
            Region {
                x: 280,
                y: 0,
                width: 720,
                height: 720
            }
        );
        let crop = crop_to_aspect(Resolution::new(640, 480), Resolution::new(16, 9));
        assert_eq!(
            crop,
            Region {
                x: 0,
                y: 60,
                width: 640,
                height: 360
            }
        );
    }

    #[test]
    fn a_gradient_stays_the_same_gradient_at_every_size() {
        let source = gradient(Resolution::new(320, 180));
        for to in [
            (320, 180),
            (160, 90),
            (80, 46),
            (240, 136),
            (100, 50),
            (640, 360),
            (31, 17),
        ] {
            let to = Resolution::new(to.0, to.1);
            let (got, wanted) = (scaled(&source, to), gradient(to));
            let worst = got
                .planes()
                .0
                .iter()
                .zip(wanted.planes().0)
                .map(|(a, b)| a.abs_diff(*b))
                .max();
            // The gradient is drawn from the corner of a pixel and scaled by its middle: half a step apart each way.
            let apart = (60 / to.width + 60 / to.height + 2) as u8;
            assert!(worst <= Some(apart), "{to}: off by {worst:?}");
            assert!(got.planes().1.iter().all(|value| *value == 128), "{to}");
        }
    }

    #[test]
    fn only_the_part_is_shown() {
        let mut source = I420::black(Resolution::new(64, 64));
        let (y, _, _) = source.planes_mut();
        for row in 16..48 {
            y[row * 64 + 16..row * 64 + 48].fill(200);
        }
        let part = Region {
            x: 16,
            y: 16,
            width: 32,
            height: 32,
        };
        let out = scaled_part(&source, part, Resolution::new(24, 24));
        assert!(out.planes().0.iter().all(|value| *value == 200));
    }

    #[test]
    fn a_part_beyond_the_edge_is_cut_and_never_panics() {
        let source = gradient(Resolution::new(33, 17));
        for part in [(0, 0, 99, 99), (32, 16, 5, 5), (40, 40, 5, 5), (2, 2, 0, 9)] {
            let part = Region {
                x: part.0,
                y: part.1,
                width: part.2,
                height: part.3,
            };
            scaled_part(&source, part, Resolution::new(7, 5));
        }
    }
}
