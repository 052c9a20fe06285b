//! A stream of a media server as a person types it. Pure.

use crate::session::problem;
use crate::view_model::ProblemView;
use ahoy_call::{Purpose, StreamCall};
use ahoy_signaling::zlm::DEFAULT_VHOST;
use serde::Deserialize;

/// Bytes of one name (chosen: longer than any that a media server shows).
const MOST: usize = 256;

/// The names that the form has.
#[derive(Debug, Clone, Deserialize)]
pub struct TypedStream {
    /// Empty = the server's own.
    pub vhost: String,
    pub app: String,
    pub name: String,
}

impl TypedStream {
    /// Refuses what can name no stream.
    pub fn check(&self, push: bool) -> Result<StreamCall, ProblemView> {
        let named = |name: &str, field: &str| {
            let name = name.trim();
            if name.is_empty() {
                return Err(problem("stream_incomplete", &format!("{field} is missing")));
            }
            if name.len() > MOST || name.chars().any(char::is_control) {
                return Err(problem("stream_unusable", &format!("{field} is no name")));
            }
            Ok(name.to_owned())
        };
        let vhost = self.vhost.trim();
        Ok(StreamCall {
            purpose: if push { Purpose::Push } else { Purpose::Play },
            vhost: named(
                if vhost.is_empty() { DEFAULT_VHOST } else { vhost },
                "the virtual host",
            )?,
            app: named(&self.app, "the application")?,
            stream: named(&self.name, "the stream")?,
        })
    }

    /// Refuses what can name no two streams of a call both ways.
    pub fn check_both(push: &Self, play: &Self) -> Result<(StreamCall, StreamCall), ProblemView> {
        let (push, play) = (push.check(true)?, play.check(false)?);
        let names = |stream: &StreamCall| (stream.vhost.clone(), stream.app.clone(), stream.stream.clone());
        if names(&push) == names(&play) {
            return Err(problem("stream_own", "the stream that is pushed would be played"));
        }
        Ok((push, play))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(vhost: &str, app: &str, name: &str) -> TypedStream {
        TypedStream {
            vhost: vhost.to_owned(),
            app: app.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn the_virtual_host_may_be_missing_and_nothing_else() {
        let play = typed("", " live ", "harbor?token=x").check(false).unwrap();
        let wanted = StreamCall {
            purpose: Purpose::Play,
            vhost: "__defaultVhost__".into(),
            app: "live".into(),
            stream: "harbor?token=x".into(),
        };
        assert_eq!(play, wanted);
        let push = typed("cams.example", "live", "harbor").check(true).unwrap();
        assert_eq!(
            (push.purpose, push.vhost.as_str()),
            (Purpose::Push, "cams.example")
        );
        for incomplete in [typed("", "", "harbor"), typed("", "live", "  ")] {
            assert_eq!(incomplete.check(false).unwrap_err().code, "stream_incomplete");
        }
    }

    #[test]
    fn two_ways_are_two_streams() {
        let desk = typed("", "live", "desk");
        let (push, play) = TypedStream::check_both(&desk, &typed("", "live", "harbor")).unwrap();
        assert_eq!((push.purpose, push.stream.as_str()), (Purpose::Push, "desk"));
        assert_eq!((play.purpose, play.stream.as_str()), (Purpose::Play, "harbor"));
        let refused = |play: &TypedStream| TypedStream::check_both(&desk, play).unwrap_err().code;
        assert_eq!(refused(&typed("", "live", " desk ")), "stream_own");
        assert_eq!(refused(&typed("", "live", "")), "stream_incomplete");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for unusable in [
            typed("", "li\nve", "x"),
            typed("a\u{0}", "live", "x"),
            typed("", "live", &"x".repeat(257)),
        ] {
            assert_eq!(unusable.check(true).unwrap_err().code, "stream_unusable");
        }
    }
}
