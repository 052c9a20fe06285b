//! The actor's dealings with the server: signing in, the link, the session.

use crate::actor::Actor;
use crate::inbox::Message;
use crate::settings::Credentials;
use crate::snapshot::{ClientEvent, Phase, Problem};
use ahoy_call::{Endpoint, EndpointConfig, Party};
use ahoy_signaling::{
    Connection, DownCause, Event, LinkEvent, Login, LoginError, Protocol, ProtocolKind, Secret,
    SessionConfig, Target, TargetError, TokenClaims,
};
use std::time::{Duration, Instant};

/// How long a call rings when the server does not say (IM-Suite §9).
const RING_TIMEOUT: Duration = Duration::from_secs(30);

/// A session for the user that the token names.
pub(crate) fn session(token: Option<&Secret>) -> Box<dyn Protocol> {
    let user = token.and_then(|token| TokenClaims::of(token.expose()).user);
    ProtocolKind::ImSuite.session(SessionConfig { user })
}

impl Actor {
    /// Signs in: with the token at once, with a password after the login.
    pub(crate) fn sign_in(&mut self) {
        self.server.phase = Phase::Connecting;
        match &self.settings.credentials {
            Credentials::Token(token) => self.connect(token.clone()),
            Credentials::Password { name, password } => {
                let (server, insecure) = (self.settings.server.clone(), self.settings.insecure_server);
                let (name, password, inbox) = (name.clone(), password.clone(), self.inbox.clone());
                tokio::spawn(async move {
                    let result = ahoy_signaling::login(&server, &name, &password, insecure).await;
                    inbox.send(Message::Login(result)).await;
                });
            }
        }
    }

    pub(crate) fn handle_login(&mut self, result: Result<Login, LoginError>) {
        match result {
            Ok(login) => self.connect(login.token),
            Err(error) => self.fail_sign_in(problem_of_login(&error)),
        }
    }

    fn connect(&mut self, token: Secret) {
        if let Some(link) = &self.link {
            if let Err(error) = link.set_token(token) {
                self.fail_sign_in(problem_of_target(&error));
            }
            return;
        }
        self.protocol = session(Some(&token));
        let target = Target {
            url: self.settings.server.clone(),
            token,
            device_id: Some(self.settings.device_id.clone()),
            subprotocol: ProtocolKind::ImSuite.subprotocol(),
            insecure: self.settings.insecure_server,
        };
        match Connection::start(target) {
            Ok(link) => self.link = Some(link),
            Err(error) => self.fail_sign_in(problem_of_target(&error)),
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
                self.lost_server(&cause, retry_at);
            }
            LinkEvent::GivenUp(cause) => {
                self.protocol.handle_disconnected(now);
                self.people.forget_presence();
                self.link = None;
                self.fail_sign_in(problem_of_link(&cause));
            }
        }
    }

    fn lost_server(&mut self, cause: &DownCause, retry_at: Option<Instant>) {
        let problem = problem_of_link(cause);
        self.people.forget_presence();
        let token_refused = matches!(cause, DownCause::Unauthorized | DownCause::TokenExpired);
        if token_refused {
            match &self.settings.credentials {
                Credentials::Token(_) => {
                    self.link = None;
                    self.fail_sign_in(problem);
                }
                Credentials::Password { .. } => self.sign_in(),
            }
            return;
        }
        self.server.phase = Phase::Offline;
        self.server.problem = Some(problem.clone());
        self.server.retry_at = retry_at;
        let retry_in = retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        self.tell(ClientEvent::ServerLost { problem, retry_in });
    }

    pub(crate) fn retry_now(&mut self) {
        match &self.link {
            Some(link) => link.retry_now(),
            None => self.sign_in(),
        }
    }

    pub(crate) fn handle_protocol(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Ready {
                me,
                ring_timeout,
                basic_mode,
                ..
            } => self.ready(me, ring_timeout, basic_mode),
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
            Event::Silent => {
                if let Some(link) = &self.link {
                    link.drop_link();
                }
            }
            Event::Problem(problem) => {
                tracing::warn!(%problem, "signaling");
                if problem == ahoy_signaling::Problem::UnknownUser {
                    self.fail_sign_in(Problem {
                        code: "token_wrong",
                        detail: problem.to_string(),
                    });
                }
            }
        }
    }

    fn ready(&mut self, me: Party, ring_timeout: Option<Duration>, basic_mode: bool) {
        self.server.phase = Phase::Ready;
        self.server.problem = None;
        self.server.retry_at = None;
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
        self.tell(ClientEvent::SignedIn { me });
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        let Some(link) = &self.link else { return };
        if link.outgoing.send(text).await.is_err() {
            tracing::debug!("the link has ended; a message is dropped");
        }
    }
}

fn problem_of_link(cause: &DownCause) -> Problem {
    let code = match cause {
        DownCause::Unreachable(_)
        | DownCause::ConnectTimeout
        | DownCause::Closed(_)
        | DownCause::BadFrame(_)
        | DownCause::Lost(_)
        | DownCause::Silent
        | DownCause::TooBig(_)
        | DownCause::NetworkChanged
        | DownCause::TooMany
        | DownCause::Flooding => "server_silent",
        DownCause::Tls(_) => "certificate",
        DownCause::NotAServer(_) => "not_a_server",
        DownCause::Unauthorized => "token_wrong",
        DownCause::TokenExpired => "token_expired",
        DownCause::Forbidden | DownCause::Banned => "banned",
        DownCause::Replaced => "replaced",
    };
    Problem {
        code,
        detail: cause.to_string(),
    }
}

fn problem_of_target(error: &TargetError) -> Problem {
    let code = match error {
        TargetError::Insecure(_) => "insecure_server",
        TargetError::BadToken => "token_wrong",
        TargetError::BadUrl(_) | TargetError::BadDeviceId => "not_a_server",
    };
    Problem {
        code,
        detail: error.to_string(),
    }
}

fn problem_of_login(error: &LoginError) -> Problem {
    let code = match error {
        LoginError::Target(error) => return problem_of_target(error),
        LoginError::WrongCredentials(_) => "credentials_wrong",
        LoginError::SecondFactor => "second_factor",
        LoginError::Forbidden => "banned",
        LoginError::TooMany | LoginError::Unreachable(_) | LoginError::Silent => "server_silent",
        LoginError::Tls(_) => "certificate",
        LoginError::NotAServer(_) => "not_a_server",
    };
    Problem {
        code,
        detail: error.to_string(),
    }
}
