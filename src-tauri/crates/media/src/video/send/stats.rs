//! Counts of one sent video stream under their W3C names: pure, told the time.

use crate::codec::PictureCodec;
use crate::units::{Bitrate, Resolution};
use crate::video::freeze::SlidingRate;
use std::time::{Duration, Instant};

/// Why less is sent than the camera gives (webrtc-stats, `RTCQualityLimitationReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QualityLimitationReason {
    #[default]
    None,
    Cpu,
    Bandwidth,
}

impl QualityLimitationReason {
    /// The W3C text.
    pub fn as_str(self) -> &'static str {
        match self {
            QualityLimitationReason::None => "none",
            QualityLimitationReason::Cpu => "cpu",
            QualityLimitationReason::Bandwidth => "bandwidth",
        }
    }
}

/// Running totals and rates; names as in webrtc-stats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VideoSendStats {
    /// Of the last encoded picture; `None` before the first.
    pub codec: Option<PictureCodec>,
    /// What encoded it.
    pub encoder_implementation: Option<&'static str>,
    pub frames_encoded: u64,
    pub key_frames_encoded: u64,
    /// Of the last encoded picture, pixels; 0 before the first.
    pub frame_width: u32,
    pub frame_height: u32,
    /// Encoded in the last second.
    pub frames_per_second: f64,
    /// Bytes of encoded frames that were handed on.
    pub bytes_sent: u64,
    /// Of encoded frames, in the last second.
    pub bitrate: Bitrate,
    pub target_bitrate: Bitrate,
    pub total_encode_time: Duration,
    pub quality_limitation_reason: QualityLimitationReason,
    /// Changes of size for such a reason, the camera's own not counted.
    pub quality_limitation_resolution_changes: u64,
    /// Pictures that were replaced by newer ones before the encoder was free.
    pub frames_overwritten: u64,
    /// Pictures dropped before encoding because the peer connection's queue was full.
    pub frames_dropped_by_queue: u64,
    /// Pictures that the encoder left out to keep the bitrate.
    pub frames_dropped_by_encoder: u64,
    /// Encoded frames that were not taken.
    pub frames_refused: u64,
    pub encode_failures: u64,
}

/// One encoded picture, for counting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoded {
    pub(super) codec: PictureCodec,
    pub(super) implementation: &'static str,
    pub(super) sent: Resolution,
    pub(super) bytes: usize,
    pub(super) keyframe: bool,
    /// Size of the picture before it was scaled.
    pub(super) camera: Resolution,
    /// Why it is not more.
    pub(super) limitation: QualityLimitationReason,
}

/// Collects on `video-tx`, read by anybody.
#[derive(Debug, Default)]
pub(super) struct StatsKeeper {
    pub(super) totals: VideoSendStats,
    frames: SlidingRate,
    bytes: SlidingRate,
    /// Sizes of the last picture, of the camera and as sent.
    last: Option<(Resolution, Resolution)>,
}

impl StatsKeeper {
    pub(super) fn handle_encoding_time(&mut self, took: Duration) {
        self.totals.total_encode_time += took;
    }

    pub(super) fn handle_encoded(&mut self, now: Instant, encoded: Encoded) {
        self.frames.add(now, 1);
        self.bytes.add(now, encoded.bytes as u64);
        let totals = &mut self.totals;
        totals.codec = Some(encoded.codec);
        totals.encoder_implementation = Some(encoded.implementation);
        totals.frames_encoded += 1;
        totals.key_frames_encoded += u64::from(encoded.keyframe);
        totals.bytes_sent += encoded.bytes as u64;
        let before = self.last.replace((encoded.camera, encoded.sent));
        if before.is_some_and(|(camera, sent)| camera == encoded.camera && sent != encoded.sent) {
            totals.quality_limitation_resolution_changes += 1;
        }
        (totals.frame_width, totals.frame_height) = (encoded.sent.width, encoded.sent.height);
        totals.quality_limitation_reason = encoded.limitation;
    }

    pub(super) fn snapshot(
        &mut self,
        now: Instant,
        target: Bitrate,
        frames_overwritten: u64,
    ) -> VideoSendStats {
        VideoSendStats {
            frames_overwritten,
            target_bitrate: target,
            frames_per_second: self.frames.per_second(now),
            bitrate: Bitrate::from_bps((self.bytes.per_second(now) * 8.0) as u64),
            ..self.totals.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_size_are_counted() {
        let (mut keeper, now) = (StatsKeeper::default(), Instant::now());
        for width in [1280, 1280, 640, 640, 1280] {
            let encoded = Encoded {
                codec: PictureCodec::Vp8,
                implementation: "none",
                camera: Resolution::new(1280, 720),
                sent: Resolution::new(width, width * 9 / 16),
                bytes: 1,
                keyframe: false,
                limitation: QualityLimitationReason::Bandwidth,
            };
            keeper.handle_encoded(now, encoded);
        }
        assert_eq!(keeper.totals.quality_limitation_resolution_changes, 2);
    }
}
