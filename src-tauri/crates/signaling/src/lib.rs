//! Signaling: what the protocols say, and the WebSocket that carries it.
//!
//! Two halves that know nothing of each other; the client actor joins them.
//!
//! **[`Protocol`]** is a session without IO: it turns texts of the server into [`Event`]s and [`ahoy_call::Signal`]s into
//! texts. [`ProtocolKind::session`] makes one. After every `handle_*` drain [`Protocol::poll_text`] and
//! [`Protocol::poll_event`] until `None`, then wait until [`Protocol::poll_timeout`] or the next input.
//!
//! **[`Connection`]** is one task that keeps a WebSocket up. Its [`LinkEvent`]s are fed to the session, texts of the session
//! are sent through it:
//!
//! | from | does |
//! |---|---|
//! | [`LinkEvent::Up`] | [`Protocol::handle_connected`] |
//! | [`LinkEvent::Text`] | [`Protocol::handle_text`] |
//! | [`LinkEvent::Alive`] | [`Protocol::handle_alive`] |
//! | [`LinkEvent::Down`], [`LinkEvent::GivenUp`] | [`Protocol::handle_disconnected`] |
//! | [`Protocol::poll_text`] | `connection.outgoing.send(text).await` |
//! | [`Event::Silent`] | [`Connection::drop_link`] |
//! | a new token, after [`DownCause::TokenExpired`] or [`DownCause::Unauthorized`] | [`Connection::set_token`] |
//! | a renewed token, on a live link | [`Connection::set_token`], then [`Connection::retry_now`] |
//! | the system's network changed | [`Connection::retry_now`] |
//!
//! While the link is down the session keeps the texts that still matter, bounded, and gives them out after it is up again;
//! nobody else has to queue. [`login`] trades name and password for a token, [`refresh()`] a refresh token, [`Renewal`]
//! decides when, and [`TokenClaims`] reads what a token says about itself. [`rest`] asks for contacts, relays and history.
//! The wire messages themselves are public in [`im_suite::wire`] and [`zlm::wire`], because the reference server speaks
//! them too.

mod backoff;
mod http;
pub mod im_suite;
mod link;
mod login;
mod protocol;
mod renewal;
pub mod rest;
mod secret;
mod tls;
mod token;
mod websocket;
pub mod zlm;

pub use backoff::Backoff;
pub use http::HttpError;
pub use jiff::Timestamp;
pub use link::{Auth, DownCause, LinkEvent, Target, TargetError, is_on_this_machine};
pub use login::{Login, LoginError, login, refresh};
pub use protocol::{
    Event, LiveCall, LiveCallState, Problem, Protocol, ProtocolError, ProtocolKind, SessionConfig,
    SignInRefused,
};
pub use renewal::{Renew, Renewal, RenewalFailure};
pub use secret::Secret;
pub use token::TokenClaims;
pub use websocket::Connection;
