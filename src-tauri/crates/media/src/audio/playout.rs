//! Received packets to speaker, on the thread `audio-rx`.
//!
//! [`PlayoutPipeline`] is what happens to the packets; [`AudioPlayout`] is the thread that keeps the speaker's queue
//! filled from it. The speaker is the clock: what it has played is asked for anew.

mod fill;
mod pipeline;

pub use pipeline::PlayoutPipeline;

use crate::audio::render_tap::RenderTap;
use crate::codec::SoundCodec;
use crate::device::{AudioSink, DeviceError, DeviceKind};
use crate::jitter_buffer::{JitterBufferCounters, JitterBufferSettings};
use crate::lip_sync::{HeardAt, LipSync};
use crate::packet::ReceivedPacket;
use crate::synthetic::silence::SilentSpeaker;
use crate::thread::OwnedThread;
use fill::FillTarget;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pipeline's own clock: a quarter of a frame.
const TICK: Duration = Duration::from_millis(5);

/// Packets from the peer to `audio-rx`, over a second of sound. Overflow: the newest is dropped and counted.
const INLET_CAPACITY: usize = 64;

/// Counters with the names of W3C webrtc-stats where one exists.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioInStats {
    /// What the jitter buffer counts.
    pub buffer: JitterBufferCounters,
    /// Payload bytes of unique and doubled packets.
    pub bytes_received: u64,
    /// Concealed samples in which nothing could be heard.
    pub silent_concealed_samples: u64,
    /// RMS of the last frame, 0..1.
    pub audio_level: f32,
    /// Packets that were no sound of this codec.
    pub packets_corrupt: u64,
    /// Packets dropped because the thread did not take them in time.
    pub packets_overflowed: u64,
    /// How often the speaker ran dry.
    pub underruns: u64,
    /// From arrival to decoding, at this moment.
    pub buffer_delay: Duration,
    /// From decoding to the speaker, at this moment.
    pub playout_delay: Duration,
    /// Seconds spent decoding, summed.
    pub total_decode_time: f64,
    pub first_received_at: Option<Instant>,
    /// What came last, once something came.
    pub codec: Option<SoundCodec>,
    /// Length of the packet that came last.
    pub frame_time: Duration,
    /// Channels of what was encoded in it.
    pub channels: u16,
    /// When the first decoded sound was given to the speaker.
    pub first_played_at: Option<Instant>,
}

/// Where the peer puts packets; as many copies as it likes.
#[derive(Debug, Clone)]
pub struct PacketInlet {
    tx: SyncSender<ReceivedPacket>,
    overflowed: Arc<AtomicU64>,
}

impl PacketInlet {
    /// Puts one packet without waiting; false when it was dropped because the queue is full or the playout is over.
    pub fn push(&self, packet: ReceivedPacket) -> bool {
        let taken = self.tx.try_send(packet).is_ok();
        if !taken {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

/// A running playout; dropping it ends the thread and closes the speaker within half a second.
#[derive(Debug)]
pub struct AudioPlayout {
    inlet: PacketInlet,
    shared: Arc<Mutex<Shared>>,
    _thread: OwnedThread,
}

/// What owner and thread tell each other; locked for a few copies, once a tick.
#[derive(Default)]
struct Shared {
    /// Newest wins.
    sink: Option<Box<dyn AudioSink>>,
    tap: Option<RenderTap>,
    lip_sync: Option<LipSync>,
    stats: AudioInStats,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl AudioPlayout {
    /// Starts `audio-rx`. `channels`: 1, or 2 where stereo is wanted. `failed` hears of a speaker that stopped; sound is dropped at the pace of the clock until
    /// [`replace_sink`](Self::replace_sink).
    ///
    /// Errors: the format of the sink cannot be used, the codec fails, or there is no thread.
    pub fn start(
        sink: Box<dyn AudioSink>,
        codec: SoundCodec,
        channels: u16,
        settings: JitterBufferSettings,
        failed: impl FnMut(DeviceError) + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let decoder = codec.decoder(channels).map_err(unusable)?;
        let mut pipeline = PlayoutPipeline::new(sink.format(), decoder, settings).map_err(unusable)?;
        pipeline.set_codec(codec);
        let (tx, rx) = sync_channel(INLET_CAPACITY);
        let overflowed = Arc::new(AtomicU64::new(0));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut running = Running {
            sink,
            pipeline,
            fill: FillTarget::new(),
            tap: None,
            lip_sync: LipSync::default(),
            samples: Vec::with_capacity(MOST_SAMPLES),
            rx,
            overflowed: Arc::clone(&overflowed),
            decode_time: Duration::ZERO,
            shared: Arc::clone(&shared),
            failed,
        };
        let thread =
            OwnedThread::ticking("audio-rx", TICK, move |now| running.tick(now)).map_err(unusable)?;
        Ok(Self {
            inlet: PacketInlet { tx, overflowed },
            shared,
            _thread: thread,
        })
    }

    /// Where received packets go.
    pub fn inlet(&self) -> PacketInlet {
        self.inlet.clone()
    }

    /// Goes over to another speaker within a tick; the old one is closed on the thread.
    pub fn replace_sink(&self, sink: Box<dyn AudioSink>) {
        // Dropped here, outside the lock, when the thread has not taken it yet: closing a device may take time.
        let _unused = self.lock().sink.replace(sink);
    }

    /// Tells from now on what is played to whoever has the other end, for echo cancellation.
    pub fn set_render_tap(&self, tap: RenderTap) {
        self.lock().tap = Some(tap);
    }

    /// Tells from now on what is heard when, so that pictures can wait for it.
    pub fn set_lip_sync(&self, lip_sync: LipSync) {
        self.lock().lip_sync = Some(lip_sync);
    }

    pub fn stats(&self) -> AudioInStats {
        self.lock().stats
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One packet of 120 ms, the longest of Opus, for stereo at 192 kHz: more grows the buffer once.
const MOST_SAMPLES: usize = 46_080;

/// The thread's side.
struct Running<E> {
    sink: Box<dyn AudioSink>,
    pipeline: PlayoutPipeline,
    fill: FillTarget,
    tap: Option<RenderTap>,
    lip_sync: LipSync,
    samples: Vec<f32>,
    rx: Receiver<ReceivedPacket>,
    overflowed: Arc<AtomicU64>,
    decode_time: Duration,
    shared: Arc<Mutex<Shared>>,
    failed: E,
}

impl<E: FnMut(DeviceError)> Running<E> {
    fn tick(&mut self, now: Instant) {
        while let Ok(packet) = self.rx.try_recv() {
            self.pipeline.handle_packet(packet);
        }
        let (replacement, tap, lip_sync) = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            (shared.sink.take(), shared.tap.take(), shared.lip_sync.take())
        };
        if let Some(lip_sync) = lip_sync {
            self.lip_sync = lip_sync;
        }
        if tap.is_some() {
            self.tap = tap;
        }
        if let Some(sink) = replacement {
            match self.pipeline.set_format(sink.format()) {
                Ok(()) => self.use_sink(sink),
                Err(error) => (self.failed)(unusable(error)),
            }
        }
        match self.fill_sink(now) {
            Ok(queued) => {
                let heard = self.pipeline.next_sample().map(|(ssrc, rtp_time)| HeardAt {
                    ssrc,
                    rtp_time,
                    at: now + queued,
                });
                self.lip_sync.lock().handle_heard(now, heard);
                self.publish(now, queued);
            }
            Err(error) => {
                tracing::info!(%error, "speaker stopped, sound is dropped");
                let silence = SilentSpeaker::new();
                self.pipeline
                    .set_format(silence.format())
                    .expect("mono 48 kHz needs no conversion");
                self.use_sink(Box::new(silence));
                (self.failed)(error);
            }
        }
    }

    fn use_sink(&mut self, sink: Box<dyn AudioSink>) {
        self.sink = sink;
        self.fill = FillTarget::new();
    }

    /// Writes until the queue has reached its target; returns how long the queue is.
    fn fill_sink(&mut self, now: Instant) -> Result<Duration, DeviceError> {
        let rate = self.sink.format().rate;
        let mut queued = rate.time_of(self.sink.queued(now)?);
        self.fill.observe(queued, self.sink.underruns(), now);
        let mut written = Duration::ZERO;
        while queued < self.fill.target() && written < MOST_PER_TICK {
            self.samples.clear();
            let before = Instant::now();
            written += self.pipeline.pull(now, &mut self.samples);
            self.decode_time += before.elapsed();
            if let Some(tap) = &mut self.tap {
                tap.push(self.pipeline.played(), queued);
            }
            self.sink.write(now, &self.samples)?;
            queued = rate.time_of(self.sink.queued(now)?);
        }
        self.fill.written(queued);
        Ok(queued)
    }

    fn publish(&mut self, now: Instant, queued: Duration) {
        let stats = AudioInStats {
            packets_overflowed: self.overflowed.load(Ordering::Relaxed),
            underruns: self.sink.underruns(),
            playout_delay: queued,
            total_decode_time: self.decode_time.as_secs_f64(),
            ..self.pipeline.stats(now)
        };
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).stats = stats;
    }
}

/// A sink whose queue never grows, because it is broken, must not hold the thread.
const MOST_PER_TICK: Duration = Duration::from_millis(200);

fn unusable(why: impl std::fmt::Display) -> DeviceError {
    DeviceError::Unusable {
        kind: DeviceKind::Speaker,
        why: why.to_string(),
    }
}
