//! The rungs of the picture and what each of them takes.

use ahoy_media::units::Resolution;

/// One size and frame rate of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    /// How people name it.
    pub(super) name: &'static str,
    /// The box that a picture of any shape is fitted in.
    pub(super) resolution: Resolution,
    /// Pictures per second.
    pub(super) frame_rate: u32,
    /// Kilobits per second of the encoded picture from which on it is worth its size: for VP8 in real time about 0.04 bits
    /// a pixel at the top and more below. Chosen from the test clip, where less looks worse than the rung below.
    pub(super) enter: u64,
    /// Below this it is left; the distance keeps a wavering estimate from changing sizes, each of which is a keyframe.
    pub(super) leave: u64,
}

const fn rung(name: &'static str, width: u32, height: u32, frame_rate: u32, enter: u64, leave: u64) -> Rung {
    Rung {
        name,
        resolution: Resolution { width, height },
        frame_rate,
        enter,
        leave,
    }
}

/// From the top down; below the last there is no picture.
pub(super) const RUNGS: [Rung; 7] = [
    rung("1080p", 1920, 1080, 30, 2500, 2000),
    rung("720p", 1280, 720, 30, 1100, 850),
    rung("540p", 960, 540, 30, 600, 460),
    rung("360p", 640, 360, 30, 300, 230),
    rung("270p", 480, 270, 20, 150, 110),
    rung("180p", 320, 180, 10, 44, 32),
    rung("stills", 320, 180, 1, 20, 12),
];

/// The rung that is no picture at all.
pub(super) const OFF: usize = RUNGS.len();

/// One picture a second.
pub(super) const STILLS: usize = OFF - 1;

/// The lowest whose pictures move.
pub(super) const SMALLEST_MOVING: usize = STILLS - 1;
