//! Thread `video-rx`: packets to pictures on a screen.
//!
//! Owns the frame assembly, the decoder and the screen. Waits for packets or for a deadline of the assembly; the
//! decisions are in [`super::assembly`], the counting in [`stats`].

pub mod stats;

use super::assembly::{AssembledFrame, FrameAssembly, KeyframeRequest, PayloadFormat};
use crate::codec::VideoDecoder;
use crate::device::VideoSink;
use crate::packet::ReceivedPacket;
use crate::thread::{OwnedThread, Stop};
use stats::{StatsKeeper, VideoReceiveStats};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Packets between the peer connection and `video-rx`: half a second at 5 Mbit/s. When full the newest is dropped and
/// counted, and is then repaired like any other loss.
const PACKET_QUEUE: usize = 256;

/// Longest wait without looking at the end and at what the handle has set.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// What a receiving pipeline works with.
pub struct VideoReceiveSetup<F> {
    pub format: F,
    pub decoder: Box<dyn VideoDecoder>,
    pub screen: Box<dyn VideoSink>,
    /// Called on `video-rx` when the sender is to be asked for a keyframe (PLI, RFC 4585 §6.3.1).
    pub request_keyframe: Box<dyn FnMut(KeyframeRequest) + Send>,
    /// Called on `video-rx` when the first picture has been shown.
    pub on_first_rendered: Box<dyn FnOnce(Instant) + Send>,
}

/// A running receiver of one video stream; dropping it ends the thread.
#[derive(Debug)]
pub struct VideoReceive {
    packets: VideoPackets,
    shared: Arc<Shared>,
    /// Last, so that it ends after the queue above has closed.
    _thread: OwnedThread,
}

/// The end of the pipeline that the peer connection feeds; clones feed the same pipeline.
#[derive(Debug, Clone)]
pub struct VideoPackets {
    tx: SyncSender<ReceivedPacket>,
    discarded: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Shared {
    stats: Mutex<StatsKeeper>,
    /// Microseconds.
    round_trip: AtomicU64,
}

impl VideoReceive {
    /// Errors when the system gives no thread.
    pub fn start<F: PayloadFormat + 'static>(setup: VideoReceiveSetup<F>) -> io::Result<Self> {
        let (tx, rx) = sync_channel(PACKET_QUEUE);
        let shared = Arc::new(Shared::default());
        let pipeline = Pipeline {
            assembly: FrameAssembly::new(setup.format),
            decoder: setup.decoder,
            screen: setup.screen,
            request_keyframe: setup.request_keyframe,
            on_first_rendered: Some(setup.on_first_rendered),
            shared: Arc::clone(&shared),
        };
        let thread = OwnedThread::spawn("video-rx", move |stop| pipeline.run(&rx, &stop))?;
        Ok(Self {
            packets: VideoPackets {
                tx,
                discarded: Arc::default(),
            },
            shared,
            _thread: thread,
        })
    }

    /// Where the peer connection puts the packets of this stream.
    pub fn packets(&self) -> VideoPackets {
        self.packets.clone()
    }

    /// Sets the round trip time, which the wait for a retransmission follows.
    pub fn set_round_trip(&self, rtt: Duration) {
        let microseconds = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        self.shared.round_trip.store(microseconds, Ordering::Relaxed);
    }

    /// Tells that the sender paused on purpose (muted or on hold), so that the gap is no freeze.
    pub fn handle_pause(&self) {
        self.shared.stats().handle_pause();
    }

    pub fn stats(&self, now: Instant) -> VideoReceiveStats {
        let discarded = self.packets.discarded.load(Ordering::Relaxed);
        self.shared.stats().snapshot(now, discarded)
    }
}

impl VideoPackets {
    /// Queues a packet without waiting; false when it was dropped because the queue is full or the pipeline has ended.
    pub fn try_send(&self, packet: ReceivedPacket) -> bool {
        match self.tx.try_send(packet) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.discarded.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Shared {
    /// Counting cannot panic half-way, so a poisoned state is whole.
    fn stats(&self) -> MutexGuard<'_, StatsKeeper> {
        self.stats.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct Pipeline<F> {
    assembly: FrameAssembly<F>,
    decoder: Box<dyn VideoDecoder>,
    screen: Box<dyn VideoSink>,
    request_keyframe: Box<dyn FnMut(KeyframeRequest) + Send>,
    on_first_rendered: Option<Box<dyn FnOnce(Instant) + Send>>,
    shared: Arc<Shared>,
}

impl<F: PayloadFormat> Pipeline<F> {
    fn run(mut self, rx: &Receiver<ReceivedPacket>, stop: &Stop) {
        while !stop.is_set() {
            if !self.take_packets(rx) {
                return;
            }
            let rtt = Duration::from_micros(self.shared.round_trip.load(Ordering::Relaxed));
            self.assembly.set_round_trip(rtt);
            while let Some(frame) = self.assembly.poll_frame(Instant::now()) {
                self.show(&frame);
            }
            if let Some(reason) = self.assembly.poll_keyframe_request(Instant::now()) {
                tracing::debug!(?reason, "keyframe requested");
                self.shared.stats().handle_keyframe_request();
                (self.request_keyframe)(reason);
            }
            self.shared.stats().set_assembly(self.assembly.counts());
        }
    }

    /// Waits for a packet or a deadline and takes all that are queued; false when nobody can send any more.
    fn take_packets(&mut self, rx: &Receiver<ReceivedPacket>) -> bool {
        let deadline = self.assembly.poll_timeout();
        let wait = deadline.map_or(WAKE_EVERY, |deadline| {
            deadline.saturating_duration_since(Instant::now()).min(WAKE_EVERY)
        });
        match rx.recv_timeout(wait) {
            Ok(packet) => self.take_packet(packet),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        loop {
            match rx.try_recv() {
                Ok(packet) => self.take_packet(packet),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take_packet(&mut self, packet: ReceivedPacket) {
        self.shared
            .stats()
            .handle_packet(packet.arrived_at, packet.payload.len());
        self.assembly.handle_packet(packet);
    }

    fn show(&mut self, frame: &AssembledFrame) {
        let begun = Instant::now();
        match self.decoder.decode(&frame.payload) {
            Ok(Some(picture)) => {
                let now = Instant::now();
                self.shared
                    .stats()
                    .handle_decoded(now, frame, picture.picture.resolution(), now - begun);
                self.screen.show(now, picture);
                if let Some(on_first_rendered) = self.on_first_rendered.take() {
                    on_first_rendered(now);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "frame not decoded");
                self.shared.stats().handle_decode_failure();
                self.assembly.handle_decode_failure();
            }
        }
    }
}
