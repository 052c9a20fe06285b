//! Camera buffers to I420.

use ahoy_media::device::{DeviceError, DeviceKind};
use ahoy_media::units::Resolution;
use ahoy_media::video::convert::{ConvertError, PixelFormat, to_i420};
use ahoy_media::video::{I420, PicturePool};
use nokhwa::utils::{CameraFormat, FrameFormat};
use std::sync::Arc;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Pixels of the largest picture that is taken: 3840x2160, the most that a video call shows.
const MOST_PIXELS: u64 = 3840 * 2160;

/// Converts the pictures of one camera in one format.
pub(super) struct Converter {
    resolution: Resolution,
    layout: Layout,
    /// Decoded JPEG, three bytes a pixel; kept between pictures.
    rgb: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Raw(PixelFormat),
    Jpeg,
}

/// A picture cannot be made I420.
#[derive(Debug, thiserror::Error)]
pub(super) enum PictureError {
    #[error(transparent)]
    Raw(#[from] ConvertError),
    #[error("a JPEG picture cannot be decoded: {0}")]
    Jpeg(String),
    #[error("a JPEG picture is {got} and not {wanted}")]
    Size { got: Resolution, wanted: Resolution },
}

impl Converter {
    pub(super) fn new(format: CameraFormat) -> Result<Self, DeviceError> {
        let resolution = Resolution::new(format.width(), format.height());
        if resolution.pixels() == 0 || resolution.pixels() > MOST_PIXELS {
            let why = format!("its picture is {resolution}");
            return Err(DeviceError::Unusable {
                kind: DeviceKind::Camera,
                why,
            });
        }
        let layout = match format.format() {
            FrameFormat::MJPEG => Layout::Jpeg,
            FrameFormat::YUYV => Layout::Raw(PixelFormat::Yuyv),
            FrameFormat::NV12 => Layout::Raw(PixelFormat::Nv12),
            FrameFormat::GRAY => Layout::Raw(PixelFormat::Grey),
            FrameFormat::RAWRGB => Layout::Raw(PixelFormat::Rgb),
            FrameFormat::RAWBGR => Layout::Raw(PixelFormat::Bgr),
        };
        Ok(Self {
            resolution,
            layout,
            rgb: Vec::new(),
        })
    }

    pub(super) fn convert(
        &mut self,
        bytes: &[u8],
        pool: &mut PicturePool,
    ) -> Result<Arc<I420>, PictureError> {
        match self.layout {
            Layout::Raw(format) => {
                Ok(pool.try_draw(self.resolution, |picture| to_i420(format, bytes, picture))?)
            }
            Layout::Jpeg => {
                self.decode_jpeg(bytes)?;
                let rgb = &self.rgb;
                Ok(pool.try_draw(self.resolution, |picture| to_i420(PixelFormat::Rgb, rgb, picture))?)
            }
        }
    }

    fn decode_jpeg(&mut self, bytes: &[u8]) -> Result<(), PictureError> {
        let failed = |error: &dyn std::fmt::Debug| PictureError::Jpeg(format!("{error:?}"));
        let options = DecoderOptions::default()
            .jpeg_set_out_colorspace(ColorSpace::RGB)
            .set_max_width(self.resolution.width as usize)
            .set_max_height(self.resolution.height as usize);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|error| failed(&error))?;
        let got = decoder.info().map_or(Resolution::new(0, 0), |info| {
            Resolution::new(u32::from(info.width), u32::from(info.height))
        });
        if got != self.resolution {
            return Err(PictureError::Size {
                got,
                wanted: self.resolution,
            });
        }
        self.rgb
            .resize(decoder.output_buffer_size().unwrap_or_default(), 0);
        decoder.decode_into(&mut self.rgb).map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(layout: FrameFormat) -> Converter {
        Converter::new(CameraFormat::new_from(16, 8, layout, 30)).unwrap()
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        let mut pool = PicturePool::default();
        for length in [0, 1, 100, 5000] {
            let garbage: Vec<u8> = (0..length).map(|byte: u32| (byte * 7) as u8).collect();
            assert!(
                converter(FrameFormat::MJPEG)
                    .convert(&garbage, &mut pool)
                    .is_err()
            );
        }
        assert!(converter(FrameFormat::YUYV).convert(&[0; 10], &mut pool).is_err());
    }

    #[test]
    fn raw_pictures_keep_their_brightness() {
        let mut pool = PicturePool::default();
        let yuyv = [100, 128].repeat(16 * 8);
        let picture = converter(FrameFormat::YUYV).convert(&yuyv, &mut pool).unwrap();
        let (y, u, v) = picture.planes();
        assert!(y.iter().all(|y| *y == 100) && u.iter().chain(v).all(|c| *c == 128));
    }

    /// A grey JPEG of 16x8 (ITU-T T.81): brightness 60 in the left half, 200 in the right.
    fn two_halves() -> Vec<u8> {
        // Start of image; one quantization table whose 64 entries are 8, so a coefficient of 1 is one step of brightness.
        let head = [0xff, 0xd8, 0xff, 0xdb, 0x00, 0x43, 0x00];
        let quantization = [8; 64];
        // Frame header, both Huffman tables, one scan with two blocks of a mean value each.
        #[rustfmt::skip]
        let rest = [0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x08, 0x00, 0x10, 0x01, 0x01, 0x11, 0x00, 0xff, 0xc4, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0x77, 0x68, 0x8c, 0x7f, 0xff, 0xd9];
        [&head[..], &quantization, &rest].concat()
    }

    #[test]
    fn jpeg_pictures_become_limited_range() {
        let mut pool = PicturePool::default();
        let picture = converter(FrameFormat::MJPEG)
            .convert(&two_halves(), &mut pool)
            .unwrap();
        let (y, u, v) = picture.planes();
        for row in y.chunks_exact(16) {
            // 16 + 60 * 219 / 255 and 16 + 200 * 219 / 255.
            assert!(row[..8].iter().all(|y| y.abs_diff(68) <= 1), "{row:?}");
            assert!(row[8..].iter().all(|y| y.abs_diff(188) <= 1), "{row:?}");
        }
        assert!(u.iter().chain(v).all(|c| c.abs_diff(128) <= 1));
    }

    #[test]
    fn a_jpeg_of_another_size_is_refused() {
        let mut other = Converter::new(CameraFormat::new_from(32, 16, FrameFormat::MJPEG, 30)).unwrap();
        let error = other
            .convert(&two_halves(), &mut PicturePool::default())
            .unwrap_err();
        assert!(matches!(error, PictureError::Size { .. }), "{error}");
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (width, height) in [(0, 480), (100_000, 100_000)] {
            assert!(Converter::new(CameraFormat::new_from(width, height, FrameFormat::YUYV, 30)).is_err());
        }
    }
}
