//! What follows the end of a link, by its cause (IM-Suite §1.10). Pure but for the random spread.

use super::Pace;
use crate::link::DownCause;
use std::time::Duration;

/// What the task does after a link ended or an attempt failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    Retry {
        wait: Duration,
        /// The owner cannot make it shorter than this.
        at_least: Duration,
    },
    /// The same token would be refused again.
    WaitForToken,
    GiveUp,
}

impl Aftermath {
    pub(super) fn of(cause: &DownCause, pace: &mut Pace) -> Self {
        match cause {
            DownCause::Banned | DownCause::Replaced | DownCause::Forbidden => Aftermath::GiveUp,
            DownCause::TokenExpired | DownCause::Unauthorized => Aftermath::WaitForToken,
            DownCause::TooMany | DownCause::Flooding => {
                let at_least = pace.after_flooding;
                Aftermath::Retry {
                    wait: at_least + pace.backoff.next(random()),
                    at_least,
                }
            }
            DownCause::NetworkChanged | DownCause::TokenRenewed => {
                pace.backoff.reset();
                Aftermath::Retry {
                    wait: Duration::ZERO,
                    at_least: Duration::ZERO,
                }
            }
            DownCause::Unreachable(_)
            | DownCause::ConnectTimeout
            | DownCause::Tls(_)
            | DownCause::NotAServer(_)
            | DownCause::Closed(_)
            | DownCause::TooBig(_)
            | DownCause::BadFrame(_)
            | DownCause::Undecodable(_)
            | DownCause::Lost(_)
            | DownCause::Silent => Aftermath::Retry {
                wait: pace.backoff.next(random()),
                at_least: Duration::ZERO,
            },
        }
    }
}

/// The cause a close code stands for; without a frame the code is 1005 (RFC 6455 §7.1.5).
pub(super) fn closed(code: Option<u16>) -> DownCause {
    match code.unwrap_or(1005) {
        4401 => DownCause::TokenExpired,
        4403 => DownCause::Banned,
        4409 => DownCause::Replaced,
        4429 => DownCause::Flooding,
        code => DownCause::Closed(code),
    }
}

/// The spread only keeps clients apart, so without randomness the middle serves.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
