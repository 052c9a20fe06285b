//! Delay traces: how long the buffer holds packets, what it costs in made-up sound, and how fast it comes back.

use super::*;

/// Seeded, 0..1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// Delays of a network in milliseconds, order kept as a queue keeps it.
fn trace(packets: u32, mut delay: impl FnMut(u32) -> f64) -> Vec<(Duration, ReceivedPacket, PacketContent)> {
    let start = Instant::now();
    let mut last = Duration::ZERO;
    (0..packets)
        .map(|n| {
            let at = (FRAME * n + Duration::from_secs_f64(delay(n) / 1_000.0)).max(last);
            last = at;
            (at, packet(n, start + at), PLAIN)
        })
        .collect()
}

/// The 95th percentile of the delay above the least, milliseconds.
fn p95(arrivals: &[(Duration, ReceivedPacket, PacketContent)]) -> f64 {
    let mut delays: Vec<f64> = (0_u32..)
        .zip(arrivals)
        .map(|(n, (at, _, _))| (at.as_secs_f64() - (FRAME * n).as_secs_f64()) * 1_000.0)
        .collect();
    delays.sort_by(f64::total_cmp);
    delays[delays.len() * 95 / 100] - delays[0]
}

struct Outcome {
    /// Milliseconds: mean time in the buffer.
    delay: f64,
    /// Share of what was played.
    concealed: f64,
    counters: JitterBufferCounters,
}

fn play(arrivals: Vec<(Duration, ReceivedPacket, PacketContent)>, buffer: &mut JitterBuffer) -> Outcome {
    let time = FRAME * (arrivals.len() as u32 - 5);
    run(buffer, arrivals, time);
    let counters = buffer.counters();
    Outcome {
        delay: counters.jitter_buffer_delay / counters.jitter_buffer_emitted_count as f64 * 1_000.0,
        concealed: counters.concealed_samples as f64 / counters.total_samples_received as f64,
        counters,
    }
}

#[test]
fn the_delay_stays_within_the_jitter_and_a_frame_on_uneven_networks() {
    let mut random = Random(7);
    let uniform: Vec<_> = trace(3_000, |_| random.next() * 20.0);
    let mut random = Random(8);
    let tailed = trace(3_000, |_| 60.0 * random.next().powi(4));
    let wifi = |seed: u64, share: f64| {
        let mut random = Random(seed);
        let mut burst = 0.0_f64;
        // Now and then the air is taken for up to 80 ms, and what waited comes at once.
        trace(3_000, move |_| {
            burst = (burst - 20.0).max(0.0);
            if random.next() < share {
                burst = 20.0 + 60.0 * random.next();
            }
            burst + 3.0 * random.next()
        })
    };
    for (name, arrivals, above, most_concealed) in [
        ("uniform", uniform, 20.0, 0.005),
        ("tailed", tailed, 20.0, 0.005),
        // Each burst beyond the quantile holds everything back once, and that takes a moment to work off.
        ("wifi", wifi(9, 0.03), 24.0, 0.02),
    ] {
        let jitter = p95(&arrivals);
        let outcome = play(arrivals, &mut buffer());
        assert!(
            outcome.delay <= jitter + above,
            "{name}: {:.1} ms in the buffer, p95 {jitter:.1}",
            outcome.delay
        );
        assert!(
            outcome.concealed < most_concealed,
            "{name}: {:.4} concealed, {:?}",
            outcome.concealed,
            outcome.counters
        );
    }
}

#[test]
fn a_spike_of_300_ms_loses_nothing_and_its_delay_is_gone_in_five_seconds() {
    // Packets 200 to 214 all come when 215 does.
    let arrivals = trace(700, |n| {
        if (200..215).contains(&n) {
            f64::from(215 - n) * 20.0
        } else {
            0.0
        }
    });
    let start = arrivals[0].1.arrived_at;
    let mut buffer = buffer();
    let until = |seconds: u64| {
        arrivals
            .iter()
            .filter(|(at, _, _)| *at <= Duration::from_secs(seconds))
            .cloned()
            .collect::<Vec<_>>()
    };
    let playouts = run(&mut buffer, until(11), Duration::from_millis(9_300));
    let numbers = played(&playouts);
    assert_eq!(
        numbers,
        (0..numbers.len() as u32).collect::<Vec<_>>(),
        "nothing is lost"
    );
    let counters = buffer.counters();
    assert_eq!(counters.concealment_events, 1, "{counters:?}");
    assert!(
        (250 * 48..300 * 48).contains(&counters.concealed_samples),
        "only the spike itself: {counters:?}"
    );
    let delay = buffer.current_delay(start + Duration::from_millis(9_300));
    assert!(delay < ms(38), "{delay:?} for {:?}", buffer.target_delay());
}

#[test]
fn two_hundred_ppm_of_drift_either_way_is_followed_without_concealment() {
    for drift in [200e-6, -200e-6] {
        let mut buffer = buffer();
        // Ten minutes, in which the clocks move 120 ms apart.
        let arrivals = trace(30_000, |n| 200.0 + f64::from(n) * 20.0 * drift);
        let start = arrivals[0].1.arrived_at - arrivals[0].0;
        let outcome = play(arrivals, &mut buffer);
        assert_eq!(
            (
                outcome.counters.concealed_samples,
                outcome.counters.packets_discarded
            ),
            (0, 0),
            "{drift}"
        );
        let delay = buffer.current_delay(start + FRAME * 29_995);
        assert!(delay < ms(60), "{drift}: {delay:?}");
        let moved = outcome.counters.inserted_samples_for_deceleration as i64
            - outcome.counters.removed_samples_for_acceleration as i64;
        let apart = (drift * 600.0 * 48_000.0) as i64;
        assert!((moved - apart).abs() < 2_400, "{drift}: {moved} for {apart}");
    }
}

#[test]
fn a_longer_route_is_taken_over_without_lasting_delay() {
    let mut buffer = buffer();
    let arrivals = trace(1_000, |n| if n < 300 { 20.0 } else { 120.0 });
    let start = arrivals[0].1.arrived_at - arrivals[0].0;
    play(arrivals, &mut buffer);
    let delay = buffer.current_delay(start + FRAME * 995);
    assert!(delay < ms(40), "{delay:?}");
}
