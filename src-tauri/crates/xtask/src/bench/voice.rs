//! `cargo xtask bench voice`: speech through calls.

mod figures;
mod goals;

use super::arrivals;
use super::call::{End, Plan, save};
use super::gap;
use super::goal;
use super::lab::{Lab, Sound};
use super::options::Options;
use super::rounds::{Bench, cell};
use super::scorer::Scorer;
use anyhow::{Context, Result, bail};
use figures::Figures;
use std::fs;
use std::path::{Path, PathBuf};

pub struct Voice<'a> {
    sound: Sound<'a>,
    scorer: Scorer,
    speech: PathBuf,
    seconds: u32,
    /// What ours does to the voice.
    processing: String,
}

impl<'a> Voice<'a> {
    pub fn set_up(lab: &'a Lab, options: &Options) -> Result<Self> {
        Ok(Self {
            scorer: Scorer::set_up(lab)?,
            speech: lab.speech(options.seconds)?,
            sound: lab.sound()?,
            seconds: options.seconds,
            processing: options.voice.clone(),
        })
    }
}

impl Bench for Voice<'_> {
    type Figures = Figures;

    const NAME: &'static str = "voice";
    const HEADER: &'static str = "\
scenario          client  m2e ms  worst  concealed %  ViSQOL   PESQ   STOI  kbit/s  buffer ms  cores";

    fn call(&self, plan: &Plan<'_>) -> Result<Figures> {
        let line = plan.connect(|side| {
            Ok(End {
                options: ["--voice", &self.processing].map(String::from).to_vec(),
                variables: self.sound.variables(side)?,
            })
        })?;
        let recording = plan.folder.join("call.wav");
        self.sound.record(&self.speech, &recording, self.seconds)?;
        let record = line.hang_up(plan.folder)?;
        let scores = self.scorer.score(&recording)?;
        let log = fs::read_to_string(plan.folder.join("b.log"))?;
        fs::write(plan.folder.join("arrivals.txt"), arrivals::from_log(&log))?;
        save(&plan.folder.join("scores.json"), std::slice::from_ref(&scores))?;
        let figures = Figures::read(&record.a, &record.b, &scores);
        let (said, heard) = both_ends(&recording)?;
        Ok(Figures {
            gap: figures.delay.and_then(|delay| gap::longest(&said, &heard, delay)),
            ..figures
        })
    }

    fn together(calls: &[Figures]) -> Figures {
        Figures::middle(calls)
    }

    fn rows(scenario: &str, client: &str, figures: &Figures) -> Vec<String> {
        let times = |figure: Option<f64>, factor: f64| figure.map(|figure| figure * factor);
        let row = [
            format!("{scenario:<17} {client:<6}"),
            cell(figures.delay, 0, 7),
            cell(figures.worst_delay, 0, 6),
            cell(times(figures.concealed, 100.0), 2, 12),
            cell(figures.visqol, 2, 7),
            cell(figures.pesq, 2, 6),
            cell(figures.stoi, 3, 6),
            cell(times(figures.bitrate, 1e-3), 1, 7),
            cell(figures.buffer, 0, 10),
            cell(figures.cores, 3, 6),
        ];
        vec![row.join(" ")]
    }

    fn judged(scenario: &str, figures: &Figures) -> Vec<String> {
        goal::judged(&goals::GOALS, scenario, figures)
    }

    fn remarks(&self) -> String {
        format!(
            "Medians over calls with {} s of speech from A to B.",
            self.seconds
        )
    }
}

/// What A's microphone and B's loudspeaker had, of the laboratory's recording.
fn both_ends(recording: &Path) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut reader =
        hound::WavReader::open(recording).with_context(|| format!("cannot read {}", recording.display()))?;
    let (format, channels) = (reader.spec(), usize::from(reader.spec().channels));
    if channels != 4 || format.sample_rate as usize != gap::RATE {
        bail!("{} is not of the laboratory: {format:?}", recording.display());
    }
    let samples = reader.samples::<i16>().collect::<Result<Vec<i16>, _>>()?;
    let channel = |at: usize| {
        let its = samples.iter().skip(at).step_by(channels);
        its.map(|sample| f32::from(*sample) / 32_768.0).collect()
    };
    Ok((channel(0), channel(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_their_titles() {
        let figures = Figures {
            delay: Some(98.4),
            concealed: Some(0.0123),
            ..Figures::default()
        };
        let line = Voice::rows("loss20", "ours", &figures).remove(0);
        assert_eq!(line.len(), Voice::HEADER.len());
        assert_eq!(&line[25..32], "     98");
        assert!(line.contains("1.23"));
    }
}
