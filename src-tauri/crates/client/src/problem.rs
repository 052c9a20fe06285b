//! What keeps a user from the server, as a stable code: one per thing to do about it. Pure.

use crate::snapshot::Problem;
use ahoy_signaling::rest::RestError;
use ahoy_signaling::{DownCause, HttpError, LoginError, SignInRefused, TargetError};

pub(crate) fn of_link(cause: &DownCause) -> Problem {
    let code = match cause {
        DownCause::Unreachable(_)
        | DownCause::ConnectTimeout
        | DownCause::Lost(_)
        | DownCause::Silent
        | DownCause::NetworkChanged
        | DownCause::TokenRenewed => "server_silent",
        DownCause::Closed(code) => of_close_code(*code),
        DownCause::BadFrame(_) | DownCause::Undecodable(_) | DownCause::TooBig(_) => "not_understood",
        DownCause::TooMany | DownCause::Flooding => "rate_limited",
        DownCause::Tls(_) => "certificate",
        DownCause::NotAServer(_) => "not_a_server",
        DownCause::Unauthorized => "token_wrong",
        DownCause::TokenExpired => "token_expired",
        DownCause::Forbidden | DownCause::Banned => "banned",
        DownCause::Replaced => "replaced",
    };
    problem(code, cause)
}

/// Close codes without a cause of their own (IM-Suite §1.10, RFC 6455 §7.4.1).
fn of_close_code(code: u16) -> &'static str {
    match code {
        // Going away, restart: it comes back.
        1001 | 1012 => "server_restarting",
        // Wrong frame kind, bad UTF-8 or CBOR, too big: the two do not understand each other.
        1002 | 1003 | 1007 | 1009 => "not_understood",
        // Policy, which is mostly the queue of a client that reads too slowly (§12).
        1008 => "rate_limited",
        1011 => "server_fault",
        // 4408 is the server's own view of silence.
        _ => "server_silent",
    }
}

pub(crate) fn of_target(error: &TargetError) -> Problem {
    let code = match error {
        TargetError::Insecure(_) => "insecure_server",
        TargetError::BadToken => "token_wrong",
        TargetError::BadUrl(_) | TargetError::BadDeviceId => "not_a_server",
    };
    problem(code, error)
}

pub(crate) fn of_login(error: &LoginError) -> Problem {
    let code = match error {
        LoginError::Target(error) => return of_target(error),
        LoginError::WrongCredentials(_) => "credentials_wrong",
        LoginError::SecondFactor => "second_factor",
        LoginError::Forbidden => "banned",
        LoginError::TooMany => "rate_limited",
        LoginError::Http(HttpError::Unreachable(_) | HttpError::Silent) => "server_silent",
        LoginError::Http(HttpError::Tls(_)) => "certificate",
        LoginError::Http(HttpError::NotAServer(_)) => "not_a_server",
    };
    problem(code, error)
}

pub(crate) fn of_refusal(refused: SignInRefused) -> Problem {
    let code = match refused {
        SignInRefused::RoomTaken => "room_taken",
        SignInRefused::WrongSecret => "room_secret_wrong",
        SignInRefused::Other => "room_refused",
    };
    problem(code, &refused)
}

/// Neither the server's greeting nor the token nor the server's own answer names the user.
pub(crate) fn unknown_user(error: &RestError) -> Problem {
    problem("token_wrong", error)
}

fn problem(code: &'static str, detail: &impl ToString) -> Problem {
    Problem {
        code,
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_a_problem_with_one_thing_to_do() {
        let code = |code| of_link(&DownCause::Closed(code)).code;
        for (close, expected) in [
            (1000, "server_silent"),
            (1001, "server_restarting"),
            (1003, "not_understood"),
            (1005, "server_silent"),
            (1007, "not_understood"),
            (1008, "rate_limited"),
            (1009, "not_understood"),
            (1011, "server_fault"),
            (1012, "server_restarting"),
            (4408, "server_silent"),
            (4999, "server_silent"),
        ] {
            assert_eq!(code(close), expected, "{close}");
        }
        for (cause, expected) in [
            (DownCause::TokenExpired, "token_expired"),
            (DownCause::Banned, "banned"),
            (DownCause::Replaced, "replaced"),
            (DownCause::Flooding, "rate_limited"),
            (DownCause::TooMany, "rate_limited"),
        ] {
            assert_eq!(of_link(&cause).code, expected);
        }
    }
}
