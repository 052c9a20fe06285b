use super::*;
use crate::units::SequenceNumber;
use proptest::prelude::*;

const FRAME: Duration = Duration::from_millis(20);
const PLAIN: PacketContent = PacketContent {
    samples: 960,
    protects: 0,
};
const PROTECTED: PacketContent = PacketContent {
    samples: 960,
    protects: 960,
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The n-th packet of a stream that begins just before both counters wrap; its payload is its number.
fn packet(n: u32, arrived_at: Instant) -> ReceivedPacket {
    ReceivedPacket {
        payload: Bytes::copy_from_slice(&n.to_be_bytes()),
        sequence: SequenceNumber::new((n as u16).wrapping_add(65_530)),
        rtp_time: RtpTime::new(n.wrapping_mul(960).wrapping_add(u32::MAX - 5_000)),
        marker: false,
        ssrc: 1,
        arrived_at,
    }
}

fn number(payload: &Bytes) -> u32 {
    u32::from_be_bytes(payload[..].try_into().expect("four bytes"))
}

/// Inserts packets at their times and pulls every 20 ms from 5 ms after the start on.
fn run(
    buffer: &mut JitterBuffer,
    mut arrivals: Vec<(Duration, ReceivedPacket, PacketContent)>,
    time: Duration,
) -> Vec<Playout> {
    arrivals.sort_by_key(|(at, _, _)| *at);
    let start = arrivals[0].1.arrived_at - arrivals[0].0;
    let mut waiting = arrivals.into_iter().peekable();
    let mut playouts = Vec::new();
    let mut at = ms(5);
    while at <= time {
        while let Some((_, packet, content)) = waiting.next_if(|(due, _, _)| *due <= at) {
            buffer.insert(packet, content);
        }
        playouts.push(buffer.pull(start + at));
        at += FRAME;
    }
    playouts
}

fn stream(
    numbers: impl IntoIterator<Item = u32>,
    content: PacketContent,
    delay: impl Fn(u32) -> Duration,
) -> Vec<(Duration, ReceivedPacket, PacketContent)> {
    let start = Instant::now();
    numbers
        .into_iter()
        .map(|n| {
            let at = FRAME * n + delay(n);
            (at, packet(n, start + at), content)
        })
        .collect()
}

fn played(playouts: &[Playout]) -> Vec<u32> {
    let mut numbers = Vec::new();
    for playout in playouts {
        match playout {
            Playout::Decode(payload) => numbers.push(number(payload)),
            Playout::Merge(first, second) => numbers.extend([number(first), number(second)]),
            Playout::Silence | Playout::Recover { .. } | Playout::Conceal { .. } => {}
        }
    }
    numbers
}

#[test]
fn an_empty_buffer_plays_silence() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    assert_eq!(buffer.pull(Instant::now()), Playout::Silence);
    assert_eq!(buffer.counters(), JitterBufferCounters::default());
}

#[test]
fn a_calm_stream_plays_whole_after_the_target_delay() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let playouts = run(&mut buffer, stream(0..100, PLAIN, |_| ms(0)), ms(2_000));
    let silent = playouts.iter().take_while(|p| **p == Playout::Silence).count();
    assert_eq!(silent, 2, "5 and 25 ms are before the target of 40");
    assert!(
        playouts[silent..].iter().all(|p| matches!(p, Playout::Decode(_))),
        "{playouts:?}"
    );
    assert_eq!(played(&playouts), (0..98).collect::<Vec<_>>());
    let counters = buffer.counters();
    assert_eq!(counters.packets_received, 100);
    assert_eq!(
        (
            counters.packets_lost,
            counters.packets_discarded,
            counters.concealed_samples
        ),
        (0, 0, 0)
    );
    assert_eq!(counters.jitter_buffer_emitted_count, 98 * 960);
    let mean = counters.jitter_buffer_delay / counters.jitter_buffer_emitted_count as f64;
    assert!((mean - 0.045).abs() < 0.001, "each waited 45 ms: {mean}");
}

#[test]
fn reordered_and_doubled_packets_play_once_in_order() {
    let mut arrivals = stream(0..200, PLAIN, |n| if n % 2 == 0 { ms(25) } else { ms(0) });
    let doubles: Vec<_> = arrivals
        .iter()
        .step_by(3)
        .map(|(at, p, c)| (*at + ms(7), p.clone(), *c))
        .collect();
    arrivals.extend(doubles);
    let mut buffer = JitterBuffer::new(JitterBufferSettings {
        initial: ms(60),
        least: ms(60),
        most: ms(400),
    });
    let playouts = run(&mut buffer, arrivals, ms(4_000));
    let numbers = played(&playouts);
    assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>());
    let counters = buffer.counters();
    assert_eq!(
        (
            counters.packets_duplicated,
            counters.packets_lost,
            counters.concealed_samples
        ),
        (66, 0, 0)
    );
}

#[test]
fn a_lost_packet_is_concealed_once() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let playouts = run(
        &mut buffer,
        stream((0..50).filter(|n| *n != 20), PLAIN, |_| ms(0)),
        ms(900),
    );
    assert_eq!(playouts[22], Playout::Conceal { samples: 960 });
    let counters = buffer.counters();
    assert_eq!(
        (
            counters.packets_lost,
            counters.concealed_samples,
            counters.concealment_events
        ),
        (1, 960, 1)
    );
    assert_eq!(
        counters.total_samples_received,
        counters.jitter_buffer_emitted_count + 960
    );
}

#[test]
fn the_last_lost_frame_of_a_hole_is_rebuilt_from_the_packet_after_it() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings {
        initial: ms(80),
        least: ms(80),
        most: ms(400),
    });
    let lost = 20..23;
    let playouts = run(
        &mut buffer,
        stream((0..50).filter(|n| !lost.contains(n)), PROTECTED, |_| ms(0)),
        ms(900),
    );
    let start = playouts
        .iter()
        .position(|p| *p == Playout::Decode(packet(19, Instant::now()).payload))
        .expect("19");
    let next = packet(23, Instant::now()).payload;
    assert_eq!(playouts[start + 1], Playout::Conceal { samples: 960 });
    assert_eq!(playouts[start + 2], Playout::Conceal { samples: 960 });
    assert_eq!(
        playouts[start + 3],
        Playout::Recover {
            next: next.clone(),
            samples: 960
        }
    );
    assert_eq!(playouts[start + 4], Playout::Decode(next));
    let counters = buffer.counters();
    assert_eq!(
        (counters.concealed_samples, counters.concealment_events),
        (1920, 1)
    );
    assert_eq!(counters.fec_packets_received, 42, "45 have come, 3 of them not");
}

#[test]
fn a_packet_after_its_time_is_discarded_and_does_not_repair_the_loss_twice() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let playouts = run(
        &mut buffer,
        stream(0..50, PLAIN, |n| if n == 20 { ms(100) } else { ms(0) }),
        ms(900),
    );
    assert!(!played(&playouts).contains(&20));
    let counters = buffer.counters();
    assert_eq!(
        (
            counters.packets_discarded,
            counters.packets_lost,
            counters.concealed_samples
        ),
        (1, 0, 960)
    );
}

#[test]
fn a_stall_of_the_network_loses_nothing_and_its_delay_goes_again() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    // Packets 50 to 64 all come when 64 does: 280 ms late at most.
    let arrivals = stream(0..500, PLAIN, |n| {
        if (50..64).contains(&n) {
            FRAME * (64 - n)
        } else {
            ms(0)
        }
    });
    let start = arrivals[0].1.arrived_at;
    let playouts = run(&mut buffer, arrivals, ms(9_990));
    let numbers = played(&playouts);
    assert_eq!(
        numbers,
        (0..numbers.len() as u32).collect::<Vec<_>>(),
        "every packet is played"
    );
    let counters = buffer.counters();
    assert_eq!(counters.concealment_events, 1);
    assert!(
        (200 * 48..300 * 48).contains(&counters.concealed_samples),
        "{}",
        counters.concealed_samples
    );
    assert!(counters.removed_samples_for_acceleration > 0);
    let delay = buffer.current_delay(start + ms(9_990));
    assert!(
        delay < buffer.target_delay() + ms(30),
        "{delay:?} for {:?}",
        buffer.target_delay()
    );
}

#[test]
fn jitter_is_met_by_a_longer_delay() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let uneven = |n: u32| ms(u64::from(n.wrapping_mul(2_654_435_761) >> 16) % 80);
    run(&mut buffer, stream(0..1_000, PLAIN, uneven), ms(10_000));
    let early = buffer.counters().concealed_samples;
    assert!(buffer.target_delay() > ms(85), "{:?}", buffer.target_delay());
    let mut later = JitterBuffer::new(JitterBufferSettings::default());
    run(&mut later, stream(0..1_500, PLAIN, uneven), ms(30_000 - 200));
    let late = later.counters().concealed_samples - early;
    assert!(
        late < 15_000 * 48 / 50,
        "under 2 % once the delay has settled: {late}"
    );
}

#[test]
fn a_stream_that_pauses_begins_again_with_a_full_delay() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let arrivals = stream((0..50).chain(200..250), PLAIN, |_| ms(0));
    let playouts = run(&mut buffer, arrivals, ms(5_000 - 20));
    let concealed = buffer.counters().concealed_samples;
    assert_eq!(
        concealed, 48_000,
        "a second is made up, then silence: {concealed}"
    );
    let again = playouts
        .iter()
        .position(|p| *p == Playout::Decode(packet(200, Instant::now()).payload));
    assert_eq!(again, Some(202));
    assert_eq!(playouts[201], Playout::Silence);
}

#[test]
fn a_new_ssrc_begins_anew_and_stragglers_of_the_old_one_do_not_switch_back() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let mut arrivals = stream(0..50, PLAIN, |_| ms(0));
    let mut other = stream(50..100, PLAIN, |_| ms(0));
    let start = arrivals[0].1.arrived_at;
    for (at, packet, _) in &mut other {
        packet.ssrc = 2;
        packet.rtp_time = packet.rtp_time.plus(77_777_777);
        packet.arrived_at = start + *at;
    }
    let straggler = (
        ms(1_050),
        ReceivedPacket {
            arrived_at: start + ms(1_050),
            ..packet(49, start)
        },
        PLAIN,
    );
    arrivals.extend(other);
    arrivals.push(straggler);
    let playouts = run(&mut buffer, arrivals, ms(2_000));
    let numbers = played(&playouts);
    assert!(numbers.ends_with(&(50..98).collect::<Vec<_>>()), "{numbers:?}");
}

#[test]
fn a_step_of_the_senders_clock_either_way_costs_no_more_than_a_new_start() {
    for step in [48_000 * 60_u32, 0_u32.wrapping_sub(48_000 * 60)] {
        let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
        let mut arrivals = stream(0..100, PLAIN, |_| ms(0));
        for (_, packet, _) in &mut arrivals[50..] {
            packet.rtp_time = packet.rtp_time.plus(step);
        }
        let playouts = run(&mut buffer, arrivals, ms(2_000));
        let numbers = played(&playouts);
        assert!(
            numbers.ends_with(&(50..98).collect::<Vec<_>>()),
            "{step}: {numbers:?}"
        );
        assert!(numbers.len() >= 95, "{step}: {numbers:?}");
    }
}

#[test]
fn a_sender_with_a_slow_clock_is_followed() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    // 1000 ppm slow: each packet comes 20 us later than its time says.
    let playouts = run(
        &mut buffer,
        stream(0..6_000, PLAIN, |n| Duration::from_micros(20) * n),
        ms(120_000),
    );
    assert!(
        buffer.counters().concealed_samples <= 10 * 960,
        "{}",
        buffer.counters().concealed_samples
    );
    assert_eq!(buffer.counters().packets_discarded, 0);
    assert!(played(&playouts).len() > 5_980);
}

#[test]
fn a_sender_with_a_fast_clock_is_followed() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    let start = Instant::now();
    let arrivals: Vec<_> = (0..6_000)
        .map(|n| {
            let at = FRAME * n - Duration::from_micros(20) * n;
            (at, packet(n, start + at), PLAIN)
        })
        .collect();
    run(&mut buffer, arrivals, ms(119_800));
    let removed = buffer.counters().removed_samples_for_acceleration;
    assert!((2 * 960..=8 * 960).contains(&removed), "{removed}");
    assert!(buffer.current_delay(start + ms(119_800)) < ms(90));
}

#[test]
fn nobody_pulling_keeps_two_seconds_at_most() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
    for (_, packet, content) in stream(0..1_000, PLAIN, |_| ms(0)) {
        buffer.insert(packet, content);
    }
    assert_eq!(buffer.counters().packets_discarded, 900);
}

/// Delay, loss and duplication of each packet, as a network might deal them.
fn network() -> impl Strategy<Value = Vec<(u16, bool, bool)>> {
    let fate = (
        0_u16..150,
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.05),
    );
    proptest::collection::vec(fate, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_network_plays_in_order_and_accounts_for_every_packet(fates in network(), protects in any::<bool>()) {
        let content = if protects { PROTECTED } else { PLAIN };
        let start = Instant::now();
        let mut arrivals = Vec::new();
        let mut unique = 0;
        for (n, (delay, lost, doubled)) in fates.iter().enumerate() {
            let at = FRAME * n as u32 + ms(u64::from(*delay));
            if *lost {
                continue;
            }
            unique += 1;
            arrivals.push((at, packet(n as u32, start + at), content));
            if *doubled {
                arrivals.push((at + ms(3), packet(n as u32, start + at + ms(3)), content));
            }
        }
        prop_assume!(!arrivals.is_empty());
        let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
        let doubled = arrivals.len() as u64 - unique;
        let playouts = run(&mut buffer, arrivals, FRAME * fates.len() as u32 + ms(3_000));
        let numbers = played(&playouts);
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
        let counters = buffer.counters();
        prop_assert_eq!(counters.packets_received, unique);
        prop_assert_eq!(counters.packets_duplicated, doubled);
        prop_assert_eq!(numbers.len() as u64 + counters.packets_discarded, unique);
        let merged = counters.removed_samples_for_acceleration;
        let recovered: u64 = playouts.iter().map(|p| match p {
            Playout::Recover { samples, .. } => u64::from(*samples),
            Playout::Silence | Playout::Decode(_) | Playout::Merge(..) | Playout::Conceal { .. } => 0,
        }).sum();
        prop_assert_eq!(
            counters.total_samples_received,
            numbers.len() as u64 * 960 - merged + recovered + counters.concealed_samples
        );
    }

    #[test]
    fn hostile_headers_are_survived(
        headers in proptest::collection::vec((any::<u16>(), any::<u32>(), 0_u32..3, 0_u64..5_000, 0_u32..6_000), 0..200),
    ) {
        let start = Instant::now();
        let mut buffer = JitterBuffer::new(JitterBufferSettings::default());
        for (sequence, time, ssrc, at, samples) in headers {
            let packet = ReceivedPacket {
                sequence: SequenceNumber::new(sequence),
                rtp_time: RtpTime::new(time),
                ssrc,
                ..packet(0, start + ms(at))
            };
            buffer.insert(packet, PacketContent { samples, protects: samples / 2 });
            if let Playout::Conceal { samples } | Playout::Recover { samples, .. } = buffer.pull(start + ms(at)) {
                prop_assert!(samples > 0);
            }
        }
        prop_assert!(buffer.counters().jitter.is_finite());
    }
}
