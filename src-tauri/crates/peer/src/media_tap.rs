//! The interceptor nearest to the application: hands received media to the sinks and counts it.
//!
//! Packets end here: the library's own way to the application is one more queue and one more task, and it begins anew at
//! every renegotiation. Runs on the connection's driver task, so a sink must not block.

use crate::codec::{audio_clock_rate, codec_of, is_events};
use crate::config::{AudioCodec, VideoCodec};
use crate::digits::DigitReceiver;
use crate::event::{Codec, MediaKind, PacketSink, PeerEvent, PictureSink, RemoteTrack, ReportSink};
use crate::interceptor::Passage;
use crate::ledger::{Ledger, Received};
use crate::outlet::Outlet;
use ahoy_media::packet::{ReceivedPacket, SenderReport};
use ahoy_media::units::{RtpTime, SequenceNumber};
use ahoy_media::video::Rotation;
use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::header::Header;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Packets of pictures that are kept for a sink that is still to come; later ones are dropped (chosen: two seconds of
/// 4 Mbit/s).
const MOST_EARLY: usize = 1024;

/// Where the packets of each kind go; sound without a sink is counted and dropped.
#[derive(Default)]
pub(crate) struct Sinks {
    audio: Option<PacketSink>,
    video: Option<PictureSink>,
    reports: Option<ReportSink>,
    /// By the other side's description its sound and its pictures are not of one stream.
    apart: bool,
    /// The header extension of the other side's pictures that says how they are to be turned.
    orientation: Option<u8>,
    /// Pictures that came while the devices were being opened. A MediaServer says what a stream's pictures need to be
    /// decoded once, in the very first packets.
    early: Vec<(VideoCodec, ReceivedPacket)>,
    /// What each payload type of sound is; empty before the first negotiation.
    audio_codecs: Vec<(u8, AudioCodec)>,
    /// What each payload type of pictures is; empty before the first negotiation.
    video_codecs: Vec<(u8, VideoCodec)>,
    /// The payload types of digits.
    events: Vec<u8>,
}

impl Sinks {
    pub(crate) fn set_audio(&mut self, sink: PacketSink) {
        self.audio = Some(sink);
    }

    pub(crate) fn set_video(&mut self, mut sink: PictureSink) {
        for (codec, packet) in self.early.drain(..) {
            sink(codec, packet);
        }
        self.video = Some(sink);
    }

    pub(crate) fn set_reports(&mut self, sink: ReportSink) {
        self.reports = Some(sink);
    }

    /// Hears whether the other side's sound and pictures belong together.
    pub(crate) fn set_in_sync(&mut self, in_sync: bool) {
        self.apart = !in_sync;
    }

    /// Hears in which header extension pictures say how they are to be turned.
    pub(crate) fn set_orientation(&mut self, number: Option<u8>) {
        self.orientation = number;
    }

    /// How the pictures from this packet on are to be turned; `None` when it does not say.
    fn rotation(&self, header: &Header) -> Option<Rotation> {
        let content = header.get_extension(self.orientation?)?;
        content.first().copied().map(Rotation::from_orientation)
    }

    /// Hands on what the other side says of one of its streams.
    pub(crate) fn take_report(&mut self, kind: MediaKind, report: SenderReport) {
        if let Some(sink) = &mut self.reports {
            let in_sync = !self.apart;
            sink(kind, SenderReport { in_sync, ..report });
        }
    }

    fn take_picture(&mut self, codec: VideoCodec, packet: ReceivedPacket) {
        match &mut self.video {
            Some(sink) => sink(codec, packet),
            None if self.early.len() < MOST_EARLY => self.early.push((codec, packet)),
            None => {}
        }
    }

    /// What the payload types of sound, of pictures and of digits are from here on.
    pub(crate) fn set_payload_types(
        &mut self,
        audio: &[(u8, AudioCodec)],
        video: &[(u8, VideoCodec)],
        events: impl Iterator<Item = u8>,
    ) {
        self.audio_codecs = audio.to_vec();
        self.video_codecs = video.to_vec();
        self.events = events.collect();
    }

    fn audio_codec(&self, payload_type: u8) -> Option<AudioCodec> {
        let mut codecs = self.audio_codecs.iter();
        codecs.find_map(|&(number, codec)| (number == payload_type).then_some(codec))
    }

    /// `bound` is what the stream was bound with, which counts while nothing is negotiated.
    fn video_codec(&self, payload_type: u8, bound: Option<Codec>) -> Option<VideoCodec> {
        let mut codecs = self.video_codecs.iter();
        let known = codecs.find_map(|&(number, codec)| (number == payload_type).then_some(codec));
        match bound {
            Some(Codec::Video(bound)) if self.video_codecs.is_empty() => Some(bound),
            _ => known,
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

pub(crate) struct MediaTap {
    ledger: Arc<Mutex<Ledger>>,
    outlet: Arc<Outlet>,
    sinks: Arc<Mutex<Sinks>>,
    /// By SSRC, of the primary streams.
    streams: HashMap<u32, Codec>,
    /// SSRCs of the streams that repair them.
    rtx: HashSet<u32>,
    /// SSRC that this side gives as its own in feedback.
    feedback_ssrc: u32,
    /// The other side's video has been bound before.
    video_bound: bool,
    digits: DigitReceiver,
    passage: Passage,
    #[cfg(test)]
    pub(crate) asks_for_keyframe_when_bound_again: bool,
}

impl MediaTap {
    pub(crate) fn new(
        ledger: Arc<Mutex<Ledger>>,
        outlet: Arc<Outlet>,
        sinks: Arc<Mutex<Sinks>>,
        feedback_ssrc: u32,
    ) -> Self {
        Self {
            ledger,
            outlet,
            sinks,
            streams: HashMap::new(),
            rtx: HashSet::new(),
            feedback_ssrc,
            video_bound: false,
            digits: DigitReceiver::default(),
            passage: Passage::default(),
            #[cfg(test)]
            asks_for_keyframe_when_bound_again: true,
        }
    }

    /// The sound codec that the other side sends first.
    fn first_sound(&self) -> Option<Codec> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.audio_codecs.first().map(|&(_, codec)| Codec::Audio(codec))
    }

    fn asks_for_keyframe_when_bound_again(&self) -> bool {
        #[cfg(test)]
        return self.asks_for_keyframe_when_bound_again;
        #[cfg(not(test))]
        true
    }

    fn deliver(&mut self, now: Instant, kind: MediaKind, packet: rtc::rtp::Packet, repaired: bool) {
        let payload_type = packet.header.payload_type;
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let (codec, digits) = match kind {
            MediaKind::Audio => (
                sinks.audio_codec(payload_type),
                sinks.events.contains(&payload_type),
            ),
            MediaKind::Video => (None, false),
        };
        let received = Received {
            ssrc: packet.header.ssrc,
            sequence: SequenceNumber::new(packet.header.sequence_number),
            rtp_time: RtpTime::new(packet.header.timestamp),
            payload_type: (kind == MediaKind::Video || codec.is_some()).then_some(payload_type),
            bytes: packet.payload.len(),
            repaired,
            // The packets of a digit all have the time of its beginning.
            timed: !digits,
        };
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(codec) = codec
            && self.streams.insert(received.ssrc, Codec::Audio(codec)) != Some(Codec::Audio(codec))
        {
            // The library binds a stream with the first codec of the list, whatever comes.
            ledger.bind_remote(kind, received.ssrc, audio_clock_rate(codec));
        }
        ledger.handle_received(now, kind, received);
        drop(ledger);
        // Comfort noise and digits are no speech of any codec here.
        if kind == MediaKind::Audio && codec.is_none() {
            let at = received.rtp_time;
            if digits
                && let Some(digit) =
                    self.digits
                        .handle_packet(received.ssrc, payload_type, at, &packet.payload)
            {
                self.outlet.push(PeerEvent::Digit(digit));
            }
            return;
        }
        // A packet of padding alone carries a sequence number and nothing to decode.
        if packet.payload.is_empty() {
            return;
        }
        let received = ReceivedPacket {
            payload: packet.payload,
            sequence: received.sequence,
            rtp_time: received.rtp_time,
            marker: packet.header.marker,
            ssrc: packet.header.ssrc,
            codec,
            repaired,
            rotation: match kind {
                MediaKind::Audio => None,
                MediaKind::Video => sinks.rotation(&packet.header),
            },
            arrived_at: now,
        };
        match kind {
            MediaKind::Audio => {
                if let Some(sink) = &mut sinks.audio {
                    sink(received);
                }
            }
            MediaKind::Video => {
                let bound = self.streams.get(&received.ssrc).copied();
                if let Some(codec) = sinks.video_codec(payload_type, bound) {
                    sinks.take_picture(codec, received);
                }
            }
        }
    }

    /// Whatever was lost while the library bound the stream anew is never asked for, so only a keyframe repairs it.
    fn ask_for_keyframe(&mut self, media_ssrc: u32) {
        let pli = PictureLossIndication {
            sender_ssrc: self.feedback_ssrc,
            media_ssrc,
        };
        self.passage.outbound.push_back(TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(pli)])),
        });
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for MediaTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        let repaired = message.message.has(&Attribute::Retransmission);
        let now = message.now;
        match message.message.packet {
            Packet::Rtp(packet) if self.streams.contains_key(&packet.header.ssrc) => {
                let kind = self.streams[&packet.header.ssrc].kind();
                self.deliver(now, kind, packet, repaired);
            }
            // RTX padding and streams nobody negotiated.
            Packet::Rtp(_) => {}
            _ => self.passage.inbound.push_back(message),
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passage.inbound.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.passage.outbound.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passage.outbound.pop_front()
    }
}

impl Interceptor for MediaTap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.rtx.extend(info.ssrc_rtx);
        // The RTX stream is bound after the stream it repairs, with the same codec: only its SSRC tells.
        if self.rtx.contains(&info.ssrc) {
            return;
        }
        // Where a digit comes first, the library takes the whole stream for one of digits.
        let codec = match is_events(&info.mime_type) {
            true => self.first_sound(),
            false => codec_of(&info.mime_type),
        };
        let Some(codec) = codec else {
            return;
        };
        let kind = codec.kind();
        tracing::debug!(ssrc = info.ssrc, codec = %info.mime_type, "stream bound");
        self.streams.insert(info.ssrc, codec);
        self.ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bind_remote(kind, info.ssrc, info.clock_rate);
        self.outlet.push(PeerEvent::Track(RemoteTrack { kind, codec }));
        if kind == MediaKind::Video {
            if self.video_bound && self.asks_for_keyframe_when_bound_again() {
                self.ask_for_keyframe(info.ssrc);
            }
            self.video_bound = true;
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        tracing::debug!(ssrc = info.ssrc, codec = %info.mime_type, "stream unbound");
        self.streams.remove(&info.ssrc);
        self.rtx.remove(&info.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::mpsc::channel;

    fn packet(number: u16) -> ReceivedPacket {
        ReceivedPacket {
            payload: Bytes::new(),
            sequence: SequenceNumber::new(number),
            rtp_time: RtpTime::new(0),
            marker: false,
            ssrc: 1,
            codec: None,
            repaired: false,
            rotation: None,
            arrived_at: Instant::now(),
        }
    }

    #[test]
    fn pictures_that_come_before_there_is_a_sink_are_its_first_ones() {
        let mut sinks = Sinks::default();
        for number in 0..3 {
            sinks.take_picture(VideoCodec::H264, packet(number));
        }
        let (tx, rx) = channel();
        sinks.set_video(Box::new(move |_, packet| {
            tx.send(packet.sequence).expect("it is read")
        }));
        sinks.take_picture(VideoCodec::H264, packet(3));
        let taken: Vec<SequenceNumber> = rx.try_iter().collect();
        assert_eq!(taken, [0, 1, 2, 3].map(SequenceNumber::new));
    }

    #[test]
    fn whatever_the_extension_holds_it_turns_by_right_angles_or_says_nothing() {
        let mut sinks = Sinks::default();
        let header = |content: &'static [u8]| {
            let mut header = Header::default();
            header
                .set_extension(4, Bytes::from_static(content))
                .expect("it fits");
            header
        };
        assert_eq!(sinks.rotation(&header(&[1])), None, "not agreed on");
        sinks.set_orientation(Some(4));
        assert_eq!(sinks.rotation(&Header::default()), None);
        assert_eq!(sinks.rotation(&header(&[])), None);
        assert_eq!(sinks.rotation(&header(&[1])), Some(Rotation::Right));
        assert_eq!(sinks.rotation(&header(&[0xfe, 1, 2, 3])), Some(Rotation::Half));
        assert_eq!(sinks.rotation(&header(&[0xff; 16])), Some(Rotation::Left));
        sinks.set_orientation(Some(5));
        assert_eq!(sinks.rotation(&header(&[1])), None, "that of another number");
    }

    #[test]
    fn no_more_pictures_are_kept_than_was_said() {
        let mut sinks = Sinks::default();
        for number in 0..MOST_EARLY + 1 {
            sinks.take_picture(VideoCodec::H264, packet(number as u16));
        }
        assert_eq!(sinks.early.len(), MOST_EARLY);
    }
}
