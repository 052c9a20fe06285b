//! Asks for lost packets of voice again (RFC 4585 §6.2.1) and marks those that come of it.
//!
//! The library's generator asks at fixed times, which is late for a voice. Runs on the connection's driver task.

use crate::estimator::{SharedControl, VOICE_ALONE, lock};
use crate::interceptor::Passage;
use crate::stream_binding::is_sound;
use crate::voice_requests::VoiceRequests;
use ahoy_media::units::SequenceNumber;
use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use std::collections::HashMap;
use std::time::Instant;

/// Whether a stream is sound whose lost packets the sender sends again.
fn is_repaired_voice(info: &StreamInfo) -> bool {
    is_sound(info)
        && (info.rtcp_feedback.iter()).any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty())
}

pub(crate) struct VoiceRepair {
    control: SharedControl,
    /// By SSRC.
    streams: HashMap<u32, VoiceRequests>,
    /// SSRC that this side gives as its own in feedback.
    feedback_ssrc: u32,
    passage: Passage,
}

impl VoiceRepair {
    pub(crate) fn new(control: SharedControl, feedback_ssrc: u32) -> Self {
        Self {
            control,
            streams: HashMap::new(),
            feedback_ssrc,
            passage: Passage::default(),
        }
    }

    fn watch(&mut self, message: &mut TaggedPacket) {
        let Packet::Rtp(packet) = &message.message.packet else {
            return;
        };
        let (ssrc, number) = (packet.header.ssrc, packet.header.sequence_number);
        let Some(requests) = self.streams.get_mut(&ssrc) else {
            return;
        };
        if requests.handle_packet(message.now, SequenceNumber::new(number)) {
            message.message.add(Attribute::Retransmission);
        }
        let (target, round_trip) = {
            let control = lock(&self.control);
            (control.target(), control.least_rtt())
        };
        let numbers = requests.poll_request(message.now, round_trip);
        // Requests are packets too: where there is room for one voice alone they would take its place.
        if numbers.is_empty() || target < VOICE_ALONE {
            return;
        }
        let nack = TransportLayerNack {
            sender_ssrc: self.feedback_ssrc,
            media_ssrc: ssrc,
            nacks: nack_pairs_from_sequence_numbers(&numbers),
        };
        self.passage.outbound.push_back(TaggedPacket {
            now: message.now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(nack)])),
        });
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for VoiceRepair {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        self.watch(&mut message);
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

impl Interceptor for VoiceRepair {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if is_repaired_voice(info) {
            self.streams.entry(info.ssrc).or_default();
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }
}
