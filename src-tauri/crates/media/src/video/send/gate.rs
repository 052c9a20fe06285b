//! Which pictures are encoded, and which of them as keyframes: pure, told the time.

use std::time::{Duration, Instant};

/// Lets requests for a keyframe through, not too often; a request in between is kept.
#[derive(Debug, Default)]
pub(super) struct KeyframeGate {
    pending: bool,
    last: Option<Instant>,
}

impl KeyframeGate {
    /// Shortest time between two keyframes that were asked for, as in WebRTC's encoder (300 ms).
    pub(super) const INTERVAL: Duration = Duration::from_millis(300);

    pub(super) fn request(&mut self) {
        self.pending = true;
    }

    /// Whether the picture to be encoded is to be a keyframe.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.pending
            && self
                .last
                .is_none_or(|last| now.saturating_duration_since(last) >= Self::INTERVAL)
    }

    /// Takes note of a keyframe, whoever wanted it.
    pub(super) fn handle_keyframe(&mut self, now: Instant) {
        self.pending = false;
        self.last = Some(now);
    }
}

/// Thins pictures out to a frame rate, evenly and without drift.
#[derive(Debug, Default)]
pub(super) struct FrameRateGate {
    next: Option<Instant>,
}

impl FrameRateGate {
    /// Whether a picture taken at this moment is wanted at `frame_rate` pictures per second.
    pub(super) fn accepts(&mut self, captured_at: Instant, frame_rate: u32) -> bool {
        let interval = Duration::from_secs(1) / frame_rate.max(1);
        let Some(next) = self.next else {
            self.next = Some(captured_at + interval);
            return true;
        };
        // Half an interval early is as near as half an interval late, so a camera's jitter costs no picture.
        if captured_at + interval / 2 < next {
            return false;
        }
        let late = captured_at.saturating_duration_since(next) >= interval;
        self.next = Some(if late { captured_at } else { next } + interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn requests_for_keyframes_are_kept_but_rate_limited() {
        let start = Instant::now();
        let mut gate = KeyframeGate::default();
        assert!(!gate.is_due(start));
        gate.request();
        assert!(gate.is_due(start));
        gate.handle_keyframe(start);
        gate.request();
        assert!(!gate.is_due(start + MS * 299));
        assert!(gate.is_due(start + MS * 300));
        gate.handle_keyframe(start + MS * 300);
        assert!(!gate.is_due(start + MS * 9000), "one request is one keyframe");
    }

    fn accepted(camera: u32, limit: u32, jitter: u32) -> usize {
        let start = Instant::now();
        let mut gate = FrameRateGate::default();
        (0..camera * 10)
            .filter(|frame| {
                let wobble = MS * (frame * 7 % (jitter + 1));
                gate.accepts(start + Duration::from_secs(1) * *frame / camera + wobble, limit)
            })
            .count()
    }

    #[test]
    fn the_rate_is_kept_on_average_whatever_the_camera_delivers() {
        for (camera, limit, expected) in [
            (30, 30, 300),
            (30, 15, 150),
            (30, 20, 200),
            (30, 10, 100),
            (60, 30, 300),
        ] {
            let got = accepted(camera, limit, 6);
            assert!(got.abs_diff(expected) <= 2, "{camera} at {limit}: {got}");
        }
        assert_eq!(accepted(15, 30, 6), 150, "a slow camera loses none");
    }

    #[test]
    fn after_a_pause_there_is_no_burst() {
        let start = Instant::now();
        let mut gate = FrameRateGate::default();
        assert!(gate.accepts(start, 10));
        let later = start + Duration::from_secs(60);
        let accepted = (0..30)
            .filter(|frame| gate.accepts(later + MS * 33 * *frame, 10))
            .count();
        assert!((10..=11).contains(&accepted), "{accepted} in 0.96 s");
    }
}
