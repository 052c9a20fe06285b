//! One headless client.

use crate::process::{Process, Usage};
use crate::{Event, TestServer, cli, is_state, name};
use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

/// How long a loaded machine may take for what needs no network.
const PATIENCE: Duration = Duration::from_secs(20);

/// `ahoy-cli call` or `ahoy-cli listen`.
pub struct Party {
    process: Process,
}

impl Party {
    /// Starts `ahoy-cli` with these arguments and nothing else.
    pub fn run(label: &str, arguments: &[&str]) -> Self {
        Self::run_program(label, cli(), arguments)
    }

    /// Starts another program that prints the same lines.
    pub fn run_program(label: &str, program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self {
            process: Process::start(label, command),
        }
    }

    /// Signs `user` in and waits until the server has said welcome.
    pub fn listen(server: &TestServer, user: u64, options: &[&str]) -> Self {
        let (ws, token) = (server.ws(), server.token(user));
        let mut party = Self::run(
            "callee",
            &[&["listen", "--server", &ws, "--token", &token], options].concat(),
        );
        party.wait_for("signed_in", |event| name(event) == "signed_in");
        party
    }

    /// A room that answers one call with a tone and a pattern, and says what it hears and sees.
    pub fn in_room(rooms: &str, room: &str) -> Self {
        let listen = ["listen", "--server", rooms, "--room", room, "--calls", "1"];
        let sends = ["--mic", "tone:660", "--camera", "pattern:320x180@15"];
        let probed = ["--speaker", "probe", "--screen", "probe"];
        let mut party = Self::run(room, &[&listen[..], &sends, &probed].concat());
        party.wait_for("signed_in", |event| name(event) == "signed_in");
        party
    }

    /// Places a call from `user`.
    pub fn call(server: &TestServer, user: u64, to: u64, options: &[&str]) -> Self {
        let (ws, token, to) = (server.ws(), server.token(user), to.to_string());
        Self::run(
            "caller",
            &[
                &["call", "--server", &ws, "--token", &token, "--to", &to],
                options,
            ]
            .concat(),
        )
    }

    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        self.wait_within(what, PATIENCE, fits)
    }

    pub fn wait_within(&mut self, what: &str, within: Duration, fits: impl Fn(&Event) -> bool) -> Event {
        self.process.wait_for(what, within, fits)
    }

    pub fn wait_for_state(&mut self, state: &str) -> Event {
        self.wait_for(state, |event| is_state(event, state))
    }

    /// Waits until its screen, a probe, has seen a second of pictures.
    pub fn sees(&mut self, within: Duration) {
        self.wait_within("pictures", within, |event| {
            name(event) == "probe"
                && event["kind"] == "video"
                && event["frames"].as_u64().is_some_and(|count| count >= 30)
        });
    }

    /// Waits until its speaker, a probe, has heard a clear tone of so many Hz.
    pub fn hears(&mut self, hz: f64, within: Duration) {
        self.wait_within("the tone", within, |event| {
            name(event) == "probe"
                && event["kind"] == "audio"
                && event["tone_db"].as_f64().is_some_and(|db| db > 20.0)
                && event["frequency"]
                    .as_f64()
                    .is_some_and(|found| (found - hz).abs() < 5.0)
        });
    }

    /// Waits for the line that is always the last of a call.
    pub fn wait_for_end(&mut self, within: Duration) -> Event {
        self.wait_within("ended", within, |event| name(event) == "ended")
    }

    /// The exit code.
    pub fn exit_code(&mut self, within: Duration) -> Option<i32> {
        self.process.wait_for_exit(within).code()
    }

    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    pub fn write_line(&mut self, line: &str) {
        self.process.write_line(line);
    }

    pub fn interrupt(&self) {
        self.process.terminate();
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// The media threads that run: each holds a device.
    pub fn media_threads(&self) -> Vec<String> {
        let media = [
            "audio-tx", "audio-rx", "video-tx", "video-rx", "cam", "mic", "speaker",
        ];
        self.process
            .thread_names()
            .into_iter()
            .filter(|name| media.contains(&name.as_str()))
            .collect()
    }

    pub fn seen(&self) -> &[Event] {
        &self.process.seen
    }

    /// Everything it printed, for a message.
    pub fn story(&self) -> String {
        self.process.story()
    }
}
