//! When a keyframe is asked for: as soon as it is needed, and again until one comes, but not too often.

use std::time::{Duration, Instant};

/// Why a keyframe is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeRequest {
    /// The stream was joined at another frame.
    Start,
    /// Packets were lost and did not come in time.
    Lost,
    /// The decoder refused a frame.
    DecodeFailed,
}

/// Decides when to send a request.
#[derive(Debug)]
pub(super) struct KeyframeAsking {
    wanted: Option<KeyframeRequest>,
    asked_at: Option<Instant>,
    /// A sender that is silent has nothing to make a keyframe of.
    packet_since: bool,
    interval: Duration,
}

impl KeyframeAsking {
    /// Shortest time between two requests; a keyframe takes a round trip and its own sending time (chosen).
    const INTERVAL: Duration = Duration::from_millis(500);

    pub(super) fn set_round_trip(&mut self, rtt: Duration) {
        self.interval = Self::INTERVAL.max(rtt * 3 / 2);
    }

    pub(super) fn want(&mut self, reason: KeyframeRequest) {
        self.wanted.get_or_insert(reason);
    }

    pub(super) fn handle_packet(&mut self) {
        self.packet_since = true;
    }

    pub(super) fn handle_keyframe(&mut self) {
        self.wanted = None;
    }

    /// When the next repetition is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let asked_at = self
            .asked_at
            .filter(|_| self.wanted.is_some() && self.packet_since)?;
        Some(asked_at + self.interval)
    }

    pub(super) fn poll(&mut self, now: Instant, keyframe_is_coming: bool) -> Option<KeyframeRequest> {
        let wanted = self.wanted.filter(|_| self.packet_since && !keyframe_is_coming)?;
        if self.due().is_some_and(|due| now < due) {
            return None;
        }
        self.asked_at = Some(now);
        self.packet_since = false;
        Some(wanted)
    }
}

impl Default for KeyframeAsking {
    fn default() -> Self {
        Self {
            wanted: None,
            asked_at: None,
            packet_since: false,
            interval: Self::INTERVAL,
        }
    }
}
