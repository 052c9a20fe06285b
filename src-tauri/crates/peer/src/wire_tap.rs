//! The interceptor nearest to the wire: reads all RTCP of both directions and counts the RTP that leaves.
//!
//! The library keeps inbound RTCP from its own statistics and from the application, and it only logs packets that it
//! cannot marshal. Its sender reports are put right here. Runs on the connection's driver task; knows nothing of what its
//! findings lead to.

use crate::estimator::Coverage;
use crate::event::MediaKind;
use crate::interceptor::Passage;
use crate::ledger::Ledger;
use crate::media_tap::Sinks;
use crate::outlet::Outlet;
use crate::pacing::Fill;
use crate::repair_types::RepairTypes;
use crate::rtx::ORIGINAL_SEQUENCE;
use ahoy_media::packet::SenderReport;
use ahoy_media::units::{NtpTime, RtpTime};
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtp::header::Header;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::{Marshal, MarshalSize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(crate) struct WireTap {
    ledger: Arc<Mutex<Ledger>>,
    outlet: Arc<Outlet>,
    sinks: Arc<Mutex<Sinks>>,
    repair_types: Arc<RepairTypes>,
    coverage: Arc<Coverage>,
    /// SSRC of the RTX stream that repairs the video sent here.
    video_rtx: u32,
    passage: Passage,
    /// Room for one header.
    scratch: Vec<u8>,
    #[cfg(test)]
    pub(crate) reads_rtcp: bool,
}

impl WireTap {
    pub(crate) fn new(
        ledger: Arc<Mutex<Ledger>>,
        outlet: Arc<Outlet>,
        sinks: Arc<Mutex<Sinks>>,
        repair_types: Arc<RepairTypes>,
        coverage: Arc<Coverage>,
        video_rtx: u32,
    ) -> Self {
        Self {
            ledger,
            outlet,
            sinks,
            repair_types,
            coverage,
            video_rtx,
            passage: Passage::default(),
            scratch: Vec::new(),
            #[cfg(test)]
            reads_rtcp: true,
        }
    }

    fn reads_rtcp(&self) -> bool {
        #[cfg(test)]
        return self.reads_rtcp;
        #[cfg(not(test))]
        true
    }

    /// Hands on what the other side says of the clocks of its streams.
    fn take_reports(&self, packets: &[Box<dyn rtcp::Packet>]) {
        let reports = packets.iter().filter_map(|packet| {
            packet
                .as_any()
                .downcast_ref::<rtcp::sender_report::SenderReport>()
        });
        for report in reports {
            let stream = {
                let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                ledger.remote_stream(report.ssrc)
            };
            let Some((kind, clock_rate)) = stream else {
                continue;
            };
            let report = SenderReport {
                ssrc: report.ssrc,
                clock_rate,
                ntp_time: NtpTime::new(report.ntp_time),
                rtp_time: RtpTime::new(report.rtp_time),
                in_sync: true,
            };
            let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.take_report(kind, report);
        }
    }

    /// Lets the reports of this side say what was captured when they say, and not what was encoded.
    fn put_right(ledger: &Ledger, now: Instant, packets: &mut [Box<dyn rtcp::Packet>]) {
        for packet in packets {
            let report = packet
                .as_any()
                .downcast_ref::<rtcp::sender_report::SenderReport>();
            if let Some(report) = report
                && let Some(captured) = ledger.captured(report.ssrc, now)
            {
                let mut right = report.clone();
                right.rtp_time = captured.as_u32();
                *packet = Box::new(right);
            }
        }
    }

    /// Whether the header marshals to the size it says: otherwise the library drops the packet without an error.
    fn is_well_formed(&mut self, header: &Header) -> bool {
        let size = header.marshal_size();
        self.scratch.resize(size, 0);
        matches!(header.marshal_to(&mut self.scratch), Ok(written) if written == size)
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for WireTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let feedback = packets
                .iter()
                .filter_map(|packet| packet.as_any().downcast_ref::<TransportLayerCc>());
            for told in feedback {
                self.coverage
                    .note(told.base_sequence_number, told.packet_status_count);
            }
        }
        if let Packet::Rtcp(packets) = &message.message.packet
            && self.reads_rtcp()
        {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            if ledger.handle_rtcp_in(message.now, packets) {
                self.outlet.request_keyframe();
            }
            drop(ledger);
            self.take_reports(packets);
        }
        self.passage.inbound.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passage.inbound.pop_front()
    }

    fn handle_write(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &mut message.message.packet
            && packet.header.ssrc == self.video_rtx
            && let Some(payload_type) = self.repair_types.sent()
        {
            packet.header.payload_type = payload_type;
        }
        let now = message.now;
        let fills = message.message.custom::<Fill>().is_some();
        let retransmission = message.message.has(&Attribute::Retransmission);
        match &mut message.message.packet {
            Packet::Rtp(packet) => {
                let well_formed = self.is_well_formed(&packet.header);
                let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                if fills {
                    // It repairs nothing that anybody asked for.
                } else if packet.header.ssrc == self.video_rtx {
                    let repaired = packet.payload.len().saturating_sub(ORIGINAL_SEQUENCE);
                    ledger.handle_sent_rtx(MediaKind::Video, repaired);
                } else {
                    let (ssrc, bytes) = (packet.header.ssrc, packet.payload.len());
                    ledger.handle_sent(ssrc, bytes, retransmission, well_formed);
                }
            }
            Packet::Rtcp(packets) => {
                let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                Self::put_right(&ledger, now, packets);
                ledger.handle_rtcp_out(now, packets);
            }
            // The library may add kinds of packets; they pass.
            _ => {}
        }
        self.passage.outbound.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passage.outbound.pop_front()
    }
}

impl Interceptor for WireTap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
