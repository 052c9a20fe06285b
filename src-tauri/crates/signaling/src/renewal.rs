//! When a token is renewed, and by what: its refresh token, else a new login with the password (IM-Suite §1.4). Pure.
//!
//! ```text
//!            a lead before its end, or refused by the server
//! Holding ──────────────────────────────────────────────────► Asking ── new token ──► Holding
//!    ▲                                                          │ │
//!    │                                       server unreachable │ │ refused, and no other way
//!    └── wait, doubling ◄───────────────────────────────────────┘ └────────────────► Spent
//! ```
//!
//! A token is kept for as long as the server takes it: a renewal that fails signs nobody out.

use crate::backoff::Backoff;
use crate::secret::Secret;
use crate::token::TokenClaims;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// A token is renewed so long before its end: a tenth of its life, but at least 75 s, which leaves a quarter of a minute
/// for the request before the 60 s of §1.4, and at most five minutes; a token of less than 150 s at half its life.
const LEAD: (Duration, Duration) = (Duration::from_secs(75), Duration::from_secs(300));

/// Longer lives are cut: clocks of systems that sleep would not keep such a time anyway. Thirty days, chosen.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A token that is refused sooner than this after it came is of a server that refuses what it gives: asked again at once
/// it would be asked for ever. Chosen: longer than a connection takes, shorter than any token lives.
const FRESH: Duration = Duration::from_secs(30);

/// What to do for a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renew {
    /// Ask with this refresh token.
    Refresh(Secret),
    /// Log in with name and password.
    LogIn,
    /// The token has ended and there is no way to a new one.
    GiveUp,
}

/// Why a renewal brought no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalFailure {
    /// The server did not answer; it may the next time.
    Unreachable,
    /// The server said no to this way.
    Refused,
}

/// The renewal of one user's token.
///
/// After every `handle_*` take [`Renewal::poll_renew`] until `None`, and tell what came of each with
/// [`Renewal::handle_token`] or [`Renewal::handle_failure`]; [`Renewal::handle_timeout`] is due at
/// [`Renewal::poll_timeout`].
#[derive(Debug)]
pub struct Renewal {
    /// A name and a password are known.
    can_log_in: bool,
    refresh_token: Option<Secret>,
    state: State,
    /// When the present token came.
    received: Option<Instant>,
    /// The server refuses the present token.
    refused: bool,
    backoff: Backoff,
    next: Option<Renew>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing to do until then; without a time for ever.
    Holding {
        until: Option<Instant>,
    },
    Asking {
        by_refresh: bool,
    },
    Spent,
}

impl Renewal {
    /// Knows no token yet; `can_log_in` says that a name and a password are known.
    pub fn new(can_log_in: bool) -> Self {
        Self {
            can_log_in,
            refresh_token: None,
            state: State::Holding { until: None },
            received: None,
            refused: false,
            backoff: Backoff::default(),
            next: None,
        }
    }

    /// There is a new token. A refresh token that does not come with it stays the one there was.
    pub fn handle_token(
        &mut self,
        now: Instant,
        wall: Timestamp,
        token: &Secret,
        refresh_token: Option<Secret>,
        expires_in: Option<Duration>,
    ) {
        self.refresh_token = refresh_token.or_else(|| self.refresh_token.take());
        self.refused = false;
        self.next = None;
        if !self.is_fresh(now) {
            self.backoff.reset();
        }
        self.received = Some(now);
        // The server's own figure needs no clock that is right; `exp` does.
        let life = expires_in.or_else(|| life_by_claims(token, wall));
        let until = life
            .filter(|_| self.can_renew())
            .map(|life| now + wait_before_renewal(life));
        self.state = State::Holding { until };
    }

    /// The server takes the token no more (close 4401 or HTTP 401); `random` spreads the next attempt.
    pub fn handle_refused(&mut self, now: Instant, random: u32) {
        self.refused = true;
        match self.state {
            State::Asking { .. } => {}
            State::Holding { .. } if self.is_fresh(now) && self.can_renew() => {
                let until = Some(now + self.backoff.next(random));
                self.state = State::Holding { until };
            }
            State::Holding { .. } | State::Spent => self.ask(),
        }
    }

    /// The last [`Renew`] failed; `random` spreads the next attempt.
    pub fn handle_failure(&mut self, now: Instant, failure: RenewalFailure, random: u32) {
        let State::Asking { by_refresh } = self.state else {
            return;
        };
        match failure {
            RenewalFailure::Unreachable => {
                let until = Some(now + self.backoff.next(random));
                self.state = State::Holding { until };
            }
            RenewalFailure::Refused if by_refresh => {
                self.refresh_token = None;
                self.ask();
            }
            RenewalFailure::Refused => self.spend(),
        }
    }

    /// The time given by [`Renewal::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Holding { until: Some(until) } = self.state
            && until <= now
        {
            self.ask();
        }
    }

    /// The next thing to do.
    pub fn poll_renew(&mut self) -> Option<Renew> {
        self.next.take()
    }

    /// When [`Renewal::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Holding { until } => until,
            State::Asking { .. } | State::Spent => None,
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.received
            .is_some_and(|at| now.saturating_duration_since(at) < FRESH)
    }

    fn can_renew(&self) -> bool {
        self.can_log_in || self.refresh_token.is_some()
    }

    fn ask(&mut self) {
        let (next, state) = match &self.refresh_token {
            Some(token) => (Renew::Refresh(token.clone()), State::Asking { by_refresh: true }),
            None if self.can_log_in => (Renew::LogIn, State::Asking { by_refresh: false }),
            None => return self.spend(),
        };
        self.next = Some(next);
        self.state = state;
    }

    /// No way is left; the token still serves for as long as the server takes it.
    fn spend(&mut self) {
        self.state = State::Spent;
        if self.refused {
            self.next = Some(Renew::GiveUp);
        }
    }
}

/// How long a token lives by its own `exp`; one that has ended by this clock tells nothing, as the clock may be wrong.
fn life_by_claims(token: &Secret, wall: Timestamp) -> Option<Duration> {
    let expires = TokenClaims::of(token.expose()).expires?;
    Duration::try_from(expires.duration_since(wall))
        .ok()
        .filter(|life| !life.is_zero())
}

fn wait_before_renewal(life: Duration) -> Duration {
    let life = life.min(LONGEST_LIFE);
    let lead = (life / 10).clamp(LEAD.0, LEAD.1).min(life / 2);
    life - lead
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    /// A renewal that holds an opaque token of one hour.
    fn holding(now: Instant, can_log_in: bool, refresh: Option<&str>) -> Renewal {
        let mut renewal = Renewal::new(can_log_in);
        let refresh = refresh.map(secret);
        renewal.handle_token(now, Timestamp::UNIX_EPOCH, &secret("t"), refresh, Some(HOUR));
        renewal
    }

    #[test]
    fn a_token_is_renewed_at_least_a_minute_before_its_end() {
        let now = Instant::now();
        for (life, wait) in [(3600, 3300), (900, 810), (600, 525), (150, 75), (40, 20)] {
            let mut renewal = Renewal::new(true);
            let life = Some(Duration::from_secs(life));
            renewal.handle_token(now, Timestamp::UNIX_EPOCH, &secret("t"), None, life);
            let due = now + Duration::from_secs(wait);
            assert_eq!(renewal.poll_timeout(), Some(due), "{life:?}");
            renewal.handle_timeout(due - Duration::from_millis(1));
            assert_eq!(renewal.poll_renew(), None);
            renewal.handle_timeout(due);
            assert_eq!(renewal.poll_renew(), Some(Renew::LogIn));
        }
    }

    #[test]
    fn without_a_figure_of_the_server_the_token_itself_says_when_it_ends() {
        let now = Instant::now();
        // {"exp":1760000000}
        let token = secret("e30.eyJleHAiOjE3NjAwMDAwMDB9.");
        let at = |second| Timestamp::from_second(second).expect("time");
        let mut renewal = Renewal::new(true);
        renewal.handle_token(now, at(1_760_000_000 - 3600), &token, None, None);
        assert_eq!(renewal.poll_timeout(), Some(now + Duration::from_secs(3300)));
        renewal.handle_token(now, at(1_760_000_001), &token, None, None);
        assert_eq!(renewal.poll_timeout(), None, "by a clock that is wrong");
    }

    #[test]
    fn a_refresh_token_is_rotated_and_kept_when_no_new_one_comes() {
        let now = Instant::now();
        let mut renewal = holding(now, true, Some("r1"));
        renewal.handle_timeout(now + HOUR);
        assert_eq!(renewal.poll_renew(), Some(Renew::Refresh(secret("r1"))));
        assert_eq!(renewal.poll_renew(), None, "one request at a time");
        renewal.handle_token(
            now,
            Timestamp::UNIX_EPOCH,
            &secret("t2"),
            Some(secret("r2")),
            Some(HOUR),
        );
        renewal.handle_token(now, Timestamp::UNIX_EPOCH, &secret("t3"), None, Some(HOUR));
        renewal.handle_timeout(now + HOUR);
        assert_eq!(renewal.poll_renew(), Some(Renew::Refresh(secret("r2"))));
    }

    #[test]
    fn a_refused_refresh_token_is_followed_by_a_login() {
        let now = Instant::now();
        let mut renewal = holding(now, true, Some("r1"));
        renewal.handle_timeout(now + HOUR);
        renewal.poll_renew();
        renewal.handle_failure(now, RenewalFailure::Refused, 0);
        assert_eq!(renewal.poll_renew(), Some(Renew::LogIn));
    }

    #[test]
    fn an_unreachable_server_is_asked_again_later_and_later_and_nobody_is_signed_out() {
        let mut now = Instant::now();
        let mut renewal = holding(now, false, Some("r1"));
        now += HOUR;
        renewal.handle_timeout(now);
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(renewal.poll_renew(), Some(Renew::Refresh(secret("r1"))));
            renewal.handle_failure(now, RenewalFailure::Unreachable, u32::MAX / 2);
            let due = renewal.poll_timeout().expect("a next attempt");
            waits.push((due - now).as_secs_f64().round() as u64);
            now = due;
            renewal.handle_timeout(now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn when_every_way_is_refused_the_token_serves_to_its_end() {
        let now = Instant::now();
        let mut renewal = holding(now, false, Some("r1"));
        renewal.handle_timeout(now + HOUR);
        renewal.poll_renew();
        renewal.handle_failure(now, RenewalFailure::Refused, 0);
        assert_eq!((renewal.poll_renew(), renewal.poll_timeout()), (None, None));
        renewal.handle_refused(now + HOUR, 0);
        assert_eq!(renewal.poll_renew(), Some(Renew::GiveUp));
    }

    #[test]
    fn a_token_given_alone_waits_for_nothing_and_ends_when_the_server_says_so() {
        let now = Instant::now();
        let mut renewal = holding(now, false, None);
        assert_eq!(renewal.poll_timeout(), None);
        renewal.handle_refused(now + HOUR, 0);
        assert_eq!(renewal.poll_renew(), Some(Renew::GiveUp));
    }

    #[test]
    fn a_token_refused_while_it_is_renewed_is_not_asked_for_twice() {
        let now = Instant::now();
        let mut renewal = holding(now, true, Some("r1"));
        renewal.handle_refused(now + HOUR, 0);
        assert_eq!(renewal.poll_renew(), Some(Renew::Refresh(secret("r1"))));
        renewal.handle_refused(now + HOUR, 0);
        assert_eq!(renewal.poll_renew(), None);
        renewal.handle_token(now, Timestamp::UNIX_EPOCH, &secret("t2"), None, Some(HOUR));
        renewal.handle_refused(now + HOUR, 0);
        assert_eq!(renewal.poll_renew(), Some(Renew::Refresh(secret("r1"))));
    }

    #[test]
    fn a_server_that_refuses_the_tokens_it_gives_is_not_asked_without_pause() {
        let mut now = Instant::now();
        let mut renewal = holding(now, true, None);
        let mut waits = Vec::new();
        for _ in 0..4 {
            renewal.handle_refused(now, u32::MAX / 2);
            assert_eq!(renewal.poll_renew(), None);
            let due = renewal.poll_timeout().expect("a next attempt");
            waits.push((due - now).as_secs_f64().round() as u64);
            now = due;
            renewal.handle_timeout(now);
            assert_eq!(renewal.poll_renew(), Some(Renew::LogIn));
            renewal.handle_token(now, Timestamp::UNIX_EPOCH, &secret("t"), None, Some(HOUR));
        }
        assert_eq!(waits, [1, 2, 4, 8]);
    }
}
