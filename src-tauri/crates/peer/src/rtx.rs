//! Unpacks retransmissions (RFC 4588) before the NACK generator sees the packets.
//!
//! The library unpacks them behind its interceptors, so its NACK generator never learns that a packet was repaired and
//! asks for it again until the packet leaves its log. Runs on the connection's driver task.

use crate::interceptor::Passage;
use crate::repair_types::RepairTypes;
use ahoy_media::units::SequenceNumber;
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of the original sequence number in front of an RTX payload (RFC 4588 §4).
pub(crate) const ORIGINAL_SEQUENCE: usize = 2;

/// The stream that an RTX stream repairs.
#[derive(Debug, Clone, Copy)]
struct Repaired {
    ssrc: u32,
    /// Of the codec that the library bound the stream with.
    payload_type: u8,
}

pub(crate) struct RtxUnpacker {
    /// By SSRC of the RTX stream.
    streams: HashMap<u32, Repaired>,
    repair_types: Arc<RepairTypes>,
    passage: Passage,
}

impl RtxUnpacker {
    pub(crate) fn new(repair_types: Arc<RepairTypes>) -> Self {
        Self {
            streams: HashMap::new(),
            repair_types,
            passage: Passage::default(),
        }
    }

    fn unpack(&self, message: &mut TaggedPacket) {
        let Packet::Rtp(packet) = &mut message.message.packet else {
            return;
        };
        let Some(repaired) = self.streams.get(&packet.header.ssrc) else {
            return;
        };
        // Shorter ones are padding that probes the path: they stay as they are, for the feedback on arrivals.
        if packet.payload.len() <= ORIGINAL_SEQUENCE {
            return;
        }
        let sequence = SequenceNumber::new(u16::from_be_bytes([packet.payload[0], packet.payload[1]]));
        packet.header.sequence_number = sequence.as_u16();
        packet.header.ssrc = repaired.ssrc;
        packet.header.payload_type = self
            .repair_types
            .repaired_by(packet.header.payload_type)
            .unwrap_or(repaired.payload_type);
        packet.payload = packet.payload.slice(ORIGINAL_SEQUENCE..);
        message.message.add(Attribute::Retransmission);
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for RtxUnpacker {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        self.unpack(&mut message);
        self.passage.inbound.push_back(message);
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

impl Interceptor for RtxUnpacker {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            let repaired = Repaired {
                ssrc: info.ssrc,
                payload_type: info.payload_type,
            };
            self.streams.insert(rtx, repaired);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.streams.remove(&rtx);
        }
    }
}
