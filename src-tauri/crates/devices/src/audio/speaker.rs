//! A speaker.

use super::format::Direction;
use super::health::Health;
use super::open;
use super::realtime::playback_ring;
use crate::thread::{self, DeviceThread};
use ahoy_media::device::{AudioFormat, AudioSink, DeviceError, DeviceKind};
use cpal::traits::StreamTrait;
use rtrb::Producer;
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
    dropped: u64,
    _thread: DeviceThread,
}

impl Speaker {
    /// Opens a speaker by id or name; `None` is the system's default.
    pub fn open(name: Option<&str>) -> Result<Self, DeviceError> {
        let name = name.map(str::to_owned);
        let ((format, ring, counters), thread) = thread::hold("spk", DeviceKind::Speaker, move || {
            let found = open::find(Direction::Output, name.as_deref())?;
            let format = found.format();
            let (state, ring, counters) = playback_ring(format.rate.samples_in(RING), format.channels);
            let stream = open::open_playback(&found, state, counters.clone())?;
            stream
                .play()
                .map_err(|error| open::device_error(DeviceKind::Speaker, &error))?;
            Ok(((format, ring, counters), stream))
        })?;
        tracing::debug!(
            rate = format.rate.as_hz(),
            channels = format.channels,
            "speaker open"
        );
        Ok(Self {
            format,
            ring,
            health: Health::new(counters),
            dropped: 0,
            _thread: thread,
        })
    }

    /// Samples, all channels together, that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl AudioSink for Speaker {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn queued(&mut self, now: Instant) -> Result<usize, DeviceError> {
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
        self.health.misses()
    }
}
