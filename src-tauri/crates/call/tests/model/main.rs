//! Random users, links, servers and networks against the rules that must hold for both sides of every call.

mod audit;
mod outcome;
mod races;
mod rng;
mod server;
mod transport;
mod world;

use ahoy_call::CallState;
use outcome::{Tally, assert_known_to_nobody, assert_same_end};
use rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};
use world::{Faults, World};

const RUNS: u64 = 10_000;

/// Long enough for a side that cannot be told: loss noticed, 30 s of reconnecting.
const TOLD_OR_LOST: Duration = Duration::from_secs(45);

#[test]
fn both_sides_end_in_the_same_state_whatever_happens() {
    let start = Instant::now();
    let mut tally = Tally::default();
    for seed in 0..RUNS {
        let run = AssertUnwindSafe(|| one_run(start, seed, &mut tally));
        if let Err(panic) = catch_unwind(run) {
            // The panic message alone does not tell how to see it again.
            eprintln_seed(seed);
            resume_unwind(panic);
        }
    }
    tally.assert_everything_happened();
}

#[allow(clippy::print_stderr)]
fn eprintln_seed(seed: u64) {
    eprintln!("failing seed: {seed}");
}

fn one_run(start: Instant, seed: u64, tally: &mut Tally) {
    let mut rng = Rng::new(seed);
    let calm = rng.chance(30);
    let mut sometimes = |percent| !calm && rng.chance(percent);
    let faults = Faults {
        breaks: sometimes(50),
        dies: sometimes(25),
        outages: sometimes(40),
        restarts: sometimes(15),
        failures: sometimes(50),
        moves: sometimes(40),
        repeats: rng.chance(30),
        forged: rng.chance(30),
        basic: rng.chance(25),
    };
    let mut world = World::new(start, rng, faults);
    world.run_until_settled();
    let after_all = match world.snapshots() {
        [None, None] => None,
        [Some(a), Some(b)] => {
            assert_eq!(a.call, b.call, "each side is in another call");
            let states = [a.state, b.state];
            assert_eq!(states, [CallState::Connected; 2], "nobody waits for ever");
            Some(a.call)
        }
        alone => panic!("one side is alone in a call: {alone:?}"),
    };
    if let Some(call) = after_all {
        tally.connected_at_the_end += 1;
        world.hang_up((seed % 2) as usize, call);
        world.run_for(TOLD_OR_LOST);
        assert_eq!(world.snapshots(), [None, None]);
    }
    tally.add(&world);
    let [a, b] = world.audits();
    for (loser, winner) in &a.glares {
        let both = b.glares.iter().any(|(l, w)| l == winner && w == loser);
        assert!(!both, "{loser} and {winner} gave way to each other");
    }
    for (ours, theirs) in [(a, b), (b, a)] {
        for (call, end, outgoing) in ours.ends() {
            tally.one(&end.1);
            match theirs.end_of(call) {
                Some(other) if outgoing => {
                    assert_same_end(call, end, other, faults);
                    tally.pair(&end.1, &other.1);
                }
                None if outgoing => assert_known_to_nobody(call, &end.1, faults),
                Some(_) | None => {}
            }
        }
    }
}
