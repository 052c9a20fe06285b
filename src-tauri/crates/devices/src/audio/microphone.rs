//! A microphone.

use super::follow::{self, End, Moves, Opened};
use super::format::Direction;
use super::health::Health;
use super::open::{self, Found};
use super::realtime::{CaptureState, Counters, capture_ring};
use crate::thread::DeviceThread;
use ahoy_media::device::{AudioFormat, AudioSource, DeviceError, DeviceKind};
use rtrb::Consumer;
use std::sync::Arc;
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
    moves: Moves<Consumer<f32>>,
    _thread: DeviceThread,
}

impl Microphone {
    /// Opens a microphone by id or name; `None` is the system's default, whatever that is at each moment.
    pub fn open(name: Option<&str>) -> Result<Self, DeviceError> {
        let follow::Device {
            opened,
            moves,
            thread,
        } = follow::hold::<CaptureState>(name)?;
        let format = opened.format;
        tracing::debug!(
            rate = format.rate.as_hz(),
            channels = format.channels,
            "microphone open"
        );
        Ok(Self {
            format,
            ring: opened.ring,
            health: Health::new(opened.counters),
            overruns: 0,
            moves,
            _thread: thread,
        })
    }

    /// How often samples were lost because nobody read them in time.
    pub fn overruns(&self) -> u64 {
        self.health.misses()
    }
}

impl End for CaptureState {
    const DIRECTION: Direction = Direction::Input;
    const THREAD: &'static str = "mic";
    type Ring = Consumer<f32>;

    fn make(format: AudioFormat) -> (Self, Opened<Self::Ring>) {
        let (state, ring, counters) = capture_ring(format.rate.samples_in(RING), format.channels);
        let opened = Opened {
            format,
            ring,
            counters,
        };
        (state, opened)
    }

    fn open(self, found: &Found, counters: Arc<Counters>) -> Result<cpal::Stream, DeviceError> {
        open::open_capture(found, self, counters)
    }
}

impl AudioSource for Microphone {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn read(&mut self, now: Instant, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        if let Ok(next) = self.moves.try_recv() {
            // Who reads has been told of one format.
            if next.format != self.format {
                return Err(DeviceError::Lost(DeviceKind::Microphone));
            }
            self.ring = next.ring;
            self.health = Health::new(next.counters);
        }
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
