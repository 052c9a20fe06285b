#![allow(dead_code, reason = "each test file uses its own part")]
//! A line for sound under a virtual clock: tone, capture, network, playout, probe.

use ahoy_media::audio::AudioInStats;
use ahoy_media::audio::capture::CapturePipeline;
use ahoy_media::audio::frame::{FRAME_SAMPLES, FRAME_TIME};
use ahoy_media::audio::pace::CapturePace;
use ahoy_media::audio::playout::PlayoutPipeline;
use ahoy_media::codec::Loss;
use ahoy_media::codec::opus::{OpusDecoder, OpusEncoder};
use ahoy_media::device::{AudioFormat, AudioSink, AudioSource, DeviceError};
use ahoy_media::jitter_buffer::JitterBufferSettings;
use ahoy_media::packet::{EncodedFrame, ReceivedPacket};
use ahoy_media::synthetic::clock::WallClock;
use ahoy_media::synthetic::silence::SilentMicrophone;
use ahoy_media::synthetic::tone::ToneSource;
use ahoy_media::synthetic::tone_probe::{AudioProbe, AudioProbeReport};
use ahoy_media::units::{Bitrate, RtpTime, SampleRate, SequenceNumber};
use std::time::{Duration, Instant};

pub const TICK: Duration = Duration::from_millis(5);

/// What the network does to the n-th packet: its delay, or `None` when it is lost.
pub type Network<'a> = &'a mut dyn FnMut(u32) -> Option<Duration>;

/// What is said into the line.
pub enum Said {
    Tone { hz: u32 },
    Speech,
    Nothing,
}

/// How one run of the line is made.
pub struct Line {
    pub said: Said,
    pub bitrate: Bitrate,
    pub expected_loss: f32,
    /// Of each frame.
    pub frame: Duration,
    pub time: Duration,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            said: Said::Tone { hz: 440 },
            bitrate: Bitrate::from_kbps(32),
            expected_loss: 0.0,
            frame: FRAME_TIME,
            time: Duration::from_secs(20),
        }
    }
}

impl Line {
    pub fn run(&self, network: Network<'_>) -> (AudioProbeReport, AudioInStats) {
        let start = Instant::now();
        let clock = WallClock::new(start, Duration::from_micros(1_700_000_000_313_000));
        let mut source: Box<dyn AudioSource> = match self.said {
            Said::Tone { hz } => Box::new(ToneSource::new(hz, clock)),
            Said::Nothing => Box::new(SilentMicrophone::new()),
            Said::Speech => Box::new(Speaking {
                speech: speech(2.0),
                pace: CapturePace::new(SampleRate::HZ_48000),
            }),
        };
        let encoder = OpusEncoder::new(self.bitrate).expect("encoder");
        let first = RtpTime::new(u32::MAX - 100_000);
        let mut capture =
            CapturePipeline::new(source.format(), Box::new(encoder), first).expect("mono 48 kHz");
        capture
            .set_expected_loss(Loss::unrepaired(self.expected_loss))
            .expect("a fraction");
        capture.set_frame_time(self.frame).expect("a known length");
        let (mut probe, reader) = AudioProbe::new(clock);
        let decoder = OpusDecoder::new().expect("decoder");
        let mut playout =
            PlayoutPipeline::new(probe.format(), Box::new(decoder), JitterBufferSettings::default())
                .expect("mono 48 kHz");
        let mut on_the_way: Vec<(Instant, ReceivedPacket)> = Vec::new();
        let mut number = 0;
        let mut samples = Vec::new();
        let mut now = start;
        while now < start + self.time {
            samples.clear();
            source.read(now, &mut samples).expect("neither fails");
            capture.push(&samples, now);
            while let Some(frame) = capture.poll_frame().expect("encodes") {
                if frame.payload.is_empty() {
                    continue;
                }
                if let Some(delay) = network(number) {
                    on_the_way.push((now + delay, packet(number, &frame, now + delay)));
                }
                number += 1;
            }
            on_the_way.sort_by_key(|(at, _)| *at);
            while on_the_way.first().is_some_and(|(at, _)| *at <= now) {
                playout.handle_packet(on_the_way.remove(0).1);
            }
            while probe.queued(now).expect("a probe does not fail") < FRAME_SAMPLES {
                samples.clear();
                playout.pull(now, &mut samples);
                probe.write(now, &samples).expect("a probe does not fail");
            }
            now += TICK;
        }
        (reader.total(), playout.stats(now))
    }
}

/// Speech again and again.
struct Speaking {
    speech: Vec<f32>,
    pace: CapturePace,
}

impl AudioSource for Speaking {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            rate: SampleRate::HZ_48000,
            channels: 1,
        }
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        let due = self.pace.take(now);
        let place = due.first as usize % self.speech.len();
        out.extend(self.speech.iter().cycle().skip(place).take(due.count));
        Ok(())
    }
}

pub fn packet(number: u32, frame: &EncodedFrame, arrived_at: Instant) -> ReceivedPacket {
    ReceivedPacket {
        payload: frame.payload.clone(),
        sequence: SequenceNumber::new((number as u16).wrapping_add(65_000)),
        rtp_time: frame.rtp_time,
        marker: false,
        ssrc: 7,
        codec: None,
        repaired: false,
        rotation: None,
        arrived_at,
    }
}

/// Numbers that look random and are the same each time.
pub struct Seeded(pub u64);

impl Seeded {
    /// 0..1.
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// A voice-like sound: partials of a gliding pitch under the rhythm of syllables.
pub fn speech(seconds: f64) -> Vec<f32> {
    let rate = f64::from(SampleRate::HZ_48000.as_hz());
    let mut phase = 0.0_f64;
    (0..(seconds * rate) as usize)
        .map(|n| {
            let t = n as f64 / rate;
            phase += (120.0 + 30.0 * (1.7 * t).sin()) / rate;
            let syllable = (std::f64::consts::PI * 4.0 * t).sin().powi(2);
            let voice: f64 = (1..=20)
                .map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin() / f64::from(k).powf(1.2))
                .sum();
            (0.15 * syllable * voice) as f32
        })
        .collect()
}
