//! What a person types to sign in, and what else a client is started with. Pure but for the system's user name.

use super::{problem, sound};
use crate::arguments::Arguments;
use crate::settings_file::StoredSettings;
use crate::view_model::ProblemView;
use ahoy_call::RoomId;
use ahoy_client::{Credentials, DeviceChoice, RingChoice};
use ahoy_media::spec::DeviceSpec;
use ahoy_signaling::{ProtocolKind, Secret};

/// A sign-in as the page sends it: a token, or a name with a password; for servers of rooms the name of the own room and
/// the server's secret, both of which may be missing.
pub struct SignIn {
    pub server: String,
    pub token: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
}

/// A sign-in that is complete.
#[derive(Debug)]
pub struct Credentialed {
    pub server: String,
    /// The name that was typed.
    pub user: Option<String>,
    pub credentials: Credentials,
}

impl SignIn {
    /// A sign-in that needs no checking.
    pub fn with(server: String, credentials: Credentials) -> Credentialed {
        Credentialed {
            server,
            user: None,
            credentials,
        }
    }

    /// As [`with`](Self::with) a token.
    pub fn by_token(server: String, token: String) -> Credentialed {
        Self::with(server, Credentials::Token(Secret::new(token)))
    }

    /// Refuses what cannot be a sign-in, before the present one is given up.
    pub fn check(self) -> Result<Credentialed, ProblemView> {
        let typed = |text: Option<String>| {
            text.map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let server = self.server.trim().to_owned();
        if !["ws://", "wss://"]
            .iter()
            .any(|scheme| server.len() > scheme.len() && server.starts_with(scheme))
        {
            return Err(problem(
                "not_a_server",
                "the address of a server begins with ws:// or wss://",
            ));
        }
        // A password may begin or end with a space.
        let password = self.password.filter(|password| !password.is_empty());
        if ProtocolKind::of_url(&server) == ProtocolKind::Zlm {
            let user = typed(self.user);
            let room = user.as_deref().map(RoomId::new).transpose();
            let room = room.map_err(|error| problem("room_refused", &error.to_string()))?;
            return Ok(Credentialed {
                server,
                user,
                credentials: Credentials::Room {
                    room,
                    secret: password.map(Secret::new),
                },
            });
        }
        match (typed(self.token), typed(self.user), password) {
            (Some(token), _, _) => Ok(Self::by_token(server, token)),
            (None, Some(name), Some(password)) => Ok(Credentialed {
                server,
                user: Some(name.clone()),
                credentials: Credentials::Password {
                    name,
                    password: Secret::new(password),
                },
            }),
            (None, _, _) => Err(problem(
                "credentials_wrong",
                "a token, or a name and a password, is needed",
            )),
        }
    }
}

/// Whether the server is on this machine, so that the other side may be too.
pub fn is_loopback(server: &str) -> bool {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The devices at the start: the command line before the settings before the system's defaults.
pub fn device_choice(arguments: &Arguments, settings: &StoredSettings) -> DeviceChoice {
    let choose = |argument: &Option<DeviceSpec>, stored: &Option<String>| -> DeviceSpec {
        if let Some(spec) = argument {
            return spec.clone();
        }
        let Some(stored) = stored else {
            return DeviceSpec::Default;
        };
        stored.parse().unwrap_or_else(|error| {
            tracing::warn!(%stored, %error, "a device in the settings is unknown; the default is used");
            DeviceSpec::Default
        })
    };
    let speaker = choose(&arguments.speaker, &settings.speaker);
    // A speaker of the command line is for everything that is heard.
    let ring = match (&arguments.speaker, &settings.ring) {
        (None, Some(_)) => choose(&None, &settings.ring),
        (Some(_), _) | (None, None) => speaker.clone(),
    };
    DeviceChoice {
        microphone: choose(&arguments.microphone, &settings.microphone),
        ring: Some(RingChoice {
            device: ring,
            volume: sound::amplitude(sound::ring_volume(settings)),
        }),
        speaker,
        camera: choose(&arguments.camera, &settings.camera),
        screen: DeviceSpec::Default,
        fall_back: true,
    }
}

/// What the system calls the person at it, if it says so.
pub fn system_user() -> Option<String> {
    ["USER", "USERNAME", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn typed(server: &str, token: &str, user: &str, password: &str) -> Result<Credentialed, ProblemView> {
        let some = |text: &str| Some(text.to_owned());
        let sign_in = SignIn {
            server: server.into(),
            token: some(token),
            user: some(user),
            password: some(password),
        };
        sign_in.check()
    }

    #[test]
    fn a_token_or_a_name_with_a_password_signs_in() {
        let by_token = typed(" wss://calls.example/ws ", " abc ", "", "").expect("it is complete");
        assert_eq!(by_token.server, "wss://calls.example/ws");
        assert!(matches!(by_token.credentials, Credentials::Token(token) if token.expose() == "abc"));
        let by_name = typed("wss://calls.example/ws", "", "maya", " secret ").expect("it is complete");
        assert!(matches!(
            by_name.credentials,
            Credentials::Password { name, password } if name == "maya" && password.expose() == " secret "
        ));
    }

    #[test]
    fn an_incomplete_sign_in_is_refused_before_anything_else_happens() {
        let code = |result: Result<Credentialed, ProblemView>| result.expect_err("it is incomplete").code;
        assert_eq!(
            code(typed("wss://calls.example/ws", "", "maya", "")),
            "credentials_wrong"
        );
        assert_eq!(code(typed("calls.example", "abc", "", "")), "not_a_server");
        assert_eq!(code(typed("ws://", "abc", "", "")), "not_a_server");
    }

    #[test]
    fn only_hosts_of_this_machine_are_loopback() {
        for here in [
            "ws://127.0.0.1:4000/ws",
            "ws://localhost/ws",
            "ws://[::1]:80/ws",
            "WS://LOCALHOST:1",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for there in [
            "wss://calls.example/ws",
            "ws://localhost.example/ws",
            "ws://10.0.0.1/127.0.0.1",
            "",
        ] {
            assert!(!is_loopback(there), "{there}");
        }
    }

    #[test]
    fn the_command_line_wins_over_the_settings() {
        let arguments = Arguments::try_parse_from(["ahoy", "--microphone", "tone:440"]).expect("all known");
        let settings = StoredSettings {
            microphone: Some("null".into()),
            speaker: Some("null".into()),
            camera: Some("what is this".into()),
            ..StoredSettings::default()
        };
        let choice = device_choice(&arguments, &settings);
        assert_eq!(choice.microphone, DeviceSpec::Tone { hz: 440 });
        assert_eq!(choice.speaker, DeviceSpec::Null);
        let ring = |device| Some(RingChoice { device, volume: 1.0 });
        assert_eq!(choice.ring, ring(DeviceSpec::Null), "it rings where it is heard");
        assert_eq!(choice.camera, DeviceSpec::Default);
        let settings = StoredSettings {
            ring: Some("speaker:desk".into()),
            ..settings
        };
        let desk = DeviceSpec::Speaker("desk".into());
        assert_eq!(device_choice(&arguments, &settings).ring, ring(desk));
        let arguments = Arguments::try_parse_from(["ahoy", "--speaker", "null"]).expect("all known");
        assert_eq!(device_choice(&arguments, &settings).ring, ring(DeviceSpec::Null));
    }

    #[test]
    fn a_server_of_rooms_takes_a_room_and_a_secret_or_neither() {
        let rooms = typed("wss://h/signaling", "", "alice", "s3cret").expect("a sign-in");
        assert!(matches!(
            rooms.credentials,
            Credentials::Room { room: Some(room), secret: Some(secret) }
                if room.as_str() == "alice" && secret.expose() == "s3cret"
        ));
        let nameless = typed("ws://127.0.0.1:3000/signaling", "", " ", "").expect("a sign-in");
        assert!(matches!(
            nameless.credentials,
            Credentials::Room {
                room: None,
                secret: None
            }
        ));
    }
}
