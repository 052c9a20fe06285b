//! Thread `video-rx`: packets to pictures on a screen.
//!
//! Owns the frame assembly, the decoder and the screen. Waits for packets, for a deadline of the assembly or for the moment
//! of a picture; the decisions are in [`super::assembly`] and [`crate::lip_sync`], the counting in [`stats`].

mod display;
pub mod stats;

use super::assembly::{AssembledFrame, AssemblyCounts, FrameAssembly, KeyframeRequest};
use crate::codec::{PictureCodec, VideoDecoder};
use crate::device::VideoSink;
use crate::lip_sync::LipSync;
use crate::packet::ReceivedPacket;
use crate::thread::{OwnedThread, Stop};
use crate::units::SequenceNumber;
use crate::video::rotation::turned;
use crate::video::{PicturePool, Rotation, VideoFrame};
use display::Display;
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
pub struct VideoReceiveSetup {
    pub screen: Box<dyn VideoSink>,
    /// Called on `video-rx` when the sender is to be asked for a keyframe (PLI, RFC 4585 §6.3.1).
    pub request_keyframe: Box<dyn FnMut(KeyframeRequest) + Send>,
    /// Called on `video-rx` when the first picture has been shown.
    pub on_first_rendered: Box<dyn FnOnce(Instant) + Send>,
    /// What the pictures wait for.
    pub lip_sync: LipSync,
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
    tx: SyncSender<(PictureCodec, ReceivedPacket)>,
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
    pub fn start(setup: VideoReceiveSetup) -> io::Result<Self> {
        let (tx, rx) = sync_channel(PACKET_QUEUE);
        let shared = Arc::new(Shared::default());
        let pipeline = Pipeline {
            stream: None,
            counts_before: AssemblyCounts::default(),
            request_keyframe: setup.request_keyframe,
            display: Display::new(
                setup.screen,
                setup.on_first_rendered,
                setup.lip_sync,
                Arc::clone(&shared),
            ),
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
        self.shared.stats().handle_pause(Instant::now());
    }

    pub fn stats(&self, now: Instant) -> VideoReceiveStats {
        let discarded = self.packets.discarded.load(Ordering::Relaxed);
        self.shared.stats().snapshot(now, discarded)
    }
}

impl VideoPackets {
    /// Queues a packet of this codec without waiting; false when it was dropped because the queue is full or the pipeline
    /// has ended.
    pub fn try_send(&self, codec: PictureCodec, packet: ReceivedPacket) -> bool {
        match self.tx.try_send((codec, packet)) {
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

struct Pipeline {
    /// `None` before the first packet.
    stream: Option<Stream>,
    /// Of the streams before.
    counts_before: AssemblyCounts,
    request_keyframe: Box<dyn FnMut(KeyframeRequest) + Send>,
    display: Display,
    shared: Arc<Shared>,
}

/// What the sender's codec is received with.
struct Stream {
    codec: PictureCodec,
    assembly: FrameAssembly<PictureCodec>,
    decoder: Box<dyn VideoDecoder>,
    newest: SequenceNumber,
    ssrc: u32,
    /// Of the pictures from here on.
    rotation: Rotation,
    turned: PicturePool,
}

impl Stream {
    fn new(codec: PictureCodec, packet: &ReceivedPacket) -> Self {
        Self {
            codec,
            assembly: FrameAssembly::new(codec),
            decoder: codec.decoder(),
            newest: packet.sequence,
            ssrc: packet.ssrc,
            rotation: Rotation::None,
            turned: PicturePool::default(),
        }
    }

    /// Whether the packet is a late one of a codec that the sender has left.
    fn is_past(&self, codec: PictureCodec, packet: &ReceivedPacket) -> bool {
        codec != self.codec && packet.ssrc == self.ssrc && packet.sequence.since(self.newest) < 0
    }
}

impl Pipeline {
    fn run(mut self, rx: &Receiver<(PictureCodec, ReceivedPacket)>, stop: &Stop) {
        while !stop.is_set() {
            if !self.take_packets(rx) {
                return;
            }
            self.display.show_due(Instant::now());
            let rtt = Duration::from_micros(self.shared.round_trip.load(Ordering::Relaxed));
            let Some(stream) = &mut self.stream else {
                continue;
            };
            stream.assembly.set_round_trip(rtt);
            while let Some(frame) = stream.assembly.poll_frame(Instant::now()) {
                if let Some(picture) = stream.decode(&frame, &self.shared) {
                    let now = Instant::now();
                    self.display.take(now, stream.ssrc, frame.rtp_time, picture);
                }
            }
            if let Some(reason) = stream.assembly.poll_keyframe_request(Instant::now()) {
                tracing::debug!(?reason, "keyframe requested");
                self.shared.stats().handle_keyframe_request();
                (self.request_keyframe)(reason);
            }
            let counts = self.counts_before.plus(stream.assembly.counts());
            self.shared.stats().set_assembly(counts);
        }
    }

    /// Waits for a packet or a deadline and takes all that are queued; false when nobody can send any more.
    fn take_packets(&mut self, rx: &Receiver<(PictureCodec, ReceivedPacket)>) -> bool {
        let assembly = self
            .stream
            .as_ref()
            .and_then(|stream| stream.assembly.poll_timeout());
        let deadline = [assembly, self.display.poll_timeout()]
            .into_iter()
            .flatten()
            .min();
        let wait = deadline.map_or(WAKE_EVERY, |deadline| {
            deadline.saturating_duration_since(Instant::now()).min(WAKE_EVERY)
        });
        match rx.recv_timeout(wait) {
            Ok((codec, packet)) => self.take_packet(codec, packet),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        loop {
            match rx.try_recv() {
                Ok((codec, packet)) => self.take_packet(codec, packet),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take_packet(&mut self, codec: PictureCodec, packet: ReceivedPacket) {
        self.shared
            .stats()
            .handle_packet(packet.arrived_at, packet.payload.len());
        if self
            .stream
            .as_ref()
            .is_some_and(|stream| stream.is_past(codec, &packet))
        {
            return;
        }
        let stream = match self.stream.take() {
            Some(stream) if stream.codec == codec => stream,
            before => {
                tracing::debug!(%codec, "pictures come in another codec");
                if let Some(before) = before {
                    self.counts_before = self.counts_before.plus(before.assembly.counts());
                }
                Stream::new(codec, &packet)
            }
        };
        self.stream.insert(stream).take_packet(packet);
    }
}

impl Stream {
    fn take_packet(&mut self, packet: ReceivedPacket) {
        if packet.ssrc != self.ssrc || packet.sequence.since(self.newest) > 0 {
            if packet.ssrc != self.ssrc {
                self.rotation = Rotation::None;
            }
            (self.ssrc, self.newest) = (packet.ssrc, packet.sequence);
        }
        self.assembly.handle_packet(packet);
    }

    /// Decodes one frame; `None` when there is nothing to show.
    fn decode(&mut self, frame: &AssembledFrame, shared: &Shared) -> Option<VideoFrame> {
        let begun = Instant::now();
        self.rotation = frame.rotation.unwrap_or(self.rotation);
        match self.decoder.decode(&frame.payload) {
            Ok(Some(decoded)) => {
                let picture = VideoFrame {
                    picture: turned(decoded.picture, self.rotation, &mut self.turned),
                    ..decoded
                };
                let now = Instant::now();
                let size = picture.picture.resolution();
                shared
                    .stats()
                    .handle_decoded(now, frame, self.codec, size, now - begun);
                Some(picture)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "frame not decoded");
                shared.stats().handle_decode_failure();
                self.assembly.handle_decode_failure();
                None
            }
        }
    }
}
