//! How the program ends (the contract's exit codes).

use ahoy_call::EndCause;
use ahoy_client::{EndedCall, Problem};
use std::fmt::Display;
use std::process::ExitCode;

/// Every way to end, with one sentence for stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Ok,
    Usage(String),
    NotSignedIn(String),
    NotTaken(String),
    Failed(String),
    DeviceMissing(String),
}

impl Exit {
    pub fn failed(error: &impl Display) -> Self {
        Exit::Failed(error.to_string())
    }

    pub fn not_signed_in(problem: &Problem) -> Self {
        Exit::NotSignedIn(format!(
            "could not sign in: {} ({})",
            problem.detail, problem.code
        ))
    }

    /// What the end of a call means for the caller's exit code.
    pub fn of(ended: &EndedCall) -> Self {
        let peer = &ended.peer;
        match ended.end.cause {
            EndCause::HungUp => Exit::Ok,
            EndCause::Declined => Exit::NotTaken(format!("{peer} declined")),
            EndCause::Busy => Exit::NotTaken(format!("{peer} is in another call")),
            EndCause::NoAnswer => Exit::NotTaken(format!("{peer} did not answer")),
            EndCause::Cancelled => Exit::NotTaken("the call was cancelled".to_owned()),
            EndCause::Missed => Exit::NotTaken(format!("the call from {peer} was missed")),
            EndCause::AnsweredElsewhere => {
                Exit::NotTaken("the call was answered on another device".to_owned())
            }
            EndCause::NotReachable => Exit::NotTaken(format!("{peer} is not signed in")),
            EndCause::NotPermitted => Exit::NotTaken(format!("{peer} may not be called")),
            EndCause::RateLimited => Exit::NotTaken(match ended.retry_after {
                Some(after) => format!(
                    "the server allows no further call for {} s",
                    after.as_secs_f64().ceil()
                ),
                None => "the server allows no further call for a while".to_owned(),
            }),
            EndCause::CallsUnsupported => Exit::Failed("this server cannot do calls".to_owned()),
            EndCause::ConnectionLost => Exit::Failed("the connection was lost".to_owned()),
            EndCause::ServerProblem => Exit::Failed("the server ended the call".to_owned()),
            EndCause::MediaFailed => Exit::DeviceMissing("no microphone can be used".to_owned()),
            EndCause::StreamNotFound => Exit::NotTaken(format!("{peer} has no such stream")),
            EndCause::StreamTaken => Exit::NotTaken("somebody else sends this stream already".to_owned()),
            EndCause::Glare => Exit::NotTaken(format!("{peer} called at the same time")),
            EndCause::IncompatibleOffer => {
                Exit::Failed(format!("the program of {peer} is too old for this call"))
            }
        }
    }

    /// Says why on stderr and gives the code.
    #[expect(clippy::print_stderr, reason = "the last line on stderr says why")]
    pub fn report(self) -> ExitCode {
        let (code, why) = match self {
            Exit::Ok => return ExitCode::SUCCESS,
            Exit::Usage(why) => (2, why),
            Exit::NotSignedIn(why) => (3, why),
            Exit::NotTaken(why) => (4, why),
            Exit::Failed(why) => (5, why),
            Exit::DeviceMissing(why) => (6, why),
        };
        eprintln!("ahoy-cli: {why}");
        ExitCode::from(code)
    }
}
