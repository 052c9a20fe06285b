//! How the call goes, on whose side the trouble is, and the one thing to do about it.
//!
//! Pure: figures in once a second, a calm verdict out. It says no more than the figures tell: packets that are lost
//! between two ends accuse the line, never a side, and figures that are old accuse nobody.

use std::fmt;
use std::time::{Duration, Instant};

/// Figures older than this are no figures (window design, principle 4).
const STALE: Duration = Duration::from_secs(3);
/// Trouble shows after this time (window design, motion).
const WEAK_AFTER: Duration = Duration::from_secs(2);
/// Trouble is over after this time (window design, motion).
const CLEAR_AFTER: Duration = Duration::from_secs(5);

/// Bounds of lost packets, fraction 0..1: from here fair, poor, bad (IM-Suite §4.5).
const LOSS: [f64; 3] = [0.03, 0.10, 0.20];
/// Bounds of the round trip, milliseconds: from here fair, poor. Chosen, milder than the words of IM-Suite §4.5: under
/// 200 ms nobody talks over the other.
const RTT_MS: [f64; 2] = [200.0, 500.0];
/// Bounds of the jitter, milliseconds: from here fair, poor. Chosen: the jitter buffer hides less.
const JITTER_MS: [f64; 2] = [50.0, 100.0];

/// The figures of one second; `None` = not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// ICE and DTLS are up.
    pub connected: bool,
    /// Fraction 0..1 of the expected packets that did not come.
    pub loss_in: Option<f64>,
    /// Fraction 0..1 as the other side reports it.
    pub loss_out: Option<f64>,
    pub rtt_ms: Option<f64>,
    pub jitter_in_ms: Option<f64>,
    /// Since the last report of the other side.
    pub remote_report_age: Option<Duration>,
    /// Since the last packet of sound or picture.
    pub media_in_age: Option<Duration>,
    pub microphone_missing: bool,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub level: Level,
    pub side: Side,
    pub cause: Cause,
    pub action: Option<Action>,
    pub telltale: Telltale,
    /// Whole percent, of the worse direction; only with a cause that is about loss.
    pub loss_percent: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Good,
    Fair,
    Poor,
    Bad,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    Theirs,
    Network,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Fine,
    /// Not enough is known to say anything.
    Measuring,
    LineLoss,
    /// The round trip is long.
    SlowLine,
    /// Packets come unevenly.
    UnsteadyLine,
    /// The transport is lost and recovery runs.
    NoRoute,
    MicrophoneMissing,
    /// Their reports come, their sound and pictures do not.
    TheirMediaStopped,
}

/// The one thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    TryRelay,
    EndCall,
    CheckDevices,
    TellThem,
}

/// The glyph: you, the line, them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telltale {
    pub you: Part,
    pub line: Part,
    pub them: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Ok,
    Weak,
    Bad,
    Unknown,
}

/// Watches one call. [`Judge::handle_sample`] once a second, [`Judge::poll_verdict`] at any time.
#[derive(Debug)]
pub struct Judge {
    last: Option<(Instant, Sample)>,
    was_connected: bool,
    shown: Finding,
    /// The way in which all samples since then differ from what is shown.
    drift: Option<(Drift, Instant)>,
    changed_at: Option<Instant>,
}

/// What one sample says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Finding {
    level: Level,
    cause: Cause,
    /// Whole percent.
    loss_percent: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drift {
    Worse,
    Better,
    /// Another cause of the same weight.
    Sideways,
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

impl Judge {
    pub fn new() -> Self {
        Self {
            last: None,
            was_connected: false,
            shown: MEASURING,
            drift: None,
            changed_at: None,
        }
    }

    /// Takes the figures of the last second.
    pub fn handle_sample(&mut self, now: Instant, sample: Sample) {
        // What was shown before a gap says nothing about the time after it.
        if self.is_stale(now) {
            self.show(now, MEASURING);
        }
        self.last = Some((now, sample));
        self.was_connected |= sample.connected;
        let found = assess(&sample, self.was_connected);
        if found.cause == self.shown.cause && found.level == self.shown.level {
            self.drift = None;
            let settled = self
                .changed_at
                .is_none_or(|at| now.saturating_duration_since(at) >= WEAK_AFTER);
            if settled && found.loss_percent != self.shown.loss_percent {
                self.show(now, found);
            }
            return;
        }
        let (drift, wait) = compare(self.shown, found);
        let since = match self.drift {
            Some((same, since)) if same == drift => since,
            Some(_) | None => now,
        };
        if now.saturating_duration_since(since) >= wait {
            self.show(now, found);
        } else {
            self.drift = Some((drift, since));
        }
    }

    /// What to show at `now`.
    pub fn poll_verdict(&self, now: Instant) -> Verdict {
        match &self.last {
            Some((_, sample)) if !self.is_stale(now) => verdict(self.shown, sample),
            Some(_) | None => verdict(MEASURING, &Sample::default()),
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|(at, _)| now.saturating_duration_since(at) >= STALE)
    }

    fn show(&mut self, now: Instant, found: Finding) {
        self.shown = found;
        self.drift = None;
        self.changed_at = Some(now);
    }
}

const MEASURING: Finding = Finding {
    level: Level::Unknown,
    cause: Cause::Measuring,
    loss_percent: None,
};

/// How long `found` has to last before it takes the place of `shown`.
fn compare(shown: Finding, found: Finding) -> (Drift, Duration) {
    let at_once = Duration::ZERO;
    match (shown, found) {
        // The transport knows for sure, both ways.
        (
            Finding {
                cause: Cause::NoRoute,
                ..
            },
            _,
        ) => (Drift::Better, at_once),
        (
            _,
            Finding {
                cause: Cause::NoRoute,
                ..
            },
        ) => (Drift::Worse, at_once),
        (
            _,
            Finding {
                level: Level::Unknown,
                ..
            },
        ) => (Drift::Worse, at_once),
        (
            Finding {
                level: Level::Unknown,
                ..
            },
            Finding {
                level: Level::Good, ..
            },
        ) => (Drift::Better, at_once),
        (
            Finding {
                level: Level::Unknown,
                ..
            },
            _,
        ) => (Drift::Worse, WEAK_AFTER),
        _ if found.level > shown.level => (Drift::Worse, WEAK_AFTER),
        _ if found.level < shown.level => (Drift::Better, CLEAR_AFTER),
        _ => (Drift::Sideways, WEAK_AFTER),
    }
}

fn assess(sample: &Sample, was_connected: bool) -> Finding {
    if !sample.connected {
        let lost = Finding {
            level: Level::Bad,
            cause: Cause::NoRoute,
            loss_percent: None,
        };
        return if was_connected { lost } else { MEASURING };
    }
    let reported = is_fresh(sample.remote_report_age);
    let receives = is_fresh(sample.media_in_age);
    if reported && !receives && sample.media_in_age.is_some() {
        return Finding {
            level: Level::Bad,
            cause: Cause::TheirMediaStopped,
            loss_percent: None,
        };
    }
    let loss_in = sample.loss_in.filter(|_| receives);
    let loss_out = sample.loss_out.filter(|_| reported);
    let loss = loss_in.into_iter().chain(loss_out).reduce(f64::max);
    let rtt_ms = sample.rtt_ms.filter(|_| receives || reported);
    let jitter_ms = sample.jitter_in_ms.filter(|_| receives);
    let mut worst = Finding {
        level: Level::Good,
        cause: Cause::Fine,
        loss_percent: None,
    };
    if sample.microphone_missing {
        worst = Finding {
            level: Level::Fair,
            cause: Cause::MicrophoneMissing,
            loss_percent: None,
        };
    }
    for (cause, level) in [
        (Cause::LineLoss, loss.map(|loss| word(loss, &LOSS))),
        (Cause::SlowLine, rtt_ms.map(|rtt| word(rtt, &RTT_MS))),
        (
            Cause::UnsteadyLine,
            jitter_ms.map(|jitter| word(jitter, &JITTER_MS)),
        ),
    ] {
        if let Some(level) = level
            && level > worst.level
        {
            let loss_percent = loss
                .filter(|_| cause == Cause::LineLoss)
                .map(|loss| (loss * 100.0).round());
            worst = Finding {
                level,
                cause,
                loss_percent,
            };
        }
    }
    // "Clear both ways" needs both ways; trouble needs one.
    let both_known = loss_in.is_some() && loss_out.is_some();
    if worst.level == Level::Good && !both_known {
        MEASURING
    } else {
        worst
    }
}

fn is_fresh(age: Option<Duration>) -> bool {
    age.is_some_and(|age| age < STALE)
}

/// The level of a figure by the lower bounds of fair, poor and bad.
fn word(figure: f64, bounds: &[f64]) -> Level {
    match bounds.iter().filter(|bound| figure >= **bound).count() {
        0 => Level::Good,
        1 => Level::Fair,
        2 => Level::Poor,
        _ => Level::Bad,
    }
}

fn verdict(shown: Finding, sample: &Sample) -> Verdict {
    let them = if is_fresh(sample.remote_report_age) {
        Part::Ok
    } else {
        Part::Unknown
    };
    let (side, action, [you, line, them]) = match shown.cause {
        Cause::Fine => (Side::None, None, [Part::Ok, Part::Ok, them]),
        Cause::Measuring => {
            let you = if sample.connected { Part::Ok } else { Part::Unknown };
            (Side::None, None, [you, Part::Unknown, them])
        }
        Cause::LineLoss => (
            Side::Network,
            Some(Action::TryRelay),
            [Part::Ok, Part::Weak, them],
        ),
        Cause::SlowLine | Cause::UnsteadyLine => (Side::Network, None, [Part::Ok, Part::Weak, them]),
        Cause::NoRoute => (
            Side::Network,
            Some(Action::EndCall),
            [Part::Ok, Part::Bad, Part::Unknown],
        ),
        Cause::MicrophoneMissing => (
            Side::Ours,
            Some(Action::CheckDevices),
            [Part::Weak, Part::Ok, them],
        ),
        Cause::TheirMediaStopped => (
            Side::Theirs,
            Some(Action::TellThem),
            [Part::Ok, Part::Ok, Part::Bad],
        ),
    };
    Verdict {
        level: shown.level,
        side,
        cause: shown.cause,
        action,
        telltale: Telltale { you, line, them },
        loss_percent: shown.loss_percent,
    }
}

impl Level {
    /// The word of the headless client's events.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Fair => "fair",
            Level::Poor => "poor",
            Level::Bad => "bad",
            Level::Unknown => "unknown",
        }
    }
}

impl Side {
    /// The word of the headless client's events.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Theirs => "theirs",
            Side::Network => "network",
            Side::None => "none",
        }
    }
}

impl Cause {
    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Fine => "fine",
            Cause::Measuring => "measuring",
            Cause::LineLoss => "line_loss",
            Cause::SlowLine => "slow_line",
            Cause::UnsteadyLine => "unsteady_line",
            Cause::NoRoute => "no_route",
            Cause::MicrophoneMissing => "microphone_missing",
            Cause::TheirMediaStopped => "their_media_stopped",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Action {
    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::TryRelay => "try_relay",
            Action::EndCall => "end_call",
            Action::CheckDevices => "check_devices",
            Action::TellThem => "tell_them",
        }
    }
}

#[cfg(test)]
mod tests;
