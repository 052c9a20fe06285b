//! A path that is lost and found again (IM-Suite §9, network change), and signaling that is down meanwhile.
//!
//! A lost path is given three seconds to come back, then ICE is restarted, and again every eight seconds. The first loss
//! starts a budget of thirty seconds that only a connection ends. Signaling that is down ends nothing: the call goes on
//! as long as its media does.

use crate::action::Outbox;
use crate::call::Call;
use crate::end::Ending;
use crate::renegotiation::Wish;
use crate::state::State;
use crate::timer::{RECONNECT, RESTART_AFTER, RESTART_AGAIN, Timer};
use crate::{Action, EndDetail, EndReason};
use std::time::Instant;

/// The way of this call's signals to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// Signals wait until it is back.
    Down,
    /// The server no longer knows the call: signals reach nobody.
    Forgotten,
}

impl Link {
    pub(crate) fn carries(self) -> bool {
        match self {
            Link::Up => true,
            Link::Down | Link::Forgotten => false,
        }
    }
}

impl Call {
    /// The server is there, or not.
    pub(crate) fn handle_link(&mut self, now: Instant, up: bool, out: &mut Outbox) {
        match (self.link, up) {
            (Link::Forgotten, _) | (Link::Up, true) | (Link::Down, false) => {}
            (Link::Up, false) => {
                self.link = Link::Down;
                self.timers.hold(now);
            }
            (Link::Down, true) => {
                self.link = Link::Up;
                self.timers.release(now);
                self.pursue_wish(now, out);
            }
        }
    }

    /// The server does not list this call after a reconnect.
    pub(crate) fn handle_forgotten(&mut self, now: Instant, out: &mut Outbox) {
        use crate::EndCause::{ConnectionLost, Missed};
        let ending = match self.state {
            State::Connecting { .. } | State::Connected { .. } | State::Reconnecting { .. } => {
                if self.link != Link::Forgotten {
                    self.link = Link::Forgotten;
                    self.give_up_renegotiation();
                    out.push(Action::SignalingLost {
                        call: self.id.clone(),
                    });
                }
                return;
            }
            State::Offered { ringing: true, .. } => {
                Ending::quiet(ConnectionLost, EndReason::NetworkError, false)
            }
            State::Incoming { .. } => Ending::quiet(Missed, EndReason::NetworkError, false),
            // The offer may be on its way once more, the answer too: what becomes of them is said by the server.
            State::Preparing { .. }
            | State::Offered { ringing: false, .. }
            | State::Yielding { .. }
            | State::Answering { .. }
            | State::Ended => return,
        };
        self.finish(now, ending.with_detail(EndDetail::SignalingLost), out);
    }

    pub(crate) fn connected(&mut self, now: Instant, out: &mut Outbox) {
        let (answered_at, since) = match self.state {
            State::Connecting { answered_at } => (answered_at, now),
            State::Reconnecting { answered_at, since } | State::Connected { answered_at, since } => {
                (answered_at, since)
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => return out.ignore(),
        };
        for timer in [Timer::Connect, Timer::Reconnect, Timer::Restart] {
            self.timers.disarm(timer);
        }
        self.renegotiation.forget_restart();
        self.state = State::Connected { answered_at, since };
    }

    /// A restart gave the old path up. Nobody is alarmed unless the new one takes longer than a loss may.
    pub(crate) fn checking(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connected { .. } => self.begin_recovery(now),
            State::Connecting { .. } | State::Reconnecting { .. } => {}
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => out.ignore(),
        }
    }

    pub(crate) fn disconnected(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connected { .. } => {
                self.begin_recovery(now);
                self.show_loss();
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    /// Waiting is of no use: without a restart it does not come back.
    pub(crate) fn failed(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connecting { .. } => self.restart(now, out),
            State::Connected { .. } | State::Reconnecting { .. } => {
                self.begin_recovery(now);
                self.show_loss();
                self.restart(now, out);
            }
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => out.ignore(),
        }
    }

    /// The path is lost although nothing may have noticed it yet, or a lost one can be found at once.
    pub(crate) fn network_changed(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connected { .. } => {
                self.begin_recovery(now);
                self.restart(now, out);
            }
            State::Connecting { .. } | State::Reconnecting { .. } => self.restart(now, out),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => out.ignore(),
        }
    }

    /// The other side may be gone: if a restart finds it, nothing is lost, and if not, ICE says so.
    pub(crate) fn channel_closed(&mut self, now: Instant, out: &mut Outbox) {
        match self.state {
            State::Connected { .. } if !self.timers.is_armed(Timer::Restart) => {
                self.timers.arm(Timer::Restart, now + RESTART_AFTER);
            }
            State::Connected { .. }
            | State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Connecting { .. }
            | State::Reconnecting { .. }
            | State::Ended => out.ignore(),
        }
    }

    /// The lost path had its time.
    pub(crate) fn restart_is_due(&mut self, now: Instant, out: &mut Outbox) {
        let path_is_lost = self.timers.is_armed(Timer::Reconnect);
        match self.state {
            State::Connected { .. } if path_is_lost => {
                self.show_loss();
                self.restart(now, out);
            }
            // Only a closed channel was seen: one restart shows whether anybody is there.
            State::Connected { .. } => self.wish(now, Wish::RESTART, out),
            State::Connecting { .. } | State::Reconnecting { .. } => self.restart(now, out),
            State::Preparing { .. }
            | State::Offered { .. }
            | State::Yielding { .. }
            | State::Incoming { .. }
            | State::Answering { .. }
            | State::Ended => {}
        }
    }

    fn begin_recovery(&mut self, now: Instant) {
        if !self.timers.is_armed(Timer::Reconnect) {
            self.timers.arm(Timer::Reconnect, now + RECONNECT);
            self.timers.arm(Timer::Restart, now + RESTART_AFTER);
        }
    }

    fn show_loss(&mut self) {
        if let State::Connected { answered_at, since } = self.state {
            self.state = State::Reconnecting { answered_at, since };
        }
    }

    /// A restart is on its way, of this side or the other: it gets its time before there is another.
    pub(crate) fn attempt_begins(&mut self, now: Instant) {
        if self.timers.is_armed(Timer::Restart) {
            self.timers.arm(Timer::Restart, now + RESTART_AGAIN);
        }
    }

    fn restart(&mut self, now: Instant, out: &mut Outbox) {
        self.timers.arm(Timer::Restart, now + RESTART_AGAIN);
        if !self.renegotiation.restart_is_under_way() {
            self.wish(now, Wish::RESTART, out);
        }
    }
}
