//! The way of encoded frames from a media thread into the connection.

use crate::codec::audio_clock_rate;
use crate::config::{AudioCodec, VideoCodec};
use crate::digits::{Dialled, DigitSender, Digits, DigitsRefused};
use crate::event::Codec;
use ahoy_media::codec::opus::OpusParameters;
use ahoy_media::packet::EncodedFrame;
use ahoy_media::units::RtpTime;
use ahoy_media::video::send::NextPicture;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Frames between a media thread and the connection: 80 to 960 ms of sound, 270 ms of pictures at 30 fps. A frame that finds
/// it full is refused, because a call prefers a hole to a delay.
pub(crate) const FRAME_QUEUE: usize = 8;

/// A frame with its codec: another may be agreed on while it waits.
#[derive(Debug)]
pub(crate) struct QueuedFrame {
    pub(crate) codec: Codec,
    pub(crate) frame: EncodedFrame,
}

/// Hands frames to the connection from any thread; clones feed the same track.
#[derive(Debug, Clone)]
pub struct FrameSender {
    tx: mpsc::Sender<QueuedFrame>,
    gate: Arc<Gate>,
}

impl FrameSender {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<QueuedFrame>) {
        let (tx, rx) = mpsc::channel(FRAME_QUEUE);
        let gate = Arc::new(Gate::default());
        (Self { tx, gate }, rx)
    }

    /// Queues a frame of this codec without ever blocking; `false` when the queue is full (counted), while the connection
    /// is not up, and when not this codec is agreed on.
    pub fn try_send(&self, codec: Codec, frame: EncodedFrame) -> bool {
        if self.codec() != Some(codec) {
            return false;
        }
        match self.tx.try_send(QueuedFrame { codec, frame }) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.gate.dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Whether a frame sent next would be taken; a pipeline asks before it encodes.
    pub fn ready(&self) -> bool {
        self.has_room() && self.gate.keeps_up()
    }

    /// Whether there is room in the queue of frames, whatever still waits behind it.
    fn has_room(&self) -> bool {
        self.gate.is_open() && !self.tx.is_closed() && self.tx.capacity() > 0
    }

    /// The codec in which frames are taken; `None` while none are.
    pub fn codec(&self) -> Option<Codec> {
        let (codec, _) = self.gate.negotiated().filter(|_| self.gate.is_open())?;
        Some(codec)
    }

    /// The codec in which such a picture sent next would be taken; `None` when none would. A pipeline asks before it
    /// encodes. One that replaces what waits need not wait itself.
    pub fn picture_codec(&self, next: NextPicture) -> Option<VideoCodec> {
        let taken = match next {
            NextPicture::Follows => self.ready(),
            NextPicture::Replaces => self.has_room(),
        };
        match self.codec() {
            Some(Codec::Video(codec)) if taken => Some(codec),
            Some(_) | None => None,
        }
    }

    /// Frames refused because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.gate.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }
}

/// Whether frames of one kind can leave, and how many did.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    connected: AtomicBool,
    /// `None` before the first negotiation; within, `None` = this kind is not sent.
    negotiated: Mutex<Option<Option<(Codec, u8)>>>,
    settled: Condvar,
    /// What the other side says of the Opus it gets.
    opus: Mutex<OpusParameters>,
    digits: Mutex<DigitSender>,
    /// The payload type under which the library takes digits, and their clock in Hz; `None` = the other side takes none.
    events: Mutex<Option<(u8, u32)>>,
    /// What was handed on has not left yet.
    behind: AtomicBool,
    /// RTP time of the last keyframe, until its first packet is seen.
    keyframe: Mutex<Option<RtpTime>>,
    dropped: AtomicU64,
    handed: AtomicU64,
    refused: AtomicU64,
}

impl Gate {
    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    pub(crate) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// The packets of a keyframe follow.
    pub(crate) fn note_keyframe(&self, rtp_time: RtpTime) {
        *self.keyframe.lock().unwrap_or_else(PoisonError::into_inner) = Some(rtp_time);
    }

    /// Whether a packet of this time is the first one of a keyframe.
    pub(crate) fn begins_keyframe(&self, rtp_time: RtpTime) -> bool {
        let mut keyframe = self.keyframe.lock().unwrap_or_else(PoisonError::into_inner);
        keyframe.take_if(|noted| *noted == rtp_time).is_some()
    }

    pub(crate) fn keeps_up(&self) -> bool {
        !self.behind.load(Ordering::Relaxed)
    }

    pub(crate) fn set_events(&self, events: Option<(u8, u32)>) {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = events;
    }

    pub(crate) fn set_opus(&self, parameters: OpusParameters) {
        *self.opus.lock().unwrap_or_else(PoisonError::into_inner) = parameters;
    }

    pub(crate) fn opus(&self) -> OpusParameters {
        *self.opus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues digits behind those that wait.
    pub(crate) fn handle_digits(&self, digits: &Digits) -> Result<(), DigitsRefused> {
        if !self.is_open() || !self.takes_digits() {
            return Err(DigitsRefused::NotNegotiated);
        }
        self.digits().handle_digits(digits)
    }

    /// Whether the other side takes digits, by its description.
    pub(crate) fn takes_digits(&self) -> bool {
        self.events().is_some()
    }

    /// What is sent of digits beside a voice frame or in its place, if anything is, and its payload type.
    pub(crate) fn digits_for(&self, rtp_time: RtpTime, codec: AudioCodec) -> Option<(u8, Dialled)> {
        // Another codec is agreed on before its events are.
        let (payload_type, _) = self
            .events()
            .filter(|events| events.1 == audio_clock_rate(codec))?;
        let dialled = self.digits().handle_frame(rtp_time, codec);
        (!dialled.events.is_empty()).then_some((payload_type, dialled))
    }

    fn events(&self) -> Option<(u8, u32)> {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digits(&self) -> MutexGuard<'_, DigitSender> {
        self.digits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_negotiated(&self, negotiated: Option<(Codec, u8)>) {
        *self.negotiated.lock().unwrap_or_else(PoisonError::into_inner) = Some(negotiated);
        self.settled.notify_all();
    }

    /// As [`Self::negotiated`], after the first negotiation: the path may be up a moment before it is done. Blocks, at
    /// most for so long.
    pub(crate) fn wait_negotiated(&self, patience: Duration) -> Option<(Codec, u8)> {
        let negotiated = self.negotiated.lock().unwrap_or_else(PoisonError::into_inner);
        let (negotiated, _) = self
            .settled
            .wait_timeout_while(negotiated, patience, |negotiated| negotiated.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        negotiated.flatten()
    }

    /// Codec and payload type of the last negotiation.
    pub(crate) fn negotiated(&self) -> Option<(Codec, u8)> {
        self.negotiated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flatten()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connected.load(Ordering::Relaxed) && self.negotiated().is_some()
    }

    pub(crate) fn count_handed(&self) {
        self.handed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Packets the library took.
    pub(crate) fn handed(&self) -> u64 {
        self.handed.load(Ordering::Relaxed)
    }

    /// Packets the library refused to take.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn frame() -> EncodedFrame {
        EncodedFrame {
            payload: bytes::Bytes::from_static(b"x"),
            rtp_time: RtpTime::new(0),
            keyframe: false,
            captured_at: Instant::now(),
        }
    }

    #[test]
    fn a_full_queue_refuses_and_counts() {
        let (sender, rx) = FrameSender::channel();
        const OPUS: Codec = Codec::Audio(AudioCodec::Opus);
        assert!(
            !sender.ready() && !sender.try_send(OPUS, frame()),
            "not connected"
        );
        sender.gate().set_connected(true);
        assert!(
            !sender.ready() && !sender.try_send(OPUS, frame()),
            "not negotiated"
        );
        sender.gate().set_negotiated(Some((OPUS, 111)));
        let other = Codec::Audio(AudioCodec::Pcmu);
        assert!(!sender.try_send(other, frame()), "not agreed on");
        for _ in 0..FRAME_QUEUE {
            assert!(sender.ready());
            assert!(sender.try_send(OPUS, frame()));
        }
        assert!(!sender.ready());
        assert!(!sender.try_send(OPUS, frame()));
        assert_eq!(sender.dropped(), 1);
        drop(rx);
        assert!(!sender.ready());
        assert!(!sender.try_send(OPUS, frame()));
        assert_eq!(sender.dropped(), 1);
    }
}
