//! `cargo xtask bench voice`: speech through a call, scenario after scenario.

use super::call::{Client, Studio};
use super::figures::Figures;
use super::lab::Lab;
use super::{goals, options::Options, scenario};
use crate::cross::laboratory;
use crate::invocation::Invocation;
use crate::page;
use crate::workspace::{self, Profile};
use anyhow::Result;

const HEADER: &str = "\
scenario          client  m2e ms  worst  concealed %  ViSQOL   PESQ   STOI  kbit/s  buffer ms  cores";

pub fn bench(options: &Options) -> Result<()> {
    let Some(tools) = laboratory().filter(|lab| lab.join("net.sh").is_file()) else {
        println!("skipped: no laboratory with net.sh in AHOY_LAB or ../shared/lab beside the checkout");
        return Ok(());
    };
    let lab = Lab::set_up(tools)?;
    let scenarios = options
        .scenarios
        .iter()
        .map(|name| Ok((name.as_str(), scenario::file(name, &lab.tools, &lab.folder)?)))
        .collect::<Result<Vec<_>>>()?;
    let clients = clients(options)?;
    let speech = lab.speech(options.seconds)?;
    let sound = lab.sound()?;
    let studio = Studio {
        lab: &lab,
        sound: &sound,
        speech: &speech,
        seconds: options.seconds,
        voice: &options.voice,
    };
    println!("\n{HEADER}");
    let mut verdicts = Vec::new();
    for (name, file) in &scenarios {
        let mut calls = vec![Vec::new(); clients.len()];
        for run in 0..options.runs {
            let seed = options.seed + u64::from(run);
            // The clients take turns, so that a noisy minute meets each of them.
            for ((who, client), calls) in clients.iter().zip(&mut calls) {
                let folder = lab.folder.join("voice").join(format!("{name}-{who}-{seed}"));
                match studio.call(client, file, seed, &folder) {
                    Ok(figures) => calls.push(figures),
                    Err(error) => println!("{name:<17} {who:<7} seed {seed}: {error:#}"),
                }
            }
        }
        for ((who, client), calls) in clients.iter().zip(&calls) {
            if calls.is_empty() {
                continue;
            }
            let figures = Figures::middle(calls);
            println!("{}", row(name, who, &figures));
            if matches!(client, Client::Ours(_)) {
                verdicts.extend(
                    goals::judged(name, &figures)
                        .into_iter()
                        .map(|line| (*name, line)),
                );
            }
        }
    }
    println!(
        "\nGoals (ours, median of {} calls of {} s):",
        options.runs, options.seconds
    );
    for (name, line) in verdicts {
        println!("{name:<17} {line}");
    }
    println!(
        "\nRecordings and statistics: {}",
        lab.folder.join("voice").display()
    );
    Ok(())
}

fn clients(options: &Options) -> Result<Vec<(&'static str, Client)>> {
    let (profile, build) = if options.dev {
        // As the tests build it, so that nothing is compiled twice.
        page::build()?;
        let features = ["--workspace", "--bins", "--features", "ahoy/custom-protocol"];
        (Profile::Dev, Invocation::cargo().arg("build").args(features))
    } else {
        let package = ["build", "--release", "--package", "ahoy-cli"];
        (Profile::Release, Invocation::cargo().args(package))
    };
    build.run()?;
    let mut clients = vec![("ours", Client::Ours(workspace::built(profile, "ahoy-cli")))];
    clients.extend(
        options
            .other
            .clone()
            .map(|command| ("other", Client::Other(command))),
    );
    Ok(clients)
}

fn row(scenario: &str, client: &str, figures: &Figures) -> String {
    let cell = |figure: Option<f64>, factor: f64, decimals: usize, width: usize| match figure {
        Some(figure) => format!("{:>width$.decimals$}", figure * factor),
        None => format!("{:>width$}", "-"),
    };
    [
        format!("{scenario:<17} {client:<6}"),
        cell(figures.delay, 1.0, 0, 7),
        cell(figures.worst_delay, 1.0, 0, 6),
        cell(figures.concealed, 100.0, 2, 12),
        cell(figures.visqol, 1.0, 2, 7),
        cell(figures.pesq, 1.0, 2, 6),
        cell(figures.stoi, 1.0, 3, 6),
        cell(figures.bitrate, 1e-3, 1, 7),
        cell(figures.buffer, 1.0, 0, 10),
        cell(figures.cores, 1.0, 3, 6),
    ]
    .join(" ")
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
        let line = row("loss20", "ours", &figures);
        assert_eq!(line.len(), HEADER.len());
        assert_eq!(&line[25..32], "     98");
        assert!(line.contains("1.23"));
    }
}
