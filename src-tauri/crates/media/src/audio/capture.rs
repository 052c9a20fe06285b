//! Microphone to encoded frames, on the thread `audio-tx`.
//!
//! [`CapturePipeline`] is what happens to the sound; [`AudioCapture`] is the thread that feeds it every 5 ms. Neither
//! knows where the frames go.

mod expected_loss;
mod pipeline;

pub use pipeline::CapturePipeline;

use crate::audio::render_tap::RenderFeed;
use crate::audio::voice::VoiceSettings;
use crate::codec::{AudioEncoder, Loss, SoundCodec};
use crate::device::{AudioSource, DeviceError, DeviceKind};
use crate::packet::EncodedFrame;
use crate::synthetic::silence::SilentMicrophone;
use crate::thread::OwnedThread;
use crate::units::{Bitrate, RtpTime};
use expected_loss::ExpectedLoss;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pipeline's own clock: a quarter of a usual frame, so that a frame leaves at most 5 ms after it is whole.
const TICK: Duration = Duration::from_millis(5);

/// A microphone that gives nothing for so long is taken for lost, as when a driver stops without an error.
const LONGEST_STALL: Duration = Duration::from_secs(2);

/// How a capture begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureSettings {
    /// RTP time of the first frame; random (RFC 3550 §5.1).
    pub first_rtp_time: RtpTime,
    pub bitrate: Bitrate,
    pub muted: bool,
}

/// Counters with the names of W3C webrtc-stats where one exists.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioOutStats {
    pub packets_sent: u64,
    /// Payload bytes.
    pub bytes_sent: u64,
    /// Frames that the receiver of frames refused because its queue was full.
    pub packets_refused: u64,
    pub target_bitrate: Bitrate,
    /// What they are sent in, once the thread runs.
    pub codec: Option<SoundCodec>,
    /// Length of the frames as sent.
    pub frame_time: Duration,
    /// Channels of them.
    pub channels: u16,
    /// RMS of the last frame before muting, 0..1.
    pub captured_level: f32,
    /// RMS of the last frame as sent, 0..1.
    pub audio_level: f32,
    /// As the encoder was told.
    pub expected_loss: Loss,
    pub muted: bool,
    /// Seconds spent cleaning and encoding, summed over all frames.
    pub total_encode_time: f64,
    /// How often somebody spoke while muted and should be told; each step is one reminder.
    pub muted_speech_noticed: u64,
    /// The microphone runs and gives nothing.
    pub microphone_silent: bool,
    /// How often voice processing failed and began anew.
    pub voice_restarts: u32,
    pub first_sent_at: Option<Instant>,
}

/// A running capture; dropping it ends the thread and closes the microphone within half a second.
#[derive(Debug)]
pub struct AudioCapture {
    shared: Arc<Mutex<Shared>>,
    _thread: OwnedThread,
}

/// What owner and thread tell each other; locked for a few copies, once a tick.
#[derive(Default)]
struct Shared {
    muted: bool,
    bitrate: Option<Bitrate>,
    expected_loss: Option<Loss>,
    frame_time: Option<Duration>,
    /// Newest wins.
    encoder: Option<Box<dyn AudioEncoder>>,
    voice: Option<VoiceSettings>,
    played: Option<RenderFeed>,
    /// Newest wins.
    source: Option<Box<dyn AudioSource>>,
    stats: AudioOutStats,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl AudioCapture {
    /// Starts `audio-tx`. `frames` takes each encoded frame and says whether it had room; it must not block. An empty frame
    /// is a pause of speech that is not sent; it tells the time.
    /// `failed` hears of a microphone that stopped; silence is sent until [`replace_source`](Self::replace_source).
    ///
    /// Errors: the format of the source cannot be used, the bitrate is not the encoder's, or there is no thread.
    pub fn start(
        source: Box<dyn AudioSource>,
        encoder: Box<dyn AudioEncoder>,
        settings: CaptureSettings,
        frames: impl FnMut(SoundCodec, EncodedFrame) -> bool + Send + 'static,
        failed: impl FnMut(DeviceError) + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let mut pipeline =
            CapturePipeline::new(source.format(), encoder, settings.first_rtp_time).map_err(unusable)?;
        pipeline.set_bitrate(settings.bitrate).map_err(unusable)?;
        let stats = AudioOutStats {
            target_bitrate: settings.bitrate,
            muted: settings.muted,
            ..Default::default()
        };
        let shared = Arc::new(Mutex::new(Shared {
            muted: settings.muted,
            stats,
            ..Default::default()
        }));
        let mut running = Running {
            source,
            pipeline,
            samples: Vec::with_capacity(MOST_SAMPLES),
            last_samples: None,
            expected_loss: ExpectedLoss::default(),
            stats,
            shared: Arc::clone(&shared),
            frames,
            failed,
        };
        let thread =
            OwnedThread::ticking("audio-tx", TICK, move |now| running.tick(now)).map_err(unusable)?;
        Ok(Self {
            shared,
            _thread: thread,
        })
    }

    /// Sends silence instead of the microphone, which stays open.
    pub fn set_muted(&self, muted: bool) {
        self.lock().muted = muted;
    }

    /// Takes effect with the next frame; a bitrate that the encoder refuses is logged and changes nothing.
    pub fn set_bitrate(&self, bitrate: Bitrate) {
        self.lock().bitrate = Some(bitrate);
    }

    /// Encodes frames of this length from the next one on; one that the encoder does not have is logged and changes
    /// nothing.
    pub fn set_frame_time(&self, time: Duration) {
        self.lock().frame_time = Some(time);
    }

    /// Goes over to another encoder with the next frame.
    pub fn set_encoder(&self, encoder: Box<dyn AudioEncoder>) {
        self.lock().encoder = Some(encoder);
    }

    /// Tells what is being lost; the encoder hears it smoothed.
    pub fn set_expected_loss(&self, loss: Loss) {
        self.lock().expected_loss = Some(loss);
    }

    /// Switches echo cancellation, noise suppression, gain control and high-pass; all are off at first.
    pub fn set_voice(&self, settings: VoiceSettings) {
        self.lock().voice = Some(settings);
    }

    /// Hears from now on what a playout plays: the other end goes to `AudioPlayout::set_render_tap`.
    pub fn set_played(&self, played: RenderFeed) {
        self.lock().played = Some(played);
    }

    /// Goes over to another microphone within a tick; the old one is closed on the thread.
    pub fn replace_source(&self, source: Box<dyn AudioSource>) {
        // Dropped here, outside the lock, when the thread has not taken it yet: closing a device may take time.
        let _unused = self.lock().source.replace(source);
    }

    pub fn stats(&self) -> AudioOutStats {
        self.lock().stats
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 100 ms, the longest read, of stereo at 192 kHz: more grows the buffer once.
const MOST_SAMPLES: usize = 38_400;

/// The thread's side.
struct Running<F, E> {
    source: Box<dyn AudioSource>,
    pipeline: CapturePipeline,
    samples: Vec<f32>,
    last_samples: Option<Instant>,
    expected_loss: ExpectedLoss,
    stats: AudioOutStats,
    shared: Arc<Mutex<Shared>>,
    frames: F,
    failed: E,
}

impl<F: FnMut(SoundCodec, EncodedFrame) -> bool, E: FnMut(DeviceError)> Running<F, E> {
    fn tick(&mut self, now: Instant) {
        self.follow_owner(now);
        self.samples.clear();
        match self.source.read(now, &mut self.samples) {
            Ok(()) => self.pipeline.push(&self.samples, now),
            Err(error) => self.lose_source(error),
        }
        if !self.samples.is_empty() {
            self.last_samples = Some(now);
        }
        let silent_since = *self.last_samples.get_or_insert(now);
        if now.saturating_duration_since(silent_since) >= LONGEST_STALL {
            self.lose_source(DeviceError::Lost(DeviceKind::Microphone));
        }
        self.send_frames();
    }

    fn follow_owner(&mut self, now: Instant) {
        let (source, encoder, frame_time, bitrate, expected_loss, voice, played) = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            self.stats.muted = shared.muted;
            shared.stats = self.stats;
            (
                shared.source.take(),
                shared.encoder.take(),
                shared.frame_time.take(),
                shared.bitrate.take(),
                shared.expected_loss.take(),
                shared.voice.take(),
                shared.played.take(),
            )
        };
        if let Some(settings) = voice {
            self.pipeline.set_voice(settings);
        }
        if let Some(played) = played {
            self.pipeline.set_played(played);
        }
        self.pipeline.set_muted(self.stats.muted);
        if let Some(encoder) = encoder {
            self.pipeline.set_encoder(encoder);
            // It knows nothing of the path yet.
            if let Err(error) = self.pipeline.set_expected_loss(self.stats.expected_loss) {
                tracing::warn!(%error, "expected loss is not told");
            }
        }
        if let Some(time) = frame_time
            && let Err(error) = self.pipeline.set_frame_time(time)
        {
            tracing::warn!(%error, "the length of frames is not changed");
        }
        self.stats.frame_time = self.pipeline.frame_time();
        self.stats.channels = self.pipeline.channels();
        self.stats.codec = Some(self.pipeline.codec());
        if let Some(bitrate) = bitrate {
            match self.pipeline.set_bitrate(bitrate) {
                Ok(()) => self.stats.target_bitrate = bitrate,
                Err(error) => tracing::warn!(%error, "bitrate is not changed"),
            }
        }
        if let Some(loss) = expected_loss {
            let loss = self.expected_loss.report(loss, now);
            match self.pipeline.set_expected_loss(loss) {
                Ok(()) => self.stats.expected_loss = loss,
                Err(error) => tracing::warn!(%error, "expected loss is not changed"),
            }
        }
        if let Some(source) = source {
            match self.pipeline.set_format(source.format()) {
                Ok(()) => {
                    self.source = source;
                    self.last_samples = Some(now);
                }
                Err(error) => (self.failed)(unusable(error)),
            }
        }
    }

    fn lose_source(&mut self, error: DeviceError) {
        let silence = SilentMicrophone::new();
        self.pipeline
            .set_format(silence.format())
            .expect("mono 48 kHz needs no conversion");
        let stopped = std::mem::replace(&mut self.source, Box::new(silence));
        self.last_samples = None;
        tracing::info!(%error, "microphone stopped, silence is sent");
        (self.failed)(error);
        // Last, because a driver that hangs takes its time to close.
        drop(stopped);
    }

    fn send_frames(&mut self) {
        loop {
            let before = Instant::now();
            match self.pipeline.poll_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    self.stats.total_encode_time += before.elapsed().as_secs_f64();
                    let bytes = frame.payload.len() as u64;
                    let taken = (self.frames)(self.pipeline.codec(), frame);
                    if bytes == 0 {
                        continue;
                    }
                    if taken {
                        self.stats.packets_sent += 1;
                        self.stats.bytes_sent += bytes;
                        self.stats.first_sent_at.get_or_insert(before);
                    } else {
                        self.stats.packets_refused += 1;
                    }
                }
                Err(error) => tracing::warn!(%error, "a frame is left out"),
            }
        }
        self.stats.muted_speech_noticed = self.pipeline.muted_speech_noticed();
        self.stats.microphone_silent = self.pipeline.signal_is_gone();
        self.stats.voice_restarts = self.pipeline.voice_restarts();
        self.stats.captured_level = self.pipeline.captured_level().rms;
        self.stats.audio_level = self.pipeline.sent_level().rms;
    }
}

fn unusable(why: impl std::fmt::Display) -> DeviceError {
    DeviceError::Unusable {
        kind: DeviceKind::Microphone,
        why: why.to_string(),
    }
}
