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

mod counters;
mod delay;
mod loss;
mod pace;
mod reception;
mod repair;
mod source;

pub use crate::codec::PacketContent;
pub use counters::JitterBufferCounters;
pub use pace::Pace;

use crate::packet::ReceivedPacket;
use crate::units::{RtpTime, SampleRate};
use bytes::Bytes;
use reception::Arrival;
use source::{Fate, Source};
use std::time::{Duration, Instant};

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
    /// 40 ms at first, 10 to 400 ms later. Frames are asked for at even times to within a tick of 5 ms, so half a frame
    /// is waited for at least; what the unevenness of two loaded machines needs beyond it is seen in the arrivals.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(40),
            least: Duration::from_millis(10),
            most: Duration::from_millis(400),
        }
    }
}

/// What to play next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Playout {
    /// Nothing to play: no stream yet, or the delay is being built up.
    Silence,
    /// Decode this packet.
    Decode(Bytes),
    /// Rebuild `samples` that end where the packet `next` begins, out of its in-band FEC; it stays in the buffer.
    Recover { next: Bytes, samples: u32 },
    /// Rebuild `samples` that begin `before` samples before the packet `later`, out of its deep redundancy.
    Rebuild { later: Bytes, before: u32, samples: u32 },
    /// Make up `samples` out of what came before: something is lost or late.
    Conceal { samples: u32 },
    /// Make up `samples` of background: the sender pauses on purpose.
    Rest { samples: u32 },
}

/// One answer of the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub playout: Playout,
    /// How to play it; whoever does so tells by [`JitterBuffer::stretched`] what came of it.
    pub pace: Pace,
}

impl Pull {
    const SILENCE: Self = Self::even(Playout::Silence);

    const fn even(playout: Playout) -> Self {
        Self {
            playout,
            pace: Pace::Even,
        }
    }
}

/// The buffer of one direction of one call.
#[derive(Debug)]
pub struct JitterBuffer {
    settings: JitterBufferSettings,
    /// RTP ticks per second.
    clock: SampleRate,
    source: Option<Source>,
    /// The SSRC before the current one.
    left: Option<u32>,
    counters: JitterBufferCounters,
    /// Losses of sources before the current one.
    lost_before: u64,
    concealing: bool,
}

impl JitterBuffer {
    /// `clock`: RTP ticks per second of the codec.
    pub fn new(settings: JitterBufferSettings, clock: SampleRate) -> Self {
        Self {
            settings,
            clock,
            source: None,
            left: None,
            counters: JitterBufferCounters::default(),
            lost_before: 0,
            concealing: false,
        }
    }

    /// The sender goes over to a codec with this clock, in RTP ticks per second; the time line begins anew.
    pub fn set_clock(&mut self, clock: SampleRate) {
        self.clock = clock;
        if let Some(old) = self.source.take() {
            self.lost_before += old.reception.lost();
            self.counters.packets_discarded += old.held.len() as u64;
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
        let clock_rate = f64::from(self.clock.as_hz());
        let source = self.source.as_mut().expect("begin sets the source");
        match source.reception.accept(packet.sequence) {
            Arrival::New(number) => {
                if !packet.repaired {
                    let (rtp_time, arrived_at) = (packet.rtp_time, packet.arrived_at);
                    source.reception.measure_jitter(rtp_time, arrived_at, clock_rate);
                }
                self.hold(number, packet, content);
            }
            Arrival::Duplicate => self.counters.packets_duplicated += 1,
            Arrival::Stray => self.counters.packets_discarded += 1,
            Arrival::Restart => {
                self.begin(&packet);
                self.insert(packet, content);
            }
        }
    }

    /// Says what to play next; the time line moves on by what the answer plays.
    pub fn pull(&mut self, now: Instant) -> Pull {
        let pull = match &mut self.source {
            Some(source) => source.pull(now, &mut self.counters),
            None => Pull::SILENCE,
        };
        let counters = &mut self.counters;
        match &pull.playout {
            Playout::Silence => {}
            Playout::Decode(_) => self.concealing = false,
            Playout::Recover { samples, .. } | Playout::Rest { samples } => {
                self.concealing = false;
                counters.total_samples_received += u64::from(*samples);
            }
            Playout::Rebuild { samples, .. } => {
                self.concealing = false;
                counters.dred_frames += 1;
                counters.total_samples_received += u64::from(*samples);
            }
            Playout::Conceal { samples } => self.count_concealed(*samples),
        }
        pull
    }

    /// Hears by how many samples the last answer was lengthened, or shortened when negative.
    pub fn stretched(&mut self, samples: i64) {
        let count = samples.unsigned_abs();
        if samples > 0 {
            self.counters.inserted_samples_for_deceleration += count;
            self.counters.total_samples_received += count;
        } else {
            self.counters.removed_samples_for_acceleration += count;
            self.counters.total_samples_received -= count.min(self.counters.total_samples_received);
        }
        if let Some(source) = &mut self.source {
            source.stretched(samples);
        }
    }

    /// Hears that the last answer could not be rebuilt or decoded as told: so many samples of it were made up.
    pub fn made_up(&mut self, samples: u32) {
        self.counters.total_samples_received -= u64::from(samples).min(self.counters.total_samples_received);
        self.count_concealed(samples);
    }

    pub fn counters(&self) -> JitterBufferCounters {
        let mut counters = self.counters;
        counters.packets_lost = self.lost_before;
        if let Some(source) = &self.source {
            counters.packets_lost += source.reception.lost();
            counters.jitter = source.reception.jitter() / f64::from(self.clock.as_hz());
        }
        counters
    }

    /// The delay that is aimed at, from the arrival of the least delayed packet to its playing.
    pub fn target_delay(&self) -> Duration {
        self.source.as_ref().map_or(self.settings.initial, Source::target)
    }

    /// The delay that the least delayed packet has met at this moment; zero before playing.
    pub fn current_delay(&self, now: Instant) -> Duration {
        let seconds = self.source.as_ref().and_then(|source| source.current_delay(now));
        Duration::from_secs_f64(seconds.unwrap_or(0.0).clamp(0.0, 60.0))
    }

    /// The stream that is played and the RTP time of the sample that the next pull begins with; `None` before playing.
    pub fn next_sample(&self) -> Option<(u32, RtpTime)> {
        let source = self.source.as_ref()?;
        Some((source.ssrc, source.next_sample()?))
    }

    fn count_concealed(&mut self, samples: u32) {
        self.counters.concealment_events += u64::from(!self.concealing);
        self.concealing = true;
        self.counters.concealed_samples += u64::from(samples);
        self.counters.total_samples_received += u64::from(samples);
    }

    fn begin(&mut self, packet: &ReceivedPacket) {
        if let Some(old) = self.source.take() {
            self.lost_before += old.reception.lost();
            self.counters.packets_discarded += old.held.len() as u64;
            if old.ssrc != packet.ssrc {
                self.left = Some(old.ssrc);
            }
        }
        self.source = Some(Source::new(packet, self.settings, self.clock));
    }

    fn hold(&mut self, number: i64, packet: ReceivedPacket, content: PacketContent) {
        let source = self.source.as_mut().expect("a packet was accepted by a source");
        match source.hold(number, packet.clone(), content) {
            Fate::ClockStep => {
                self.begin(&packet);
                self.insert(packet, content);
                return;
            }
            Fate::Held => {}
            Fate::Discarded(count) => self.counters.packets_discarded += count,
        }
        self.counters.packets_received += 1;
        self.counters.fec_packets_received += u64::from(content.protects > 0);
    }
}

#[cfg(test)]
mod tests;
