use super::*;
use crate::units::{RtpTime, SequenceNumber};
use proptest::prelude::*;

mod recorded;
mod traces;

const FRAME: Duration = Duration::from_millis(20);
const PLAIN: PacketContent = PacketContent {
    samples: 960,
    channels: 1,
    protects: 0,
    rebuilds: 0,
    rests: false,
};
const PROTECTED: PacketContent = PacketContent {
    protects: 960,
    ..PLAIN
};
const DEEP: PacketContent = PacketContent {
    rebuilds: 10 * 960,
    ..PROTECTED
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn buffer() -> JitterBuffer {
    JitterBuffer::new(JitterBufferSettings::default(), SampleRate::HZ_48000)
}

fn fixed(delay: Duration) -> JitterBuffer {
    let settings = JitterBufferSettings {
        initial: delay,
        least: delay,
        most: ms(400),
    };
    JitterBuffer::new(settings, SampleRate::HZ_48000)
}

/// The n-th packet of a stream that begins just before both counters wrap; its payload is its number.
fn packet(n: u32, arrived_at: Instant) -> ReceivedPacket {
    ReceivedPacket {
        payload: Bytes::copy_from_slice(&n.to_be_bytes()),
        sequence: SequenceNumber::new((n as u16).wrapping_add(65_530)),
        rtp_time: RtpTime::new(n.wrapping_mul(960).wrapping_add(u32::MAX - 5_000)),
        marker: false,
        ssrc: 1,
        codec: None,
        repaired: false,
        rotation: None,
        arrived_at,
    }
}

#[test]
fn the_next_sample_is_told_in_the_ticks_of_the_stream_over_the_wrap() {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default(), SampleRate::from_hz(8_000));
    let rtp_time = |n: u32| RtpTime::new((n * 160).wrapping_add(u32::MAX - 400));
    for n in 0..10 {
        let sent = ReceivedPacket {
            rtp_time: rtp_time(n),
            ..packet(n, start + FRAME * n)
        };
        buffer.insert(sent, PLAIN);
        assert_eq!(buffer.next_sample(), None, "nothing is played yet");
    }
    for n in 1..=10 {
        let pull = buffer.pull(start + FRAME * (10 + n));
        assert!(matches!(pull.playout, Playout::Decode(_)));
        assert_eq!(buffer.next_sample(), Some((1, rtp_time(n))));
    }
}

fn number(payload: &Bytes) -> u32 {
    u32::from_be_bytes(payload[..].try_into().expect("four bytes"))
}

/// Samples that a stretch moves here: a pitch of 200 Hz.
const PERIOD: u32 = 240;

fn samples_of(pull: &Pull) -> u32 {
    match &pull.playout {
        Playout::Silence => 240,
        Playout::Decode(_) => 960,
        Playout::Recover { samples, .. }
        | Playout::Rebuild { samples, .. }
        | Playout::Conceal { samples }
        | Playout::Rest { samples } => *samples,
    }
}

/// A speaker that pulls when it has played what it got, from 5 ms after the start on, and stretches every frame that
/// it is told to.
struct Speaker<'a> {
    buffer: &'a mut JitterBuffer,
    start: Instant,
    played_until: Duration,
}

impl Speaker<'_> {
    fn pull(&mut self) -> (Duration, Playout) {
        let at = self.played_until;
        let pull = self.buffer.pull(self.start + at);
        let mut samples = samples_of(&pull);
        match pull.pace {
            Pace::Even => {}
            Pace::Faster | Pace::Hurried => {
                samples -= PERIOD;
                self.buffer.stretched(-i64::from(PERIOD));
            }
            Pace::Slower => {
                samples += PERIOD;
                self.buffer.stretched(i64::from(PERIOD));
            }
        }
        self.played_until += SampleRate::HZ_48000.time_of(samples as usize);
        (at, pull.playout)
    }
}

/// Inserts packets at their times and plays for so long; every answer with the moment it was given.
fn run(
    buffer: &mut JitterBuffer,
    mut arrivals: Vec<(Duration, ReceivedPacket, PacketContent)>,
    time: Duration,
) -> Vec<(Duration, Playout)> {
    arrivals.sort_by_key(|(at, _, _)| *at);
    let start = arrivals[0].1.arrived_at - arrivals[0].0;
    let mut waiting = arrivals.into_iter().peekable();
    let mut playouts = Vec::new();
    let mut speaker = Speaker {
        buffer,
        start,
        played_until: ms(5),
    };
    while speaker.played_until <= time {
        while let Some((_, packet, content)) = waiting.next_if(|(due, _, _)| *due <= speaker.played_until) {
            speaker.buffer.insert(packet, content);
        }
        playouts.push(speaker.pull());
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

fn played(playouts: &[(Duration, Playout)]) -> Vec<u32> {
    playouts
        .iter()
        .filter_map(|(_, playout)| match playout {
            Playout::Decode(payload) => Some(number(payload)),
            Playout::Silence
            | Playout::Recover { .. }
            | Playout::Rebuild { .. }
            | Playout::Conceal { .. }
            | Playout::Rest { .. } => None,
        })
        .collect()
}

/// What lies between two packets.
fn between(playouts: &[(Duration, Playout)], first: u32, second: u32) -> Vec<Playout> {
    let place = |wanted: u32| {
        let is_it = |p: &(Duration, Playout)| matches!(&p.1, Playout::Decode(b) if number(b) == wanted);
        playouts.iter().position(is_it).expect("was played")
    };
    playouts[place(first) + 1..place(second)]
        .iter()
        .map(|(_, playout)| playout.clone())
        .collect()
}

#[test]
fn an_empty_buffer_plays_silence() {
    let mut buffer = buffer();
    assert_eq!(buffer.pull(Instant::now()), Pull::SILENCE);
    assert_eq!(buffer.counters(), JitterBufferCounters::default());
}

#[test]
fn a_calm_stream_begins_after_the_initial_delay_and_comes_down_to_half_a_frame() {
    let mut buffer = buffer();
    let arrivals = stream(0..500, PLAIN, |_| ms(0));
    let start = arrivals[0].1.arrived_at;
    let playouts = run(&mut buffer, arrivals, ms(9_900));
    let (first, _) = playouts
        .iter()
        .find(|(_, p)| *p != Playout::Silence)
        .expect("it plays");
    assert_eq!(*first, ms(40));
    let numbers = played(&playouts);
    assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>());
    let counters = buffer.counters();
    assert_eq!(counters.packets_received, 496);
    assert_eq!(
        (
            counters.packets_lost,
            counters.packets_discarded,
            counters.concealed_samples
        ),
        (0, 0, 0)
    );
    let delay = buffer.current_delay(start + ms(9_900));
    assert!(delay <= ms(26), "{delay:?}");
    let mean = counters.jitter_buffer_delay / counters.jitter_buffer_emitted_count as f64;
    assert!((0.010..0.030).contains(&mean), "{mean}");
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
    let mut buffer = fixed(ms(60));
    let playouts = run(&mut buffer, arrivals, ms(4_050));
    let numbers = played(&playouts);
    assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>());
    let counters = buffer.counters();
    assert_eq!((counters.packets_duplicated, counters.packets_lost), (67, 0));
}

#[test]
fn a_lost_packet_is_concealed_for_its_own_time() {
    let mut buffer = fixed(ms(60));
    let playouts = run(
        &mut buffer,
        stream((0..50).filter(|n| *n != 20), PLAIN, |_| ms(0)),
        ms(900),
    );
    let made = between(&playouts, 19, 21);
    assert_eq!(
        made,
        [
            Playout::Conceal { samples: 480 },
            Playout::Conceal { samples: 480 }
        ]
    );
    let counters = buffer.counters();
    assert_eq!(
        (
            counters.packets_lost,
            counters.concealed_samples,
            counters.concealment_events
        ),
        (1, 960, 1)
    );
}

#[test]
fn a_hole_is_rebuilt_from_deep_redundancy_and_its_end_from_fec() {
    let mut buffer = fixed(ms(80));
    let lost = 20..23;
    let playouts = run(
        &mut buffer,
        stream((0..50).filter(|n| !lost.contains(n)), DEEP, |_| ms(0)),
        ms(900),
    );
    let next = packet(23, Instant::now()).payload;
    let rebuild = |before| Playout::Rebuild {
        later: next.clone(),
        before,
        samples: 960,
    };
    let recover = Playout::Recover {
        next: next.clone(),
        samples: 960,
    };
    assert_eq!(
        between(&playouts, 19, 23),
        [rebuild(2_880), rebuild(1_920), recover]
    );
    let counters = buffer.counters();
    assert_eq!((counters.concealed_samples, counters.dred_frames), (0, 2));
}

/// The n-th packet of a stream in frames of 60 ms.
fn long_packet(n: u32, arrived_at: Instant) -> ReceivedPacket {
    ReceivedPacket {
        rtp_time: RtpTime::new(n * 2_880),
        ..packet(n, arrived_at)
    }
}

#[test]
fn frames_of_60_ms_are_held_no_longer_than_short_ones_and_rebuilt_whole() {
    let content = PacketContent {
        samples: 2_880,
        protects: 2_880,
        ..PLAIN
    };
    let start = Instant::now();
    let mut buffer = buffer();
    for n in 0..200_u32 {
        let at = start + 3 * FRAME * n;
        if n % 60 != 59 {
            buffer.insert(long_packet(n, at), content);
        }
        // The speaker has played the frame before, 5 ms later at most.
        let mut played = 0;
        while played < 2_880 {
            let pull = buffer.pull(at + ms(5 + u64::from(played) / 48));
            played += match &pull.playout {
                Playout::Silence => 240,
                Playout::Decode(_) => 2_880,
                Playout::Recover { samples, .. }
                | Playout::Rebuild { samples, .. }
                | Playout::Conceal { samples }
                | Playout::Rest { samples } => *samples,
            };
        }
    }
    let counters = buffer.counters();
    assert_eq!(counters.packets_lost, 3);
    assert!(buffer.target_delay() <= ms(12), "{:?}", buffer.target_delay());
    assert!(counters.jitter < 0.001, "{counters:?}");
}

#[test]
fn a_lost_frame_of_60_ms_is_rebuilt_in_one() {
    let content = PacketContent {
        samples: 2_880,
        protects: 2_880,
        ..PLAIN
    };
    let start = Instant::now();
    let mut buffer = fixed(ms(130));
    for n in (0..6).filter(|n| *n != 3) {
        buffer.insert(long_packet(n, start + 3 * FRAME * n), content);
    }
    let mut played = Vec::new();
    for n in 0..5_u32 {
        played.push(buffer.pull(start + ms(130) + 3 * FRAME * n).playout);
    }
    assert!(
        matches!(&played[3], Playout::Recover { samples: 2_880, .. }),
        "{played:?}"
    );
    assert!(
        matches!(&played[4], Playout::Decode(payload) if number(payload) == 4),
        "{played:?}"
    );
}

#[test]
fn without_deep_redundancy_only_the_last_lost_frame_is_rebuilt() {
    let mut buffer = fixed(ms(80));
    let lost = 20..23;
    let playouts = run(
        &mut buffer,
        stream((0..50).filter(|n| !lost.contains(n)), PROTECTED, |_| ms(0)),
        ms(900),
    );
    let made = between(&playouts, 19, 23);
    assert_eq!(made[..4], vec![Playout::Conceal { samples: 480 }; 4]);
    assert!(
        matches!(made[4..], [Playout::Recover { samples: 960, .. }]),
        "{made:?}"
    );
    assert_eq!(
        (
            buffer.counters().concealed_samples,
            buffer.counters().concealment_events
        ),
        (1920, 1)
    );
}

#[test]
fn rebuilding_that_fails_counts_as_concealment() {
    let mut buffer = fixed(ms(80));
    for (at, packet, content) in stream([0, 1, 2, 5, 6], DEEP, |_| ms(0)) {
        let start = packet.arrived_at - at;
        buffer.insert(packet, content);
        if at == ms(120) {
            for pull in 0..4_u32 {
                buffer.pull(start + ms(80) + FRAME * pull);
            }
        }
    }
    let before = buffer.counters();
    assert_eq!((before.dred_frames, before.concealed_samples), (1, 0));
    buffer.made_up(960);
    let after = buffer.counters();
    assert_eq!(
        (
            after.concealed_samples,
            after.concealment_events,
            after.total_samples_received
        ),
        (960, 1, before.total_samples_received)
    );
}

#[test]
fn loss_that_can_be_rebuilt_makes_the_delay_long_enough_for_it() {
    let mut buffer = buffer();
    // Every tenth packet begins a loss of three.
    let arrivals = stream((0..1_000).filter(|n| n % 10 > 2), DEEP, |_| ms(0));
    run(&mut buffer, arrivals, ms(19_900));
    let target = buffer.target_delay();
    assert!((ms(75)..ms(95)).contains(&target), "{target:?}");
    let counters = buffer.counters();
    let share = counters.concealed_samples as f64 / counters.total_samples_received as f64;
    assert!(share < 0.01, "{share}");
}

#[test]
fn a_packet_after_its_time_is_discarded_and_does_not_repair_the_loss_twice() {
    let mut buffer = buffer();
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
fn a_packet_that_is_a_little_late_is_played_whole() {
    let mut buffer = buffer();
    let playouts = run(
        &mut buffer,
        stream(0..50, PLAIN, |n| if n == 20 { ms(46) } else { ms(0) }),
        ms(990),
    );
    assert!(played(&playouts).contains(&20));
    assert_eq!(buffer.counters().packets_discarded, 0);
    assert!(buffer.counters().concealed_samples <= 960);
}

#[test]
fn a_pause_of_the_sender_is_filled_with_comfort_noise_and_is_no_loss() {
    let mut buffer = buffer();
    let rests = PacketContent { rests: true, ..PLAIN };
    // Speech, a pause of 1.6 s with a refresh every 0.4 s, speech; numbers go on without a gap.
    let mut arrivals = Vec::new();
    let start = Instant::now();
    let mut sequence = 0;
    for n in 0..250_u32 {
        let pausing = (100..180).contains(&n);
        if pausing && n % 20 != 0 {
            continue;
        }
        let at = FRAME * n;
        let sent = ReceivedPacket {
            sequence: SequenceNumber::new(sequence),
            ..packet(n, start + at)
        };
        arrivals.push((at, sent, if pausing { rests } else { PLAIN }));
        sequence += 1;
    }
    let playouts = run(&mut buffer, arrivals, ms(4_950));
    let counters = buffer.counters();
    assert_eq!(
        (counters.concealed_samples, counters.packets_discarded),
        (0, 0),
        "{counters:?}"
    );
    let rested: u32 = playouts
        .iter()
        .map(|(_, p)| {
            if let Playout::Rest { samples } = p {
                *samples
            } else {
                0
            }
        })
        .sum();
    assert!((70 * 960..78 * 960).contains(&rested), "{rested}");
    let numbers = played(&playouts);
    assert!(numbers.contains(&180) && numbers.contains(&245), "{numbers:?}");
    assert!(buffer.current_delay(start + ms(4_950)) < ms(45));
}

#[test]
fn the_first_words_after_a_pause_are_kept_though_they_come_late() {
    let mut buffer = buffer();
    let rests = PacketContent { rests: true, ..PLAIN };
    let mut arrivals = stream(0..50, PLAIN, |_| ms(0));
    arrivals[49].2 = rests;
    let start = arrivals[0].1.arrived_at;
    for n in 50..100_u32 {
        let at = FRAME * (n + 30) + ms(150);
        let sent = ReceivedPacket {
            rtp_time: packet(n + 30, start).rtp_time,
            ..packet(n, start + at)
        };
        arrivals.push((at, sent, PLAIN));
    }
    let playouts = run(&mut buffer, arrivals, ms(2_700));
    assert!(played(&playouts).windows(3).any(|w| w == [49, 50, 51]));
    assert_eq!(buffer.counters().packets_discarded, 0);
}

#[test]
fn a_stream_that_stops_begins_again_with_a_full_delay() {
    let mut buffer = buffer();
    let arrivals = stream((0..50).chain(200..250), PLAIN, |_| ms(0));
    let playouts = run(&mut buffer, arrivals, ms(4_950));
    let concealed = buffer.counters().concealed_samples;
    assert_eq!(
        concealed, 48_000,
        "a second is made up, then silence: {concealed}"
    );
    let again = playouts
        .iter()
        .position(|(_, p)| *p == Playout::Decode(packet(200, Instant::now()).payload))
        .expect("it begins again");
    assert_eq!(playouts[again - 1].1, Playout::Silence);
}

#[test]
fn a_new_ssrc_begins_anew_and_stragglers_of_the_old_one_do_not_switch_back() {
    let mut buffer = buffer();
    let mut arrivals = stream(0..50, PLAIN, |_| ms(0));
    let mut other = stream(50..100, PLAIN, |_| ms(0));
    let start = arrivals[0].1.arrived_at;
    for (at, packet, _) in &mut other {
        packet.ssrc = 2;
        packet.rtp_time = packet.rtp_time.plus(77_777_777);
        packet.arrived_at = start + *at;
    }
    let straggler = ReceivedPacket {
        repaired: false,
        rotation: None,
        arrived_at: start + ms(1_050),
        ..packet(49, start)
    };
    arrivals.extend(other);
    arrivals.push((ms(1_050), straggler, PLAIN));
    let numbers = played(&run(&mut buffer, arrivals, ms(1_990)));
    assert!(numbers.ends_with(&(50..99).collect::<Vec<_>>()), "{numbers:?}");
}

#[test]
fn a_step_of_the_senders_clock_either_way_costs_no_more_than_a_new_start() {
    for step in [48_000 * 60_u32, 0_u32.wrapping_sub(48_000 * 60)] {
        let mut buffer = buffer();
        let mut arrivals = stream(0..100, PLAIN, |_| ms(0));
        for (_, packet, _) in &mut arrivals[50..] {
            packet.rtp_time = packet.rtp_time.plus(step);
        }
        let numbers = played(&run(&mut buffer, arrivals, ms(1_990)));
        assert!(
            numbers.ends_with(&(50..99).collect::<Vec<_>>()),
            "{step}: {numbers:?}"
        );
        assert!(numbers.len() >= 94, "{step}: {numbers:?}");
    }
}

#[test]
fn the_receivers_clock_may_jump_without_harm() {
    // The machine slept: an hour passes between two pulls.
    let mut buffer = buffer();
    let mut arrivals = stream(0..200, PLAIN, |_| ms(0));
    let start = arrivals[0].1.arrived_at;
    let hour = Duration::from_secs(3_600);
    for (at, packet, _) in &mut arrivals[100..] {
        *at += hour;
        packet.arrived_at = start + *at;
    }
    for (at, packet, content) in arrivals.drain(..) {
        buffer.insert(packet, content);
        buffer.pull(start + at);
    }
    let concealed = buffer.counters().concealed_samples;
    assert!(concealed < 3 * 48_000, "{concealed}");
    assert!(buffer.current_delay(start + hour + ms(4_000)) < ms(1_000));
}

#[test]
fn a_clock_of_eight_kilohertz_is_played_at_the_rate_of_the_pipeline() {
    let mut buffer = JitterBuffer::new(JitterBufferSettings::default(), SampleRate::from_hz(8_000));
    let start = Instant::now();
    let arrivals = (0..100)
        .filter(|n| *n != 50)
        .map(|n| {
            let at = FRAME * n;
            let sent = ReceivedPacket {
                rtp_time: RtpTime::new(n.wrapping_mul(160)),
                ..packet(n, start + at)
            };
            (at, sent, PLAIN)
        })
        .collect();
    run(&mut buffer, arrivals, ms(1_900));
    let counters = buffer.counters();
    assert_eq!((counters.concealed_samples, counters.packets_lost), (960, 1));
    assert!(counters.jitter < 0.001);
}

#[test]
fn nobody_pulling_keeps_two_seconds_at_most() {
    let mut buffer = buffer();
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
    fn any_network_plays_in_order_and_accounts_for_every_packet(
        fates in network(),
        content in proptest::sample::select(vec![PLAIN, PROTECTED, DEEP]),
    ) {
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
        let mut buffer = buffer();
        let doubled = arrivals.len() as u64 - unique;
        let playouts = run(&mut buffer, arrivals, FRAME * fates.len() as u32 + ms(3_000));
        let numbers = played(&playouts);
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
        let counters = buffer.counters();
        prop_assert_eq!(counters.packets_received, unique);
        prop_assert_eq!(counters.packets_duplicated, doubled);
        prop_assert_eq!(numbers.len() as u64 + counters.packets_discarded, unique);
        let rebuilt: u64 = playouts.iter().map(|(_, p)| match p {
            Playout::Recover { samples, .. } | Playout::Rebuild { samples, .. } => u64::from(*samples),
            Playout::Silence | Playout::Decode(_) | Playout::Conceal { .. } | Playout::Rest { .. } => 0,
        }).sum();
        prop_assert_eq!(
            counters.total_samples_received + counters.removed_samples_for_acceleration,
            numbers.len() as u64 * 960 + rebuilt + counters.concealed_samples
                + counters.inserted_samples_for_deceleration
        );
    }

    #[test]
    fn hostile_headers_are_survived(
        headers in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), 0_u32..3, 0_u64..5_000, 0_u32..6_000, any::<bool>()),
            0..200,
        ),
    ) {
        let start = Instant::now();
        let mut buffer = buffer();
        for (sequence, time, ssrc, at, samples, rests) in headers {
            let packet = ReceivedPacket {
                sequence: SequenceNumber::new(sequence),
                rtp_time: RtpTime::new(time),
                ssrc,
                codec: None,
                ..packet(0, start + ms(at))
            };
            let content = PacketContent { samples, channels: 1, protects: samples / 2, rebuilds: samples * 3, rests };
            buffer.insert(packet, content);
            let pull = buffer.pull(start + ms(at));
            prop_assert!(samples_of(&pull) > 0);
            buffer.stretched(-100);
        }
        prop_assert!(buffer.counters().jitter.is_finite());
    }
}
