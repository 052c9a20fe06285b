//! Scenario after scenario, run after run, client after client: the table, and which goals were met.

use super::call::{Client, Plan};
use super::lab::Lab;
use super::options::Options;
use super::scenario;
use crate::invocation::Invocation;
use crate::workspace::{self, Profile};
use anyhow::Result;

/// The name in the table of the client whose goals are judged.
const OURS: &str = "ours";

/// What is measured in calls.
pub trait Bench {
    /// What was measured in one call, or in several together.
    type Figures;

    const NAME: &'static str;
    const HEADER: &'static str;

    fn call(&self, plan: &Plan<'_>) -> Result<Self::Figures>;
    fn together(calls: &[Self::Figures]) -> Self::Figures;
    fn rows(scenario: &str, client: &str, figures: &Self::Figures) -> Vec<String>;
    /// A line for each goal.
    fn judged(scenario: &str, figures: &Self::Figures) -> Vec<String>;
    /// How to read the table, and what it does not measure.
    fn remarks(&self) -> String;
}

pub fn run<B: Bench>(bench: &B, lab: &Lab, options: &Options) -> Result<()> {
    let scenarios = options
        .scenarios
        .iter()
        .map(|name| Ok((name.as_str(), scenario::file(name, &lab.tools, &lab.folder)?)))
        .collect::<Result<Vec<_>>>()?;
    let clients = clients(options)?;
    let records = lab.folder.join(B::NAME);
    println!("\n{}", B::HEADER);
    let mut verdicts = Vec::new();
    for (name, file) in &scenarios {
        let mut calls: Vec<Vec<B::Figures>> = clients.iter().map(|_| Vec::new()).collect();
        for run in 0..options.runs {
            let seed = options.seed + u64::from(run);
            // The clients take turns, so that a noisy minute meets each of them.
            for ((who, client), calls) in clients.iter().zip(&mut calls) {
                let plan = Plan {
                    lab,
                    client,
                    scenario: file,
                    seed,
                    folder: &records.join(format!("{name}-{who}-{seed}")),
                };
                match bench.call(&plan) {
                    Ok(figures) => calls.push(figures),
                    Err(error) => println!("{name:<17} {who:<7} seed {seed}: {error:#}"),
                }
            }
        }
        for ((who, _), calls) in clients.iter().zip(&calls) {
            if calls.is_empty() {
                continue;
            }
            let figures = B::together(calls);
            for row in B::rows(name, who, &figures) {
                println!("{row}");
            }
            if *who == OURS {
                let lines = B::judged(name, &figures);
                verdicts.extend(lines.into_iter().map(|line| (*name, line)));
            }
        }
    }
    println!("\n{}", bench.remarks());
    println!("\nGoals (ours, {} calls each):", options.runs);
    for (name, line) in verdicts {
        println!("{name:<17} {line}");
    }
    println!("\nWhat each call left: {}", records.display());
    Ok(())
}

fn clients(options: &Options) -> Result<Vec<(&'static str, Client)>> {
    let (profile, build) = if options.dev {
        // With the features of the tests, so that nothing is compiled twice.
        let features = ["--workspace", "--features", "ahoy/custom-protocol"];
        let build = Invocation::cargo().arg("build").args(features);
        (Profile::Dev, build.args(["--bin", "ahoy-cli"]))
    } else {
        let package = ["build", "--release", "--package", "ahoy-cli"];
        (Profile::Release, Invocation::cargo().args(package))
    };
    build.run()?;
    let mut clients = vec![(OURS, Client::Ours(workspace::built(profile, "ahoy-cli")))];
    clients.extend(
        options
            .before
            .clone()
            .map(|program| ("before", Client::Ours(program))),
    );
    clients.extend(
        options
            .other
            .clone()
            .map(|command| ("other", Client::Other(command))),
    );
    Ok(clients)
}

/// A figure in so many columns; what nobody measured is a dash.
pub fn cell(figure: Option<f64>, decimals: usize, width: usize) -> String {
    match figure {
        Some(figure) => format!("{figure:>width$.decimals$}"),
        None => format!("{:>width$}", "-"),
    }
}
