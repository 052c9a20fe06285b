//! Counts of one received video stream under their W3C names: pure, told the time.

use crate::codec::PictureCodec;
use crate::units::{Bitrate, Resolution};
use crate::video::assembly::{AssembledFrame, AssemblyCounts};
use crate::video::freeze::{FreezeCounter, SlidingRate};
use std::time::{Duration, Instant};

/// Running totals and rates; names as in webrtc-stats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VideoReceiveStats {
    /// Of the last picture; `None` before the first.
    pub codec: Option<PictureCodec>,
    pub packets_received: u64,
    pub packets_lost: u64,
    /// Packets dropped because the pipeline was too slow for them.
    pub packets_discarded: u64,
    /// Bytes of RTP payload.
    pub bytes_received: u64,
    /// Whole frames.
    pub frames_received: u64,
    pub frames_decoded: u64,
    /// Frames that came, at least in part, and were not decoded.
    pub frames_dropped: u64,
    pub key_frames_decoded: u64,
    /// Of the last picture, pixels; 0 before the first.
    pub frame_width: u32,
    pub frame_height: u32,
    /// Decoded in the last second.
    pub frames_per_second: f64,
    pub freeze_count: u64,
    pub total_freezes_duration: Duration,
    /// Sum over all frames of the time from their first packet to their decoding.
    pub jitter_buffer_delay: Duration,
    pub jitter_buffer_emitted_count: u64,
    pub total_decode_time: Duration,
    /// Requests for a keyframe made to the sender.
    pub keyframe_requests: u64,
    /// Of RTP payload, in the last second.
    pub bitrate: Bitrate,
}

/// Collects on `video-rx`, read by anybody.
#[derive(Debug, Default)]
pub(super) struct StatsKeeper {
    totals: VideoReceiveStats,
    frames: SlidingRate,
    bytes: SlidingRate,
    freezes: FreezeCounter,
    decode_failures: u64,
    /// When the sender said that it pauses.
    paused_at: Option<Instant>,
}

/// After the word that pictures pause, the last of them may still be under way or wait for their sound.
const STRAGGLERS: Duration = Duration::from_secs(1);

impl StatsKeeper {
    pub(super) fn handle_packet(&mut self, arrived_at: Instant, bytes: usize) {
        self.totals.bytes_received += bytes as u64;
        self.bytes.add(arrived_at, bytes as u64);
    }

    pub(super) fn handle_decoded(
        &mut self,
        now: Instant,
        frame: &AssembledFrame,
        codec: PictureCodec,
        size: Resolution,
        decoding: Duration,
    ) {
        let totals = &mut self.totals;
        totals.codec = Some(codec);
        totals.frames_decoded += 1;
        totals.key_frames_decoded += u64::from(frame.keyframe);
        (totals.frame_width, totals.frame_height) = (size.width, size.height);
        let waited = now
            .saturating_duration_since(frame.first_arrived_at)
            .saturating_sub(decoding);
        totals.jitter_buffer_delay += waited;
        totals.jitter_buffer_emitted_count += 1;
        totals.total_decode_time += decoding;
        self.frames.add(now, 1);
    }

    pub(super) fn handle_shown(&mut self, now: Instant) {
        self.freezes.handle_shown(now);
        let paused = self.paused_at;
        if paused.is_some_and(|at| now.saturating_duration_since(at) < STRAGGLERS) {
            self.freezes.handle_pause();
        }
    }

    pub(super) fn handle_decode_failure(&mut self) {
        self.decode_failures += 1;
    }

    pub(super) fn handle_keyframe_request(&mut self) {
        self.totals.keyframe_requests += 1;
    }

    pub(super) fn handle_pause(&mut self, now: Instant) {
        self.paused_at = Some(now);
        self.freezes.handle_pause();
    }

    pub(super) fn set_assembly(&mut self, counts: AssemblyCounts) {
        self.totals.packets_received = counts.packets_received;
        self.totals.packets_lost = counts.packets_lost;
        self.totals.frames_received = counts.frames_assembled;
        self.totals.frames_dropped = counts.frames_dropped;
    }

    pub(super) fn snapshot(&mut self, now: Instant, packets_discarded: u64) -> VideoReceiveStats {
        VideoReceiveStats {
            packets_discarded,
            frames_dropped: self.totals.frames_dropped + self.decode_failures,
            frames_per_second: self.frames.per_second(now),
            bitrate: Bitrate::from_bps((self.bytes.per_second(now) * 8.0) as u64),
            freeze_count: self.freezes.count(),
            total_freezes_duration: self.freezes.total(),
            ..self.totals.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::RtpTime;
    use bytes::Bytes;

    #[test]
    fn a_second_of_pictures_is_counted_under_the_virtual_clock() {
        let start = Instant::now();
        let mut keeper = StatsKeeper::default();
        for number in 0..60_u64 {
            let arrived = start + Duration::from_micros(number * 33_333);
            let shown = arrived + Duration::from_millis(12);
            keeper.handle_packet(arrived, 1000);
            let frame = AssembledFrame {
                payload: Bytes::new(),
                keyframe: number == 0,
                rtp_time: RtpTime::new(0),
                rotation: None,
                first_arrived_at: arrived,
            };
            let (size, decoding) = (Resolution::new(640, 360), Duration::from_millis(2));
            keeper.handle_decoded(shown, &frame, PictureCodec::Vp8, size, decoding);
            keeper.handle_shown(shown);
        }
        let stats = keeper.snapshot(start + Duration::from_secs(2), 3);
        assert_eq!((stats.frames_decoded, stats.key_frames_decoded), (60, 1));
        assert_eq!((stats.frame_width, stats.frame_height), (640, 360));
        assert!(
            (29.0..=31.0).contains(&stats.frames_per_second),
            "{}",
            stats.frames_per_second
        );
        assert!(
            (232_000..=248_000).contains(&stats.bitrate.as_bps()),
            "{}",
            stats.bitrate
        );
        assert_eq!(stats.jitter_buffer_delay, Duration::from_millis(60 * 10));
        assert_eq!(stats.total_decode_time, Duration::from_millis(60 * 2));
        assert_eq!((stats.freeze_count, stats.packets_discarded), (0, 3));
    }

    #[test]
    fn pictures_that_waited_when_the_sender_paused_begin_no_freeze() {
        let start = Instant::now();
        let mut keeper = StatsKeeper::default();
        for number in 0..30 {
            keeper.handle_shown(start + Duration::from_millis(33) * number);
        }
        let paused = start + Duration::from_millis(980);
        keeper.handle_pause(paused);
        keeper.handle_shown(paused + Duration::from_millis(60));
        keeper.handle_shown(paused + Duration::from_secs(60));
        assert_eq!(keeper.snapshot(paused, 0).freeze_count, 0);
        keeper.handle_shown(paused + Duration::from_secs(62));
        assert_eq!(keeper.snapshot(paused, 0).freeze_count, 1);
    }
}
