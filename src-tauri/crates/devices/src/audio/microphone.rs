//! A microphone.

use super::format::Direction;
use super::health::Health;
use super::open;
use super::realtime::capture_ring;
use crate::thread::{self, DeviceThread};
use ahoy_media::device::{AudioFormat, AudioSource, DeviceError, DeviceKind};
use cpal::traits::StreamTrait;
use rtrb::Consumer;
use std::time::{Duration, Instant};

/// What the ring holds between two reads. Overflow: the newest samples are dropped and an overrun is counted.
const RING: Duration = Duration::from_millis(100);

/// An open microphone; dropping it releases the device.
#[derive(Debug)]
pub struct Microphone {
    format: AudioFormat,
    ring: Consumer<f32>,
    health: Health,
    overruns: u64,
    _thread: DeviceThread,
}

impl Microphone {
    /// Opens a microphone by id or name; `None` is the system's default.
    pub fn open(name: Option<&str>) -> Result<Self, DeviceError> {
        let name = name.map(str::to_owned);
        let ((format, ring, counters), thread) = thread::hold("mic", DeviceKind::Microphone, move || {
            let found = open::find(Direction::Input, name.as_deref())?;
            let format = found.format();
            let (state, ring, counters) = capture_ring(format.rate.samples_in(RING), format.channels);
            let stream = open::open_capture(&found, state, counters.clone())?;
            stream
                .play()
                .map_err(|error| open::device_error(DeviceKind::Microphone, &error))?;
            Ok(((format, ring, counters), stream))
        })?;
        tracing::debug!(
            rate = format.rate.as_hz(),
            channels = format.channels,
            "microphone open"
        );
        Ok(Self {
            format,
            ring,
            health: Health::new(counters),
            overruns: 0,
            _thread: thread,
        })
    }

    /// How often samples were lost because nobody read them in time.
    pub fn overruns(&self) -> u64 {
        self.health.misses()
    }
}

impl AudioSource for Microphone {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        if self.health.is_lost(now) {
            return Err(DeviceError::Lost(DeviceKind::Microphone));
        }
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            let (first, second) = chunk.as_slices();
            out.extend_from_slice(first);
            out.extend_from_slice(second);
            chunk.commit_all();
        }
        let overruns = self.health.misses();
        if overruns != self.overruns {
            tracing::debug!(overruns, "microphone samples were lost");
            self.overruns = overruns;
        }
        Ok(())
    }
}
