//! The rate: additive or multiplicative increase, multiplicative decrease. Pure.
//!
//! After draft-ietf-rmcat-gcc-02 §5.5, with three things more: a cut also empties the queue and is taken back when it is
//! empty; a queue that does not empty when the rate is cut is somebody else's, and then loss rules as in TCP; what is not
//! sent gives no ground to grow on.

use super::trend::Usage;
use std::time::{Duration, Instant};

/// A cut goes to this part of what arrives (draft §5.5: 0.85).
const CUT: f64 = 0.88;
/// And never below this part of what arrives, however deep the queue.
const DEEPEST_CUT: f64 = 0.4;
/// The least round trip through a queue that was full before anything was known of it.
pub(crate) const FLOODED_RTT: Duration = Duration::from_millis(400);
/// How long it is given to empty; a round trip that is still long then is the path's own.
const FLOODED_FOR: Duration = Duration::from_secs(10);
/// To this part of what arrives where the queue is full and its length is not known.
const FLOODED_CUT: f64 = 0.6;
/// A target that was not used is cut to this part of itself: little arrives because little was sent.
const UNPROVEN_CUT: f64 = 0.75;
/// Unless less than this part of what was sent arrives out of a long queue: then it is known what the path carries.
const PROOF: f64 = 0.85;
/// A queue is to be empty after about this much time.
const DRAIN_TIME: f64 = 0.5;
/// Where the rate goes on once the queue is empty, as part of what arrived.
const AFTER_DRAIN: f64 = 0.97;
/// Increase per second far from any known limit (draft §5.5: 8 %).
const GROWTH: f64 = 0.08;
/// Increase per second near the known limit: one packet per response time, within these parts. Chosen.
const NEAR_LEAST: f64 = 0.025;
const NEAR_GROWTH: f64 = 0.10;
/// Increase per second up to this part of the rate before the last cut: what stood in the way may have been short.
/// Chosen with the emulated links.
const RECALL_GROWTH: f64 = 0.35;
const RECALLED: f64 = 0.9;
/// A limit within this part of the one before is the same one.
const SAME_LIMIT: f64 = 0.25;
const PACKET_BITS: f64 = 9600.0;
/// A queue above this is too long whatever its trend. Chosen: half of the 100 ms that one is promised never to exceed.
const LONG_QUEUE: Duration = Duration::from_millis(45);
/// A queue that grows is no matter below this: pictures come in lumps.
const SHORT_QUEUE: Duration = Duration::from_millis(20);
/// A queue below this is empty.
const EMPTY_QUEUE: Duration = Duration::from_millis(12);
/// A queue that two cuts did not shorten for this long is not ours.
const CONTENTION_AFTER: Duration = Duration::from_millis(2500);
/// Below this, bits per second, a queue never looks empty: each packet is one.
pub(crate) const NARROW: f64 = 60e3;
/// More than a voice alone takes; nobody competes for so little.
pub(crate) const VOICE_ALONE: f64 = 80e3;
/// Part of what is sent above which what arrives comes out of our own queue.
const DRAINS: f64 = 1.15;
/// And this long without a queue they are gone.
const CONTENTION_ENDS: Duration = Duration::from_secs(1);
/// Whoever else fills a queue makes it lose packets; without any for so long it may be ours after all.
const CONTENTION_DOUBT: Duration = Duration::from_secs(12);
/// Loss that is a cut while others fill the queue, as part of the packets of a second.
const CONTENTION_LOSS: f64 = 0.015;
const CONTENTION_CUT: f64 = 0.75;

/// What one feedback says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    pub(crate) usage: Usage,
    pub(crate) queue: Duration,
    pub(crate) rtt: Duration,
    /// What arrived in the last moments, bits per second; `None` = not known yet.
    pub(crate) acked: Option<f64>,
    /// What was sent in the same time.
    pub(crate) sent: f64,
    /// Much less than the target was sent.
    pub(crate) application_limited: bool,
    /// The queue of the path is full, however long it has been so.
    pub(crate) flooded: bool,
    /// What a lower rate does is being watched.
    pub(crate) on_trial: bool,
    /// Clearly more than the target was sent: a voice cannot be less than it is.
    pub(crate) overrun: bool,
    /// Fraction lost, beyond what the path loses by itself.
    pub(crate) loss: f64,
    /// When the newest packet that is known of left.
    pub(crate) departure: Instant,
}

#[derive(Debug)]
pub(crate) struct Aimd {
    target: f64,
    min: f64,
    max: f64,
    updated_at: Option<Instant>,
    /// What arrived at the last cut: about what the path carries.
    limit: Option<f64>,
    cut_at: Option<Instant>,
    /// The rate to go on with once the queue is empty.
    after_drain: Option<f64>,
    /// When the queue was last known to be full, while it is not known to be empty.
    flooded_at: Option<Instant>,
    /// The rate before a cut that came unexpectedly: what made it may have gone.
    recall: Option<f64>,
    /// Since when the queue is long although the rate was cut, its length then, and the cuts since.
    standing: Option<Standing>,
    contention: bool,
    /// Since when the queue is short.
    empty_since: Option<Instant>,
    /// When loss was last seen in contention.
    lost_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    since: Instant,
    queue: Duration,
    cuts: u32,
}

impl Aimd {
    pub(crate) fn new(start: f64, min: f64, max: f64) -> Self {
        Self {
            target: start,
            min,
            max,
            updated_at: None,
            limit: None,
            cut_at: None,
            after_drain: None,
            flooded_at: None,
            recall: None,
            standing: None,
            contention: false,
            empty_since: None,
            lost_at: None,
        }
    }

    pub(crate) fn target(&self) -> f64 {
        self.target
    }

    /// Others fill the queue of the path.
    pub(crate) fn is_contended(&self) -> bool {
        self.contention
    }

    /// The queue that made the last cut is being emptied.
    pub(crate) fn is_draining(&self) -> bool {
        self.after_drain.is_some()
    }

    /// Goes to a rate that was found otherwise.
    pub(crate) fn set_target(&mut self, target: f64) {
        self.target = target.clamp(self.min, self.max);
        if self.limit.is_some_and(|limit| self.target > limit) {
            self.limit = None;
        }
    }

    /// What the path carries was found otherwise.
    pub(crate) fn note_limit(&mut self, limit: f64) {
        self.limit = Some(limit);
    }

    /// Takes in one feedback; true when it cut the rate.
    pub(crate) fn handle_signal(&mut self, now: Instant, signal: &Signal) -> bool {
        let elapsed = self
            .updated_at
            .replace(now)
            .map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64().min(0.5));
        self.watch_queue(now, signal);
        // What left before the last cut says nothing of the rate after it.
        let answered = self.cut_at.is_none_or(|cut_at| signal.departure > cut_at);
        if self.contention {
            if signal.loss > CONTENTION_LOSS && self.may_cut_again(now, signal) {
                self.cut_at = Some(now);
                self.set_target(self.target * CONTENTION_CUT);
                return true;
            }
            self.increase(elapsed, signal);
            return false;
        }
        let over_soon = |at: &Instant| now.saturating_duration_since(*at) < FLOODED_FOR;
        self.flooded_at = self
            .flooded_at
            .filter(|at| signal.rtt > FLOODED_RTT && over_soon(at));
        let empty = signal.queue <= EMPTY_QUEUE && self.flooded_at.is_none();
        let grows = match signal.usage {
            Usage::Steep => self.target > NARROW || signal.queue > SHORT_QUEUE,
            Usage::Over => signal.queue > SHORT_QUEUE,
            Usage::Normal | Usage::Under => false,
        };
        let over = grows || signal.queue > LONG_QUEUE || signal.flooded;
        if over && answered && !self.shrinks(signal) {
            self.cut(now, signal);
            return true;
        }
        if empty
            && answered
            && let Some(rate) = self.after_drain.take()
        {
            self.target = self.target.max(rate).clamp(self.min, self.max);
        }
        if signal.usage == Usage::Normal && signal.queue < LONG_QUEUE / 2 && self.after_drain.is_none() {
            self.increase(elapsed, signal);
        }
        false
    }

    /// A queue that empties as it was meant to needs no further cut.
    fn shrinks(&self, signal: &Signal) -> bool {
        self.after_drain.is_some() && signal.usage == Usage::Under
    }

    fn may_cut_again(&self, now: Instant, signal: &Signal) -> bool {
        let wait = signal.rtt + Duration::from_secs(1);
        self.cut_at
            .is_none_or(|at| now.saturating_duration_since(at) > wait)
    }

    fn cut(&mut self, now: Instant, signal: &Signal) {
        let arrives = self.carried(signal);
        let drain = 1.0 - signal.queue.as_secs_f64() / DRAIN_TIME;
        let mut to = arrives * drain.clamp(DEEPEST_CUT, CUT);
        if signal.flooded {
            self.flooded_at = Some(now);
            to = to.min(arrives * FLOODED_CUT);
        }
        let proven = signal.flooded
            || signal.queue > LONG_QUEUE * 2 && signal.acked.is_some_and(|acked| acked < signal.sent * PROOF);
        if signal.application_limited && !proven {
            // What arrives is what was sent, and says little of what the path carries.
            to = to.max(self.target * UNPROVEN_CUT);
        }
        // Only the first cut of a queue knows the rate before it; one below what is recalled disproves that.
        if self.after_drain.is_none() {
            self.recall = Some(if signal.application_limited {
                self.target.min(signal.sent)
            } else {
                self.target
            });
        }
        if to < self.target {
            self.target = to.max(self.min);
        }
        let after = (arrives * AFTER_DRAIN).max(to);
        self.after_drain = Some(self.after_drain.map_or(after, |before| before.min(after)));
        self.cut_at = Some(now);
        if let Some(standing) = &mut self.standing {
            standing.cuts += 1;
        }
    }

    /// What the path carries, at the moment when its queue shows that it carries no more.
    fn carried(&mut self, signal: &Signal) -> f64 {
        let arrives = signal.acked.unwrap_or(self.target).min(self.target * 1.5);
        // What arrives wanders with the sizes of pictures; a limit that still holds does not.
        let holds =
            |limit: &f64| signal.queue < LONG_QUEUE * 2 && (limit - arrives).abs() < SAME_LIMIT * limit;
        let carried = match self.limit.filter(holds) {
            Some(limit) => limit.max(arrives) * 0.5 + arrives * 0.5,
            None => arrives,
        };
        self.limit = Some(carried);
        carried
    }

    fn watch_queue(&mut self, now: Instant, signal: &Signal) {
        if signal.queue <= LONG_QUEUE / 2 {
            self.standing = None;
            let empty_since = *self.empty_since.get_or_insert(now);
            if now.saturating_duration_since(empty_since) > CONTENTION_ENDS {
                self.contention = false;
            }
            return;
        }
        self.empty_since = None;
        if self.contention {
            if signal.loss > CONTENTION_LOSS {
                self.lost_at = Some(now);
            } else if self
                .lost_at
                .is_none_or(|at| now.saturating_duration_since(at) > CONTENTION_DOUBT)
            {
                self.contention = false;
                self.standing = None;
            }
            return;
        }
        let standing = *self.standing.get_or_insert(Standing {
            since: now,
            queue: signal.queue,
            cuts: 0,
        });
        let stands = signal.queue.as_secs_f64() > standing.queue.as_secs_f64() * 0.7;
        let waited = now.saturating_duration_since(standing.since) > CONTENTION_AFTER;
        // More arrives than is sent: it is our own that empties, however slowly.
        let drains = signal.acked.is_some_and(|acked| acked > signal.sent * DRAINS);
        if !stands {
            self.standing = None;
        } else if drains {
            self.standing = Some(Standing {
                since: now,
                ..standing
            });
        } else if waited
            && standing.cuts >= 2
            && !signal.overrun
            && self.recall.unwrap_or(self.target) > VOICE_ALONE
        {
            self.contention = true;
            self.lost_at = Some(now);
            // The others took what was cut for their queue; half of what there was before is a share that is fair to one.
            let before = self.recall.take().unwrap_or(self.target);
            self.after_drain = None;
            self.target = self.target.max(before / 2.0).min(self.max);
        }
    }

    fn increase(&mut self, elapsed: f64, signal: &Signal) {
        if signal.application_limited || signal.on_trial || self.flooded_at.is_some() {
            return;
        }
        let near = self.limit.is_some_and(|limit| self.target > 0.7 * limit);
        if self.limit.is_some_and(|limit| self.target > 1.3 * limit) {
            self.limit = None;
        }
        let response = signal.rtt.as_secs_f64() + 0.1;
        let recalled = self.recall.is_some_and(|recall| self.target < recall * RECALLED);
        let growth = if self.contention {
            // As Reno: a packet more in each round trip.
            let rtt = signal.rtt.as_secs_f64().max(0.05);
            (PACKET_BITS / (rtt * rtt)).min(self.target * RECALL_GROWTH)
        } else if recalled {
            self.target * RECALL_GROWTH
        } else if near {
            (PACKET_BITS / response)
                .max(self.target * NEAR_LEAST)
                .min(self.target * NEAR_GROWTH)
        } else {
            self.target * GROWTH
        };
        let grown = self.target + growth.max(4000.0) * elapsed;
        // However wrong the other signs are, no more than half above what arrives.
        let ceiling = signal.acked.map_or(grown, |acked| acked * 1.5 + 20_000.0);
        self.target = grown.min(ceiling.max(self.target)).min(self.max);
    }
}
