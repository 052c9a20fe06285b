//! What fills a burst when no picture waits: packets of the last pictures again, as retransmissions (RFC 4588), which
//! repair a loss before anybody asks. Pure.

use rtc::rtp::Packet;
use rtc::rtp::header::Header;
use std::collections::VecDeque;

/// Packets that are kept to be sent again; the last picture or two.
const KEPT: usize = 16;

/// The retransmission stream of the pictures, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RtxStream {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
}

#[derive(Debug, Default)]
pub(crate) struct Padding {
    recent: VecDeque<Packet>,
    /// Of all packets of the stream: whoever repairs and whoever fills share the one row of numbers.
    next_sequence: u16,
}

impl Padding {
    pub(crate) fn handle_picture_packet(&mut self, packet: &Packet) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(packet.clone());
    }

    /// Gives a packet of the stream its number.
    pub(crate) fn number(&mut self, header: &mut Header) {
        header.sequence_number = self.next_sequence;
        self.next_sequence = self.next_sequence.wrapping_add(1);
    }

    /// A packet to fill with, each of the kept ones in turn; `None` before there was a picture.
    pub(crate) fn poll_packet(&mut self, stream: RtxStream) -> Option<Packet> {
        let packet = self.recent.pop_front()?;
        let mut payload = Vec::with_capacity(2 + packet.payload.len());
        payload.extend_from_slice(&packet.header.sequence_number.to_be_bytes());
        payload.extend_from_slice(&packet.payload);
        let mut header = Header {
            version: 2,
            ssrc: stream.ssrc,
            payload_type: stream.payload_type,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            ..Header::default()
        };
        self.number(&mut header);
        self.recent.push_back(packet);
        Some(Packet {
            header,
            payload: payload.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_come_again_in_turn_under_numbers_of_their_own() {
        let mut padding = Padding::default();
        let stream = RtxStream {
            ssrc: 9,
            payload_type: 97,
        };
        assert_eq!(padding.poll_packet(stream), None);
        for sequence in 500..502 {
            padding.handle_picture_packet(&Packet {
                header: Header {
                    sequence_number: sequence,
                    ..Header::default()
                },
                payload: vec![7; 3].into(),
            });
        }
        let mut repair = Header::default();
        padding.number(&mut repair);
        let again: Vec<_> = (0..3).filter_map(|_| padding.poll_packet(stream)).collect();
        let numbers: Vec<_> = again
            .iter()
            .map(|packet| (packet.header.sequence_number, packet.payload[1]))
            .collect();
        assert_eq!(numbers, [(1, 244), (2, 245), (3, 244)]);
        assert_eq!(again[0].payload[..], [1, 244, 7, 7, 7]);
        assert_eq!((again[0].header.ssrc, again[0].header.payload_type), (9, 97));
    }
}
