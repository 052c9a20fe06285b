//! A two-way call with a media server: one call of the protocol sends, another receives, and to the user they are one. Pure.
//!
//! A media server answers even an offer of both ways with one. The whole has the id of the half that sends; each half
//! lives and ends by itself, and this says what that is to the user.

use ahoy_call::{CallEnd, CallId, CallSnapshot, CallState, Direction, EndCause, EndReason, StreamCall};
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// How long one half may be up without a word about the other. Chosen: both usually come up within half a second of each
/// other, and a notice that flashes by says nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The codes of all notices about a half.
pub(crate) const NOTICES: [&str; 4] = ["push_pending", "play_pending", "push_ended", "play_ended"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Sends the own microphone and camera.
    Push,
    /// Receives the other side's stream.
    Play,
}

/// A half that has ended while the other goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostHalf {
    pub half: Half,
    pub cause: EndCause,
    /// This side ended it: its failure or its timer.
    pub by_us: bool,
}

/// What the end of one half is to the whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The other half goes on. `None` = the user is ending both, and there is nothing to say.
    GoesOn(Option<LostHalf>),
    Over(CallEnd),
}

/// A notice about a half that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Show(Half),
    Hide(Half),
}

#[derive(Debug)]
pub(crate) struct TwoWay {
    push: CallId,
    play: CallId,
    pushed: StreamCall,
    played: StreamCall,
    /// When the first half came up: the one timer of the whole, whichever half is left.
    up_since: Option<SystemTime>,
    /// The half that ended first.
    lost: Option<LostHalf>,
    /// The user ends both.
    hanging_up: bool,
    /// When the first answer came, of those halves that have ended.
    answered_at: Option<Instant>,
    /// The half that is waited for while the other is up, and since when.
    waiting: Option<(Half, Instant)>,
    /// It was said that this half is waited for.
    said: Option<Half>,
}

impl TwoWay {
    pub(crate) fn new(push: CallId, play: CallId, pushed: StreamCall, played: StreamCall) -> Self {
        Self {
            push,
            play,
            pushed,
            played,
            up_since: None,
            lost: None,
            hanging_up: false,
            answered_at: None,
            waiting: None,
            said: None,
        }
    }

    /// By which the user knows the whole.
    pub(crate) fn call(&self) -> &CallId {
        &self.push
    }

    pub(crate) fn played(&self) -> &StreamCall {
        &self.played
    }

    pub(crate) fn stream(&self, half: Half) -> &StreamCall {
        match half {
            Half::Push => &self.pushed,
            Half::Play => &self.played,
        }
    }

    pub(crate) fn up_since(&self) -> Option<SystemTime> {
        self.up_since
    }

    pub(crate) fn lost(&self) -> Option<LostHalf> {
        self.lost
    }

    pub(crate) fn half(&self, call: &CallId) -> Option<Half> {
        match call {
            call if *call == self.push => Some(Half::Push),
            call if *call == self.play => Some(Half::Play),
            _ => None,
        }
    }

    /// The whole as the user sees it; `None` when neither half is left.
    pub(crate) fn join(&self, halves: impl Iterator<Item = CallSnapshot>) -> Option<CallSnapshot> {
        let joined = halves.reduce(|a, b| CallSnapshot {
            state: join_states(a.state, b.state),
            send_video: a.send_video || b.send_video,
            connected_at: a.connected_at.into_iter().chain(b.connected_at).min(),
            began_at: a.began_at.min(b.began_at),
            way: Direction::of(
                a.way.sends() || b.way.sends(),
                a.way.receives() || b.way.receives(),
            ),
            ..a
        })?;
        Some(CallSnapshot {
            call: self.push.clone(),
            stream: Some(self.pushed.clone()),
            ..joined
        })
    }

    /// A half is up, for the first time or again.
    pub(crate) fn handle_up(&mut self, at: SystemTime) {
        self.up_since.get_or_insert(at);
    }

    /// The user ends the whole: neither half is missed from here on.
    pub(crate) fn handle_hang_up(&mut self) {
        self.hanging_up = true;
    }

    /// Takes the end of one half; `other_lives` = the other is still there.
    pub(crate) fn handle_end(
        &mut self,
        now: Instant,
        half: Half,
        end: CallEnd,
        other_lives: bool,
    ) -> Outcome {
        if end.answered {
            let answered_at = now.checked_sub(end.duration).unwrap_or(now);
            self.answered_at = self.answered_at.into_iter().chain([answered_at]).min();
        }
        if other_lives {
            let lost = LostHalf {
                half,
                cause: end.cause,
                by_us: end.by_us,
            };
            self.lost = Some(lost);
            return Outcome::GoesOn(Some(lost).filter(|_| !self.hanging_up));
        }
        let end = CallEnd {
            answered: self.answered_at.is_some(),
            duration: self
                .answered_at
                .map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            ..end
        };
        // A half that was still being tried is cancelled; the whole was a conversation if the other was one.
        Outcome::Over(match end.cause {
            EndCause::Cancelled if end.answered => CallEnd {
                cause: EndCause::HungUp,
                reason: EndReason::UserHangup,
                detail: None,
                ..end
            },
            _ => end,
        })
    }

    /// Takes the states of the halves, whenever they may have changed.
    pub(crate) fn handle_states(
        &mut self,
        now: Instant,
        push: Option<CallState>,
        play: Option<CallState>,
    ) -> Option<Waiting> {
        let waited_for = match (push, play) {
            (Some(push), Some(play)) if was_up(push) && !was_up(play) => Some(Half::Play),
            (Some(push), Some(play)) if was_up(play) && !was_up(push) => Some(Half::Push),
            (Some(_) | None, Some(_) | None) => None,
        };
        let Some(half) = waited_for else {
            self.waiting = None;
            return self.said.take().map(Waiting::Hide);
        };
        let (_, since) = *self.waiting.get_or_insert((half, now));
        let due = now.saturating_duration_since(since) >= PATIENCE;
        if self.said.is_some() || !due {
            return None;
        }
        self.said = Some(half);
        Some(Waiting::Show(half))
    }

    /// When [`Self::handle_states`] has something to say although nothing happens.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (_, since) = self.waiting.filter(|_| self.said.is_none())?;
        Some(since + PATIENCE)
    }
}

impl Half {
    /// The code of the notice that this half is not up yet while the other is.
    pub(crate) fn pending(self) -> &'static str {
        match self {
            Half::Push => NOTICES[0],
            Half::Play => NOTICES[1],
        }
    }

    /// The code of the notice that this half is over while the other goes on.
    pub(crate) fn ended(self) -> &'static str {
        match self {
            Half::Push => NOTICES[2],
            Half::Play => NOTICES[3],
        }
    }
}

impl fmt::Display for LostHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.half {
            Half::Push => "nothing is sent any more",
            Half::Play => "nothing is received any more",
        };
        write!(f, "{what}: {}", self.cause.as_str())
    }
}

/// One half that is up makes the call connected; one that is lost for a while is a loss of the call.
fn join_states(a: CallState, b: CallState) -> CallState {
    let far = |state| match state {
        CallState::Calling => 0,
        CallState::RingingOut | CallState::RingingIn => 1,
        CallState::Connecting => 2,
        CallState::Connected => 3,
        CallState::Reconnecting => 4,
    };
    if far(a) >= far(b) { a } else { b }
}

fn was_up(state: CallState) -> bool {
    match state {
        CallState::Connected | CallState::Reconnecting => true,
        CallState::Calling | CallState::RingingOut | CallState::RingingIn | CallState::Connecting => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallState::{Calling, Connected, Connecting, Reconnecting, RingingOut};
    use ahoy_call::{Party, Purpose, RoomId};

    fn id(text: &str) -> CallId {
        CallId::new(text).expect("an id")
    }

    fn stream(purpose: Purpose, name: &str) -> StreamCall {
        StreamCall {
            purpose,
            vhost: "v".to_owned(),
            app: "live".to_owned(),
            stream: name.to_owned(),
        }
    }

    fn two_way() -> TwoWay {
        let (pushed, played) = (stream(Purpose::Push, "desk"), stream(Purpose::Play, "harbor"));
        TwoWay::new(id("a"), id("b"), pushed, played)
    }

    fn end(cause: EndCause, answered: Option<u64>) -> CallEnd {
        CallEnd {
            cause,
            reason: EndReason::UserHangup,
            detail: None,
            by_us: false,
            answered: answered.is_some(),
            duration: Duration::from_secs(answered.unwrap_or(0)),
        }
    }

    fn half(call: &str, way: Direction, state: CallState, connected_at: Option<Instant>) -> CallSnapshot {
        let purpose = if way.sends() { Purpose::Push } else { Purpose::Play };
        CallSnapshot {
            call: id(call),
            peer: Party::Room(RoomId::new("keeper").expect("a room")),
            peer_name: None,
            outgoing: true,
            video: true,
            send_video: way.sends(),
            state,
            connected_at,
            began_at: connected_at.unwrap_or_else(Instant::now),
            way,
            stream: Some(stream(purpose, call)),
        }
    }

    #[test]
    fn the_call_is_as_far_as_the_half_that_is_further_and_lost_when_one_is() {
        for (a, b, joined) in [
            (Calling, Calling, Calling),
            (Calling, Connecting, Connecting),
            (RingingOut, Calling, RingingOut),
            (Connected, Calling, Connected),
            (Connected, Connecting, Connected),
            (Connected, Connected, Connected),
            (Connected, Reconnecting, Reconnecting),
            (Reconnecting, Calling, Reconnecting),
        ] {
            assert_eq!(join_states(a, b), joined, "{a:?} {b:?}");
            assert_eq!(join_states(b, a), joined, "{b:?} {a:?}");
        }
    }

    #[test]
    fn two_halves_are_one_call_both_ways_and_one_that_is_left_goes_its_own() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let push = half("a", Direction::SendOnly, Connected, Some(later));
        let play = half("b", Direction::RecvOnly, Connected, Some(now));
        let two_way = two_way();
        let whole = two_way.join([push, play.clone()].into_iter()).expect("a call");
        assert_eq!((whole.way, whole.send_video), (Direction::SendRecv, true));
        assert_eq!(whole.connected_at, Some(now), "one timer, from the first");
        assert_eq!(whole.stream.map(|stream| stream.stream), Some("desk".to_owned()));
        let left = two_way.join([play].into_iter()).expect("a call");
        assert_eq!(left.call, id("a"), "the user knows it by one id");
        assert_eq!((left.way, left.send_video), (Direction::RecvOnly, false));
        assert_eq!(two_way.join([].into_iter()), None);
    }

    #[test]
    fn a_half_that_ends_is_named_with_its_cause_and_the_other_goes_on() {
        let now = Instant::now();
        for (lost, left, cause) in [
            (Half::Push, Half::Play, EndCause::StreamTaken),
            (Half::Play, Half::Push, EndCause::StreamNotFound),
            (Half::Play, Half::Push, EndCause::HungUp),
        ] {
            let mut two_way = two_way();
            let said = LostHalf {
                half: lost,
                cause,
                by_us: false,
            };
            let ended = two_way.handle_end(now, lost, end(cause, None), true);
            assert_eq!(ended, Outcome::GoesOn(Some(said)));
            assert_eq!(two_way.lost(), Some(said));
            let over = two_way.handle_end(now, left, end(EndCause::HungUp, Some(3)), false);
            assert_eq!(over, Outcome::Over(end(EndCause::HungUp, Some(3))));
        }
    }

    #[test]
    fn when_neither_half_was_taken_the_call_ends_with_the_last_cause() {
        let mut two_way = two_way();
        let now = Instant::now();
        two_way.handle_end(now, Half::Push, end(EndCause::StreamTaken, None), true);
        let over = two_way.handle_end(now, Half::Play, end(EndCause::StreamNotFound, None), false);
        assert_eq!(over, Outcome::Over(end(EndCause::StreamNotFound, None)));
    }

    #[test]
    fn a_hang_up_ends_both_and_says_nothing_of_either() {
        let mut two_way = two_way();
        two_way.handle_hang_up();
        let now = Instant::now() + Duration::from_secs(60);
        let push = end(EndCause::HungUp, Some(30));
        assert_eq!(
            two_way.handle_end(now, Half::Push, push, true),
            Outcome::GoesOn(None)
        );
        // The other half was never answered, and the whole was a conversation all the same.
        let play = end(EndCause::Cancelled, None);
        let over = two_way.handle_end(now, Half::Play, play, false);
        assert_eq!(over, Outcome::Over(end(EndCause::HungUp, Some(30))));
    }

    #[test]
    fn a_call_given_up_before_either_answer_is_cancelled() {
        let mut two_way = two_way();
        two_way.handle_hang_up();
        let now = Instant::now();
        two_way.handle_end(now, Half::Push, end(EndCause::Cancelled, None), true);
        let over = two_way.handle_end(now, Half::Play, end(EndCause::Cancelled, None), false);
        assert_eq!(over, Outcome::Over(end(EndCause::Cancelled, None)));
    }

    #[test]
    fn the_call_has_lasted_from_the_first_answer_to_the_last_end() {
        let mut two_way = two_way();
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let now = at(100);
        two_way.handle_end(now, Half::Play, end(EndCause::HungUp, Some(40)), true);
        let later = now + Duration::from_secs(10);
        let over = two_way.handle_end(later, Half::Push, end(EndCause::HungUp, Some(45)), false);
        assert_eq!(over, Outcome::Over(end(EndCause::HungUp, Some(50))));
    }

    #[test]
    fn the_timer_goes_on_from_the_first_half_when_that_is_gone() {
        let mut two_way = two_way();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(two_way.up_since(), None);
        two_way.handle_up(at(5));
        two_way.handle_up(at(7));
        two_way.handle_end(Instant::now(), Half::Play, end(EndCause::HungUp, Some(3)), true);
        assert_eq!(two_way.up_since(), Some(at(5)));
    }

    #[test]
    fn a_half_that_is_late_is_said_after_a_while_and_taken_back_when_it_is_there() {
        let (mut two_way, start) = (two_way(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(two_way.handle_states(at(0), Some(Calling), Some(Calling)), None);
        assert_eq!(two_way.poll_timeout(), None);
        let mut late = |ms| two_way.handle_states(at(ms), Some(Connected), Some(Calling));
        assert_eq!(late(100), None);
        assert_eq!(late(2_099), None);
        assert_eq!(late(2_100), Some(Waiting::Show(Half::Play)));
        assert_eq!(late(5_000), None, "once");
        assert_eq!(two_way.poll_timeout(), None);
        let there = two_way.handle_states(at(6_000), Some(Connected), Some(Connected));
        assert_eq!(there, Some(Waiting::Hide(Half::Play)));
    }

    #[test]
    fn a_half_that_follows_at_once_is_no_news_and_a_lost_one_is_not_waited_for() {
        let (mut two_way, start) = (two_way(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        two_way.handle_states(at(0), Some(Connecting), Some(Connected));
        assert_eq!(two_way.poll_timeout(), Some(at(2_000)));
        assert_eq!(
            two_way.handle_states(at(400), Some(Connected), Some(Connected)),
            None
        );
        assert_eq!(two_way.poll_timeout(), None);
        let lost = two_way.handle_states(at(9_000), Some(Connected), Some(Reconnecting));
        assert_eq!((lost, two_way.poll_timeout()), (None, None));
        let alone = two_way.handle_states(at(20_000), Some(Connected), None);
        assert_eq!((alone, two_way.poll_timeout()), (None, None));
    }
}
