//! The transport's numbers out of the library's report and its ICE transport.
//!
//! The report names the candidates of the selected pair by ids that none of its own entries has, and candidates out of a
//! description or a check are not in it at all; the ICE transport has them.

use crate::stats::{CandidateType, SelectedCandidate, TransportStats};
use crate::turn_stream::TurnStreams;
use rtc::peer_connection::transport::{RTCIceCandidate, RTCIceCandidatePair};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use webrtc::peer_connection::transport::IceTransport;
use webrtc::peer_connection::{
    PeerConnection, RTCIceCandidateType, RTCStatsReport, RTCStatsReportEntry, StatsSelector,
};

pub(crate) async fn read(
    connection: &dyn PeerConnection,
    now: Instant,
    streams: &TurnStreams,
) -> TransportStats {
    let report = connection.get_stats(now, StatsSelector::None).await;
    let mut stats = TransportStats::default();
    let Some(transport) = report.transport() else {
        return stats;
    };
    stats.dtls_state = transport.dtls_state.to_string();
    stats.srtp_cipher = Some(transport.srtp_cipher.clone()).filter(|name| !name.is_empty());
    stats.rtt = round_trip(&report, &transport.selected_candidate_pair_id);
    if let Some(pair) = selected_pair(connection).await {
        stats.local = candidate(pair.local()).map(|local| SelectedCandidate {
            relay_protocol: local
                .address
                .filter(|_| local.candidate_type == CandidateType::Relay)
                .map(|address| streams.protocol_to(address)),
            ..local
        });
        stats.remote = candidate(pair.remote());
    }
    stats.path = [&stats.local, &stats.remote]
        .into_iter()
        .flatten()
        .map(|candidate| candidate.candidate_type)
        .max();
    stats
}

/// Where the path begins, if there is one.
pub(crate) async fn local_end(connection: &dyn PeerConnection) -> Option<SelectedCandidate> {
    candidate(selected_pair(connection).await?.local())
}

async fn selected_pair(connection: &dyn PeerConnection) -> Option<RTCIceCandidatePair> {
    let ice = ice_transport(connection).await?;
    ice.get_selected_candidate_pair().await.ok().flatten()
}

fn round_trip(report: &RTCStatsReport, pair_id: &str) -> Option<Duration> {
    let RTCStatsReportEntry::IceCandidatePair(pair) = report.get(pair_id)? else {
        return None;
    };
    let seconds = pair.current_round_trip_time;
    (seconds.is_finite() && seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
}

/// All media shares one transport (BUNDLE), so any sender leads to it.
async fn ice_transport(connection: &dyn PeerConnection) -> Option<Arc<dyn IceTransport>> {
    let sender = connection.get_senders().await.into_iter().next()?;
    let dtls = sender.transport().await.ok().flatten()?;
    Some(dtls.ice_transport())
}

fn candidate(candidate: &RTCIceCandidate) -> Option<SelectedCandidate> {
    let candidate_type = match candidate.typ {
        RTCIceCandidateType::Host => CandidateType::Host,
        RTCIceCandidateType::Srflx => CandidateType::ServerReflexive,
        RTCIceCandidateType::Prflx => CandidateType::PeerReflexive,
        RTCIceCandidateType::Relay => CandidateType::Relay,
        _ => return None,
    };
    let ip = candidate.address.parse().ok();
    Some(SelectedCandidate {
        candidate_type,
        address: ip.map(|ip| SocketAddr::new(ip, candidate.port)),
        protocol: candidate.protocol.to_string(),
        relay_protocol: None,
    })
}
