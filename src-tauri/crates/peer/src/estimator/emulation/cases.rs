//! The cases of RFC 8867 §5 and the promises of a call, each with its figures printed.

use super::super::aimd::VOICE_ALONE;
use super::flow::Flow;
use super::link::{Link, Path};
use super::tcp::Tcp;
use super::{Random, World};
use std::time::Duration;

/// What one flow made of one stretch of time.
#[derive(Debug, Clone, Copy)]
struct Measured {
    /// Of the capacity, in the last 10 s.
    utilisation: f64,
    /// 95th percentile over the stretch, milliseconds.
    queue_p95: f64,
    /// Until it used 85 % of the capacity, or the queue was short again: seconds.
    reaction: f64,
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Bits per second that arrived between two moments.
fn rate(flow: &Flow, from: f64, to: f64) -> f64 {
    let bytes: usize = flow
        .log
        .iter()
        .filter(|(at, _, _)| (from..to).contains(&at.as_secs_f64()))
        .map(|(_, bytes, _)| bytes)
        .sum();
    bytes as f64 * 8.0 / (to - from)
}

fn queue_p95(flow: &Flow, from: f64, to: f64) -> f64 {
    let mut queued: Vec<f64> = flow
        .log
        .iter()
        .filter(|(at, _, _)| (from..to).contains(&at.as_secs_f64()))
        .map(|(_, _, queued)| queued.as_secs_f64() * 1000.0)
        .collect();
    queued.sort_by(f64::total_cmp);
    queued.get(queued.len() * 95 / 100).copied().unwrap_or(0.0)
}

/// The flow from `from` to `to` on a path that carries `capacity` for it.
fn measure(flow: &Flow, capacity: f64, from: f64, to: f64, down: bool) -> Measured {
    let settled = |at: &f64| {
        if down {
            // The queue that the step left is gone.
            queue_p95(flow, *at, *at + 0.2) < 60.0
        } else {
            rate(flow, at - 0.5, *at + 0.5) >= 0.85 * capacity
        }
    };
    let moments = (1..).map(|step| from + f64::from(step) * 0.1);
    let reaction = moments.take_while(|at| *at < to).find(settled);
    Measured {
        utilisation: rate(flow, (to - 10.0).max(from), to) / capacity,
        queue_p95: queue_p95(flow, from, to),
        reaction: reaction.map_or(f64::INFINITY, |at| at - from),
    }
}

fn print(case: &str, measured: &Measured) {
    println!(
        "{case}: used {:.0} %, queue p95 {:.0} ms, reaction {:.1} s",
        measured.utilisation * 100.0,
        measured.queue_p95,
        measured.reaction
    );
}

/// Runs phases of (capacity, seconds) over one world; what its flows made of each.
fn phases(world: &mut World, phases: &[(f64, f64)]) -> Vec<Vec<Measured>> {
    let share = world.flows.len().max(1) as f64;
    let mut before = 0.0;
    let mut all = Vec::new();
    for (capacity, long) in phases {
        let from = world.elapsed().as_secs_f64();
        world.link.rate = *capacity;
        world.run(seconds(*long));
        let to = world.elapsed().as_secs_f64();
        let down = *capacity < before;
        before = *capacity;
        let measured = |flow: &Flow| measure(flow, *capacity / share, from, to, down);
        all.push(world.flows.iter().map(measured).collect());
    }
    all
}

fn assert_promises(case: &str, measured: &Measured, down: bool) {
    print(case, measured);
    assert!(measured.utilisation >= 0.85, "{case}: {measured:?}");
    assert!(measured.queue_p95 <= 100.0, "{case}: {measured:?}");
    assert!(
        measured.reaction <= if down { 2.0 } else { 10.0 },
        "{case}: {measured:?}"
    );
}

#[test]
fn case_5_1_one_flow_over_a_path_that_varies() {
    for seed in 1..=3 {
        let mut world = World::new(Link::new(1e6, 300)).with_flow(Path::of(50), seed);
        let steps = [(1e6, 40.0), (2.5e6, 20.0), (0.6e6, 20.0), (1e6, 20.0)];
        let measured = phases(&mut world, &steps);
        let mut before = 0.0;
        for (phase, (capacity, _)) in measured.iter().zip(steps) {
            let case = format!("5.1 at {:.1} Mbit/s", capacity / 1e6);
            assert_promises(&case, &phase[0], capacity < before);
            before = capacity;
        }
    }
}

/// Jain's index of the rates between two moments.
fn jain(world: &World, from: f64, to: f64) -> f64 {
    let rates: Vec<f64> = world.flows.iter().map(|flow| rate(flow, from, to)).collect();
    let sum: f64 = rates.iter().sum();
    let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
    sum * sum / (rates.len() as f64 * squares)
}

fn assert_shared(case: &str, world: &World, capacity: f64, from: f64, to: f64, fair: f64) {
    let used: f64 = world.flows.iter().map(|flow| rate(flow, from, to)).sum::<f64>() / capacity;
    let queue = world
        .flows
        .iter()
        .map(|flow| queue_p95(flow, from, to))
        .fold(0.0, f64::max);
    let jain = jain(world, from, to);
    println!(
        "{case}: used {:.0} %, queue p95 {queue:.0} ms, Jain {jain:.3}",
        used * 100.0
    );
    assert!(
        used >= 0.85 && queue <= 100.0 && jain >= fair,
        "{case}: {used} {queue} {jain}"
    );
}

#[test]
fn case_5_2_two_flows_over_a_path_that_varies() {
    let mut world = World::new(Link::new(2e6, 300))
        .with_flow(Path::of(50), 1)
        .with_flow(Path::of(50), 2);
    for (capacity, long) in [(4e6, 25.0), (2e6, 25.0), (3.5e6, 25.0), (1e6, 25.0), (2e6, 25.0)] {
        world.link.rate = capacity;
        world.run(seconds(long));
        let to = world.elapsed().as_secs_f64();
        let case = format!("5.2 at {:.1} Mbit/s", capacity / 1e6);
        assert_shared(&case, &world, capacity, to - 15.0, to, 0.9);
    }
}

#[test]
fn case_5_3_feedback_that_comes_late_and_with_holes() {
    let path = Path {
        feedback_delay: Duration::from_millis(150),
        feedback_loss: 0.1,
        ..Path::of(50)
    };
    let mut world = World::new(Link::new(2e6, 300)).with_flow(path, 1);
    let steps = [(2e6, 20.0), (1e6, 20.0), (0.5e6, 20.0), (2e6, 20.0)];
    let measured = phases(&mut world, &steps);
    for (phase, (capacity, _)) in measured.iter().zip(steps) {
        print(&format!("5.3 at {:.1} Mbit/s", capacity / 1e6), &phase[0]);
        assert!(phase[0].utilisation >= 0.75, "{:?}", phase[0]);
        assert!(phase[0].queue_p95 <= 200.0, "{:?}", phase[0]);
    }
}

#[test]
fn case_5_4_flows_that_come_one_after_the_other() {
    let mut world = World::new(Link::new(3.5e6, 300)).with_flow(Path::of(50), 1);
    world.run(seconds(20.0));
    for seed in 2..=3 {
        let flow = Flow::new(world.now, Path::of(50), seed);
        world.flows.push(flow);
        world.run(seconds(20.0));
    }
    world.run(seconds(30.0));
    // Logs begin with their flow.
    let late = [0.0, 20.0, 40.0];
    let to = world.elapsed().as_secs_f64();
    let rates: Vec<f64> = world
        .flows
        .iter()
        .zip(late)
        .map(|(flow, late)| rate(flow, to - 20.0 - late, to - late))
        .collect();
    let sum: f64 = rates.iter().sum();
    let jain = sum * sum / (3.0 * rates.iter().map(|rate| rate * rate).sum::<f64>());
    println!("5.4: used {:.0} %, Jain {jain:.3}, {rates:.0?}", sum / 3.5e4);
    assert!(sum >= 0.85 * 3.5e6 && jain >= 0.9, "{jain} {rates:?}");
}

#[test]
fn case_5_5_round_trips_of_five_lengths() {
    let mut world = World::new(Link::new(4e6, 300));
    for (seed, delay) in [10, 25, 50, 100, 150].into_iter().enumerate() {
        world = world.with_flow(Path::of(delay), seed as u64);
    }
    world.run(seconds(90.0));
    assert_shared("5.5", &world, 4e6, 50.0, 90.0, 0.8);
}

#[test]
fn two_calls_share_evenly() {
    for seed in 1..=3 {
        let mut world = World::new(Link::new(2e6, 300)).with_flow(Path::of(40), seed);
        world.run(seconds(10.0));
        let second = Flow::new(world.begin, Path::of(40), seed + 10);
        world.flows.push(second);
        world.run(seconds(60.0));
        assert_shared("two calls", &world, 2e6, 40.0, 70.0, 0.95);
    }
}

#[test]
fn case_5_6_a_long_tcp_beside_the_call_takes_its_part_and_leaves_ours() {
    for seed in 1..=3 {
        let mut world = World::new(Link::new(2e6, 300)).with_flow(Path::of(50), seed);
        world.run(seconds(20.0));
        world.tcps.push(Tcp::new(50));
        world.run(seconds(10.0));
        let before = world.tcps[0].received;
        world.run(seconds(60.0));
        let ours = rate(&world.flows[0], 30.0, 90.0);
        let theirs = (world.tcps[0].received - before) as f64 * 8.0 / 60.0;
        let share = ours / (ours + theirs);
        println!(
            "5.6: ours {ours:.0} bit/s, TCP {theirs:.0}: {:.0} %",
            share * 100.0
        );
        assert!((0.25..=0.75).contains(&share), "{share}");
        world.tcps[0].sends = false;
        world.run(seconds(15.0));
        let after = measure(&world.flows[0], 2e6, 90.0, 105.0, false);
        print("5.6 when TCP has gone", &after);
        assert!(after.utilisation >= 0.85 && after.reaction <= 10.0, "{after:?}");
    }
}

#[test]
fn case_5_7_short_tcps_beside_the_call_do_not_starve_it() {
    let mut world = World::new(Link::new(2e6, 300)).with_flow(Path::of(50), 1);
    let mut random = Random::new(5);
    for _ in 0..45 {
        // A page of 30 to 300 kB every two seconds.
        let mut tcp = Tcp::new(50);
        tcp.left = 30_000 + (random.even() * 270_000.0) as usize;
        world.tcps.push(tcp);
        world.run(seconds(2.0));
    }
    let ours = rate(&world.flows[0], 30.0, 90.0);
    println!("5.7: ours {ours:.0} bit/s of 2 Mbit/s");
    assert!(ours >= 0.15 * 2e6, "{ours}");
}

#[test]
fn case_5_8_a_picture_that_pauses_comes_back_at_once() {
    let mut world = World::new(Link::new(3.5e6, 300)).with_flow(Path::of(50), 1);
    world.run(seconds(40.0));
    world.flows[0].sends = false;
    world.run(seconds(20.0));
    world.flows[0].sends = true;
    world.run(seconds(20.0));
    let after = measure(&world.flows[0], 3.5e6, 60.0, 80.0, false);
    print("5.8 after the pause", &after);
    assert!(after.utilisation >= 0.85 && after.reaction <= 10.0, "{after:?}");
    assert!(after.queue_p95 <= 100.0, "{after:?}");
}

#[test]
fn a_clean_path_carries_720p_within_a_second() {
    for delay in [1, 20, 100] {
        let mut world = World::new(Link::new(50e6, 300)).with_flow(Path::of(delay), 1);
        world.run(seconds(3.0));
        let reached = world.flows[0]
            .targets
            .iter()
            .find(|(_, target)| *target >= 1.5e6)
            .map_or(f64::INFINITY, |(at, _)| at.as_secs_f64());
        println!("start with {delay} ms: 1.5 Mbit/s after {reached:.2} s");
        assert!(reached <= 1.0, "{reached}");
    }
}

#[test]
fn a_step_from_1_mbit_to_300_kbit_is_followed_within_two_seconds() {
    for (seed, queue) in [(1, 200), (2, 200), (3, 500), (4, 100)] {
        let mut world = World::new(Link::new(1e6, queue)).with_flow(Path::of(20), seed);
        let measured = phases(&mut world, &[(1e6, 20.0), (0.3e6, 20.0), (1e6, 20.0)]);
        for (phase, case) in measured
            .iter()
            .zip(["at 1 Mbit/s", "at 300 kbit/s", "at 1 Mbit/s again"])
        {
            print(&format!("step, {queue} ms of queue, {case}"), &phase[0]);
        }
        assert!(
            measured[1][0].reaction <= 2.0 && measured[2][0].reaction <= 10.0,
            "{measured:?}"
        );
        assert!(
            measured.iter().all(|phase| phase[0].utilisation >= 0.8),
            "{measured:?}"
        );
    }
}

#[test]
fn after_30_seconds_at_a_quarter_nine_tenths_are_back_in_ten() {
    for seed in 1..=3 {
        let mut world = World::new(Link::new(4e6, 300)).with_flow(Path::of(40), seed);
        world.run(seconds(30.0));
        world.link.rate = 1e6;
        world.run(seconds(30.0));
        world.link.rate = 4e6;
        world.run(seconds(20.0));
        let flow = &world.flows[0];
        let back = (0..150)
            .map(|step| 60.0 + f64::from(step) * 0.1)
            .find(|at| rate(flow, *at, at + 1.0) >= 0.9 * 4e6)
            .map_or(f64::INFINITY, |at| at - 60.0);
        println!("4 to 1 to 4 Mbit/s: 90 % again after {back:.1} s");
        assert!(back <= 10.0, "{back}");
    }
}

#[test]
fn loss_of_the_paths_own_is_no_congestion() {
    for (loss, seed) in [(0.05, 1), (0.10, 2), (0.20, 3), (0.20, 4)] {
        let mut world = World::new(Link::new(10e6, 300)).with_flow(Path::of(20), seed);
        world.link.loss = loss;
        world.flows[0].wanted = 1.2e6;
        world.run(seconds(60.0));
        let lowest = world.flows[0]
            .targets
            .iter()
            .filter(|(at, _)| at.as_secs_f64() > 5.0)
            .map(|(_, target)| *target)
            .fold(f64::INFINITY, f64::min);
        let sent = rate(&world.flows[0], 10.0, 60.0) / (1.0 - loss);
        println!("{loss} lost: {sent:.0} bit/s sent, target never below {lowest:.0}");
        assert!(sent >= 1.0e6 && lowest >= 500e3, "{sent} {lowest}");
    }
}

#[test]
fn loss_of_the_paths_own_leaves_a_voice_alone_room_for_its_repairs() {
    for (loss, seed) in [(0.10, 1), (0.20, 2), (0.20, 3), (0.30, 4), (0.50, 5)] {
        let mut world = World::new(Link::new(10e6, 300)).with_flow(Path::of(20), seed);
        world.link.loss = loss;
        world.flows[0].voice_alone = true;
        world.run(seconds(120.0));
        let targets = world.flows[0].targets.iter().map(|(_, target)| *target);
        let lowest = targets.fold(f64::INFINITY, f64::min);
        println!("a voice alone, {loss} lost: target never below {lowest:.0}");
        assert!(lowest >= 2.0 * VOICE_ALONE, "{lowest}");
    }
}

#[test]
fn jitter_is_no_congestion() {
    let path = Path {
        jitter: Duration::from_millis(20),
        ..Path::of(50)
    };
    let mut world = World::new(Link::new(3e6, 300)).with_flow(path, 1);
    world.run(seconds(60.0));
    let measured = measure(&world.flows[0], 3e6, 20.0, 60.0, false);
    print("20 ms of jitter", &measured);
    assert!(
        measured.utilisation >= 0.75 && measured.queue_p95 <= 100.0,
        "{measured:?}"
    );
}

#[test]
fn what_is_not_sent_lets_the_estimate_neither_grow_nor_fall() {
    let mut world = World::new(Link::new(10e6, 300)).with_flow(Path::of(30), 1);
    world.run(seconds(10.0));
    let before = world.flows[0].control.target();
    world.flows[0].wanted = 200e3;
    world.run(seconds(60.0));
    let after = world.flows[0].control.target();
    println!("200 kbit/s for a minute: {before:.0} becomes {after:.0}");
    assert!(
        after >= 0.8 * before && after <= super::flow::MAX,
        "{before} {after}"
    );
}

#[test]
fn paths_for_a_voice_alone_are_found() {
    for (rate, start) in [(150e3, 800e3), (100e3, 300e3)] {
        let mut world = World::new(Link::new(rate, 500));
        world
            .flows
            .push(Flow::new(world.begin, Path::of(50), 1).starting_at(start));
        world.run(seconds(30.0));
        let measured = measure(&world.flows[0], rate, 10.0, 30.0, true);
        print(&format!("{:.0} kbit/s", rate / 1e3), &measured);
        assert!(
            measured.utilisation >= 0.75 && measured.queue_p95 <= 300.0,
            "{measured:?}"
        );
    }
}

#[test]
fn a_voice_alone_fits_in_25_kilobits_and_finds_back() {
    // What RTCP, checks of the path and feedback the other way take of 25 kbit/s is not the voice's.
    for (capacity, seed, untold) in [
        (25e3, 1, 0),
        (25e3, 2, 0),
        (17e3, 3, 0),
        (17e3, 4, 60),
        (25e3, 5, 60),
        (17e3, 6, 60),
        (21e3, 7, 60),
    ] {
        let mut world = World::new(Link::new(capacity, 400)).with_flow(Path::of(20), seed);
        world.flows[0].voice_alone = true;
        // The queue is full before anything is known of it.
        world.flows[0].untold = untold;
        world.run(seconds(40.0));
        let flow = &world.flows[0];
        let measured = measure(flow, capacity, 10.0, 40.0, true);
        print(&format!("a voice on {:.0} kbit/s", capacity / 1e3), &measured);
        let came = flow.log.iter().filter(|(at, _, _)| *at > seconds(10.0)).count();
        println!(
            "{came} packets came in 30 s, queue in the first 10 s {:.0} ms",
            queue_p95(flow, 0.0, 10.0)
        );
        assert!(
            measured.utilisation >= 0.65 && measured.queue_p95 <= 350.0,
            "{measured:?}"
        );
        world.link.rate = 1e6;
        world.run(seconds(20.0));
        let target = world.flows[0].control.target();
        assert!(target >= 60e3, "{target}");
    }
}
