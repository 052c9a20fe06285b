//! A speaker.

use super::follow::{self, End, Moves, Opened};
use super::format::Direction;
use super::health::Health;
use super::open::{self, Found};
use super::realtime::{Counters, PlaybackState, playback_ring};
use crate::thread::DeviceThread;
use ahoy_media::device::{AudioFormat, AudioSink, DeviceError, DeviceKind};
use rtrb::Producer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the ring holds at most; how full it is kept is the writer's choice. Overflow: the newest samples are dropped and
/// counted.
const RING: Duration = Duration::from_millis(250);

/// An open speaker; dropping it releases the device.
#[derive(Debug)]
pub struct Speaker {
    format: AudioFormat,
    ring: Producer<f32>,
    health: Health,
    /// Underruns of the devices before this one.
    earlier_underruns: u64,
    dropped: u64,
    moves: Moves<Producer<f32>>,
    _thread: DeviceThread,
}

impl Speaker {
    /// Opens a speaker by id or name; `None` is the system's default, whatever that is at each moment.
    pub fn open(name: Option<&str>) -> Result<Self, DeviceError> {
        let follow::Device {
            opened,
            moves,
            thread,
        } = follow::hold::<PlaybackState>(name)?;
        let format = opened.format;
        tracing::debug!(
            rate = format.rate.as_hz(),
            channels = format.channels,
            "speaker open"
        );
        Ok(Self {
            format,
            ring: opened.ring,
            health: Health::new(opened.counters),
            earlier_underruns: 0,
            dropped: 0,
            moves,
            _thread: thread,
        })
    }

    /// Samples, all channels together, that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl End for PlaybackState {
    const DIRECTION: Direction = Direction::Output;
    const THREAD: &'static str = "spk";
    type Ring = Producer<f32>;

    fn make(format: AudioFormat) -> (Self, Opened<Self::Ring>) {
        let (state, ring, counters) = playback_ring(format.rate.samples_in(RING), format.channels);
        let opened = Opened {
            format,
            ring,
            counters,
        };
        (state, opened)
    }

    fn open(self, found: &Found, counters: Arc<Counters>) -> Result<cpal::Stream, DeviceError> {
        open::open_playback(found, self, counters)
    }
}

impl AudioSink for Speaker {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
        if let Ok(next) = self.moves.try_recv() {
            // Who writes has been told of one format.
            if next.format != self.format {
                return Err(DeviceError::Lost(DeviceKind::Speaker));
            }
            self.earlier_underruns += self.health.misses();
            self.ring = next.ring;
            self.health = Health::new(next.counters);
        }
        if self.health.is_lost(now) {
            return Err(DeviceError::Lost(DeviceKind::Speaker));
        }
        let queued = self.ring.buffer().capacity() - self.ring.slots();
        Ok(queued / usize::from(self.format.channels.max(1)))
    }

    fn write(&mut self, _now: Instant, samples: &[f32]) -> Result<(), DeviceError> {
        let channels = usize::from(self.format.channels.max(1));
        let fitting = self.ring.slots().min(samples.len());
        let (taken, rest) = samples.split_at(fitting - fitting % channels);
        let (_, left) = self.ring.push_partial_slice(taken);
        debug_assert!(
            left.is_empty(),
            "only this end adds to the ring, so what fitted a moment ago fits"
        );
        self.dropped += rest.len() as u64;
        Ok(())
    }

    fn underruns(&self) -> u64 {
        self.earlier_underruns + self.health.misses()
    }
}
