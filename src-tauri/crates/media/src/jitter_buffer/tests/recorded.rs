//! Arrivals of real calls through the laboratory's emulator, replayed: what the buffer would have made of them.
//!
//! `cargo xtask bench voice --dev --scenario NAME --seconds N` leaves the file of such a call as `arrivals.txt`; how each
//! here was recorded stands in its first lines.

use super::*;
use std::collections::BTreeMap;

/// A call as it came.
struct Recorded {
    arrivals: Vec<(Duration, ReceivedPacket, PacketContent)>,
    start: Instant,
}

impl Recorded {
    fn read(text: &str) -> Self {
        let start = Instant::now();
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        let arrivals = rows.map(|row| {
            let columns: Vec<&str> = row.split(' ').collect();
            let number = |at: usize| -> u64 { columns[at].parse().expect("a number") };
            let at = Duration::from_micros(number(0));
            let samples = number(3) as u32;
            let packet = ReceivedPacket {
                // How long it is says how much decoding gives.
                payload: Bytes::copy_from_slice(&samples.to_be_bytes()),
                sequence: SequenceNumber::new(number(1) as u16),
                rtp_time: RtpTime::new(number(2) as u32),
                marker: false,
                ssrc: 1,
                codec: None,
                repaired: false,
                rotation: None,
                arrived_at: start + at,
            };
            let content = PacketContent {
                samples,
                channels: 1,
                protects: number(4) as u32,
                rebuilds: number(5) as u32,
                rests: columns[6] == "true",
            };
            (at, packet, content)
        });
        Self {
            arrivals: arrivals.collect(),
            start,
        }
    }

    /// Milliseconds that each packet came later than it would have with the least delay of all, with its arrival.
    fn jitter(&self) -> Vec<(Duration, f64)> {
        let first = self.arrivals[0].1.rtp_time;
        let transit = |(at, packet, _): &(Duration, ReceivedPacket, PacketContent)| {
            let sent = f64::from(packet.rtp_time.since(first)) / 48.0;
            (*at, at.as_secs_f64() * 1_000.0 - sent)
        };
        let transits: Vec<(Duration, f64)> = self.arrivals.iter().map(transit).collect();
        let least = transits.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
        transits
            .into_iter()
            .map(|(at, transit)| (at, transit - least))
            .collect()
    }

    /// The longest time without an arrival, milliseconds.
    fn longest_silence(&self) -> f64 {
        let gaps = self.arrivals.windows(2).map(|two| two[1].0 - two[0].0);
        gaps.max().expect("packets").as_secs_f64() * 1_000.0
    }

    fn play(&self) -> Heard {
        let mut buffer = buffer();
        let mut heard = Heard::default();
        let mut waiting = self.arrivals.iter().peekable();
        let end = self.arrivals.last().expect("packets").0;
        let mut now = ms(5);
        let mut made_up = 0;
        while now <= end {
            while let Some((_, packet, content)) = waiting.next_if(|(due, _, _)| *due <= now) {
                buffer.insert(packet.clone(), *content);
            }
            let pull = buffer.pull(self.start + now);
            let mut samples = match &pull.playout {
                Playout::Decode(payload) => number(payload),
                playout => samples_of(&Pull::even(playout.clone())),
            };
            made_up = match &pull.playout {
                Playout::Conceal { samples } => made_up + samples,
                Playout::Silence
                | Playout::Decode(_)
                | Playout::Recover { .. }
                | Playout::Rebuild { .. }
                | Playout::Rest { .. } => 0,
            };
            heard.longest_made_up = heard.longest_made_up.max(f64::from(made_up) / 48.0);
            // The stretcher needs a few periods to find one.
            if samples >= 2 * PERIOD {
                let change = match pull.pace {
                    Pace::Even => 0,
                    Pace::Faster | Pace::Hurried => -i64::from(PERIOD),
                    Pace::Slower => i64::from(PERIOD),
                };
                if change != 0 {
                    samples = (i64::from(samples) + change) as u32;
                    buffer.stretched(change);
                }
            }
            let delay = buffer.current_delay(self.start + now);
            heard.delays.insert(now, delay.as_secs_f64() * 1_000.0);
            heard
                .targets
                .insert(now, buffer.target_delay().as_secs_f64() * 1_000.0);
            if now < LEARNING {
                heard.learning = buffer.counters();
            }
            now += SampleRate::HZ_48000.time_of(samples as usize);
        }
        heard.counters = buffer.counters();
        heard
    }
}

#[derive(Default)]
struct Heard {
    /// Milliseconds, by the moment.
    delays: BTreeMap<Duration, f64>,
    targets: BTreeMap<Duration, f64>,
    /// Milliseconds in a row.
    longest_made_up: f64,
    counters: JitterBufferCounters,
    /// Those of the beginning.
    learning: JitterBufferCounters,
}

impl Heard {
    /// The share that was made up once the call knew its network, as `bench voice` counts it.
    fn concealed(&self) -> f64 {
        let concealed = self.counters.concealed_samples - self.learning.concealed_samples;
        let total = self.counters.total_samples_received - self.learning.total_samples_received;
        concealed as f64 / total as f64
    }
}

/// The value that so many of them do not pass.
fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * share) as usize]
}

/// A call has learned the network by then.
const LEARNING: Duration = Duration::from_secs(4);
/// GOALS P7.
const ABOVE_JITTER: f64 = 20.0;

/// The voice is made up at full loudness for so long, milliseconds; what is longer is heard as a gap.
const AUDIBLE_GAP: f64 = 120.0;

/// What is promised of every path that loses nothing: the delay keeps to the jitter.
fn keeps_to_the_jitter(name: &str, call: &Recorded, heard: &Heard) {
    let jitter = quantile(call.jitter().into_iter().map(|(_, late)| late), 0.95);
    let later = |values: &BTreeMap<Duration, f64>| -> Vec<f64> {
        values.range(LEARNING..).map(|(_, value)| *value).collect()
    };
    let delay = quantile(later(&heard.delays), 0.95);
    let target = quantile(later(&heard.targets), 0.95);
    assert!(
        delay <= jitter + ABOVE_JITTER && target <= jitter + ABOVE_JITTER,
        "{name}: {delay:.1} ms for a target of {target:.1}, jitter {jitter:.1}"
    );
}

/// And that nothing is heard of it.
fn is_not_heard(name: &str, heard: &Heard) {
    assert!(
        heard.concealed() <= 0.01 && heard.longest_made_up <= AUDIBLE_GAP,
        "{name}: {:.4} made up, {:.0} ms in a row",
        heard.concealed(),
        heard.longest_made_up
    );
}

#[test]
fn uneven_paths_and_machines_cost_their_jitter_and_no_gap() {
    for (name, text) in [
        ("50 ms ± 10", include_str!("recorded/jitter10.txt")),
        ("busy", include_str!("recorded/busy.txt")),
    ] {
        let call = Recorded::read(text);
        let heard = call.play();
        keeps_to_the_jitter(name, &call, &heard);
        is_not_heard(name, &heard);
    }
}

/// One packet of twenty is 60 ms late, where the percentile jumps: the delay is not judged by it.
#[test]
fn overtaking_packets_are_not_heard() {
    let call = Recorded::read(include_str!("recorded/reorder.txt"));
    is_not_heard("reordered", &call.play());
}

#[test]
fn a_spike_costs_itself_and_the_delay_is_back_in_five_seconds() {
    let call = Recorded::read(include_str!("recorded/spike300.txt"));
    let heard = call.play();
    let silence = call.longest_silence();
    assert!(silence > 290.0, "the spike is there: {silence:.0} ms");
    assert!(
        heard.longest_made_up <= silence,
        "{:.0} ms in a row for {silence:.0}",
        heard.longest_made_up
    );
    let jitter = call.jitter();
    let spike = jitter
        .iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("packets")
        .0;
    let settled = |from: Duration, until: Duration| {
        quantile(heard.delays.range(from..until).map(|(_, delay)| *delay), 0.5)
    };
    let before = settled(LEARNING, spike - ms(400));
    let recovered = spike + Duration::from_secs(5);
    let after = settled(recovered, recovered + Duration::from_secs(1));
    // As in the laboratory: half a frame, the width of the band in which nothing is stretched.
    assert!(after <= before + 10.0, "{after:.1} ms after {before:.1}");
    let usual = jitter
        .iter()
        .filter(|(at, _)| *at < spike - ms(400) || *at > spike + ms(400));
    let usual = quantile(usual.map(|(_, late)| *late), 0.95);
    assert!(after <= usual + ABOVE_JITTER, "{after:.1} ms, jitter {usual:.1}");
}

#[test]
fn bursts_of_loss_are_rebuilt_but_for_what_nothing_reaches() {
    let heard = Recorded::read(include_str!("recorded/burst20x3.txt")).play();
    // GOALS P5.
    assert!(heard.concealed() <= 0.07, "{:.4} made up", heard.concealed());
}

#[test]
fn a_path_of_25_kbit_keeps_the_voice_within_its_delay() {
    let heard = Recorded::read(include_str!("recorded/rate25k.txt")).play();
    let delay = quantile(heard.delays.range(LEARNING..).map(|(_, delay)| *delay), 0.5);
    // GOALS P12; the buffer may have all of the 400 ms.
    assert!(
        heard.concealed() <= 0.10 && delay <= 400.0,
        "{:.4} made up, {delay:.0} ms",
        heard.concealed()
    );
}

#[test]
fn outages_of_a_mobile_network_cost_themselves_alone() {
    let call = Recorded::read(include_str!("recorded/mobile.txt"));
    let heard = call.play();
    let silence = call.longest_silence();
    assert!(silence > 400.0, "the outage is there: {silence:.0} ms");
    // Whole frames are gone.
    let outage = silence + 20.0;
    assert!(
        heard.longest_made_up <= outage,
        "{:.0} ms in a row for {silence:.0}",
        heard.longest_made_up
    );
    let judged = call.arrivals.last().expect("packets").0 - LEARNING;
    let seconds = judged.as_secs_f64();
    let outage = outage / 1_000.0 / seconds;
    assert!(
        heard.concealed() <= outage + 0.01,
        "{:.4} made up, {outage:.4} were out",
        heard.concealed()
    );
}
