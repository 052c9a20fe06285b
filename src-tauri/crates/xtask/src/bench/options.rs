//! What stands behind `bench`.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What a bench is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Voice,
    Picture,
}

/// The voice scenarios of the product's goals, and seconds of speech in one call.
const VOICE: (u32, [&str; 12]) = (
    40,
    [
        "clean",
        "loss0",
        "loss2",
        "loss10",
        "loss20",
        "loss30",
        "loss40",
        "loss50",
        "burst20x3",
        "delay50-jitter10",
        "rate25k",
        "spike300",
    ],
);
/// The same of the picture; a scenario that takes longer has its time.
const PICTURE: (u32, [&str; 13]) = (
    24,
    [
        "clean",
        "loss0",
        "delay50-jitter10",
        "loss2",
        "loss3-delay50",
        "loss5",
        "loss10",
        "loss20",
        "burst10x5",
        "rate500k",
        "rate300k",
        "steps1M-300k-1M",
        "outage3s",
    ],
);

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub subject: Subject,
    pub scenarios: Vec<String>,
    /// Of each call, at least.
    pub seconds: u32,
    /// Calls in each scenario, each with a seed of its own; the table shows them together.
    pub runs: u32,
    pub seed: u64,
    /// A command that runs another client, in a shell; the two take turns.
    pub other: Option<String>,
    /// Another build of ours, as one of before a change; it takes turns with this one.
    pub before: Option<PathBuf>,
    /// What ours does to the voice: nothing, as the reference figures were measured, unless said otherwise.
    pub voice: String,
    /// The quick build instead of the one that is shipped.
    pub dev: bool,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let (subject, seconds, scenarios) = match arguments.first().map(String::as_str) {
            Some("voice") => (Subject::Voice, VOICE.0, &VOICE.1[..]),
            Some("picture") => (Subject::Picture, PICTURE.0, &PICTURE.1[..]),
            Some(what) => bail!("bench: {what} is no benchmark; there are: voice, picture"),
            None => bail!("bench: of what? There are: voice, picture"),
        };
        let mut options = Self {
            subject,
            scenarios: Vec::new(),
            seconds,
            runs: 1,
            seed: 1,
            other: None,
            before: None,
            voice: "raw".to_owned(),
            dev: false,
        };
        let mut rest = arguments[1..].iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .with_context(|| format!("bench: {argument} needs a value"))
            };
            match argument.as_str() {
                "--scenario" => options.scenarios.push(value()?.clone()),
                "--seconds" => options.seconds = number(argument, value()?, 10)?,
                "--runs" => options.runs = number(argument, value()?, 1)?,
                "--seed" => options.seed = number(argument, value()?, 0)?.into(),
                "--other" => options.other = Some(value()?.clone()),
                "--before" => options.before = Some(PathBuf::from(value()?)),
                "--voice" => options.voice.clone_from(value()?),
                "--dev" => options.dev = true,
                unknown => bail!("bench: unknown option {unknown}"),
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = scenarios.iter().copied().map(String::from).collect();
        }
        Ok(options)
    }
}

fn number(option: &str, text: &str, least: u32) -> Result<u32> {
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => bail!("bench: {option} needs a whole number from {least}, not {text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn every_scenario_runs_once_unless_some_are_named() {
        let all = parse("voice").expect("nothing more is needed");
        assert_eq!(
            (all.scenarios.len(), all.runs, all.seconds),
            (VOICE.1.len(), 1, VOICE.0)
        );
        let some = parse("voice --scenario loss0 --scenario clean --runs 3 --dev").expect("all known");
        assert_eq!(some.scenarios, ["loss0", "clean"]);
        assert!(some.dev && some.runs == 3);
        let picture = parse("picture").expect("nothing more is needed");
        assert_eq!((picture.subject, picture.scenarios.len()), (Subject::Picture, 13));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (bad, named) in [
            ("", "voice"),
            ("sound", "sound"),
            ("voice --runs 0", "--runs"),
            ("voice --seconds soon", "soon"),
            ("voice --other", "--other"),
            ("voice --speed 1", "--speed"),
        ] {
            let error = parse(bad).expect_err(bad).to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }
}
