//! One SSRC from its first packet on: what is held of it, its time line, and what comes next on it.

use super::delay::DelayEstimate;
use super::pace::{Pace, PacedDelay};
use super::reception::{Reception, signed_seconds};
use super::{JitterBufferCounters, JitterBufferSettings, Playout, Pull};
use crate::codec::PacketContent;
use crate::packet::ReceivedPacket;
use crate::units::{RtpTime, SampleRate};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Times inside are in samples of the pipeline.
pub(super) const RATE: SampleRate = SampleRate::HZ_48000;

/// Packets held at most, 2 s at 20 ms. Overflow: the oldest are dropped and counted as discarded.
const CAPACITY: usize = 100;

/// Samples made up at once while a packet is waited for: 10 ms, so that one that comes late is not kept waiting long.
const CONCEAL_STEP: u32 = 480;

/// Samples rebuilt at once from deep redundancy.
const REBUILD_STEP: u32 = 960;

/// A longer hole in the time line is a step of the sender's clock, it is jumped over.
const LONGEST_HOLE: i64 = 48_000;

/// Nothing to play for so long: the stream paused, and begins with a full delay when it comes back.
const LONGEST_DRY: u32 = 48_000;

/// As above where the sender said that it pauses: its refreshes come every 0.4 s, so after this it is gone.
const LONGEST_REST: u32 = 5 * 48_000;

/// Held packets whose redundancy is looked at for one hole.
const REDUNDANCY_SEARCH: usize = 4;

#[derive(Debug)]
pub(super) struct Source {
    pub(super) ssrc: u32,
    pub(super) reception: Reception,
    delay: DelayEstimate,
    samples_per_tick: i64,
    /// Extended time is counted from the first packet.
    began_at: Instant,
    /// Of the packet with the highest number: that number and its extended time.
    newest: Option<(i64, i64)>,
    /// RTP time of that packet.
    newest_rtp: RtpTime,
    pub(super) last_arrival: Instant,
    /// By extended sequence number.
    pub(super) held: BTreeMap<i64, Held>,
    phase: Phase,
}

#[derive(Debug)]
pub(super) struct Held {
    payload: Bytes,
    content: PacketContent,
    /// Extended time in samples.
    time: i64,
    arrived_at: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Filling,
    Playing(TimeLine),
}

#[derive(Debug, Clone, Copy)]
struct TimeLine {
    /// Extended time of the next sample.
    next: i64,
    /// Extended sequence number after the last played packet.
    next_number: i64,
    /// Samples made up while the time line stands still, waiting for a packet.
    stalled: u32,
    /// The sender said that it pauses; samples played since.
    rests: Option<u32>,
    delay: PacedDelay,
}

/// What became of a packet.
pub(super) enum Fate {
    Held,
    /// It came too late, or older ones made room for it; so many are gone.
    Discarded(u64),
    /// It shows that the sender's clock stepped: the stream begins anew with it.
    ClockStep,
}

impl Source {
    pub(super) fn new(packet: &ReceivedPacket, settings: JitterBufferSettings, clock: SampleRate) -> Self {
        let JitterBufferSettings { initial, least, most } = settings;
        Self {
            ssrc: packet.ssrc,
            reception: Reception::new(packet.sequence),
            delay: DelayEstimate::new(initial, least, most),
            samples_per_tick: i64::from(RATE.as_hz() / clock.as_hz().max(1)).max(1),
            began_at: packet.arrived_at,
            newest: None,
            newest_rtp: packet.rtp_time,
            last_arrival: packet.arrived_at,
            held: BTreeMap::new(),
            phase: Phase::Filling,
        }
    }

    pub(super) fn target(&self) -> Duration {
        self.delay.target()
    }

    /// The delay that the least delayed packet would meet now; `None` before playing.
    pub(super) fn current_delay(&self, now: Instant) -> Option<f64> {
        match self.phase {
            Phase::Filling => None,
            Phase::Playing(line) => Some(self.delay_of(line.next, now)),
        }
    }

    /// RTP time of the sample that the next pull begins with; `None` before playing.
    pub(super) fn next_sample(&self) -> Option<RtpTime> {
        let Phase::Playing(line) = self.phase else {
            return None;
        };
        let (_, newest) = self.newest?;
        let ticks = (line.next - newest).div_euclid(self.samples_per_tick);
        Some(self.newest_rtp.plus(ticks as u32))
    }

    /// Takes a packet that reception has numbered.
    pub(super) fn hold(&mut self, number: i64, packet: ReceivedPacket, content: PacketContent) -> Fate {
        let time = self.extend(packet.rtp_time);
        if self.is_clock_step(number, time, packet.arrived_at) {
            return Fate::ClockStep;
        }
        self.last_arrival = packet.arrived_at;
        self.observe_lost(number, content);
        let transit = self.transit(time, packet.arrived_at);
        let frame = RATE.time_of(content.samples as usize);
        if packet.repaired {
            self.delay.observe_repaired(transit, frame);
        } else {
            self.delay.observe(transit, frame);
        }
        if self.newest.is_none_or(|(newest, _)| number > newest) {
            self.newest = Some((number, time));
            self.newest_rtp = packet.rtp_time;
        }
        if let Phase::Playing(line) = self.phase {
            // While the sender rests, the line only follows the clock: what comes next is never past.
            let is_past = line.rests.is_none() && time + i64::from(content.samples) <= line.next;
            if is_past || number < line.next_number {
                return Fate::Discarded(1);
            }
        }
        let arrived_at = packet.arrived_at;
        let payload = packet.payload;
        self.held.insert(
            number,
            Held {
                payload,
                content,
                time,
                arrived_at,
            },
        );
        let mut dropped = 0;
        while self.held.len() > CAPACITY {
            self.held.pop_first();
            dropped += 1;
        }
        if dropped > 0 {
            Fate::Discarded(dropped)
        } else {
            Fate::Held
        }
    }

    /// Says what to play next; the time line moves on by what the answer plays.
    pub(super) fn pull(&mut self, now: Instant, counters: &mut JitterBufferCounters) -> Pull {
        let line = match self.phase {
            Phase::Playing(line) => Some(line),
            Phase::Filling => self.start(now),
        };
        let Some(mut line) = line else {
            return Pull::SILENCE;
        };
        let pull = self.next_on(&mut line, now, counters);
        self.phase = if pull == Pull::SILENCE {
            Phase::Filling
        } else {
            Phase::Playing(line)
        };
        pull
    }

    /// Hears by how many samples the last frame was lengthened, or shortened when negative.
    pub(super) fn stretched(&mut self, samples: i64) {
        if let Phase::Playing(line) = &mut self.phase {
            line.delay.shift(samples as f64 / f64::from(RATE.as_hz()));
        }
    }

    fn extend(&self, rtp_time: RtpTime) -> i64 {
        let newest = self.newest.map_or(0, |(_, time)| time);
        newest + i64::from(rtp_time.since(self.newest_rtp)) * self.samples_per_tick
    }

    /// Frames that are missing before a packet which can rebuild them tell how long it is worth to wait for such.
    fn observe_lost(&mut self, number: i64, content: PacketContent) {
        let Some((newest, _)) = self.newest else {
            return;
        };
        let reach = i64::from(content.protects.max(content.rebuilds));
        let samples = i64::from(content.samples);
        let rebuilt = |missing: &i64| missing * samples <= reach;
        for missing in (1..number - newest).take_while(rebuilt) {
            self.delay.observe_lost(missing as usize);
        }
    }

    /// Whether a packet shows that the sender's clock stepped: a newer packet with an older time, or a time that runs
    /// ahead of the arrivals by more than any hole.
    fn is_clock_step(&self, number: i64, time: i64, arrived_at: Instant) -> bool {
        let Some((newest, newest_time)) = self.newest else {
            return false;
        };
        let longest_hole = seconds(LONGEST_HOLE);
        let went_back = number > newest && time < newest_time;
        let ran_ahead = self.transit(time, arrived_at) < self.delay.least_transit() - longest_hole;
        went_back || ran_ahead
    }

    /// Seconds between arrival and RTP time, from the zeros of the first packet.
    fn transit(&self, time: i64, arrived_at: Instant) -> f64 {
        signed_seconds(self.began_at, arrived_at) - seconds(time)
    }

    /// Seconds that the least delayed packet waits when `time` is played at `now`.
    fn delay_of(&self, time: i64, now: Instant) -> f64 {
        self.transit(time, now) - self.delay.least_transit()
    }

    /// Begins to play when the oldest held packet has waited for the target.
    fn start(&self, now: Instant) -> Option<TimeLine> {
        let (&number, head) = self.held.first_key_value()?;
        let waited = self.delay_of(head.time, now);
        (waited >= self.target().as_secs_f64()).then_some(TimeLine {
            next: head.time,
            next_number: number,
            stalled: 0,
            rests: None,
            delay: PacedDelay::new(waited),
        })
    }

    fn next_on(&mut self, line: &mut TimeLine, now: Instant, counters: &mut JitterBufferCounters) -> Pull {
        let Some((&number, head)) = self.held.first_key_value() else {
            return play_dry(line);
        };
        let is_lost = number > line.next_number;
        if line.rests.is_some() || (!is_lost && head.time > line.next) {
            let lost = (number - line.next_number).clamp(0, LONGEST_RECALL) * i64::from(head.content.samples);
            let begins = head.time - lost;
            let early = self.target().as_secs_f64() - self.delay_of(begins, now);
            if let Some(samples) = rest_for(early) {
                line.rests = Some(line.rests.unwrap_or(0) + samples);
                return Pull::even(Playout::Rest { samples });
            }
            line.rests = None;
            line.stalled = 0;
            line.next = begins;
            line.delay = PacedDelay::new(self.delay_of(begins, now));
        }

        // What was made up while a packet was waited for has stood in for what is missing here.
        let stood_in = (head.time - line.next).clamp(0, i64::from(line.stalled));
        line.next += stood_in;
        line.stalled = 0;
        let hole = head.time - line.next;
        let reading = self.delay_of(line.next, now);
        if is_lost && hole > 0 && hole <= LONGEST_HOLE {
            let playout = self.fill(hole as u32, line);
            let pace = match playout {
                Playout::Conceal { .. } => Pace::Even,
                Playout::Silence
                | Playout::Decode(_)
                | Playout::Recover { .. }
                | Playout::Rebuild { .. }
                | Playout::Rest { .. } => line.delay.pace(reading, self.target().as_secs_f64()),
            };
            return Pull { playout, pace };
        }
        let held = self.take(number, line, now, counters);
        let pace = line.delay.pace(reading, self.target().as_secs_f64());
        let playout = Playout::Decode(held.payload);
        Pull { playout, pace }
    }

    /// Plays the beginning of a hole of so many samples before the first held packet: in-band FEC rebuilds its end,
    /// deep redundancy what lies before, and what neither reaches is made up.
    fn fill(&self, hole: u32, line: &mut TimeLine) -> Playout {
        let (_, head) = self.held.first_key_value().expect("a hole ends at a packet");
        if hole <= head.content.protects {
            line.next = head.time;
            return Playout::Recover {
                next: head.payload.clone(),
                samples: hole,
            };
        }
        let unprotected = hole - head.content.protects;
        let from = line.next;
        let reaches = |held: &&Held| held.time - from <= i64::from(held.content.rebuilds);
        if let Some(later) = self.held.values().take(REDUNDANCY_SEARCH).find(reaches) {
            let samples = unprotected.min(REBUILD_STEP);
            line.next += i64::from(samples);
            return Playout::Rebuild {
                later: later.payload.clone(),
                before: (later.time - from) as u32,
                samples,
            };
        }
        // The packet may only be late: the time line waits.
        let samples = unprotected.min(CONCEAL_STEP);
        line.stalled = samples;
        Playout::Conceal { samples }
    }

    fn take(
        &mut self,
        number: i64,
        line: &mut TimeLine,
        now: Instant,
        counters: &mut JitterBufferCounters,
    ) -> Held {
        let held = self.held.remove(&number).expect("only held packets are taken");
        let samples = f64::from(held.content.samples);
        let waited = now.saturating_duration_since(held.arrived_at).as_secs_f64();
        counters.jitter_buffer_delay += waited * samples;
        counters.jitter_buffer_target_delay += self.delay.target().as_secs_f64() * samples;
        counters.jitter_buffer_emitted_count += u64::from(held.content.samples);
        counters.total_samples_received += u64::from(held.content.samples);
        line.next = held.time + i64::from(held.content.samples);
        line.next_number = number + 1;
        line.rests = held.content.rests.then_some(0);
        held
    }
}

/// Lost frames at most that are recalled when speech begins again after a pause.
const LONGEST_RECALL: i64 = 5;

/// Nothing is held: the sender rests, or the next packet is late or lost.
fn play_dry(line: &mut TimeLine) -> Pull {
    let samples = CONCEAL_STEP;
    let (played, longest) = match &mut line.rests {
        Some(rested) => {
            line.next += i64::from(samples);
            *rested += samples;
            (*rested, LONGEST_REST)
        }
        None => {
            line.stalled += samples;
            (line.stalled, LONGEST_DRY)
        }
    };
    if played > longest {
        return Pull::SILENCE;
    }
    Pull::even(match line.rests {
        Some(_) => Playout::Rest { samples },
        None => Playout::Conceal { samples },
    })
}

/// Samples of comfort noise before something that is early by so many seconds; in steps that every codec can make.
fn rest_for(early: f64) -> Option<u32> {
    let steps = (early / seconds(i64::from(REST_GRAIN))).floor();
    (steps >= 1.0).then(|| (steps.min(100.0) as u32 * REST_GRAIN).min(CONCEAL_STEP))
}

/// Samples: 2.5 ms, the grain of Opus.
const REST_GRAIN: u32 = 120;

fn seconds(samples: i64) -> f64 {
    samples as f64 / f64::from(RATE.as_hz())
}
