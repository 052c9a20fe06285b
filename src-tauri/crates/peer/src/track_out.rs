//! One track this side sends: packets out of encoded frames. Runs as one task per kind on the caller's runtime.

use crate::digits::EventPacket;
use crate::event::{Codec, MediaKind};
use crate::frame_sender::{Gate, QueuedFrame};
use crate::ledger::Ledger;
use crate::payload::PicturePayloads;
use ahoy_media::packet::EncodedFrame;
use ahoy_media::units::RtpTime;
use bytes::Bytes;
use rtc::rtp::Packet;
use rtc::rtp::header::Header;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// Turns frames into packets of one stream (RFC 3550 §5.1).
pub(crate) struct Packetizer {
    ssrc: u32,
    sequence: u16,
    pictures: PicturePayloads,
    #[cfg(test)]
    damages_headers: bool,
    /// Number and content of the extension that says how pictures are to be turned.
    #[cfg(test)]
    orientation: Option<(u8, u8)>,
}

impl Packetizer {
    pub(crate) fn new(ssrc: u32, first_sequence: u16) -> Self {
        Self {
            ssrc,
            sequence: first_sequence,
            pictures: PicturePayloads::new(),
            #[cfg(test)]
            damages_headers: false,
            #[cfg(test)]
            orientation: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn with_orientation(mut self, orientation: Option<(u8, u8)>) -> Self {
        self.orientation = orientation;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_fresh_headers(mut self, fresh: bool) -> Self {
        self.damages_headers = !fresh;
        self
    }

    pub(crate) fn packetize(&mut self, codec: Codec, payload_type: u8, frame: &EncodedFrame) -> Vec<Packet> {
        let payloads = match codec {
            Codec::Audio(_) => vec![frame.payload.clone()],
            Codec::Video(codec) => self.pictures.split(codec, &frame.payload, frame.keyframe),
        };
        let last = payloads.len().saturating_sub(1);
        let packets = payloads
            .into_iter()
            .enumerate()
            .map(|(index, payload)| Packet {
                header: self.header(
                    payload_type,
                    frame.rtp_time,
                    index == last && codec.kind() == MediaKind::Video,
                ),
                payload,
            })
            .collect();
        #[cfg(test)]
        let packets = self.oriented(packets, frame.keyframe);
        packets
    }

    /// As browsers and telephones do: in the last packet of a keyframe.
    #[cfg(test)]
    fn oriented(&self, mut packets: Vec<Packet>, keyframe: bool) -> Vec<Packet> {
        if let (Some((number, content)), Some(last), true) = (self.orientation, packets.last_mut(), keyframe)
        {
            let content = Bytes::from(vec![content]);
            last.header
                .set_extension(number, content)
                .expect("a number that fits");
        }
        packets
    }

    fn packetize_events(&mut self, payload_type: u8, events: &[EventPacket]) -> Vec<Packet> {
        let packet = |event: &EventPacket| Packet {
            header: self.header(payload_type, event.rtp_time, event.marker),
            payload: Bytes::copy_from_slice(&event.payload),
        };
        events.iter().map(packet).collect()
    }

    /// A new header for every packet: one with leftovers of another is dropped inside the library without an error.
    fn header(&mut self, payload_type: u8, rtp_time: RtpTime, marker: bool) -> Header {
        let sequence_number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        Header {
            version: 2,
            marker,
            payload_type,
            sequence_number,
            timestamp: rtp_time.as_u32(),
            ssrc: self.ssrc,
            #[cfg(test)]
            extension: self.damages_headers,
            #[cfg(test)]
            extensions_padding: if self.damages_headers { 4 } else { 0 },
            ..Header::default()
        }
    }
}

/// Where negotiation puts the track when the media is first wanted: only then it is known which codecs may be named.
pub(crate) type TrackSlot = Arc<OnceLock<Arc<TrackLocalStaticRTP>>>;

/// A track, its queue of frames and what negotiation says of it.
pub(crate) struct TrackOut {
    pub(crate) track: TrackSlot,
    pub(crate) gate: Arc<Gate>,
    pub(crate) packetizer: Packetizer,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
}

impl TrackOut {
    /// Sends every frame at once; pictures are spread further on, by the connection.
    pub(crate) async fn send(mut self, mut frames: mpsc::Receiver<QueuedFrame>) {
        while let Some(queued) = frames.recv().await {
            self.note_captured(&queued.frame);
            for packet in self.packets_of(&queued) {
                self.write(packet).await;
            }
        }
    }

    /// A frame that is not sent tells the time too: voice that pauses is heard again at its moment.
    fn note_captured(&self, frame: &EncodedFrame) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.handle_captured(self.packetizer.ssrc, frame.captured_at, frame.rtp_time);
    }

    /// Nothing while the connection is down or another codec is agreed on: such frames are of no use later.
    fn packets_of(&mut self, queued: &QueuedFrame) -> Vec<Packet> {
        let QueuedFrame { codec, frame } = queued;
        match self.gate.negotiated() {
            Some((agreed, payload_type)) if self.gate.is_open() && agreed == *codec => match codec {
                Codec::Audio(sound) => {
                    let mut packets = Vec::new();
                    if let Some((events, dialled)) = self.gate.digits_for(frame.rtp_time, *sound) {
                        packets = self.packetizer.packetize_events(events, &dialled.events);
                        if dialled.replaces_voice {
                            return packets;
                        }
                    }
                    // When the sender pauses, only digits need to know that time goes on.
                    if !frame.payload.is_empty() {
                        packets.extend(self.packetizer.packetize(*codec, payload_type, frame));
                    }
                    packets
                }
                Codec::Video(_) => {
                    if frame.keyframe {
                        self.gate.note_keyframe(frame.rtp_time);
                    }
                    self.packetizer.packetize(*codec, payload_type, frame)
                }
            },
            _ => Vec::new(),
        }
    }

    async fn write(&self, packet: Packet) {
        // Frames are taken only after a negotiation, which has put the track there.
        let Some(track) = self.track.get() else {
            return;
        };
        match track.write_rtp(packet).await {
            Ok(()) => self.gate.count_handed(),
            Err(error) => {
                self.gate.count_refused();
                tracing::debug!(%error, "packet refused");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VideoCodec;
    use crate::payload::PAYLOAD_MTU;
    use std::time::Instant;

    #[test]
    fn a_picture_becomes_numbered_packets_of_which_the_last_is_marked() {
        let mut packetizer = Packetizer::new(7, u16::MAX);
        let frame = EncodedFrame {
            payload: vec![5; 3000].into(),
            rtp_time: RtpTime::new(90),
            keyframe: true,
            captured_at: Instant::now(),
        };
        let packets = packetizer.packetize(Codec::Video(VideoCodec::Vp8), 96, &frame);
        let headers: Vec<_> = packets
            .iter()
            .map(|packet| (packet.header.sequence_number, packet.header.marker))
            .collect();
        assert_eq!(headers, [(u16::MAX, false), (0, false), (1, true)]);
        for packet in &packets {
            assert!(packet.payload.len() <= PAYLOAD_MTU);
            assert_eq!((packet.header.ssrc, packet.header.payload_type), (7, 96));
            assert_eq!(packet.header.timestamp, 90);
            // X and I: the picture id follows (RFC 7741 §4.2).
            assert_eq!((packet.payload[0] & 0x80, packet.payload[1] & 0x80), (0x80, 0x80));
        }
    }
}
