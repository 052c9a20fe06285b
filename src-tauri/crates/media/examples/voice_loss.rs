//! Sends speech through encoder, lossy network, jitter buffer and decoder under a virtual clock, and tells what became
//! of it. The same options give the same result.
//!
//! `voice_loss IN.wav OUT.wav [NAME=VALUE]...` writes what is heard, so that anybody can score it, and prints what the
//! buffer counted as one JSON line; `voice_loss IN.wav` prints a table of losses against ways of protection.
//!
//! `LOSS=0.2` share of packets lost, `BURST=1` mean length of a loss in packets (1 = independent), `KBPS=40`, `SEED=1`,
//! `PROTECT=adaptive|fec|dred|none`, `JITTER_MS=0`, `MODE=voice|low`, `FRAME_MS=20`, `LEAST_MS=20`, `EXPECT=` the loss on
//! the path that the encoder is told (as `LOSS`), `MISSING=` what of it repairs leave (as `EXPECT`), `REPAIR=0` requests for each lost packet in a round trip of 40 ms, `AGAIN=1` round trips.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for measuring, run by hand"
)]

use ahoy_media::audio::capture::CapturePipeline;
use ahoy_media::audio::playout::PlayoutPipeline;
use ahoy_media::codec::opus::{OpusDecoder, OpusEncoder, OpusMode, OpusSettings, Protection};
use ahoy_media::codec::{AudioEncoder, Loss};
use ahoy_media::device::AudioFormat;
use ahoy_media::jitter_buffer::{JitterBufferCounters, JitterBufferSettings};
use ahoy_media::packet::{EncodedFrame, ReceivedPacket};
use ahoy_media::units::{Bitrate, RtpTime, SampleRate, SequenceNumber};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);
/// The speaker takes this much at once.
const PERIOD: Duration = Duration::from_millis(10);
const FORMAT: AudioFormat = AudioFormat {
    rate: SampleRate::HZ_48000,
    channels: 1,
};

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(input) = args.next() else {
        println!("usage: voice_loss IN.wav [OUT.wav [NAME=VALUE]...]");
        return;
    };
    let speech = read(&input);
    match args.next() {
        Some(output) => {
            let given = args.filter_map(|arg| arg.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())));
            let options = Options(given.collect());
            let heard = send(&speech, &options);
            write(&output, &heard.sound);
            println!("{}", heard.as_json());
        }
        None => print_table(&speech),
    }
}

fn print_table(speech: &[f32]) {
    println!("concealed % / mean ms in the buffer / kbit/s");
    println!("{:>22} {:>22} {:>22} {:>22}", "loss", "none", "fec", "adaptive");
    for (loss, burst) in [
        ("0", "1"),
        ("0.1", "1"),
        ("0.2", "1"),
        ("0.3", "1"),
        ("0.4", "1"),
        ("0.5", "1"),
        ("0.1", "5"),
        ("0.2", "3"),
    ] {
        let cell = |protect: &str| {
            let given = [("LOSS", loss), ("BURST", burst), ("PROTECT", protect)];
            let owned = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let heard = send(speech, &Options(owned.into()));
            let mean = heard.mean_ms(heard.buffer.jitter_buffer_delay);
            format!("{:.1} / {mean:.0} / {:.0}", heard.concealed() * 100.0, heard.kbps)
        };
        let name = format!("{loss} in bursts of {burst}");
        println!(
            "{name:>22} {:>22} {:>22} {:>22}",
            cell("none"),
            cell("fec"),
            cell("adaptive")
        );
    }
}

struct Options(HashMap<String, String>);

impl Options {
    fn number(&self, name: &str, usual: f64) -> f64 {
        self.0
            .get(name)
            .map_or(usual, |value| value.parse().expect("a number"))
    }

    fn word(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// What came out, and what was counted.
struct Heard {
    sound: Vec<f32>,
    buffer: JitterBufferCounters,
    /// Packets sent.
    sent: u16,
    kbps: f64,
}

impl Heard {
    fn concealed(&self) -> f64 {
        self.buffer.concealed_samples as f64 / self.buffer.total_samples_received as f64
    }

    /// Milliseconds of a sum of seconds over emitted samples.
    fn mean_ms(&self, summed: f64) -> f64 {
        summed / self.buffer.jitter_buffer_emitted_count as f64 * 1_000.0
    }

    fn as_json(&self) -> String {
        let buffer = &self.buffer;
        format!(
            "{{\"kbps\":{:.1},\"lost\":{:.3},\"concealed\":{:.4},\"dredFrames\":{},\"fecPackets\":{},\
             \"bufferMs\":{:.1},\"targetMs\":{:.1},\"inserted\":{},\"removed\":{},\"discarded\":{}}}",
            self.kbps,
            buffer.packets_lost as f64 / f64::from(self.sent),
            self.concealed(),
            buffer.dred_frames,
            buffer.fec_packets_received,
            self.mean_ms(buffer.jitter_buffer_delay),
            self.mean_ms(buffer.jitter_buffer_target_delay),
            buffer.inserted_samples_for_deceleration,
            buffer.removed_samples_for_acceleration,
            buffer.packets_discarded,
        )
    }
}

fn send(speech: &[f32], options: &Options) -> Heard {
    let (loss, burst) = (options.number("LOSS", 0.2), options.number("BURST", 1.0).max(1.0));
    let jitter = options.number("JITTER_MS", 0.0);
    let mut random = Random(options.number("SEED", 1.0) as u64 ^ 0x9E37_79B9_7F4A_7C15);
    let mut capture =
        CapturePipeline::new(FORMAT, Box::new(encoder(options, loss)), RtpTime::new(0)).expect("48 kHz");
    let mut playout = playout(options);
    // A chain of two states: p(lost -> lost) gives the mean length, p(sent -> lost) the share.
    let (stay, enter) = if burst > 1.0 {
        (1.0 - 1.0 / burst, loss / burst / (1.0 - loss).max(1e-9))
    } else {
        (loss, loss)
    };
    let start = Instant::now();
    let mut now = start;
    let (mut sequence, mut bytes, mut lost) = (0_u16, 0, false);
    let mut on_the_way: Vec<ReceivedPacket> = Vec::new();
    let mut repairs = Repairs::new(options);
    let mut sound = Vec::new();
    let mut played = Duration::ZERO;
    for chunk in speech.chunks(240) {
        capture.push(chunk, now);
        while let Some(frame) = capture.poll_frame().expect("encodes") {
            bytes += frame.payload.len();
            repairs.sent.push(frame.clone());
            lost = random.next() < if lost { stay } else { enter };
            if !lost {
                let delay = Duration::from_secs_f64((20.0 + jitter * random.next()) / 1_000.0);
                on_the_way.push(ReceivedPacket {
                    payload: frame.payload,
                    sequence: SequenceNumber::new(sequence),
                    rtp_time: frame.rtp_time,
                    marker: false,
                    ssrc: 1,
                    codec: None,
                    repaired: false,
                    rotation: None,
                    arrived_at: now + delay,
                });
            }
            sequence = sequence.wrapping_add(1);
        }
        on_the_way.sort_by_key(|packet| packet.arrived_at);
        while on_the_way.first().is_some_and(|packet| packet.arrived_at <= now) {
            let packet = on_the_way.remove(0);
            repairs.handle_arrival(packet.sequence, now);
            playout.handle_packet(packet);
        }
        let repaired = repairs.poll_repairs(now, || random.next() < loss);
        bytes += repaired
            .iter()
            .map(|(_, packet)| packet.payload.len())
            .sum::<usize>();
        on_the_way.extend(
            repaired
                .into_iter()
                .filter_map(|(lost, packet)| (!lost).then_some(packet)),
        );
        while played < (now - start) + PERIOD {
            played += playout.pull(now, &mut sound);
        }
        now += TICK;
    }
    Heard {
        sound,
        buffer: playout.stats(now).buffer,
        sent: sequence,
        kbps: f64::from(bytes as u32) * 8.0 * 48.0 / speech.len() as f64,
    }
}

/// Lost packets are asked for when the next one comes, and again after a round trip.
struct Repairs {
    sent: Vec<EncodedFrame>,
    newest: Option<u16>,
    /// Number, when it was missed, requests so far, when a repair left.
    missing: Vec<(u16, Instant, u32, Option<Instant>)>,
    /// Number and when the request reaches the sender.
    requests: Vec<(u16, Instant)>,
    per_round: u32,
    rounds: u32,
}

const ONE_WAY: Duration = Duration::from_millis(20);

impl Repairs {
    fn new(options: &Options) -> Self {
        Self {
            sent: Vec::new(),
            newest: None,
            missing: Vec::new(),
            requests: Vec::new(),
            per_round: options.number("REPAIR", 0.0) as u32,
            rounds: options.number("AGAIN", 1.0) as u32,
        }
    }

    fn handle_arrival(&mut self, sequence: SequenceNumber, now: Instant) {
        let number = sequence.as_u16();
        self.missing.retain(|&(missing, ..)| missing != number);
        let newest = *self.newest.get_or_insert(number);
        if number > newest {
            self.newest = Some(number);
            self.missing
                .extend((newest + 1..number).map(|missing| (missing, now, 0, None)));
        }
    }

    /// The repairs that leave until `now`, and whether each is lost.
    fn poll_repairs(&mut self, now: Instant, mut lost: impl FnMut() -> bool) -> Vec<(bool, ReceivedPacket)> {
        for (number, since, asked, _) in &mut self.missing {
            let round = 2 * ONE_WAY + Duration::from_millis(10);
            let (rounds, within) = (*asked / self.per_round.max(1), *asked % self.per_round.max(1));
            let due = *since + round * rounds + ONE_WAY * within;
            if self.per_round > 0 && rounds < self.rounds && now >= due {
                *asked += 1;
                if !lost() {
                    self.requests.push((*number, now + ONE_WAY));
                }
            }
        }
        let mut repaired = Vec::new();
        let missing = &mut self.missing;
        self.requests.retain(|&(number, at)| {
            if at > now {
                return true;
            }
            let known = missing.iter_mut().find(|(missing, ..)| *missing == number);
            let Some((.., left)) = known else { return false };
            if left.is_some_and(|left| now - left < (2 * ONE_WAY).mul_f64(0.9)) {
                return false;
            }
            *left = Some(now);
            let frame = &self.sent[usize::from(number)];
            let packet = ReceivedPacket {
                payload: frame.payload.clone(),
                sequence: SequenceNumber::new(number),
                rtp_time: frame.rtp_time,
                marker: false,
                ssrc: 1,
                codec: None,
                repaired: true,
                rotation: None,
                arrived_at: now + ONE_WAY,
            };
            repaired.push((lost(), packet));
            false
        });
        repaired
    }
}

fn encoder(options: &Options, loss: f64) -> OpusEncoder {
    let mode = match options.word("MODE") {
        Some("low") => OpusMode::LowDelay,
        _ => OpusMode::Voice,
    };
    let bitrate = Bitrate::from_bps((options.number("KBPS", 40.0) * 1_000.0) as u64);
    let mut encoder = OpusEncoder::with_settings(OpusSettings::of(mode), bitrate).expect("encoder");
    let usual = mode.frame_time().as_millis() as f64;
    let frame = Duration::from_millis(options.number("FRAME_MS", usual) as u64);
    encoder.set_frame_time(frame).expect("10, 20, 40 or 60 ms");
    let protection = match options.word("PROTECT") {
        Some("fec" | "none") => Protection::FecOnly,
        Some("dred") => Protection::DredOnly,
        _ => Protection::Adaptive,
    };
    encoder.set_protection(protection);
    let expected = if options.word("PROTECT") == Some("none") {
        0.0
    } else {
        options.number("EXPECT", loss)
    };
    let loss = Loss {
        pre_repair: expected as f32,
        post_repair: options.number("MISSING", expected) as f32,
    };
    encoder.set_expected_loss(loss).expect("fractions");
    encoder
}

fn playout(options: &Options) -> PlayoutPipeline {
    let usual = JitterBufferSettings::default();
    let least = Duration::from_millis(options.number("LEAST_MS", usual.least.as_millis() as f64) as u64);
    let settings = JitterBufferSettings {
        initial: usual.initial.max(least),
        least,
        ..usual
    };
    let decoder = OpusDecoder::new().expect("decoder");
    PlayoutPipeline::new(FORMAT, Box::new(decoder), settings).expect("48 kHz")
}

fn read(path: &str) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!(reader.spec().sample_rate, 48_000, "48 kHz mono is wanted");
    assert_eq!(reader.spec().channels, 1, "48 kHz mono is wanted");
    reader
        .samples::<i16>()
        .map(|sample| f32::from(sample.expect("16-bit samples")) / 32_768.0)
        .collect()
}

fn write(path: &str, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a writable path");
    for sample in samples {
        writer
            .write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)
            .expect("a writable path");
    }
    writer.finalize().expect("a writable path");
}

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
