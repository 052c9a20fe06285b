//! The counters of both directions, kept beside the library because its own are wrong or start afresh at every
//! renegotiation. Pure: fed by the taps in the packet path, read by `stats`.

use crate::capture_clock::CaptureClock;
use crate::codec::{AUDIO_CLOCK_RATE, VIDEO_CLOCK_RATE};
use crate::event::MediaKind;
use crate::sequence::{Arrival, SequenceLog};
use crate::stats::{InboundStats, OutboundStats, RemoteInboundStats};
use ahoy_media::units::{RtpTime, SequenceNumber};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Sender reports remembered per stream to find the round trip of the block that answers one; they leave once a second.
const SENDER_REPORTS: usize = 8;

/// Everything counted on one connection.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    audio_in: Inbound,
    video_in: Inbound,
    audio_out: Outbound,
    video_out: Outbound,
}

/// A received packet as the ledger sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    pub(crate) ssrc: u32,
    pub(crate) sequence: SequenceNumber,
    pub(crate) rtp_time: RtpTime,
    /// `None` for what is in no codec of sound or pictures.
    pub(crate) payload_type: Option<u8>,
    /// Payload bytes.
    pub(crate) bytes: usize,
    /// It came over RTX.
    pub(crate) repaired: bool,
    /// Its RTP time is that of its sending, so that it tells the jitter.
    pub(crate) timed: bool,
}

impl Ledger {
    /// Knows the streams this side sends.
    pub(crate) fn new(audio_ssrc: u32, video_ssrc: u32) -> Self {
        Self {
            audio_out: Outbound::new(audio_ssrc, AUDIO_CLOCK_RATE),
            video_out: Outbound::new(video_ssrc, VIDEO_CLOCK_RATE),
            ..Self::default()
        }
    }

    /// Sound is sent with this clock from here on, in Hz.
    pub(crate) fn set_audio_clock(&mut self, clock_rate: u32) {
        if self.audio_out.clock_rate != clock_rate {
            self.audio_out.clock_rate = clock_rate;
            self.audio_out.captured = CaptureClock::new(clock_rate);
        }
    }

    /// A stream of the other side was bound, perhaps not for the first time. `clock_rate` in Hz.
    pub(crate) fn bind_remote(&mut self, kind: MediaKind, ssrc: u32, clock_rate: u32) {
        self.inbound(kind).bind(ssrc, clock_rate);
    }

    pub(crate) fn handle_received(&mut self, now: Instant, kind: MediaKind, packet: Received) {
        self.inbound(kind).handle_packet(now, packet);
    }

    /// A frame is about to be sent on a stream of this side.
    pub(crate) fn handle_captured(&mut self, ssrc: u32, captured_at: Instant, rtp_time: RtpTime) {
        if let Some(out) = self.outbound_of(ssrc) {
            out.captured.handle_frame(captured_at, rtp_time);
        }
    }

    /// What is captured `now` in the time of a stream of this side; `None` before its first frame.
    pub(crate) fn captured(&self, ssrc: u32, now: Instant) -> Option<RtpTime> {
        let out = [&self.audio_out, &self.video_out]
            .into_iter()
            .find(|out| out.ssrc == ssrc)?;
        out.captured.rtp_time(now)
    }

    /// The kind and the clock, in Hz, of a stream of the other side.
    pub(crate) fn remote_stream(&self, ssrc: u32) -> Option<(MediaKind, u32)> {
        [
            (MediaKind::Audio, &self.audio_in),
            (MediaKind::Video, &self.video_in),
        ]
        .into_iter()
        .find(|(_, inbound)| inbound.ssrc == Some(ssrc))
        .map(|(kind, inbound)| (kind, inbound.clock_rate))
    }

    /// An RTP packet passed the last interceptor on its way out. `bytes` are of the payload.
    pub(crate) fn handle_sent(&mut self, ssrc: u32, bytes: usize, retransmission: bool, well_formed: bool) {
        let Some(out) = self.outbound_of(ssrc) else { return };
        if !well_formed {
            out.stats.send_errors += 1;
        } else if retransmission {
            out.handle_sent_again(bytes);
        } else {
            out.stats.packets += 1;
            out.stats.bytes += bytes as u64;
        }
    }

    /// A retransmission left on the RTX stream of a kind. `bytes` are of what it repairs.
    pub(crate) fn handle_sent_rtx(&mut self, kind: MediaKind, bytes: usize) {
        self.outbound(kind).handle_sent_again(bytes);
    }

    /// Reads the other side's RTCP; `true` when it asks for a keyframe of the video sent here.
    pub(crate) fn handle_rtcp_in(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) -> bool {
        let mut keyframe_needed = false;
        for packet in packets {
            let packet = packet.as_any();
            if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                self.handle_reports(now, &report.reports);
            } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
                self.handle_reports(now, &report.reports);
            } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                if let Some(out) = self.outbound_of(nack.media_ssrc) {
                    out.stats.nack_count += 1;
                }
            } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
                keyframe_needed |= self.handle_keyframe_request(pli.media_ssrc);
            } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
                for entry in &fir.fir {
                    keyframe_needed |= self.handle_keyframe_request(entry.ssrc);
                }
            }
        }
        keyframe_needed
    }

    /// Reads the RTCP that leaves this side.
    pub(crate) fn handle_rtcp_out(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        for packet in packets {
            let packet = packet.as_any();
            if let Some(report) = packet.downcast_ref::<SenderReport>() {
                if let Some(out) = self.outbound_of(report.ssrc) {
                    out.remember_report(now, report.ntp_time);
                }
            } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                if let Some(inbound) = self.inbound_of(nack.media_ssrc) {
                    inbound.stats.nack_count += 1;
                }
            } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>()
                && let Some(inbound) = self.inbound_of(pli.media_ssrc)
            {
                inbound.stats.pli_count += 1;
            }
        }
    }

    /// The SSRC from which a kind comes.
    pub(crate) fn remote_ssrc(&self, kind: MediaKind) -> Option<u32> {
        match kind {
            MediaKind::Audio => self.audio_in.ssrc,
            MediaKind::Video => self.video_in.ssrc,
        }
    }

    pub(crate) fn inbound_stats(&self, kind: MediaKind) -> InboundStats {
        match kind {
            MediaKind::Audio => self.audio_in.snapshot(),
            MediaKind::Video => self.video_in.snapshot(),
        }
    }

    pub(crate) fn outbound_stats(&self, kind: MediaKind, now: Instant) -> OutboundStats {
        match kind {
            MediaKind::Audio => self.audio_out.snapshot(now),
            MediaKind::Video => self.video_out.snapshot(now),
        }
    }

    fn handle_reports(&mut self, now: Instant, reports: &[ReceptionReport]) {
        for report in reports {
            if let Some(out) = self.outbound_of(report.ssrc) {
                out.handle_report(now, report);
            }
        }
    }

    fn handle_keyframe_request(&mut self, ssrc: u32) -> bool {
        let ours = self.video_out.ssrc == ssrc;
        if ours {
            self.video_out.stats.pli_count += 1;
        }
        ours
    }

    fn inbound(&mut self, kind: MediaKind) -> &mut Inbound {
        match kind {
            MediaKind::Audio => &mut self.audio_in,
            MediaKind::Video => &mut self.video_in,
        }
    }

    fn outbound(&mut self, kind: MediaKind) -> &mut Outbound {
        match kind {
            MediaKind::Audio => &mut self.audio_out,
            MediaKind::Video => &mut self.video_out,
        }
    }

    fn inbound_of(&mut self, ssrc: u32) -> Option<&mut Inbound> {
        [&mut self.audio_in, &mut self.video_in]
            .into_iter()
            .find(|inbound| inbound.ssrc == Some(ssrc))
    }

    fn outbound_of(&mut self, ssrc: u32) -> Option<&mut Outbound> {
        [&mut self.audio_out, &mut self.video_out]
            .into_iter()
            .find(|out| out.ssrc == ssrc)
    }
}

#[derive(Debug, Default)]
struct Inbound {
    ssrc: Option<u32>,
    clock_rate: u32,
    log: Option<SequenceLog>,
    /// Lost on SSRCs the other side used before this one.
    lost_before: i64,
    /// Transit of the packet before in clock ticks, for the jitter.
    transit: Option<(Instant, RtpTime)>,
    /// Clock ticks (RFC 3550 appendix A.8).
    jitter: f64,
    stats: InboundStats,
}

impl Inbound {
    fn bind(&mut self, ssrc: u32, clock_rate: u32) {
        self.clock_rate = clock_rate;
        if self.ssrc == Some(ssrc) {
            return;
        }
        self.ssrc = Some(ssrc);
        if let Some(log) = self.log.take() {
            self.lost_before += log.lost();
        }
        self.transit = None;
    }

    fn handle_packet(&mut self, now: Instant, packet: Received) {
        if self.ssrc != Some(packet.ssrc) {
            return;
        }
        let arrival = match &mut self.log {
            Some(log) => log.handle_packet(packet.sequence),
            log @ None => {
                *log = Some(SequenceLog::new(packet.sequence));
                Arrival::New
            }
        };
        if packet.repaired {
            self.stats.retransmitted_packets += 1;
        }
        match arrival {
            Arrival::Duplicate => self.stats.duplicates += 1,
            Arrival::New => {
                self.stats.packets += 1;
                self.stats.bytes += packet.bytes as u64;
                self.stats.payload_type = packet.payload_type.or(self.stats.payload_type);
                if packet.timed && !packet.repaired {
                    self.measure_jitter(now, packet.rtp_time);
                }
            }
        }
    }

    fn measure_jitter(&mut self, now: Instant, rtp_time: RtpTime) {
        if let Some((then, rtp_then)) = self.transit {
            let arrived = now.saturating_duration_since(then).as_secs_f64() * f64::from(self.clock_rate);
            let difference = (arrived - f64::from(rtp_time.since(rtp_then))).abs();
            self.jitter += (difference - self.jitter) / 16.0;
        }
        self.transit = Some((now, rtp_time));
    }

    fn snapshot(&self) -> InboundStats {
        let clock_rate = f64::from(self.clock_rate.max(1));
        InboundStats {
            packets_lost: self.lost_before + self.log.as_ref().map_or(0, SequenceLog::lost),
            jitter: self.jitter / clock_rate,
            ..self.stats.clone()
        }
    }
}

#[derive(Debug, Default)]
struct Outbound {
    ssrc: u32,
    /// Middle 32 bits of the NTP time of reports that left, and when.
    reports: VecDeque<(u32, Instant)>,
    /// The newest report block about this stream and when it came.
    remote: Option<(Instant, RemoteInboundStats)>,
    clock_rate: u32,
    captured: CaptureClock,
    stats: OutboundStats,
}

impl Outbound {
    fn new(ssrc: u32, clock_rate: u32) -> Self {
        Self {
            ssrc,
            clock_rate,
            captured: CaptureClock::new(clock_rate),
            ..Self::default()
        }
    }

    fn handle_sent_again(&mut self, bytes: usize) {
        self.stats.retransmitted_packets += 1;
        self.stats.retransmitted_bytes += bytes as u64;
        self.stats.bytes += bytes as u64;
    }

    fn remember_report(&mut self, now: Instant, ntp_time: u64) {
        if self.reports.len() == SENDER_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(((ntp_time >> 16) as u32, now));
    }

    fn handle_report(&mut self, now: Instant, report: &ReceptionReport) {
        let left = self
            .reports
            .iter()
            .rev()
            .find(|(ntp, _)| *ntp == report.last_sender_report);
        let held = Duration::from_secs_f64(f64::from(report.delay) / 65_536.0);
        let rtt = left.map(|(_, left)| now.saturating_duration_since(*left).saturating_sub(held));
        let before = self.remote.as_ref().and_then(|(_, stats)| stats.rtt);
        // The 24-bit count is signed: duplicates make it negative (RFC 3550 §6.4.1).
        let total_lost = (report.total_lost << 8) as i32 >> 8;
        self.remote = Some((
            now,
            RemoteInboundStats {
                fraction_lost: f64::from(report.fraction_lost) / 256.0,
                packets_lost: i64::from(total_lost),
                jitter: f64::from(report.jitter) / f64::from(self.clock_rate.max(1)),
                rtt: rtt.or(before),
                age: Duration::ZERO,
            },
        ));
    }

    fn snapshot(&self, now: Instant) -> OutboundStats {
        OutboundStats {
            remote: self.remote.as_ref().map(|(at, stats)| RemoteInboundStats {
                age: now.saturating_duration_since(*at),
                ..stats.clone()
            }),
            ..self.stats.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, ticks: u32) -> Received {
        Received {
            ssrc,
            sequence: SequenceNumber::new(sequence),
            rtp_time: RtpTime::new(ticks),
            payload_type: Some(111),
            bytes: 100,
            repaired: false,
            timed: true,
        }
    }

    fn report(last_sender_report: u32, delay: u32, total_lost: u32) -> Vec<Box<dyn rtcp::Packet>> {
        let block = ReceptionReport {
            ssrc: 1,
            fraction_lost: 64,
            total_lost,
            jitter: 480,
            last_sender_report,
            delay,
            ..ReceptionReport::default()
        };
        vec![Box::new(ReceiverReport {
            reports: vec![block],
            ..ReceiverReport::default()
        })]
    }

    #[test]
    fn the_round_trip_is_what_the_other_side_did_not_hold() {
        let mut ledger = Ledger::new(1, 2);
        let left = Instant::now();
        let sender_report = SenderReport {
            ssrc: 1,
            ntp_time: 0x1234_5678_9abc_def0,
            ..SenderReport::default()
        };
        ledger.handle_rtcp_out(left, &[Box::new(sender_report)]);
        // Held for half a second, in units of 1/65536 s; minus one packet lost, as 24 bits.
        let came = left + Duration::from_millis(580);
        ledger.handle_rtcp_in(came, &report(0x5678_9abc, 0x8000, 0x00ff_ffff));
        let stats = ledger.outbound_stats(MediaKind::Audio, came + Duration::from_secs(1));
        let remote = stats.remote.expect("a report came");
        assert_eq!(remote.rtt, Some(Duration::from_millis(80)));
        assert_eq!(remote.age, Duration::from_secs(1));
        assert_eq!(
            (remote.fraction_lost, remote.jitter, remote.packets_lost),
            (0.25, 0.01, -1)
        );
        // A report about an unknown one keeps the round trip known before.
        ledger.handle_rtcp_in(came, &report(7, 0, 0));
        let stats = ledger.outbound_stats(MediaKind::Audio, came);
        assert_eq!(
            stats.remote.and_then(|remote| remote.rtt),
            Some(Duration::from_millis(80))
        );
    }

    #[test]
    fn jitter_is_in_seconds() {
        let mut ledger = Ledger::new(1, 2);
        ledger.bind_remote(MediaKind::Audio, 9, AUDIO_CLOCK_RATE);
        let begin = Instant::now();
        for number in 0..500_u16 {
            // Every second packet is 8 ms late.
            let late = Duration::from_millis(u64::from(number % 2) * 8);
            let now = begin + Duration::from_millis(20) * u32::from(number) + late;
            ledger.handle_received(now, MediaKind::Audio, packet(9, number, u32::from(number) * 960));
        }
        let jitter = ledger.inbound_stats(MediaKind::Audio).jitter;
        assert!((jitter - 0.008).abs() < 0.000_1, "{jitter}");
    }

    #[test]
    fn counters_go_on_when_a_stream_is_bound_again_or_changes_its_ssrc() {
        let mut ledger = Ledger::new(1, 2);
        let now = Instant::now();
        ledger.bind_remote(MediaKind::Video, 9, VIDEO_CLOCK_RATE);
        for number in [1, 2, 4] {
            ledger.handle_received(now, MediaKind::Video, packet(9, number, 0));
        }
        ledger.bind_remote(MediaKind::Video, 9, VIDEO_CLOCK_RATE);
        ledger.handle_received(now, MediaKind::Video, packet(9, 6, 0));
        ledger.handle_received(now, MediaKind::Video, packet(9, 6, 0));
        ledger.bind_remote(MediaKind::Video, 10, VIDEO_CLOCK_RATE);
        ledger.handle_received(now, MediaKind::Video, packet(10, 40_000, 0));
        let stats = ledger.inbound_stats(MediaKind::Video);
        assert_eq!((stats.packets, stats.packets_lost, stats.duplicates), (5, 2, 1));
        assert_eq!(stats.bytes, 500);
    }
}
