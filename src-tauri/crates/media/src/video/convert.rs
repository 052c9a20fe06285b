//! What cameras deliver, made planar YUV 4:2:0 (BT.601, limited range).

use super::frame::I420;
use crate::units::Resolution;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPackedImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

/// How the bytes of a camera picture are laid out; rows follow each other without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Y0 U Y1 V for each two pixels (also called YUY2).
    Yuyv,
    /// A plane of Y, then a plane of U and V in turn at half width and height.
    Nv12,
    /// The planes Y, U, V.
    I420,
    /// Three bytes a pixel: red, green, blue.
    Rgb,
    /// Three bytes a pixel: blue, green, red.
    Bgr,
    /// One byte of brightness a pixel.
    Grey,
}

/// A camera picture does not fit its own description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    #[error("a {format:?} picture of {resolution} has {got} bytes and needs {wanted}")]
    TooShort {
        format: PixelFormat,
        resolution: Resolution,
        got: usize,
        wanted: usize,
    },
    #[error("a {format:?} picture of {resolution} cannot be converted: {why}")]
    Refused {
        format: PixelFormat,
        resolution: Resolution,
        why: String,
    },
}

impl PixelFormat {
    /// Bytes of a whole picture of this size.
    pub fn bytes_of(self, resolution: Resolution) -> usize {
        let (width, height) = (resolution.width as usize, resolution.height as usize);
        match self {
            PixelFormat::Yuyv => width.div_ceil(2) * 4 * height,
            PixelFormat::Nv12 | PixelFormat::I420 => I420::bytes_of(resolution),
            PixelFormat::Rgb | PixelFormat::Bgr => width * 3 * height,
            PixelFormat::Grey => width * height,
        }
    }
}

/// Converts a picture of the size of `out`; bytes beyond the picture are ignored.
pub fn to_i420(format: PixelFormat, bytes: &[u8], out: &mut I420) -> Result<(), ConvertError> {
    let resolution = out.resolution();
    let wanted = format.bytes_of(resolution);
    let Some(bytes) = bytes.get(..wanted) else {
        return Err(ConvertError::TooShort {
            format,
            resolution,
            got: bytes.len(),
            wanted,
        });
    };
    let converted = match format {
        PixelFormat::Yuyv => {
            let packed = YuvPackedImage {
                yuy: bytes,
                yuy_stride: resolution.width.div_ceil(2) * 4,
                width: resolution.width,
                height: resolution.height,
            };
            let converted = yuv::yuyv422_to_yuv420(&mut planar(out), &packed);
            if resolution.height % 2 == 1 {
                last_row_of_yuyv(bytes, out);
            }
            converted
        }
        PixelFormat::Rgb => yuv::rgb_to_yuv420(
            &mut planar(out),
            bytes,
            resolution.width * 3,
            YuvRange::Limited,
            YuvStandardMatrix::Bt601,
            YuvConversionMode::Balanced,
        ),
        PixelFormat::Bgr => yuv::bgr_to_yuv420(
            &mut planar(out),
            bytes,
            resolution.width * 3,
            YuvRange::Limited,
            YuvStandardMatrix::Bt601,
            YuvConversionMode::Balanced,
        ),
        PixelFormat::Nv12 => {
            let (y, u, v) = out.planes_mut();
            let (luma, chroma) = bytes.split_at(y.len());
            y.copy_from_slice(luma);
            for ((pair, u), v) in chroma.chunks_exact(2).zip(u).zip(v) {
                (*u, *v) = (pair[0], pair[1]);
            }
            Ok(())
        }
        PixelFormat::I420 => {
            out.as_bytes_mut().copy_from_slice(bytes);
            Ok(())
        }
        PixelFormat::Grey => {
            let (y, u, v) = out.planes_mut();
            y.copy_from_slice(bytes);
            u.fill(128);
            v.fill(128);
            Ok(())
        }
    };
    converted.map_err(|error| ConvertError::Refused {
        format,
        resolution,
        why: error.to_string(),
    })
}

/// Converts the last row of a picture of odd height, which `yuv` leaves out.
fn last_row_of_yuyv(bytes: &[u8], out: &mut I420) {
    let Resolution { width, height } = out.resolution();
    let (width, chroma_width, last) = (width as usize, out.chroma_width(), height as usize - 1);
    let (y, u, v) = out.planes_mut();
    let chroma = last / 2 * chroma_width;
    for (column, four) in bytes[last * chroma_width * 4..].chunks_exact(4).enumerate() {
        y[last * width + column * 2] = four[0];
        if column * 2 + 1 < width {
            y[last * width + column * 2 + 1] = four[2];
        }
        (u[chroma + column], v[chroma + column]) = (four[1], four[3]);
    }
}

fn planar(out: &mut I420) -> YuvPlanarImageMut<'_, u8> {
    let Resolution { width, height } = out.resolution();
    let chroma = width.div_ceil(2);
    let (y, u, v) = out.planes_mut();
    YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: chroma,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: chroma,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even, odd in one way, odd in both, and wide enough for every vector path.
    const SIZES: [Resolution; 4] = [
        Resolution::new(64, 36),
        Resolution::new(97, 33),
        Resolution::new(5, 3),
        Resolution::new(642, 8),
    ];

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn yuyv_keeps_every_pixel_of_brightness_and_the_colour_of_two_rows() {
        for size in SIZES {
            let bytes = noise(PixelFormat::Yuyv.bytes_of(size));
            let mut out = I420::black(size);
            to_i420(PixelFormat::Yuyv, &bytes, &mut out).expect("converts");
            let (width, stride) = (size.width as usize, size.width.div_ceil(2) as usize * 4);
            let (y, u, _) = out.planes();
            for (row, line) in y.chunks(width).enumerate() {
                for (column, value) in line.iter().enumerate() {
                    assert_eq!(
                        *value,
                        bytes[row * stride + column * 2],
                        "{size} row {row} column {column}"
                    );
                }
            }
            let chroma_width = out.chroma_width();
            for row in 0..out.chroma_height() {
                for column in 0..chroma_width {
                    let at = |row: usize| bytes[row * stride + column * 4 + 1];
                    let (above, below) = (at(row * 2), at((row * 2 + 1).min(size.height as usize - 1)));
                    let got = u[row * chroma_width + column];
                    let range = above.min(below)..=above.max(below);
                    assert!(
                        range.contains(&got),
                        "{size} row {row} column {column}: {got} of {above}, {below}"
                    );
                }
            }
        }
    }

    #[test]
    fn nv12_and_grey_and_i420_keep_their_samples() {
        for size in SIZES {
            let bytes = noise(I420::bytes_of(size));
            let mut out = I420::black(size);
            to_i420(PixelFormat::I420, &bytes, &mut out).expect("converts");
            assert_eq!(out.as_bytes(), bytes);
            to_i420(PixelFormat::Nv12, &bytes, &mut out).expect("converts");
            let luma = size.pixels() as usize;
            let (y, u, v) = out.planes();
            assert_eq!(y, &bytes[..luma]);
            assert!(
                u.iter()
                    .enumerate()
                    .all(|(at, value)| *value == bytes[luma + at * 2])
            );
            assert!(
                v.iter()
                    .enumerate()
                    .all(|(at, value)| *value == bytes[luma + at * 2 + 1])
            );
            to_i420(PixelFormat::Grey, &bytes, &mut out).expect("converts");
            assert_eq!(out.planes().0, &bytes[..luma]);
            assert!(out.planes().1.iter().all(|value| *value == 128));
        }
    }

    #[test]
    fn red_and_blue_are_not_swapped() {
        let size = Resolution::new(34, 6);
        let red: Vec<u8> = [255, 0, 0].repeat(size.pixels() as usize);
        for (format, luma, v_above) in [(PixelFormat::Rgb, 81, true), (PixelFormat::Bgr, 41, false)] {
            let mut out = I420::black(size);
            to_i420(format, &red, &mut out).expect("converts");
            let (y, _, v) = out.planes();
            assert!(
                y.iter().all(|value| value.abs_diff(luma) <= 1),
                "{format:?}: {}",
                y[0]
            );
            assert!(
                v.iter().all(|value| (*value > 200) == v_above),
                "{format:?}: {}",
                v[0]
            );
        }
    }

    #[test]
    fn a_short_picture_is_refused_by_name() {
        let size = Resolution::new(640, 480);
        let error = to_i420(PixelFormat::Yuyv, &[0; 100], &mut I420::black(size)).expect_err("too short");
        assert_eq!(
            error.to_string(),
            "a Yuyv picture of 640x480 has 100 bytes and needs 614400"
        );
    }
}
