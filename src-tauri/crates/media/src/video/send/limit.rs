//! A limit on the size of pictures with its reason, and the one that the machine sets: pure, told the time.

use super::stats::QualityLimitationReason;
use crate::codec::EncoderSpeed;
use crate::units::Resolution;
use std::time::{Duration, Instant};

/// What pictures must fit in, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLimit {
    pub resolution: Resolution,
    pub reason: QualityLimitationReason,
}

impl SizeLimit {
    /// The narrower of two limits; of equal ones, this.
    pub fn joined(self, other: Self) -> Self {
        if other.resolution.pixels() < self.resolution.pixels() {
            other
        } else {
            self
        }
    }
}

/// Speeds and sizes (in eighths of each side) from the best to what any machine can do. Speed costs less to the eye, so
/// it is given up first.
const STEPS: [(EncoderSpeed, u32); 6] = [
    (EncoderSpeed::Usual, 8),
    (EncoderSpeed::Fast, 8),
    (EncoderSpeed::Fastest, 8),
    (EncoderSpeed::Fastest, 6),
    (EncoderSpeed::Fastest, 4),
    (EncoderSpeed::Fastest, 3),
];

/// Share of the time between two pictures above which the encoder is not left: capture, scaling and the voice need the
/// rest. WebRTC's own limit for one core is 85 %; two cores share the machine with the window here (chosen).
const TOO_MUCH: f64 = 0.75;

/// Share below which the next better step still fits: the largest step takes 2.25 times the pixels, so 0.3 becomes 0.68.
const LITTLE: f64 = 0.3;

/// How long a step is watched before it is found too much. A keyframe and a moment of other work are no reason.
const WATCHED: Duration = Duration::from_secs(1);

/// How long it must be little before a better step is tried, at first and at most. Each failed attempt doubles it.
const PATIENCE: Duration = Duration::from_secs(8);
const LONGEST_PATIENCE: Duration = Duration::from_secs(128);

/// A better step that was too much within this time had failed.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Lowers speed and size while encoding takes too large a share of the time between pictures.
///
/// Wall time of the encoder counts, not its CPU time: on a busy machine both the waiting and the work delay a picture.
#[derive(Debug)]
pub(super) struct CpuLimit {
    step: usize,
    /// Smoothed over about 16 pictures; `None` before the first of this step.
    share: Option<f64>,
    /// When the step was taken, or the share last was not little.
    since: Option<Instant>,
    entered: Option<Instant>,
    tried_better: Option<Instant>,
    patience: Duration,
}

impl Default for CpuLimit {
    fn default() -> Self {
        Self {
            step: 0,
            share: None,
            since: None,
            entered: None,
            tried_better: None,
            patience: PATIENCE,
        }
    }
}

impl CpuLimit {
    /// Takes note of one picture: how long it took, and how many per second are wanted.
    pub(super) fn handle_picture(&mut self, now: Instant, took: Duration, frame_rate: u32) {
        let share = took.as_secs_f64() * f64::from(frame_rate.max(1));
        let smoothed = match self.share {
            // One picture counts as twice its interval at most, so that a single stall decides nothing.
            Some(before) => before + (share.min(2.0) - before) / 16.0,
            None => share.min(TOO_MUCH),
        };
        self.share = Some(smoothed);
        let entered = *self.entered.get_or_insert(now);
        let since = *self.since.get_or_insert(now);
        if smoothed > TOO_MUCH {
            self.since = Some(now);
            if now.saturating_duration_since(entered) >= WATCHED && self.step + 1 < STEPS.len() {
                let failed = self
                    .tried_better
                    .take()
                    .is_some_and(|at| now.saturating_duration_since(at) < ATTEMPT);
                self.patience = match failed {
                    true => (self.patience * 2).min(LONGEST_PATIENCE),
                    false => PATIENCE,
                };
                self.enter(now, self.step + 1);
            }
        } else if smoothed > LITTLE {
            self.since = Some(now);
        } else if self.step > 0 && now.saturating_duration_since(since) >= self.patience {
            self.tried_better = Some(now);
            self.enter(now, self.step - 1);
        }
    }

    fn enter(&mut self, now: Instant, step: usize) {
        self.step = step;
        self.share = None;
        self.since = Some(now);
        self.entered = Some(now);
    }

    pub(super) fn speed(&self) -> EncoderSpeed {
        STEPS[self.step].0
    }

    /// What pictures of this size must fit in for the machine's sake.
    pub(super) fn size(&self, camera: Resolution) -> SizeLimit {
        let eighths = STEPS[self.step].1;
        let side = |side: u32| (u64::from(side) * u64::from(eighths) / 8).max(2) as u32;
        SizeLimit {
            resolution: Resolution::new(side(camera.width), side(camera.height)),
            reason: QualityLimitationReason::Cpu,
        }
    }

    /// Whether pictures take longer than they should at this step.
    pub(super) fn is_overloaded(&self) -> bool {
        self.share.is_some_and(|share| share > TOO_MUCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Resolution = Resolution::new(1280, 720);

    /// A machine that needs this long for a whole picture at the usual speed; each speed saves a fifth.
    struct Machine {
        limit: CpuLimit,
        now: Instant,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                limit: CpuLimit::default(),
                now: Instant::now(),
            }
        }

        /// Runs so many seconds at 30 pictures per second; returns the steps that were taken.
        fn run(&mut self, seconds: u32, whole: Duration) -> Vec<usize> {
            let mut steps = vec![self.limit.step];
            for _ in 0..seconds * 30 {
                self.now += Duration::from_micros(33_333);
                let speed = match self.limit.speed() {
                    EncoderSpeed::Usual => 1.0,
                    EncoderSpeed::Fast => 0.8,
                    EncoderSpeed::Fastest => 0.64,
                };
                let pixels = self.limit.size(CAMERA).resolution.pixels() as f64 / CAMERA.pixels() as f64;
                let took = whole.mul_f64(speed * pixels);
                self.limit.handle_picture(self.now, took, 30);
                if steps.last() != Some(&self.limit.step) {
                    steps.push(self.limit.step);
                }
            }
            steps
        }
    }

    #[test]
    fn a_fast_machine_is_left_alone() {
        let mut machine = Machine::new();
        assert_eq!(machine.run(120, Duration::from_millis(12)), [0]);
        assert_eq!(machine.limit.size(CAMERA).resolution, CAMERA);
        assert!(!machine.limit.is_overloaded());
    }

    #[test]
    fn speed_goes_first_and_size_only_as_far_as_needed() {
        let mut machine = Machine::new();
        // 0.9 of the interval; 0.72 at the next speed.
        assert_eq!(machine.run(30, Duration::from_millis(30)), [0, 1]);
        let mut machine = Machine::new();
        // 1.5 of the interval; 0.96 at the highest speed, 0.54 at three quarters of each side.
        assert_eq!(machine.run(30, Duration::from_millis(50)), [0, 1, 2, 3]);
        let limit = machine.limit.size(CAMERA);
        assert_eq!(limit.resolution, Resolution::new(960, 540));
        assert_eq!(limit.reason, QualityLimitationReason::Cpu);
    }

    #[test]
    fn a_hopeless_machine_stays_at_the_last_step_and_says_so() {
        let mut machine = Machine::new();
        assert_eq!(
            machine.run(60, Duration::from_millis(600)),
            (0..STEPS.len()).collect::<Vec<_>>()
        );
        assert!(machine.limit.is_overloaded());
    }

    #[test]
    fn one_stall_changes_nothing() {
        let mut machine = Machine::new();
        machine.run(5, Duration::from_millis(8));
        machine
            .limit
            .handle_picture(machine.now, Duration::from_secs(3), 30);
        assert_eq!(machine.run(5, Duration::from_millis(8)), [0]);
    }

    #[test]
    fn it_comes_back_when_the_machine_is_free_again() {
        let mut machine = Machine::new();
        machine.run(30, Duration::from_millis(50));
        assert_eq!(machine.run(60, Duration::from_millis(6)), [3, 2, 1, 0]);
    }

    #[test]
    fn an_attempt_that_failed_is_repeated_ever_less_often() {
        let mut machine = Machine::new();
        // Too much at full size, and little enough at three quarters to try again and again.
        machine.limit.step = 3;
        let mut attempts = 0;
        for _ in 0..300 {
            // The smaller size is cheaper than its pixels say, as where memory is what limits.
            let whole = match machine.limit.step {
                0..=2 => Duration::from_millis(60),
                _ => Duration::from_millis(20),
            };
            attempts += machine
                .run(1, whole)
                .windows(2)
                .filter(|pair| pair[1] < pair[0])
                .count();
        }
        assert!((3..=6).contains(&attempts), "{attempts} attempts in five minutes");
    }

    #[test]
    fn the_narrower_limit_wins_and_brings_its_reason() {
        let network = SizeLimit {
            resolution: Resolution::new(640, 360),
            reason: QualityLimitationReason::Bandwidth,
        };
        let machine = SizeLimit {
            resolution: Resolution::new(960, 540),
            reason: QualityLimitationReason::Cpu,
        };
        assert_eq!(network.joined(machine), network);
        assert_eq!(machine.joined(network), network);
        let equal = SizeLimit {
            resolution: network.resolution,
            ..machine
        };
        assert_eq!(network.joined(equal), network);
    }
}
