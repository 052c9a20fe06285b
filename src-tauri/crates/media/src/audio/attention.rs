//! What a person should be told about the own microphone: that they speak while muted, that it gives no signal. Pure.

use super::level::{Level, from_dbfs};
use std::time::{Duration, Instant};

/// dBFS: speech into a usual microphone is louder, a quiet room is not (chosen, not measured).
const SPEECH_DBFS: f32 = -42.0;
/// Above the background by so many decibels, so that a loud fan is no speech (chosen, not measured).
const ABOVE_BACKGROUND_DB: f32 = 10.0;
/// Speech within the window before it is said: a cough or a door is shorter.
const SPEECH_TIME: Duration = Duration::from_millis(400);
const SPEECH_WINDOW: Duration = Duration::from_secs(2);
/// Between two reminders.
const REMIND_AFTER: Duration = Duration::from_secs(20);
/// Share of the way that the background goes up with each 20 ms; down it goes at once.
const BACKGROUND_RISE: f32 = 0.004;

/// Notices somebody who speaks while muted.
#[derive(Debug, Default)]
pub struct MutedSpeech {
    /// RMS of what is always there.
    background: Option<f32>,
    /// Speech heard, and when the window of it began.
    heard: Duration,
    began: Option<Instant>,
    reminded: Option<Instant>,
}

impl MutedSpeech {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the level of one frame before muting, and its length; true when the person should be told now.
    pub fn observe(&mut self, level: Level, frame: Duration, muted: bool, now: Instant) -> bool {
        let background = self.background.get_or_insert(level.rms);
        *background = if level.rms < *background {
            level.rms
        } else {
            *background + (level.rms - *background) * BACKGROUND_RISE
        };
        let speaks =
            level.rms > from_dbfs(SPEECH_DBFS) && level.rms > *background * from_dbfs(ABOVE_BACKGROUND_DB);
        if !muted {
            self.heard = Duration::ZERO;
            self.began = None;
            return false;
        }
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) > SPEECH_WINDOW {
            self.began = Some(now);
            self.heard = Duration::ZERO;
        }
        if speaks {
            self.heard += frame;
        }
        let rested = self
            .reminded
            .is_none_or(|at| now.saturating_duration_since(at) >= REMIND_AFTER);
        if self.heard < SPEECH_TIME || !rested {
            return false;
        }
        self.reminded = Some(now);
        self.heard = Duration::ZERO;
        self.began = None;
        true
    }
}

/// Full scale = 1: -90 dBFS, one step of a 16-bit converter and a half. A microphone that works has more noise than
/// that; a muted or unplugged one gives zeros.
const NO_SIGNAL_PEAK: f32 = 4.6e-5;
/// A driver that starts gives zeros for a moment.
const NO_SIGNAL_TIME: Duration = Duration::from_secs(3);

/// Notices a microphone that runs and gives nothing.
#[derive(Debug, Default)]
pub struct MicrophoneSignal {
    silent_since: Option<Instant>,
    told: bool,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalChange {
    /// Nothing has come for three seconds.
    Gone,
    /// It is there again.
    Back,
}

impl MicrophoneSignal {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the level of one frame before muting and before processing.
    pub fn observe(&mut self, level: Level, now: Instant) -> Option<SignalChange> {
        if level.peak > NO_SIGNAL_PEAK {
            self.silent_since = None;
            return std::mem::take(&mut self.told).then_some(SignalChange::Back);
        }
        let since = *self.silent_since.get_or_insert(now);
        if self.told || now.saturating_duration_since(since) < NO_SIGNAL_TIME {
            return None;
        }
        self.told = true;
        Some(SignalChange::Gone)
    }

    /// Another microphone begins with a clean slate.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn level(dbfs: f32) -> Level {
        let rms = from_dbfs(dbfs);
        Level { peak: rms * 3.0, rms }
    }

    /// Seconds at which somebody is told, for a level by frame.
    fn told(muted: bool, seconds: u32, of: impl Fn(u32) -> f32) -> Vec<f32> {
        let start = Instant::now();
        let mut speech = MutedSpeech::new();
        (0..seconds * 50)
            .filter(|n| speech.observe(level(of(*n)), FRAME, muted, start + FRAME * *n))
            .map(|n| n as f32 / 50.0)
            .collect()
    }

    /// Syllables from two seconds on in a quiet room.
    fn talking(n: u32) -> f32 {
        if n > 100 && n % 10 < 6 { -25.0 } else { -65.0 }
    }

    #[test]
    fn who_speaks_while_muted_is_told_within_a_second_and_reminded_seldom() {
        let at = told(true, 50, talking);
        assert!(at[0] > 2.3 && at[0] < 3.0, "{at:?}");
        assert!((2..=3).contains(&at.len()), "{at:?}");
        assert!(at.windows(2).all(|w| w[1] - w[0] >= 20.0), "{at:?}");
    }

    #[test]
    fn who_is_not_muted_is_never_told() {
        assert!(told(false, 10, talking).is_empty());
    }

    #[test]
    fn a_cough_a_fan_and_a_quiet_room_are_no_speech() {
        assert!(told(true, 20, |n| if (200..212).contains(&n) { -20.0 } else { -65.0 }).is_empty());
        assert!(told(true, 20, |_| -30.0).is_empty(), "loud but steady");
        assert!(told(true, 20, |n| if n % 3 == 0 { -55.0 } else { -60.0 }).is_empty());
    }

    #[test]
    fn a_microphone_without_signal_is_told_once_and_again_when_it_is_back() {
        let start = Instant::now();
        let mut signal = MicrophoneSignal::new();
        let mut changes = Vec::new();
        for n in 0..500_u32 {
            let dbfs = if (100..400).contains(&n) { -200.0 } else { -70.0 };
            if let Some(change) = signal.observe(level(dbfs), start + FRAME * n) {
                changes.push((n / 50, change));
            }
        }
        assert_eq!(changes, [(5, SignalChange::Gone), (8, SignalChange::Back)]);
    }

    #[test]
    fn a_pause_of_the_room_is_no_missing_signal() {
        let start = Instant::now();
        let mut signal = MicrophoneSignal::new();
        for n in 0..500_u32 {
            assert_eq!(signal.observe(level(-85.0), start + FRAME * n), None);
        }
    }
}
