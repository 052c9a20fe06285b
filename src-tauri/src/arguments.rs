//! Options of the window's command line; for tests, for two windows on one machine, and for trying devices out. Started
//! without any, the window is the only one.

use ahoy_media::spec::DeviceSpec;
use clap::Parser;

/// Ahoy: voice and video calls.
#[derive(Debug, Clone, Parser)]
#[command(name = "ahoy", version)]
pub struct Arguments {
    /// Signs in on this server with the token of AHOY_TOKEN, and keeps nothing of it in the settings
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// Hosts the server for a second window and prints one line for it: `pair URL TOKEN`
    #[arg(long, conflicts_with = "server")]
    pub host_pair: bool,

    /// A microphone, `tone:440`, `file:PATH.wav` or `null`
    #[arg(long, value_name = "SPEC")]
    pub microphone: Option<DeviceSpec>,

    /// A speaker, `file:PATH.wav` or `null`
    #[arg(long, value_name = "SPEC")]
    pub speaker: Option<DeviceSpec>,

    /// A camera, `pattern:640x360@15`, `file:PATH.y4m` or `null`
    #[arg(long, value_name = "SPEC")]
    pub camera: Option<DeviceSpec>,

    /// An invitation to a room: `ahoy:room?server=…&room=…`; the window asks before it follows it
    #[arg(value_name = "LINK")]
    pub invitation: Option<String>,

    /// What is logged to standard error; libraries only when they fail
    #[arg(long, value_name = "FILTER", default_value = "error,ahoy=warn")]
    pub log: String,
}

impl Arguments {
    /// Whether the window is one of several on purpose. Any other start hands its link to the window that is open.
    pub fn is_apart(&self) -> bool {
        let tried_out = [&self.microphone, &self.speaker, &self.camera];
        self.server.is_some() || self.host_pair || tried_out.iter().any(|device| device.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_on_the_headless_command_line() {
        let line = [
            "ahoy",
            "--microphone",
            "tone:440",
            "--camera",
            "pattern:640x360@15",
            "--speaker",
            "null",
        ];
        let arguments = Arguments::try_parse_from(line).expect("all are known");
        assert_eq!(arguments.microphone, Some(DeviceSpec::Tone { hz: 440 }));
        assert_eq!(arguments.speaker, Some(DeviceSpec::Null));
        assert!(Arguments::try_parse_from(["ahoy", "--camera", "nonsense"]).is_err());
    }

    #[test]
    fn only_a_start_without_options_is_for_the_window_that_is_open() {
        let is_apart = |line: &[&str]| {
            let arguments = Arguments::try_parse_from([&["ahoy"], line].concat());
            arguments.expect("all are known").is_apart()
        };
        assert!(!is_apart(&[]));
        assert!(!is_apart(&["ahoy:room?server=wss://h/signaling&room=x"]));
        for line in [
            &["--host-pair"][..],
            &["--server", "ws://h/ws"],
            &["--camera", "null"],
            &["--speaker", "null"],
            &["--microphone", "null"],
        ] {
            assert!(is_apart(line), "{line:?}");
        }
    }

    #[test]
    fn a_window_hosts_or_joins_but_not_both() {
        let line = ["ahoy", "--host-pair", "--server", "ws://127.0.0.1:1/ws"];
        assert!(Arguments::try_parse_from(line).is_err());
    }
}
