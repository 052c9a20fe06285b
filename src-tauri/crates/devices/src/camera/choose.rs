//! Which of its formats a camera is opened with. Pure.

use ahoy_media::device::VideoRequest;
use nokhwa::utils::{CameraFormat, FrameFormat};

/// What [`super::convert`] takes, the cheapest to convert first.
pub(super) const TAKEN: [FrameFormat; 6] = [
    FrameFormat::NV12,
    FrameFormat::YUYV,
    FrameFormat::MJPEG,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
    FrameFormat::GRAY,
];

/// Chooses the nearest to the request: enough frames per second first, because many cameras do large pictures only
/// slowly, then the size, then the cheapest layout. `None` when nothing can be converted.
pub(super) fn choose(formats: &[CameraFormat], wanted: VideoRequest) -> Option<CameraFormat> {
    formats
        .iter()
        .copied()
        .filter_map(|format| Some((cost(format, wanted)?, format)))
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, format)| format)
}

/// In the order of weight: rates under half of the wanted, missing size, missing rate, surplus size, layout, surplus rate.
type Cost = (bool, u64, u32, u64, usize, u32);

fn cost(format: CameraFormat, wanted: VideoRequest) -> Option<Cost> {
    let layout = TAKEN.iter().position(|taken| *taken == format.format())?;
    let pixels = u64::from(format.width()) * u64::from(format.height());
    let wanted_pixels = wanted.resolution.pixels();
    Some((
        format.frame_rate() * 2 < wanted.frame_rate,
        wanted_pixels.saturating_sub(pixels),
        wanted.frame_rate.saturating_sub(format.frame_rate()),
        pixels.saturating_sub(wanted_pixels),
        layout,
        format.frame_rate().saturating_sub(wanted.frame_rate),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ahoy_media::units::Resolution;

    const HD: VideoRequest = VideoRequest {
        resolution: Resolution::new(1280, 720),
        frame_rate: 30,
    };

    fn format(width: u32, height: u32, layout: FrameFormat, rate: u32) -> CameraFormat {
        CameraFormat::new_from(width, height, layout, rate)
    }

    #[test]
    fn motion_counts_more_than_size_and_size_more_than_layout() {
        let slow_hd = format(1280, 720, FrameFormat::YUYV, 10);
        let fast_hd = format(1280, 720, FrameFormat::MJPEG, 30);
        let fast_vga = format(640, 480, FrameFormat::YUYV, 30);
        assert_eq!(choose(&[slow_hd, fast_vga, fast_hd], HD), Some(fast_hd));
        assert_eq!(choose(&[slow_hd, fast_vga], HD), Some(fast_vga));
        let raw_hd = format(1280, 720, FrameFormat::YUYV, 30);
        assert_eq!(choose(&[fast_hd, raw_hd], HD), Some(raw_hd));
    }

    #[test]
    fn a_larger_picture_is_taken_when_the_wanted_size_is_missing() {
        let full = format(1920, 1080, FrameFormat::MJPEG, 30);
        let four_k = format(3840, 2160, FrameFormat::MJPEG, 30);
        let vga = format(640, 480, FrameFormat::MJPEG, 30);
        assert_eq!(choose(&[four_k, vga, full], HD), Some(full));
    }

    #[test]
    fn a_slow_camera_is_better_than_none() {
        let slow = format(640, 480, FrameFormat::YUYV, 5);
        assert_eq!(choose(&[slow], HD), Some(slow));
        assert_eq!(choose(&[], HD), None);
    }
}
