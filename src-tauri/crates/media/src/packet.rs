//! What passes between a pipeline and the peer connection.

use crate::codec::SoundCodec;
use crate::units::{NtpTime, RtpTime, SequenceNumber};
use crate::video::Rotation;
use bytes::Bytes;
use std::time::Instant;

/// One encoded frame on its way out: 10 to 120 ms of sound, or one picture.
#[derive(Debug, Clone)]
pub struct EncodedFrame {
    /// Sound only: empty in a pause of speech, which is not sent.
    pub payload: Bytes,
    /// Audio: ticks of the codec's clock; video: 90 kHz.
    pub rtp_time: RtpTime,
    /// Video only: decodable without any other frame.
    pub keyframe: bool,
    /// When the first sample was captured or the picture taken.
    pub captured_at: Instant,
}

/// One RTP packet that came, as the network delivered it: possibly late, doubled or out of order.
#[derive(Debug, Clone)]
pub struct ReceivedPacket {
    /// The RTP payload without header, extensions and padding.
    pub payload: Bytes,
    pub sequence: SequenceNumber,
    pub rtp_time: RtpTime,
    /// RTP marker bit: last packet of a picture; first packet after silence for sound.
    pub marker: bool,
    pub ssrc: u32,
    /// Sound only, and only when the sender may change it: the codec of the payload.
    pub codec: Option<SoundCodec>,
    /// It was asked for again, so when it came tells nothing of the delay of the network.
    pub repaired: bool,
    /// Pictures only: how to turn them from this one on, where the packet says so.
    pub rotation: Option<Rotation>,
    pub arrived_at: Instant,
}

/// What the sender of a stream says of its clock (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// RTP ticks per second of the stream.
    pub clock_rate: u32,
    /// One moment on the clock that all streams of the sender share.
    pub ntp_time: NtpTime,
    /// The same moment in the time of the stream.
    pub rtp_time: RtpTime,
    /// Sound and pictures of this sender belong together.
    pub in_sync: bool,
}
