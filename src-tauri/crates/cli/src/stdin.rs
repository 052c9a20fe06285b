//! Commands on stdin, one a line.

use ahoy_client::Command;
use ahoy_media::device::DeviceKind;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// Reads lines until stdin ends; after that it waits for ever.
pub struct StdinCommands {
    lines: Option<Lines<BufReader<Stdin>>>,
}

impl StdinCommands {
    pub fn new() -> Self {
        Self {
            lines: Some(BufReader::new(tokio::io::stdin()).lines()),
        }
    }

    /// The next command, or the text that is none.
    pub async fn next(&mut self) -> Result<Command, String> {
        loop {
            let Some(lines) = &mut self.lines else {
                return std::future::pending().await;
            };
            match lines.next_line().await {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => return parse(line.trim()),
                Ok(None) | Err(_) => self.lines = None,
            }
        }
    }
}

fn parse(line: &str) -> Result<Command, String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let switch = || match rest {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{word} takes on or off, not {rest:?}")),
    };
    let device = || rest.parse().map_err(|error| format!("{word}: {error}"));
    match word {
        "mute" => Ok(Command::SetMuted(switch()?)),
        "video" => Ok(Command::SetCamera(switch()?)),
        "hangup" => Ok(Command::HangUp),
        "dtmf" => rest
            .parse()
            .map(Command::SendDigits)
            .map_err(|error| format!("dtmf: {error}")),
        "restart" => Ok(Command::RestartIce),
        "mic" => Ok(Command::SetDevice(DeviceKind::Microphone, device()?)),
        "speaker" => Ok(Command::SetDevice(DeviceKind::Speaker, device()?)),
        "camera" => Ok(Command::SetDevice(DeviceKind::Camera, device()?)),
        _ => Err(format!(
            "no command {word:?}: mute, video, hangup, dtmf, restart, mic, speaker or camera"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands_and_mistakes_are_named() {
        assert!(matches!(parse("mute on"), Ok(Command::SetMuted(true))));
        assert!(matches!(
            parse("camera pattern:160x120@10"),
            Ok(Command::SetDevice(DeviceKind::Camera, _))
        ));
        assert!(parse("mute maybe").expect_err("not a switch").contains("maybe"));
        assert!(matches!(parse("dtmf 12#"), Ok(Command::SendDigits(_))));
        assert!(parse("dtmf 1?").expect_err("no key").contains("'?'"));
        assert!(parse("dance").expect_err("unknown").contains("dance"));
    }
}
