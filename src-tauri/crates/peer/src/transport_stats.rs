//! The transport's numbers out of the library's report: those of them that are right.

use crate::stats::{CandidateType, SelectedCandidate, TransportStats};
use rtc::statistics::stats::ice_candidate::RTCIceCandidateStats;
use std::net::SocketAddr;
use std::time::Duration;
use webrtc::peer_connection::{RTCIceCandidateType, RTCStatsReport, RTCStatsReportEntry};

pub(crate) fn read(report: &RTCStatsReport) -> TransportStats {
    let mut stats = TransportStats::default();
    let Some(transport) = report.transport() else {
        return stats;
    };
    stats.dtls_state = transport.dtls_state.to_string();
    stats.srtp_cipher = Some(transport.srtp_cipher.clone()).filter(|name| !name.is_empty());
    let Some(RTCStatsReportEntry::IceCandidatePair(pair)) = report.get(&transport.selected_candidate_pair_id)
    else {
        return stats;
    };
    stats.rtt = Some(pair.current_round_trip_time)
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map(Duration::from_secs_f64);
    stats.local = candidate(report, &pair.local_candidate_id);
    stats.remote = candidate(report, &pair.remote_candidate_id);
    stats.path = [&stats.local, &stats.remote]
        .into_iter()
        .flatten()
        .map(|candidate| candidate.candidate_type)
        .max();
    stats
}

fn candidate(report: &RTCStatsReport, id: &str) -> Option<SelectedCandidate> {
    match report.get(id)? {
        RTCStatsReportEntry::LocalCandidate(stats) | RTCStatsReportEntry::RemoteCandidate(stats) => {
            selected(stats)
        }
        _ => None,
    }
}

fn selected(stats: &RTCIceCandidateStats) -> Option<SelectedCandidate> {
    let candidate_type = match stats.candidate_type {
        RTCIceCandidateType::Host => CandidateType::Host,
        RTCIceCandidateType::Srflx => CandidateType::ServerReflexive,
        RTCIceCandidateType::Prflx => CandidateType::PeerReflexive,
        RTCIceCandidateType::Relay => CandidateType::Relay,
        _ => return None,
    };
    let ip = stats.address.as_deref().and_then(|text| text.parse().ok());
    Some(SelectedCandidate {
        candidate_type,
        address: ip.map(|ip| SocketAddr::new(ip, stats.port)),
        protocol: stats.protocol.to_ascii_lowercase(),
    })
}
