//! `cargo xtask fuzz`: random bytes, led by coverage, at every door through which bytes of strangers come in.
//!
//! libFuzzer with the compiler of the checkout: what it needs of LLVM, instrumentation by a pass, is to be had on stable
//! Rust by code generation options. The sanitizers are not, so memory errors in `unsafe` code would go unnoticed; panics,
//! overflows, hangs and runaway memory do not.

use crate::invocation::Invocation;
use crate::platform::Purpose;
use crate::requirements::{self, Consent};
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fs;

/// The doors, with the longest input that is tried, in bytes: a whole call, one large frame, some datagrams.
const TARGETS: [(&str, u32); 4] = [
    ("json", 32 * 1024),
    ("rooms", 32 * 1024),
    ("cbor", 16 * 1024),
    ("stun", 4 * 1024),
];
/// What cargo-fuzz passes too: counters at every edge, and comparisons, from which libFuzzer learns magic values.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1";
/// Seconds for one input before it counts as a hang: GOALS allow one, the instrumented build is some times slower.
const HANG: u32 = 5;
/// Megabytes before it counts as runaway memory.
const MEMORY: u32 = 1024;

/// What stands behind `fuzz`.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Per target.
    seconds: u32,
    targets: Vec<(&'static str, u32)>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            seconds: 60,
            targets: Vec::new(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--seconds" {
                let seconds = rest.next().and_then(|seconds| seconds.parse().ok());
                options.seconds = seconds.context("fuzz: --seconds needs a whole number")?;
            } else if let Some(target) = TARGETS.iter().find(|(name, _)| name == argument) {
                options.targets.push(*target);
            } else {
                bail!("fuzz: {argument} is neither an option nor one of json, rooms, cbor, stun");
            }
        }
        if options.targets.is_empty() {
            options.targets = TARGETS.to_vec();
        }
        Ok(options)
    }
}

pub fn fuzz(options: &Options) -> Result<()> {
    requirements::ensure_packages(&[Purpose::Build], Consent::of_this_machine())?;
    let host = host()?;
    let folder = workspace::target().join("fuzz");
    // Only with a target named are build scripts and macros left without instrumentation, for which they lack the runtime.
    Invocation::cargo()
        .args([
            "build",
            "--manifest-path",
            "tests/fuzz/Cargo.toml",
            "--bins",
            "--target",
            &host,
        ])
        .env("RUSTFLAGS", INSTRUMENTATION)
        .env("CARGO_TARGET_DIR", &folder)
        .run()?;
    let programs = folder.join(&host).join("debug");
    for (target, longest) in &options.targets {
        println!("\n=== {target}");
        let [corpus, seeds, findings] =
            ["corpus", "seeds", "findings"].map(|kind| folder.join(kind).join(target));
        for folder in [&corpus, &seeds, &findings] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Invocation::new(&programs.join(target).display().to_string())
            // It fills the folder before it reads it.
            .env("AHOY_FUZZ_SEEDS", &seeds)
            .args([
                format!("-max_total_time={}", options.seconds),
                format!("-max_len={longest}"),
                format!("-timeout={HANG}"),
                format!("-rss_limit_mb={MEMORY}"),
                format!("-artifact_prefix={}/", findings.display()),
                "-print_final_stats=1".to_owned(),
            ])
            // What it finds on the way goes into the first, which the next run starts from.
            .args([&corpus, &seeds])
            .run()
            .with_context(|| format!("{target}: the input is in {}", findings.display()))?;
    }
    Ok(())
}

/// The triple of this machine.
fn host() -> Result<String> {
    let version = Invocation::new("rustc").arg("-vV").output();
    version
        .as_deref()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ")))
        .map(str::to_owned)
        .context("rustc does not say for which machine it builds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn without_a_name_every_target_runs_for_a_minute() {
        let options = parse("").expect("nothing is needed");
        assert_eq!((options.seconds, options.targets.len()), (60, TARGETS.len()));
    }

    #[test]
    fn targets_and_time_can_be_chosen() {
        let options = parse("cbor --seconds 5").expect("all known");
        assert_eq!(options.seconds, 5);
        assert_eq!(options.targets, [("cbor", 16 * 1024)]);
        for (bad, named) in [
            ("rtp", "rtp"),
            ("--seconds", "--seconds"),
            ("--seconds x", "--seconds"),
        ] {
            let error = parse(bad).expect_err(bad);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
