//! `cargo xtask bench picture`: pictures through calls, both ways.
//!
//! Ours sends the moving pattern, whose pictures say their number and time, and a tone with clicks; each end reads what
//! arrives and compares some of it with what was drawn.

mod figures;
mod goals;
mod link;

use super::call::{Client, End, Plan};
use super::goal;
use super::lab::{Lab, Side, Sound};
use super::options::Options;
use super::rounds::{Bench, cell};
use super::scenario;
use anyhow::{Context, Result};
use figures::{Figures, Seen};
use std::fs;
use std::time::Duration;

/// What each end of ours is given for devices: 1280x720 at 30 pictures/s, and what reads them.
const DEVICES: [&str; 8] = [
    "--camera",
    "pattern:1280x720@30",
    "--screen",
    "probe:1280x720",
    "--mic",
    "tone:440",
    "--speaker",
    "probe",
];

pub struct Picture<'a> {
    /// For another client, which has the system's devices.
    sound: Option<Sound<'a>>,
    seconds: u32,
}

impl<'a> Picture<'a> {
    pub fn set_up(lab: &'a Lab, options: &Options) -> Result<Self> {
        Ok(Self {
            sound: options.other.as_ref().map(|_| lab.sound()).transpose()?,
            seconds: options.seconds,
        })
    }

    fn end(&self, client: &Client, side: Side) -> Result<End> {
        let devices = DEVICES.map(String::from).to_vec();
        // The caller says what the call is for.
        let video = (side == Side::A).then(|| "--video".to_owned());
        Ok(End {
            options: devices.into_iter().chain(video).collect(),
            variables: match (client, &self.sound) {
                (Client::Other(_), Some(sound)) => sound.variables(side)?,
                (Client::Other(_), None) | (Client::Ours(_), _) => Vec::new(),
            },
        })
    }
}

impl Bench for Picture<'_> {
    type Figures = Figures;

    const NAME: &'static str = "picture";
    const HEADER: &'static str = "\
                          shown freezes        sent  height      720p  glass-glass         likeness   lip  link queue
scenario          client to fps     n    s   kbit/s mean  end after s   p50   p95 ms  PSNR dB  SSIM    ms use %    ms cores  MB";

    fn call(&self, plan: &Plan<'_>) -> Result<Figures> {
        let text = fs::read_to_string(plan.scenario)
            .with_context(|| format!("cannot read {}", plan.scenario.display()))?;
        let seconds = scenario::seconds(&text).max(self.seconds);
        let mut line = plan.connect(|side| self.end(plan.client, side))?;
        line.talk(Duration::from_secs(seconds.into()))?;
        Ok(Figures::read(&line.hang_up(plan.folder)?))
    }

    fn together(calls: &[Figures]) -> Figures {
        Figures::together(calls)
    }

    fn rows(scenario: &str, client: &str, figures: &Figures) -> Vec<String> {
        let ends = [("A", &figures.a), ("B", &figures.b)];
        ends.map(|(to, seen)| row(scenario, client, to, seen)).to_vec()
    }

    fn judged(scenario: &str, figures: &Figures) -> Vec<String> {
        goal::judged(&goals::GOALS, scenario, figures)
    }

    fn remarks(&self) -> String {
        format!(
            "\
Calls of {} s, or 20 s past the last change of the network; means of freezes, medians of the rest over the calls. Each line
is what came to one end. Counted from the fourth second on: fps, kbit/s (payload with retransmissions), cores, lip.
Glass to glass is from the drawing of a picture to its hand-over to the screen, lip the sound's delay less the picture's: ours
draws and hears itself, without the time of a camera, a screen or a sound card, and its cores and MB hold drawing and reading.
Likeness is of the brightness at 1280x720, two pictures a second. Link: everything sent to this end in the last 10 s before
the rate changes or the call ends; queue: 95 % of the seconds have no packet that waits longer.
Not measured here: P9 and P10 (`cargo test -p ahoy-peer --lib emulation`), P12 (`bench voice --scenario rate25k`), drift and
growth of memory over hours.",
            self.seconds
        )
    }
}

fn row(scenario: &str, client: &str, to: &str, seen: &Seen) -> String {
    let times = |figure: Option<f64>, factor: f64| figure.map(|figure| figure * factor);
    [
        format!("{scenario:<17} {client:<6} {to:<2}"),
        cell(seen.fps, 1, 4),
        cell(seen.freezes, 1, 4),
        cell(seen.frozen, 1, 4),
        cell(times(seen.bitrate, 1e-3), 0, 8),
        cell(seen.height, 0, 4),
        cell(seen.end_height, 0, 4),
        cell(seen.full_after, 1, 7),
        cell(seen.delay, 0, 5),
        cell(seen.worst_delay, 0, 5),
        cell(seen.psnr, 1, 11),
        cell(seen.ssim, 3, 5),
        cell(seen.lip, 0, 5),
        cell(times(seen.link_use, 100.0), 0, 5),
        cell(seen.queue, 0, 5),
        cell(seen.cores, 2, 5),
        cell(times(seen.memory, 1e-6), 0, 3),
    ]
    .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_their_titles() {
        let seen = Seen {
            delay: Some(98.4),
            memory: Some(55e6),
            ..Seen::default()
        };
        let line = row("loss20", "ours", "B", &seen);
        let titles = Picture::HEADER.lines().last().expect("two lines");
        assert_eq!(line.len(), titles.len());
        let end = titles.find("p50").expect("a title") + 3;
        assert!(line[..end].ends_with(" 98"), "{line}");
        assert!(line.ends_with(" 55"), "{line}");
    }
}
