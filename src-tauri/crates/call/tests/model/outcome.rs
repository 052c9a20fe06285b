//! What the two sides may say about the end of the same call.

use crate::world::{Faults, World};
use ahoy_call::{CallEnd, CallId, EndCause};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Asserts that both ends tell the same story: each side ended the call by itself at the same time, or one did and the
/// other was told so, or the server ended it for both (which may cross with the last word of a callee).
pub fn assert_same_end(
    call: &CallId,
    caller: &(Instant, CallEnd),
    callee: &(Instant, CallEnd),
    faults: Faults,
) {
    let apart = caller.0.max(callee.0) - caller.0.min(callee.0);
    let (caller, callee) = (&caller.1, &callee.1);
    let fits = match (caller.by_us, callee.by_us) {
        (true, true) => apart <= UNDER_WAY || !faults.nothing_is_lost(),
        (true, false) => told_to_callee(caller.cause).contains(&callee.cause),
        (false, true) => {
            let rang_out = caller.cause == EndCause::NoAnswer && !callee.answered;
            rang_out || told_to_caller(callee.cause).contains(&caller.cause)
        }
        (false, false) => by_server(caller.cause).contains(&callee.cause),
    };
    // Only what a lost signal or a restarted server can explain: one side blames the way, or the answer was lost.
    let blamed = [caller, callee].iter().any(|end| blames_the_way(end.cause));
    let explained = !faults.nothing_is_lost() && (blamed || (callee.answered && !caller.answered));
    // An offer was refused, but a later copy of it came through and had to be taken back.
    let copies = !faults.basic || faults.repeats || faults.breaks;
    let copied = copies && may_be_refused(caller.cause);
    assert!(
        fits || explained || copied,
        "{call}: {apart:?} apart, caller says {caller:?}, callee says {callee:?}, {faults:?}"
    );
}

/// Asserts that a call of which the callee never heard ended for a reason that explains it.
pub fn assert_known_to_nobody(call: &CallId, caller: &CallEnd, faults: Faults) {
    use EndCause::*;
    let fits = match caller.cause {
        Cancelled | Busy | NotReachable | MediaFailed | Glare => true,
        // The winner of a glare was withdrawn.
        Missed => true,
        ConnectionLost | NoAnswer | ServerProblem => false,
        HungUp | Declined | AnsweredElsewhere | NotPermitted | IncompatibleOffer => false,
        RateLimited | CallsUnsupported | StreamNotFound | StreamTaken => false,
    };
    assert!(
        fits || !faults.nothing_is_lost(),
        "{call} never rang and the caller says {caller:?}, {faults:?}"
    );
}

/// The longest way of a signal: 3 s, and as much again behind slower ones.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// What a callee may say when the caller ended it with this cause. `HungUp` and `ConnectionLost` beside `Missed`: its
/// answer was under way.
fn told_to_callee(cause: EndCause) -> &'static [EndCause] {
    use EndCause::*;
    match cause {
        Cancelled => &[Missed, HungUp],
        NoAnswer => &[Missed, HungUp, ConnectionLost],
        HungUp => &[HungUp],
        ConnectionLost => &[ConnectionLost],
        MediaFailed => &[MediaFailed],
        IncompatibleOffer => &[IncompatibleOffer],
        // Basic mode: the owner of the losing call says busy, and a callee that had just given up its own rings.
        Glare => &[Missed],
        Busy | Declined | Missed | AnsweredElsewhere | NotReachable | NotPermitted | RateLimited
        | CallsUnsupported | ServerProblem | StreamNotFound | StreamTaken => &[],
    }
}

/// What a caller may say when the callee ended it with this cause.
fn told_to_caller(cause: EndCause) -> &'static [EndCause] {
    use EndCause::*;
    match cause {
        Declined => &[Declined],
        Busy => &[Busy],
        HungUp => &[HungUp],
        ConnectionLost => &[ConnectionLost],
        // Without a usable offer a callee rejects with `media_failure` (IM-Suite §6).
        MediaFailed | IncompatibleOffer => &[MediaFailed, IncompatibleOffer],
        // A callee's own time limit; a server hands it on as a rejection (IM-Suite §16.15).
        Missed => &[NoAnswer, Declined],
        Cancelled | NoAnswer | AnsweredElsewhere | NotReachable | NotPermitted | RateLimited
        | CallsUnsupported | ServerProblem | Glare | StreamNotFound | StreamTaken => &[],
    }
}

fn by_server(caller: EndCause) -> &'static [EndCause] {
    use EndCause::*;
    match caller {
        // Beside `Missed`: an answer that came too late.
        NoAnswer => &[Missed, ConnectionLost],
        HungUp | Cancelled | Declined | Busy | NotReachable | Missed | AnsweredElsewhere | NotPermitted
        | RateLimited | CallsUnsupported | ConnectionLost | ServerProblem | MediaFailed
        | IncompatibleOffer | Glare | StreamNotFound | StreamTaken => &[],
    }
}

fn may_be_refused(caller: EndCause) -> bool {
    use EndCause::*;
    match caller {
        Busy | Glare | NotReachable => true,
        HungUp | Cancelled | Declined | NoAnswer | Missed | AnsweredElsewhere | NotPermitted
        | RateLimited | CallsUnsupported | ConnectionLost | ServerProblem | MediaFailed
        | IncompatibleOffer | StreamNotFound | StreamTaken => false,
    }
}

fn blames_the_way(cause: EndCause) -> bool {
    use EndCause::*;
    match cause {
        ConnectionLost | NoAnswer | Missed | ServerProblem | NotReachable => true,
        HungUp | Cancelled | Declined | Busy | AnsweredElsewhere | NotPermitted | RateLimited
        | CallsUnsupported | MediaFailed | IncompatibleOffer | Glare | StreamNotFound | StreamTaken => false,
    }
}

/// What happened in all runs together: a model in which nothing happens proves nothing.
#[derive(Default)]
pub struct Tally {
    causes: BTreeMap<String, u64>,
    both_answered: u64,
    pub connected_at_the_end: u64,
    restarts_applied: u64,
    in_band_ends: u64,
    video_changes: u64,
    signaling_lost: u64,
}

impl Tally {
    pub fn one(&mut self, end: &CallEnd) {
        *self.causes.entry(format!("{:?}", end.cause)).or_default() += 1;
    }

    pub fn add(&mut self, world: &World) {
        self.restarts_applied += world.restarts_applied;
        self.in_band_ends += world.in_band_ends;
        self.video_changes += world.video_changes;
        self.signaling_lost += world.signaling_lost;
    }

    pub fn pair(&mut self, caller: &CallEnd, callee: &CallEnd) {
        self.both_answered += u64::from(caller.answered && callee.answered);
    }

    pub fn assert_everything_happened(&self) {
        use EndCause::*;
        let all = [
            HungUp,
            Cancelled,
            Declined,
            Busy,
            NoAnswer,
            Missed,
            NotReachable,
            ConnectionLost,
            ServerProblem,
            MediaFailed,
            IncompatibleOffer,
            Glare,
        ];
        for cause in all {
            let times = self.causes.get(&format!("{cause:?}")).copied().unwrap_or(0);
            assert!(times >= 20, "{cause:?} happened {times} times: {:?}", self.causes);
        }
        let rare = [
            self.restarts_applied,
            self.in_band_ends,
            self.video_changes,
            self.signaling_lost,
        ];
        assert!(rare.iter().all(|times| *times >= 50), "{rare:?}");
        assert!(self.both_answered > 1_000 && self.connected_at_the_end > 500);
    }
}
