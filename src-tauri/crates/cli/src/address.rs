//! Who signs in and who is called, by the protocol of the server.

use crate::args::{CallArgs, ProtocolArg, PurposeArg, SessionArgs, room};
use crate::serve::args::user_id;
use ahoy_call::{Party, Purpose, StreamCall};
use ahoy_client::{Command, Credentials};
use ahoy_signaling::{ProtocolKind, Secret};

/// What a call between two people is called where a stream would be.
const CALL_APP: &str = "call";
const CALL_STREAM: &str = "main";

pub fn protocol(args: &SessionArgs) -> ProtocolKind {
    match args.protocol {
        Some(ProtocolArg::ImSuite) => ProtocolKind::ImSuite,
        Some(ProtocolArg::Zlm) => ProtocolKind::Zlm,
        None => ProtocolKind::of_url(&args.server),
    }
}

/// Who signs in. An error names the option that is missing or has no place.
pub fn credentials(args: &SessionArgs) -> Result<Credentials, String> {
    match protocol(args) {
        ProtocolKind::Zlm if args.token.is_some() || args.user.is_some() => Err(
            "--token and --user have no place with a server of rooms; --room names the own one".to_owned(),
        ),
        ProtocolKind::Zlm => Ok(Credentials::Room {
            room: args.room.clone(),
            secret: args.password.as_deref().map(Secret::new),
        }),
        ProtocolKind::ImSuite if args.room.is_some() => {
            Err("--room is for servers of rooms: ws(s)://…/signaling, or --protocol zlm".to_owned())
        }
        ProtocolKind::ImSuite => match (&args.token, &args.user, &args.password) {
            (Some(_), _, Some(_)) => Err("--password has no place beside --token".to_owned()),
            (Some(token), _, None) => Ok(Credentials::Token(Secret::new(token.as_str()))),
            (None, Some(name), Some(password)) => Ok(Credentials::Password {
                name: name.clone(),
                password: Secret::new(password.as_str()),
            }),
            (None, _, _) => Err("who signs in is missing: --token, or --user with --password".to_owned()),
        },
    }
}

/// Whom to call, and what for. An error names the option that is wrong.
pub fn placing(args: &CallArgs) -> Result<Command, String> {
    let video = args.video;
    match protocol(&args.session) {
        ProtocolKind::ImSuite if args.purpose != PurposeArg::Call => {
            Err("--type is for servers of rooms".to_owned())
        }
        ProtocolKind::ImSuite => Ok(Command::PlaceCall {
            to: Party::User(user_id(&args.to).map_err(|error| format!("--to: {error}"))?),
            video,
            stream: None,
        }),
        ProtocolKind::Zlm => {
            let to = Party::Room(room(&args.to).map_err(|error| format!("--to: {error}"))?);
            in_room(args, to)
        }
    }
}

fn in_room(args: &CallArgs, to: Party) -> Result<Command, String> {
    let video = args.video;
    if args.purpose != PurposeArg::TwoWay && (args.play_stream.is_some() || args.play_app.is_some()) {
        return Err("--play-stream and --play-app are for --type two-way".to_owned());
    }
    let purpose = match args.purpose {
        PurposeArg::Call if args.app.is_none() && args.stream.is_none() => {
            return Ok(Command::PlaceCall {
                to,
                video,
                stream: None,
            });
        }
        PurposeArg::Call => Purpose::Call,
        PurposeArg::Play => Purpose::Play,
        PurposeArg::Push => Purpose::Push,
        PurposeArg::TwoWay => {
            let push = stream(args, Purpose::Push)?;
            let play = StreamCall {
                purpose: Purpose::Play,
                app: match args.play_app.as_deref() {
                    Some("") => return Err("--play-app is empty".to_owned()),
                    Some(app) => app.to_owned(),
                    None => push.app.clone(),
                },
                stream: named(&args.play_stream, "--play-stream")?,
                ..push.clone()
            };
            if (&play.app, &play.stream) == (&push.app, &push.stream) {
                return Err(
                    "--play-stream is the stream that is pushed: it would show you yourself".to_owned(),
                );
            }
            return Ok(Command::PlaceTwoWay {
                to,
                video,
                push: Box::new(push),
                play: Box::new(play),
            });
        }
    };
    Ok(Command::PlaceCall {
        to,
        video,
        stream: Some(Box::new(stream(args, purpose)?)),
    })
}

fn stream(args: &CallArgs, purpose: Purpose) -> Result<StreamCall, String> {
    let usual = |name: &Option<String>, usual: &str, option: &str| match name {
        None if purpose == Purpose::Call => Ok(usual.to_owned()),
        name => named(name, option),
    };
    Ok(StreamCall {
        vhost: args.vhost.clone(),
        app: usual(&args.app, CALL_APP, "--app")?,
        stream: usual(&args.stream, CALL_STREAM, "--stream")?,
        purpose,
    })
}

fn named(name: &Option<String>, option: &str) -> Result<String, String> {
    match name.as_deref() {
        None | Some("") => Err(format!("{option} is missing: the stream to play or push")),
        Some(name) => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command as CliCommand};
    use clap::Parser;

    const ROOMS: [&str; 2] = ["--server", "ws://127.0.0.1:1/signaling"];
    const USERS: [&str; 2] = ["--server", "ws://127.0.0.1:1/ws"];

    fn call(args: &[&[&str]]) -> CallArgs {
        let all = [&[&["ahoy-cli", "call"][..]], args].concat().concat();
        match Cli::try_parse_from(all).expect("it parses").command {
            CliCommand::Call(call) => call,
            _ => panic!("not a call"),
        }
    }

    #[test]
    fn the_address_of_the_server_says_what_it_speaks_unless_told() {
        for (args, expected) in [
            (&[&ROOMS[..]][..], ProtocolKind::Zlm),
            (&[&USERS[..]][..], ProtocolKind::ImSuite),
            (
                &[&["--server", "wss://h/x?y=/signaling"][..]][..],
                ProtocolKind::ImSuite,
            ),
            (
                &[&["--server", "ws://h:3000/", "--protocol", "zlm"][..]][..],
                ProtocolKind::Zlm,
            ),
        ] {
            let args = call(&[&[&["--to", "a"][..]], args].concat());
            assert_eq!(protocol(&args.session), expected, "{:?}", args.session.server);
        }
    }

    #[test]
    fn a_stream_is_named_whole_or_not_at_all() {
        let named = call(&[
            &ROOMS,
            &[
                "--to",
                "keeper",
                "--type",
                "play",
                "--app",
                "live",
                "--stream",
                "a?token=x",
            ],
        ]);
        let Ok(Command::PlaceCall {
            to,
            stream: Some(stream),
            ..
        }) = placing(&named)
        else {
            panic!("it can be placed");
        };
        assert_eq!(
            (to.to_string().as_str(), stream.stream.as_str()),
            ("keeper", "a?token=x")
        );
        assert_eq!(stream.vhost, DEFAULT_VHOST_OF_TESTS);
        let half = call(&[&ROOMS, &["--to", "keeper", "--type", "push", "--app", "live"]]);
        assert!(placing(&half).expect_err("half a name").contains("--stream"));
        let none = call(&[&ROOMS, &["--to", "alice"]]);
        assert!(matches!(
            placing(&none),
            Ok(Command::PlaceCall { stream: None, .. })
        ));
    }

    #[test]
    fn two_ways_are_two_streams_of_one_room() {
        const PUSHED: [&str; 8] = [
            "--to", "keeper", "--type", "two-way", "--app", "live", "--stream", "desk",
        ];
        let args = call(&[&ROOMS, &PUSHED, &["--video", "--play-stream", "harbor"]]);
        let Ok(Command::PlaceTwoWay {
            to,
            video: true,
            push,
            play,
        }) = placing(&args)
        else {
            panic!("it can be placed");
        };
        assert_eq!(to.to_string(), "keeper");
        let names = [&push, &play].map(|it| (it.purpose.as_str(), it.app.as_str(), it.stream.as_str()));
        assert_eq!(names, [("push", "live", "desk"), ("play", "live", "harbor")]);
        let other = call(&[&ROOMS, &PUSHED, &["--play-stream", "desk", "--play-app", "cams"]]);
        let Ok(Command::PlaceTwoWay { play, .. }) = placing(&other) else {
            panic!("it can be placed");
        };
        assert_eq!((play.app.as_str(), play.stream.as_str()), ("cams", "desk"));
        for (wrong, named) in [
            (&[][..], "--play-stream"),
            (&["--play-stream", ""][..], "--play-stream"),
            (&["--play-stream", "desk"][..], "yourself"),
            (&["--play-stream", "harbor", "--play-app", ""][..], "--play-app"),
        ] {
            let error = placing(&call(&[&ROOMS, &PUSHED, wrong])).expect_err("it is refused");
            assert!(error.contains(named), "{error}");
        }
        let one = [
            "--to", "keeper", "--type", "push", "--app", "live", "--stream", "desk",
        ];
        let beside = call(&[&ROOMS, &one, &["--play-stream", "harbor"]]);
        assert!(placing(&beside).expect_err("no place").contains("two-way"));
    }

    const DEFAULT_VHOST_OF_TESTS: &str = "__defaultVhost__";

    #[test]
    fn what_has_no_place_is_named() {
        let error = |args: &[&[&str]]| {
            let args = call(args);
            credentials(&args.session)
                .and_then(|_| placing(&args).map(|_| ()))
                .expect_err("it is refused")
        };
        assert!(error(&[&USERS, &["--to", "2"]]).contains("--token"));
        assert!(error(&[&USERS, &["--to", "bob", "--token", "t"]]).contains("bob"));
        assert!(error(&[&USERS, &["--to", "2", "--room", "bob"]]).contains("--room"));
        assert!(error(&[&USERS, &["--to", "2", "--token", "t", "--type", "play"]]).contains("--type"));
        assert!(error(&[&ROOMS, &["--to", "alice", "--token", "t"]]).contains("--room"));
    }
}
