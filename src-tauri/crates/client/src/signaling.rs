//! The actor's dealings with the server: signing in and staying signed in, the link, the session.

use crate::actor::Actor;
use crate::inbox::Message;
use crate::peer_task::PeerWork;
use crate::problem;
use crate::settings::Credentials;
use crate::snapshot::{ClientEvent, Phase, Problem};
use ahoy_call::{CallState, Endpoint, EndpointConfig, Party};
use ahoy_signaling::{
    Connection, DownCause, Event, HttpError, LinkEvent, Login, LoginError, Protocol, ProtocolKind, Renew,
    RenewalFailure, Secret, SessionConfig, Target, Timestamp, TokenClaims,
};
use std::time::{Duration, Instant};

/// How long a call rings when the server does not say (IM-Suite §9).
const RING_TIMEOUT: Duration = Duration::from_secs(30);

/// A session for the user that the token names, or for the room.
pub(crate) fn session(credentials: &Credentials, token: Option<&Secret>) -> Box<dyn Protocol> {
    let mut config = SessionConfig {
        user: token.and_then(|token| TokenClaims::of(token.expose()).user),
        seed: getrandom::u64().unwrap_or_default(),
        ..SessionConfig::default()
    };
    if let Credentials::Room { room, secret } = credentials {
        config.room.clone_from(room);
        config.room_secret.clone_from(secret);
    }
    credentials.protocol().session(config)
}

impl Actor {
    /// Signs in: with the token at once, with a password after the login.
    pub(crate) fn sign_in(&mut self) {
        self.server.phase = Phase::Connecting;
        match &self.settings.credentials {
            Credentials::Token(token) => {
                let token = token.clone();
                self.take_token(token, None, None);
            }
            Credentials::Password { .. } => self.renew(Renew::LogIn),
            Credentials::Room { .. } => self.connect(None),
        }
    }

    /// Asks for a new token, or gives the user up who can have none.
    pub(crate) fn renew(&mut self, renew: Renew) {
        let (server, insecure) = (self.settings.server.clone(), self.settings.insecure_server);
        let inbox = self.inbox.clone();
        match (renew, &self.settings.credentials) {
            (Renew::Refresh(token), _) => {
                tokio::spawn(async move {
                    let result = ahoy_signaling::refresh(&server, &token, insecure).await;
                    inbox.send(Message::Login(result)).await;
                });
            }
            (Renew::LogIn, Credentials::Password { name, password }) => {
                let (name, password) = (name.clone(), password.clone());
                tokio::spawn(async move {
                    let result = ahoy_signaling::login(&server, &name, &password, insecure).await;
                    inbox.send(Message::Login(result)).await;
                });
            }
            (Renew::LogIn, Credentials::Token(_) | Credentials::Room { .. }) | (Renew::GiveUp, _) => {
                let problem = self.token_problem.take();
                self.give_up(problem.unwrap_or_else(|| problem::of_link(&DownCause::TokenExpired)));
            }
        }
    }

    pub(crate) fn handle_login(&mut self, result: Result<Login, LoginError>) {
        match result {
            Ok(login) => self.take_token(login.token, login.refresh_token, login.expires_in),
            Err(error) => {
                let problem = problem::of_login(&error);
                if self.token.borrow().is_none() {
                    return self.fail_sign_in(problem);
                }
                tracing::warn!(%error, "the token is not renewed");
                let failure = failure_of(&error);
                self.renewal.handle_failure(Instant::now(), failure, spread());
                if failure == RenewalFailure::Refused {
                    self.token_problem = Some(problem);
                } else if self.server.phase == Phase::Connecting {
                    let retry_at = self.renewal.poll_timeout();
                    self.be_offline(problem, retry_at);
                }
            }
        }
    }

    fn take_token(&mut self, token: Secret, refresh_token: Option<Secret>, expires_in: Option<Duration>) {
        let (now, wall) = (Instant::now(), Timestamp::now());
        self.renewal
            .handle_token(now, wall, &token, refresh_token, expires_in);
        self.token_problem = None;
        self.token.send_replace(Some(token.clone()));
        // A link that waits for a token connects by itself; one that is up is made anew when it disturbs nobody.
        self.reconnect_due = self.server.phase == Phase::Ready;
        self.connect(Some(token));
    }

    fn connect(&mut self, token: Option<Secret>) {
        if let (Some(link), Some(token)) = (&self.link, &token) {
            if let Err(error) = link.set_token(token.clone()) {
                self.give_up(problem::of_target(&error));
            }
            return;
        }
        self.protocol = session(&self.settings.credentials, token.as_ref());
        let protocol = self.settings.credentials.protocol();
        let target = Target {
            url: self.settings.server.clone(),
            device_id: token.is_some().then(|| self.settings.device_id.clone()),
            token,
            encodings: protocol.encodings(),
            ping_every: protocol.ping_every(),
            insecure: self.settings.insecure_server,
            auth: self.settings.auth,
        };
        match Connection::start(target) {
            Ok(link) => self.link = Some(link),
            Err(error) => self.fail_sign_in(problem::of_target(&error)),
        }
    }

    /// Connects with the renewed token before the server ends the connection of the old one (IM-Suite §1.4): not while a
    /// call is being made, and with a server that cannot resume not during a call at all.
    pub(crate) fn reconnect_if_due(&mut self) {
        if !self.reconnect_due {
            return;
        }
        let undisturbed = match self.call_snapshot().map(|call| call.state) {
            None => true,
            Some(CallState::Connected) => !self.server.basic_mode,
            Some(
                CallState::Calling
                | CallState::RingingOut
                | CallState::RingingIn
                | CallState::Connecting
                | CallState::Reconnecting,
            ) => false,
        };
        if undisturbed || self.server.phase != Phase::Ready {
            self.reconnect_due = false;
            if let (Some(link), Phase::Ready) = (&self.link, self.server.phase) {
                link.retry_now();
            }
        }
    }

    pub(crate) fn handle_link(&mut self, event: LinkEvent) {
        let now = Instant::now();
        match event {
            LinkEvent::Up => self.protocol.handle_connected(now),
            LinkEvent::Text(text) => self.protocol.handle_text(now, &text),
            LinkEvent::Alive => self.protocol.handle_alive(now),
            LinkEvent::Down { cause, retry_at } => {
                self.protocol.handle_disconnected(now);
                self.tell_link(false);
                self.lost_server(&cause, retry_at);
            }
            LinkEvent::GivenUp(cause) => {
                self.protocol.handle_disconnected(now);
                self.give_up(problem::of_link(&cause));
            }
        }
    }

    fn lost_server(&mut self, cause: &DownCause, retry_at: Option<Instant>) {
        match cause {
            // Back within a moment, or the next attempt says why not.
            DownCause::TokenRenewed => {}
            DownCause::NetworkChanged => {
                self.people.forget_presence();
                self.server.phase = Phase::Connecting;
            }
            DownCause::Unauthorized | DownCause::TokenExpired => {
                let problem = problem::of_link(cause);
                self.people.forget_presence();
                self.server.phase = Phase::Connecting;
                self.token_problem = Some(problem.clone());
                self.renewal.handle_refused(Instant::now(), spread());
                if let Some(retry_at) = self.renewal.poll_timeout() {
                    self.be_offline(problem, Some(retry_at));
                }
            }
            DownCause::Unreachable(_)
            | DownCause::ConnectTimeout
            | DownCause::Tls(_)
            | DownCause::NotAServer(_)
            | DownCause::Forbidden
            | DownCause::TooMany
            | DownCause::Banned
            | DownCause::Replaced
            | DownCause::Flooding
            | DownCause::Closed(_)
            | DownCause::TooBig(_)
            | DownCause::BadFrame(_)
            | DownCause::Undecodable(_)
            | DownCause::Lost(_)
            | DownCause::Silent => self.be_offline(problem::of_link(cause), retry_at),
        }
    }

    /// Waits for the next attempt; calls go on (IM-Suite §9).
    fn be_offline(&mut self, problem: Problem, retry_at: Option<Instant>) {
        self.people.forget_presence();
        self.rooms.clear();
        self.server.phase = Phase::Offline;
        self.server.problem = Some(problem.clone());
        self.server.retry_at = retry_at;
        let retry_in = retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        self.note_signaling_lost(&problem);
        self.tell(ClientEvent::ServerLost { problem, retry_in });
    }

    /// Nothing more is tried without the user; a connected call goes on.
    fn give_up(&mut self, problem: Problem) {
        self.tell_link(false);
        self.people.forget_presence();
        self.rooms.clear();
        self.link = None;
        self.note_signaling_lost(&problem);
        self.fail_sign_in(problem);
    }

    fn note_signaling_lost(&mut self, problem: &Problem) {
        let talking = self
            .call_snapshot()
            .is_some_and(|call| matches!(call.state, CallState::Connected | CallState::Reconnecting));
        if talking && !self.has_notice("signaling_lost") {
            self.notice("signaling_lost", problem.detail.clone());
        }
    }

    pub(crate) fn retry_now(&mut self) {
        match &self.link {
            Some(link) => link.retry_now(),
            None => self.sign_in(),
        }
    }

    /// The system's network is another one: the link is made anew (IM-Suite §1.9).
    pub(crate) fn handle_network_change(&mut self) {
        tracing::info!("the network changed");
        if let Some(link) = &self.link {
            link.retry_now();
        }
        for live in self.legs.iter() {
            // The connection looks at its own addresses with every measurement.
            live.order(PeerWork::Stats);
        }
    }

    pub(crate) fn handle_protocol(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Ready {
                me,
                ring_timeout,
                basic_mode,
                live_calls,
            } => {
                self.ready(me, ring_timeout, basic_mode);
                self.tell_link(true);
                if !basic_mode {
                    self.compare_calls(&live_calls);
                }
            }
            Event::Signal(signal) => {
                self.note_report(&signal);
                if let Some(endpoint) = &mut self.endpoint {
                    endpoint.handle_signal(now, signal);
                }
            }
            Event::Presence {
                user,
                name,
                online,
                busy,
            } => {
                if self.me != Some(Party::User(user)) {
                    self.people.handle_presence(user, name, online, busy);
                }
            }
            Event::IceServers(servers) => self.ice.tell(servers),
            Event::Rooms(rooms) => self.rooms = rooms,
            Event::SignInRefused(refused) => self.give_up(problem::of_refusal(refused)),
            Event::Silent => {
                if let Some(link) = &self.link {
                    link.drop_link();
                }
            }
            Event::Problem(ahoy_signaling::Problem::UnknownUser) => self.fetch_me(),
            Event::Problem(problem) => tracing::warn!(%problem, "signaling"),
        }
    }

    fn ready(&mut self, me: Party, ring_timeout: Option<Duration>, basic_mode: bool) {
        let first = self.server.phase != Phase::Ready || self.me.as_ref() != Some(&me);
        self.server.phase = Phase::Ready;
        self.server.problem = None;
        self.server.retry_at = None;
        self.dismiss("signaling_lost");
        let same_user = self.me.as_ref() == Some(&me);
        self.me = Some(me.clone());
        let ring_timeout = ring_timeout.unwrap_or(RING_TIMEOUT);
        match &mut self.endpoint {
            Some(endpoint) if same_user => {
                endpoint.set_basic_mode(basic_mode);
                endpoint.set_ring_timeout(ring_timeout);
            }
            Some(_) | None => {
                let mut endpoint = Endpoint::new(EndpointConfig {
                    me: me.clone(),
                    ring_timeout,
                    basic_mode,
                });
                endpoint.set_answer_constraints(Some(self.constraints(true)));
                self.endpoint = Some(endpoint);
            }
        }
        // Servers of rooms have no features to show, and calls outlive the connection to them.
        let lacks_features = basic_mode && self.settings.credentials.protocol() == ProtocolKind::ImSuite;
        if lacks_features && !self.server.basic_mode {
            self.notice("basic_mode", "the server shows no features");
        }
        self.server.basic_mode = lacks_features;
        self.tell(ClientEvent::SignedIn { me });
        if first {
            self.fetch_account();
        }
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        let Some(link) = &self.link else { return };
        if link.outgoing.send(text).await.is_err() {
            tracing::debug!("the link has ended; a message is dropped");
        }
    }
}

/// What a failed login or refresh means for the next attempt.
fn failure_of(error: &LoginError) -> RenewalFailure {
    match error {
        LoginError::WrongCredentials(_)
        | LoginError::Forbidden
        | LoginError::SecondFactor
        | LoginError::Target(_) => RenewalFailure::Refused,
        LoginError::TooMany
        | LoginError::Http(
            HttpError::Unreachable(_) | HttpError::Silent | HttpError::Tls(_) | HttpError::NotAServer(_),
        ) => RenewalFailure::Unreachable,
    }
}

/// Keeps clients apart; without randomness the middle serves.
fn spread() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
