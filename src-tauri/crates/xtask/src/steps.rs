//! The steps of a long task: each named, timed, and in the summary at the end.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How one step went.
pub enum Outcome {
    Done,
    /// Done but for a part, which is named.
    Partly(String),
    /// Not done, and why that is all right here.
    Skipped(String),
}

/// Runs steps one after the other and remembers how they went.
#[derive(Default)]
pub struct Steps {
    lines: Vec<String>,
}

impl Steps {
    /// Runs one step; its failure carries its name.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        println!("\n=== {name}");
        let begun = Instant::now();
        let outcome = work();
        let took = begun.elapsed();
        self.lines.push(line(name, took, outcome.as_ref().ok()));
        if outcome.is_err() {
            self.print_summary();
        }
        outcome
            .map(drop)
            .with_context(|| format!("step \"{name}\" failed"))
    }

    /// Prints one line for each step that ran.
    pub fn print_summary(&self) {
        println!("\n=== summary");
        for line in &self.lines {
            println!("{line}");
        }
    }
}

fn line(name: &str, took: Duration, outcome: Option<&Outcome>) -> String {
    let seconds = took.as_secs_f64();
    match outcome {
        Some(Outcome::Done) => format!("ok       {seconds:7.1} s  {name}"),
        Some(Outcome::Partly(missing)) => format!("ok       {seconds:7.1} s  {name} (skipped: {missing})"),
        Some(Outcome::Skipped(why)) => format!("skipped  {seconds:7.1} s  {name}: {why}"),
        None => format!("FAILED   {seconds:7.1} s  {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_failed_step_is_named_in_the_error_and_in_the_summary() {
        let mut steps = Steps::default();
        steps.step("first", || Ok(Outcome::Done)).expect("it is done");
        let error = steps
            .step("second", || Err(anyhow!("no disk")))
            .expect_err("it fails");
        assert_eq!(format!("{error:#}"), "step \"second\" failed: no disk");
        assert_eq!(steps.lines.len(), 2);
        assert!(steps.lines[1].starts_with("FAILED"), "{}", steps.lines[1]);
    }

    #[test]
    fn the_summary_says_what_was_left_out_and_why() {
        let mut steps = Steps::default();
        steps
            .step("window", || Ok(Outcome::Skipped("no display".into())))
            .expect("skipped is not failed");
        assert!(
            steps.lines[0].ends_with("window: no display"),
            "{}",
            steps.lines[0]
        );
    }
}
