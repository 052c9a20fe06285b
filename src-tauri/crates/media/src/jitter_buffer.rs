//! Orders sound packets, waits for the late ones, and says what to play next.
//!
//! Pure: it is told the time and holds no clock, thread or codec. The caller decodes. One pull takes what follows on
//! the sender's time line, so whoever pulls (the sound card, through `audio-rx`) is the clock.
//!
//! ```text
//!            first packet           target delay held
//!   Empty ──────────────► Filling ───────────────────► Playing ─┐ dry for LONGEST_DRY, new SSRC,
//!     ▲                                                         │ or the sender began anew
//!     └─────────────────────────────────────────────────────────┘
//! ```

mod delay;
mod reception;

use crate::packet::ReceivedPacket;
use crate::units::{RtpTime, SampleRate};
use bytes::Bytes;
use delay::DelayEstimate;
use reception::{Arrival, Reception, signed_seconds};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// RTP ticks per second: Opus always counts at 48 kHz (RFC 7587 §4.1), so ticks are samples here.
const CLOCK: SampleRate = SampleRate::HZ_48000;

/// Packets held at most, 2 s at 20 ms. Overflow: the oldest are dropped and counted as discarded.
const CAPACITY: usize = 100;

/// Samples concealed per pull: one frame of 20 ms.
const CONCEAL_STEP: u32 = 960;

/// A longer hole in the time line is a step of the sender's clock, it is jumped over.
const LONGEST_HOLE: i64 = 48_000;

/// Nothing to play for so long: the stream paused, and begins with a full delay when it comes back.
const LONGEST_DRY: u32 = 48_000;

/// Pulls over which the delay must have stayed too long before two frames are merged into one (half a second).
const SHRINK_AFTER: u32 = 25;

/// Delay above the target that is left alone: one frame, and the unevenness of pulls.
const SHRINK_MARGIN: f64 = 0.025;

/// Seconds of delay above the target from which merging goes five times as fast.
const FAR_ABOVE: f64 = 0.100;

/// An SSRC that was left is heard again only when the new one has been silent for so long; stragglers are not a switch.
const SSRC_SILENCE: Duration = Duration::from_secs(1);

/// Limits of the delay from arrival to playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterBufferSettings {
    /// Held before anything is known of the network.
    pub initial: Duration,
    pub least: Duration,
    pub most: Duration,
}

impl Default for JitterBufferSettings {
    /// 40 ms at first, 40 to 400 ms later (chosen, not measured). Two frames carry the unevenness of two loaded
    /// machines; starting higher would cost a merge in every call on a calm network.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(40),
            least: Duration::from_millis(40),
            most: Duration::from_millis(400),
        }
    }
}

/// What the codec says of a packet without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketContent {
    /// Samples that decoding gives.
    pub samples: u32,
    /// Samples before this packet that it can rebuild: 0 without in-band FEC.
    pub protects: u32,
}

/// What to play next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Playout {
    /// Nothing to play: no stream yet, or the delay is being built up.
    Silence,
    /// Decode this packet.
    Decode(Bytes),
    /// Decode both and play them in the time of the second: the delay is longer than it need be. Where that would
    /// be heard they may be played one after the other, see [`JitterBuffer::decline_merge`].
    Merge(Bytes, Bytes),
    /// Rebuild `samples` that end where the packet `next` begins, out of `next`, which itself stays in the buffer.
    Recover { next: Bytes, samples: u32 },
    /// Make up `samples` out of what came before.
    Conceal { samples: u32 },
}

/// Counters with the names of W3C webrtc-stats; they go on over a change of source.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct JitterBufferCounters {
    /// Unique packets; duplicates are counted apart.
    pub packets_received: u64,
    /// Packets that never came, of the current and earlier sources.
    pub packets_lost: u64,
    /// Packets that came after their time, or that did not fit.
    pub packets_discarded: u64,
    pub packets_duplicated: u64,
    /// Packets that carry in-band protection.
    pub fec_packets_received: u64,
    /// Seconds (RFC 3550 §6.4.1).
    pub jitter: f64,
    /// Seconds summed over emitted samples.
    pub jitter_buffer_delay: f64,
    /// Seconds summed over emitted samples.
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub concealed_samples: u64,
    pub concealment_events: u64,
    pub inserted_samples_for_deceleration: u64,
    pub removed_samples_for_acceleration: u64,
    /// Decoded, recovered and concealed samples.
    pub total_samples_received: u64,
}

/// The buffer of one direction of one call.
#[derive(Debug)]
pub struct JitterBuffer {
    settings: JitterBufferSettings,
    source: Option<Source>,
    /// The SSRC before the current one.
    left: Option<u32>,
    counters: JitterBufferCounters,
    /// Losses of sources before the current one.
    lost_before: u64,
    concealing: bool,
}

/// One SSRC from its first packet on.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    reception: Reception,
    delay: DelayEstimate,
    /// Extended RTP time is counted from the first packet.
    origin: (RtpTime, Instant),
    /// Of the packet with the highest number: that number, its extended and its plain RTP time.
    newest: (i64, i64, RtpTime),
    last_arrival: Instant,
    /// By extended sequence number.
    held: BTreeMap<i64, Held>,
    phase: Phase,
}

#[derive(Debug)]
struct Held {
    payload: Bytes,
    content: PacketContent,
    /// Extended RTP time.
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
    /// Extended RTP time of the next sample.
    next: i64,
    /// Extended sequence number after the last played packet.
    next_number: i64,
    /// Samples made up while the buffer was dry, for which the time line stands still.
    stalled: u32,
    /// Pulls since the delay was last short enough.
    too_long: u32,
}

impl JitterBuffer {
    pub fn new(settings: JitterBufferSettings) -> Self {
        Self {
            settings,
            source: None,
            left: None,
            counters: JitterBufferCounters::default(),
            lost_before: 0,
            concealing: false,
        }
    }

    /// Takes one packet as the network delivered it.
    pub fn insert(&mut self, packet: ReceivedPacket, content: PacketContent) {
        match &self.source {
            Some(source) if source.ssrc != packet.ssrc => {
                let silent = packet.arrived_at.saturating_duration_since(source.last_arrival);
                if self.left == Some(packet.ssrc) && silent < SSRC_SILENCE {
                    self.counters.packets_discarded += 1;
                    return;
                }
                self.begin(&packet);
            }
            Some(_) => {}
            None => self.begin(&packet),
        }
        let source = self.source.as_mut().expect("begin sets the source");
        let clock_rate = f64::from(CLOCK.as_hz());
        match source
            .reception
            .accept(packet.sequence, packet.rtp_time, packet.arrived_at, clock_rate)
        {
            Arrival::New(number) => self.hold(number, packet, content),
            Arrival::Duplicate => self.counters.packets_duplicated += 1,
            Arrival::Stray => self.counters.packets_discarded += 1,
            Arrival::Restart => {
                self.begin(&packet);
                self.insert(packet, content);
            }
        }
    }

    /// Says what to play next; the time line moves on by what the answer plays.
    pub fn pull(&mut self, now: Instant) -> Playout {
        let playout = self.next_playout(now);
        match &playout {
            Playout::Silence => {}
            Playout::Decode(_) | Playout::Merge(..) => self.concealing = false,
            Playout::Recover { samples, .. } => {
                self.concealing = false;
                self.counters.total_samples_received += u64::from(*samples);
            }
            Playout::Conceal { samples } => {
                self.counters.concealment_events += u64::from(!self.concealing);
                self.concealing = true;
                self.counters.concealed_samples += u64::from(*samples);
                self.counters.total_samples_received += u64::from(*samples);
            }
        }
        playout
    }

    /// Hears that the first frame of a merge, of so many samples, was played at full length.
    pub fn decline_merge(&mut self, samples: usize) {
        self.counters.removed_samples_for_acceleration -= samples as u64;
        self.counters.total_samples_received += samples as u64;
    }

    pub fn counters(&self) -> JitterBufferCounters {
        let mut counters = self.counters;
        counters.packets_lost = self.lost_before;
        if let Some(source) = &self.source {
            counters.packets_lost += source.reception.lost();
            counters.jitter = source.reception.jitter() / f64::from(CLOCK.as_hz());
        }
        counters
    }

    /// The delay that is aimed at, from the arrival of the least delayed packet to its playing.
    pub fn target_delay(&self) -> Duration {
        self.source
            .as_ref()
            .map_or(self.settings.initial, |source| source.delay.target())
    }

    /// The delay that the least delayed packet has met at this moment; zero before playing.
    pub fn current_delay(&self, now: Instant) -> Duration {
        let seconds = self.source.as_ref().and_then(|source| match source.phase {
            Phase::Filling => None,
            Phase::Playing(line) => Some(source.delay_of(line.next, now)),
        });
        Duration::from_secs_f64(seconds.unwrap_or(0.0).clamp(0.0, 60.0))
    }

    fn begin(&mut self, packet: &ReceivedPacket) {
        if let Some(old) = self.source.take() {
            self.lost_before += old.reception.lost();
            self.counters.packets_discarded += old.held.len() as u64;
            if old.ssrc != packet.ssrc {
                self.left = Some(old.ssrc);
            }
        }
        let JitterBufferSettings { initial, least, most } = self.settings;
        self.source = Some(Source {
            ssrc: packet.ssrc,
            reception: Reception::new(packet.sequence),
            delay: DelayEstimate::new(initial, least, most),
            origin: (packet.rtp_time, packet.arrived_at),
            newest: (i64::MIN, 0, packet.rtp_time),
            last_arrival: packet.arrived_at,
            held: BTreeMap::new(),
            phase: Phase::Filling,
        });
    }

    fn hold(&mut self, number: i64, packet: ReceivedPacket, content: PacketContent) {
        let source = self.source.as_mut().expect("a packet was accepted by a source");
        let time = source.extend(packet.rtp_time);
        if source.is_clock_step(number, time, packet.arrived_at) {
            self.begin(&packet);
            self.insert(packet, content);
            return;
        }
        if number > source.newest.0 {
            source.newest = (number, time, packet.rtp_time);
        }
        self.counters.packets_received += 1;
        self.counters.fec_packets_received += u64::from(content.protects > 0);
        source.last_arrival = packet.arrived_at;
        source.delay.observe(
            source.transit(time, packet.arrived_at),
            CLOCK.time_of(content.samples as usize),
        );
        if let Phase::Playing(line) = source.phase {
            let is_past = time + i64::from(content.samples) <= line.next;
            if is_past || number < line.next_number {
                self.counters.packets_discarded += 1;
                return;
            }
        }
        let arrived_at = packet.arrived_at;
        source.held.insert(
            number,
            Held {
                payload: packet.payload,
                content,
                time,
                arrived_at,
            },
        );
        while source.held.len() > CAPACITY {
            source.held.pop_first();
            self.counters.packets_discarded += 1;
        }
    }

    fn next_playout(&mut self, now: Instant) -> Playout {
        let Some(source) = &mut self.source else {
            return Playout::Silence;
        };
        let mut line = match source.phase {
            Phase::Playing(line) => line,
            Phase::Filling => match source.start(now) {
                Some(line) => line,
                None => return Playout::Silence,
            },
        };
        let Some((&number, head)) = source.held.first_key_value() else {
            line.stalled += CONCEAL_STEP;
            source.phase = if line.stalled > LONGEST_DRY {
                Phase::Filling
            } else {
                Phase::Playing(line)
            };
            return match source.phase {
                Phase::Filling => Playout::Silence,
                Phase::Playing(_) => Playout::Conceal {
                    samples: CONCEAL_STEP,
                },
            };
        };

        // What was made up while the buffer was dry has stood in for what is missing here.
        let hole = head.time - line.next;
        let stood_in = hole.clamp(0, i64::from(line.stalled));
        let hole = hole - stood_in;
        line.next += stood_in;
        line.stalled = 0;
        if hole > 0 && hole <= LONGEST_HOLE {
            let is_lost = number > line.next_number;
            let whole = hole as u32;
            if is_lost && source.is_too_short(line.next, now) {
                // The packet may only be late: the time line waits, and the delay grows towards its target.
                source.phase = Phase::Playing(line);
                return Playout::Conceal {
                    samples: CONCEAL_STEP,
                };
            }
            let playout = if is_lost && whole <= head.content.protects {
                line.next = head.time;
                Playout::Recover {
                    next: head.payload.clone(),
                    samples: whole,
                }
            } else {
                let samples = step_to_protection(whole, head.content.protects, is_lost);
                line.next += i64::from(samples);
                Playout::Conceal { samples }
            };
            source.phase = Phase::Playing(line);
            return playout;
        }

        let first = source.take(number, &mut line, now, &mut self.counters);
        let next_follows = source
            .held
            .first_key_value()
            .is_some_and(|(&next, held)| next == number + 1 && held.time == line.next);
        let playout = if source.is_too_long(&mut line, first.time, now) && next_follows {
            line.too_long = 0;
            self.counters.removed_samples_for_acceleration += u64::from(first.content.samples);
            self.counters.total_samples_received -= u64::from(first.content.samples);
            let second = source.take(number + 1, &mut line, now, &mut self.counters);
            Playout::Merge(first.payload, second.payload)
        } else {
            Playout::Decode(first.payload)
        };
        source.phase = Phase::Playing(line);
        playout
    }
}

/// Conceals in steps so that the end of the hole, which the next packet protects, is left for recovery.
fn step_to_protection(hole: u32, protects: u32, is_lost: bool) -> u32 {
    let unprotected = if is_lost { hole - protects.min(hole) } else { hole };
    unprotected.clamp(1, CONCEAL_STEP)
}

impl Source {
    fn extend(&self, rtp_time: RtpTime) -> i64 {
        let (_, newest, newest_rtp) = self.newest;
        newest + i64::from(rtp_time.since(newest_rtp))
    }

    /// Whether a packet shows that the sender's clock stepped: a newer packet with an older time, or a time that runs
    /// ahead of the arrivals by more than any hole.
    fn is_clock_step(&self, number: i64, time: i64, arrived_at: Instant) -> bool {
        let (newest_number, newest_time, _) = self.newest;
        let longest_hole = LONGEST_HOLE as f64 / f64::from(CLOCK.as_hz());
        let went_back = number > newest_number && time < newest_time;
        let ran_ahead = self.transit(time, arrived_at) < self.delay.least_transit() - longest_hole;
        newest_number != i64::MIN && (went_back || ran_ahead)
    }

    /// Seconds between arrival and RTP time, from the zeros of the first packet.
    fn transit(&self, time: i64, arrived_at: Instant) -> f64 {
        signed_seconds(self.origin.1, arrived_at) - time as f64 / f64::from(CLOCK.as_hz())
    }

    /// Seconds that the least delayed packet waits when `time` is played at `now`.
    fn delay_of(&self, time: i64, now: Instant) -> f64 {
        self.transit(time, now) - self.delay.least_transit()
    }

    /// Begins to play when the oldest held packet has waited for the target.
    fn start(&self, now: Instant) -> Option<TimeLine> {
        let (&number, head) = self.held.first_key_value()?;
        let waited = self.delay_of(head.time, now);
        (waited >= self.delay.target().as_secs_f64()).then_some(TimeLine {
            next: head.time,
            next_number: number,
            stalled: 0,
            too_long: 0,
        })
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
        held
    }

    /// Whether a step of concealment more would still keep the delay within its target.
    fn is_too_short(&self, time: i64, now: Instant) -> bool {
        self.delay_of(time, now) + CLOCK.time_of(CONCEAL_STEP as usize).as_secs_f64()
            <= self.delay.target().as_secs_f64()
    }

    /// Counts pulls that come too late after the arrivals; `time` is that of the packet just taken.
    fn is_too_long(&self, line: &mut TimeLine, time: i64, now: Instant) -> bool {
        let excess = self.delay_of(time, now) - self.delay.target().as_secs_f64();
        if excess < SHRINK_MARGIN {
            line.too_long = 0;
            return false;
        }
        line.too_long += if excess > FAR_ABOVE { 5 } else { 1 };
        line.too_long >= SHRINK_AFTER
    }
}

#[cfg(test)]
mod tests;
