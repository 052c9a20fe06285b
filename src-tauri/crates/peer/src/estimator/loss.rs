//! Whether loss is the path's own or of our making: judged over seconds, by experiment. Pure.
//!
//! A wireless path loses packets whatever is sent; a full queue loses what is too much. When loss rises the rate is lowered
//! to what arrives, and the next second tells: loss that stays is the path's own and the rate is given back, loss that goes
//! was congestion and the rate stays. The rate is what is really sent: to lower a target that is not used changes nothing,
//! and chance would decide. Nor is a voice tried, whose repairs would stop meanwhile: for it the delay speaks.

use super::aimd::VOICE_ALONE;
use super::sample::{Sample, milliseconds};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Loss is judged over this much time.
const WINDOW: Duration = Duration::from_secs(1);
/// And not on fewer packets: half a second of voice, or a second and a half in its longest frames.
const FEWEST: usize = 25;
/// Packets that are enough to see a flood by, beside other signs.
const FEWEST_OF_FLOOD: usize = 8;
/// Loss above what the path loses by itself that starts an experiment; the draft's own limit of "too much"
/// (draft-ietf-rmcat-gcc-02 §6).
const EXCESS: f64 = 0.10;
/// After a judgement nothing is tried again for so long, unless loss grows by [`EXCESS`] more. Chosen.
const REST: Duration = Duration::from_secs(10);
/// How the path's own loss follows what is seen, each second, and never above what a trial found.
const FOLLOW: f64 = 0.1;

/// What loss asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LossAdvice {
    /// Send no more than this, bits per second.
    Lower(f64),
    /// The loss was not of our making: this was right, bits per second.
    Restore(f64),
}

#[derive(Debug)]
pub(crate) struct Loss {
    packets: VecDeque<(Instant, bool)>,
    lost: usize,
    /// Fraction that is lost whatever is sent.
    inherent: f64,
    /// As the last trial found it.
    found: f64,
    trial: Option<Trial>,
    rest_until: Option<Instant>,
    judged_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    /// Packets that left from here on count.
    from: Instant,
    before: f64,
    loss: f64,
}

impl Loss {
    pub(crate) fn new() -> Self {
        Self {
            packets: VecDeque::new(),
            lost: 0,
            inherent: 0.0,
            found: 0.0,
            trial: None,
            rest_until: None,
            judged_at: None,
        }
    }

    /// The rate was lowered to see what becomes of the loss.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Fraction lost in the last second.
    pub(crate) fn fraction(&self) -> f64 {
        self.lost as f64 / self.packets.len().max(1) as f64
    }

    /// The same; `None` before enough packets to judge by have left since the last queue.
    pub(crate) fn steady(&self) -> Option<f64> {
        (self.packets.len() >= FEWEST).then(|| self.fraction())
    }

    /// What is lost beyond what the path loses by itself; `None` while too little is known.
    pub(crate) fn excess(&self) -> Option<f64> {
        (self.packets.len() >= FEWEST_OF_FLOOD).then(|| self.fraction() - self.inherent)
    }

    /// What the path loses by itself.
    pub(crate) fn inherent(&self) -> f64 {
        self.inherent
    }

    pub(crate) fn handle_sample(&mut self, sample: &Sample) {
        if let Some(trial) = &self.trial
            && sample.departure < trial.from
        {
            return;
        }
        self.packets
            .push_back((sample.departure, sample.arrival.is_none()));
        self.lost += usize::from(sample.arrival.is_none());
        while let Some((at, lost)) = self.packets.front().copied()
            && sample.departure.saturating_duration_since(at) > WINDOW
            && self.packets.len() > FEWEST
        {
            self.packets.pop_front();
            self.lost -= usize::from(lost);
        }
    }

    /// Loss that has a queue beside it is explained by it, and the delay has had its say.
    pub(crate) fn handle_congestion(&mut self) {
        self.packets.clear();
        self.lost = 0;
        self.trial = None;
    }

    /// Call after the samples of one feedback. `target`, `sent` and `acked`: what may be sent, what is and what arrives,
    /// bits per second; `rtt`: after which a change shows.
    pub(crate) fn poll_advice(
        &mut self,
        now: Instant,
        target: f64,
        sent: f64,
        acked: Option<f64>,
        rtt: Duration,
    ) -> Option<LossAdvice> {
        let known = match (self.packets.front(), self.packets.back()) {
            (Some((first, _)), Some((last, _))) => last.saturating_duration_since(*first),
            (None, _) | (_, None) => return None,
        };
        if self.packets.len() < FEWEST || milliseconds(known) < milliseconds(WINDOW) * 0.8 {
            return None;
        }
        let loss = self.fraction();
        if let Some(trial) = self.trial {
            return self.judge(now, trial, loss);
        }
        self.follow(now, loss);
        let excess = loss - self.inherent;
        // What chance alone makes of so few packets (two standard deviations) is no sign.
        let chance = 2.0 * (loss * (1.0 - loss) / self.packets.len() as f64).sqrt();
        let resting = self.rest_until.is_some_and(|until| now < until);
        let limit = if resting { 2.0 * EXCESS } else { EXCESS };
        if excess < limit.max(chance) {
            return None;
        }
        let used = target.min(sent);
        let arrives = acked.unwrap_or(used * (1.0 - loss));
        let lowered = (arrives * 0.95).clamp(used * 0.5, used * 0.9);
        if lowered < VOICE_ALONE && target >= VOICE_ALONE {
            return None;
        }
        self.trial = Some(Trial {
            from: now + rtt.mul_f64(0.5),
            before: target,
            loss,
        });
        self.packets.clear();
        self.lost = 0;
        Some(LossAdvice::Lower(lowered))
    }

    fn judge(&mut self, now: Instant, trial: Trial, loss: f64) -> Option<LossAdvice> {
        self.trial = None;
        self.rest_until = Some(now + REST);
        let excess = trial.loss - self.inherent;
        if loss < self.inherent + excess / 2.0 {
            return None;
        }
        (self.inherent, self.found) = (loss, loss);
        Some(LossAdvice::Restore(trial.before))
    }

    fn follow(&mut self, now: Instant, loss: f64) {
        if self
            .judged_at
            .is_some_and(|at| now.saturating_duration_since(at) < WINDOW)
        {
            return;
        }
        self.judged_at = Some(now);
        self.inherent = (self.inherent + FOLLOW * (loss - self.inherent)).min(self.found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that loses `own` of everything by itself and passes no more than `capacity`; returns the target after so
    /// many seconds of 5 ms packets from 1 Mbit/s.
    fn drive(own: f64, capacity: f64, seconds: u64) -> (f64, f64) {
        let (mut loss, begin) = (Loss::new(), Instant::now());
        let (mut target, mut random) = (1_000_000.0, fastrand(7));
        let mut lowest: f64 = target;
        for number in 0..seconds * 200 {
            let left = begin + Duration::from_millis(number * 5);
            let dropped = (1.0 - capacity / target).max(0.0);
            let arrived = random() > own + (1.0 - own) * dropped;
            loss.handle_sample(&Sample {
                departure: left,
                arrival: arrived.then_some(Duration::ZERO),
                bytes: 1200,
            });
            if number % 10 != 0 {
                continue;
            }
            let acked = target.min(capacity) * (1.0 - own);
            let now = left + Duration::from_millis(50);
            match loss.poll_advice(now, target, target, Some(acked), Duration::from_millis(50)) {
                Some(LossAdvice::Lower(to) | LossAdvice::Restore(to)) => target = to,
                None => {}
            }
            lowest = lowest.min(target);
        }
        (target, lowest)
    }

    /// A seeded generator of even randomness in 0..1 (Marsaglia's xorshift).
    fn fastrand(seed: u64) -> impl FnMut() -> f64 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    #[test]
    fn the_paths_own_loss_of_20_percent_costs_no_rate_for_long() {
        let (target, lowest) = drive(0.20, f64::MAX, 30);
        assert!(target >= 990_000.0, "{target}");
        assert!(lowest >= 700_000.0, "{lowest}");
    }

    #[test]
    fn a_small_loss_is_not_even_tried() {
        assert_eq!(drive(0.05, f64::MAX, 30), (1_000_000.0, 1_000_000.0));
    }

    #[test]
    fn a_path_without_a_queue_that_passes_half_is_found_by_loss_alone() {
        let (target, _) = drive(0.0, 500_000.0, 10);
        assert!((400_000.0..=560_000.0).contains(&target), "{target}");
        let (target, _) = drive(0.05, 500_000.0, 10);
        assert!((400_000.0..=560_000.0).contains(&target), "{target}");
    }
}
