//! How the library is set up: codecs, timers, sockets and the chain of interceptors.

use crate::codec::{audio_parameters, clock_rates, event_parameters, video_parameters};
use crate::config::{IceServer, PeerConfig};
use crate::error::PeerError;
use crate::estimator::{Coverage, PublishedEstimator};
use crate::event_numbers::{EventNumbering, EventNumbers};
use crate::feedback_interval::{self, FeedbackInterval};
use crate::frame_sender::Gate;
use crate::ledger::Ledger;
use crate::media_tap::{MediaTap, Sinks};
use crate::outlet::Outlet;
use crate::pacing::Pacing;
use crate::repair_types::RepairTypes;
use crate::rtx::RtxUnpacker;
use crate::sdp::ORIENTATION;
use crate::stream_binding::Bound;
use crate::streams::LocalStreams;
use crate::turn_stream::TurnStreams;
use crate::voice_repair::VoiceRepair;
use crate::wire_tap::WireTap;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{
    CongestionControlBuilder, NackGeneratorBuilder, Registry, Slot, TwccReceiverBuilder, TwccSenderBuilder,
};
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpHeaderExtensionCapability, RtpCodecKind};
use rtc::shared::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use webrtc::peer_connection::{
    MediaEngine, RTCConfiguration, RTCConfigurationBuilder, RTCIceServer, RTCIceTransportPolicy,
    SettingEngine, SettingEngineBuilder, configure_nack, configure_rtcp_reports,
    configure_twcc_receiver_only, configure_twcc_sender_only,
};

/// Between connectivity checks. The library's 200 ms makes every set-up wait for one or two of them; measured 20 ms:
/// 22 to 44 ms from offer to connected on loopback.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Checks of one pair before it is given up: 15 s of them, as long as the connection itself is tried.
const CHECKS_PER_PAIR: u16 = 750;
/// Without a packet or an answer from the other side for this long the transport counts as disconnected. Sound comes
/// fifty times a second, so two seconds of nothing are no jitter.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(2);
/// And this much later as failed, which only a restart ends; whoever owns the call restarts long before.
const FAILED_AFTER: Duration = Duration::from_secs(13);
/// Between consent checks of the selected pair (RFC 7675 asks for 5 s): four may get lost before it is disconnected.
const KEEPALIVE: Duration = Duration::from_millis(500);
/// How long better pairs are waited for before one through a server is nominated; chosen, not measured.
const REFLEXIVE_WAIT: Duration = Duration::from_millis(200);
/// None for peer-reflexive pairs: they are what a check that overtook its own candidate looks like, on the very path that
/// the candidate names. With a wait, every call whose signaling is quick connects that much later.
const OVERTAKING_WAIT: Duration = Duration::ZERO;
const RELAY_WAIT: Duration = Duration::from_millis(500);
/// Between refreshes of an allocation. The library's way, after half of the lifetime, has the next attempt after one that
/// was not answered come when the relay has given the allocation up; of 600 s this leaves four (RFC 8656 §3.2).
pub(crate) const ALLOCATION_REFRESH: Duration = Duration::from_secs(120);

/// Between requests for the same missing packet. A sender answers them once in a round trip; on a short path the next
/// repair of one that was lost itself must not wait. At 50 ms a path that loses a fifth froze once a second.
const NACK_INTERVAL: Duration = Duration::from_millis(15);
/// Requests for one packet: after half a second a keyframe is due anyway.
const NACKS_PER_PACKET: u16 = 33;

/// Distance from the wire of our own interceptors: before everything, between responder and generator, after everything.
const WIRE_TAP: usize = 500;
const RTX_UNPACKER: usize = 4_500;
const VOICE_REPAIR: usize = 4_600;
const EVENT_NUMBERING: usize = 19_000;
const MEDIA_TAP: usize = 20_000;

/// Workarounds that a test turns off to show what they are for.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workarounds {
    pub(crate) keeps_dtls_role: bool,
    pub(crate) unpacks_rtx: bool,
    pub(crate) asks_for_keyframe_when_bound_again: bool,
    pub(crate) reads_rtcp: bool,
    pub(crate) fresh_headers: bool,
    pub(crate) holds_candidates: bool,
    pub(crate) repeats_handshake: bool,
    pub(crate) refreshes_early: bool,
    /// No workaround: says of each picture how it is to be turned, which this crate only reads. Number and content.
    pub(crate) orientation: Option<(u8, u8)>,
}

#[cfg(test)]
impl Default for Workarounds {
    fn default() -> Self {
        Self {
            keeps_dtls_role: true,
            unpacks_rtx: true,
            asks_for_keyframe_when_bound_again: true,
            reads_rtcp: true,
            fresh_headers: true,
            holds_candidates: true,
            repeats_handshake: true,
            refreshes_early: true,
            orientation: None,
        }
    }
}

/// What the interceptors share with the rest of the connection.
#[derive(Clone)]
pub(crate) struct Taps {
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) sinks: Arc<Mutex<Sinks>>,
    pub(crate) repair_types: Arc<RepairTypes>,
    pub(crate) event_numbers: Arc<EventNumbers>,
    /// Closed while pictures are behind.
    pub(crate) pictures: Arc<Gate>,
    #[cfg(test)]
    pub(crate) workarounds: Workarounds,
}

/// Registers the codecs and builds the chain.
pub(crate) fn media(
    config: &PeerConfig,
    taps: &Taps,
    streams: &LocalStreams,
) -> Result<(MediaEngine, Registry), PeerError> {
    let failed = |error: Error| PeerError::failed("register its codecs", error);
    let mut engine = MediaEngine::default();
    for codec in &config.audio_codecs {
        engine
            .register_codec(audio_parameters(*codec), RtpCodecKind::Audio)
            .map_err(failed)?;
    }
    for clock_rate in clock_rates(&config.audio_codecs) {
        engine
            .register_codec(event_parameters(clock_rate), RtpCodecKind::Audio)
            .map_err(failed)?;
    }
    for codec in &config.video_codecs {
        for parameters in video_parameters(*codec) {
            engine
                .register_codec(parameters, RtpCodecKind::Video)
                .map_err(failed)?;
        }
    }
    let orientation = RTCRtpHeaderExtensionCapability {
        uri: ORIENTATION.to_owned(),
    };
    engine
        .register_header_extension(orientation, RtpCodecKind::Video, None)
        .map_err(failed)?;
    let registry = configure_nack(Registry::new(), &mut engine);
    let registry = configure_rtcp_reports(registry);
    let registry = configure_twcc_receiver_only(registry, &mut engine).map_err(failed)?;
    let registry = configure_twcc_sender_only(registry, &mut engine).map_err(failed)?;
    Ok((engine, with_our_interceptors(registry, config, taps, streams)))
}

/// The library's pacer is replaced: it is one queue for sound and pictures, and a keyframe in it delays the voice.
fn with_our_interceptors(
    registry: Registry,
    config: &PeerConfig,
    taps: &Taps,
    streams: &LocalStreams,
) -> Registry {
    let (start, min, max) = (config.start_bitrate, config.min_bitrate, config.max_bitrate);
    let coverage = Arc::new(Coverage::default());
    let estimator = PublishedEstimator::new(start, min, max, coverage.clone(), taps.outlet.clone());
    let pacing = Pacing::new(estimator.control(), taps.pictures.clone(), streams.video);
    let feedback = TwccReceiverBuilder::new()
        .with_interval(feedback_interval::SHORTEST)
        .build();
    let nacks = NackGeneratorBuilder::new().with_interval(NACK_INTERVAL);
    let voice_repair = VoiceRepair::new(estimator.control(), streams.audio);
    let wire = WireTap::new(
        taps.ledger.clone(),
        taps.outlet.clone(),
        taps.sinks.clone(),
        taps.repair_types.clone(),
        coverage,
        streams.video_rtx,
    );
    let media = MediaTap::new(
        taps.ledger.clone(),
        taps.outlet.clone(),
        taps.sinks.clone(),
        streams.video,
    );
    #[cfg(test)]
    let (wire, media) = {
        let (mut wire, mut media) = (wire, media);
        wire.reads_rtcp = taps.workarounds.reads_rtcp;
        media.asks_for_keyframe_when_bound_again = taps.workarounds.asks_for_keyframe_when_bound_again;
        (wire, media)
    };
    let registry = registry
        .with(
            Slot::CongestionControl,
            Bound::with_rtx(CongestionControlBuilder::new(estimator).build()),
        )
        .with(
            Slot::TwccSender,
            Bound::with_rtx(TwccSenderBuilder::new().build()),
        )
        .with(Slot::Pacer, pacing)
        .with(Slot::TwccReceiver, FeedbackInterval::new(feedback))
        .with(Slot::from(WIRE_TAP), wire)
        .with(Slot::from(VOICE_REPAIR), voice_repair)
        .with(
            Slot::from(EVENT_NUMBERING),
            EventNumbering::new(streams.audio, taps.event_numbers.clone()),
        )
        .with(Slot::from(MEDIA_TAP), media);
    #[cfg(test)]
    if !taps.workarounds.unpacks_rtx {
        return registry.with(Slot::NackGenerator, Bound::pictures_only(nacks.build()));
    }
    registry
        .with(
            Slot::from(RTX_UNPACKER),
            RtxUnpacker::new(taps.repair_types.clone()),
        )
        .with(
            Slot::NackGenerator,
            Bound::pictures_only(nacks.with_max_nacks_per_packet(NACKS_PER_PACKET).build()),
        )
}

/// The library answers every offer with one configured role; as the server it is at least the role that it has when the
/// other side answered as client. The rest is done to the answer itself.
pub(crate) fn settings(config: &PeerConfig, allocation_refresh: Duration) -> SettingEngine {
    let relay_wait = if config.relay_only {
        Duration::ZERO
    } else {
        RELAY_WAIT
    };
    SettingEngineBuilder::new()
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_PER_PAIR))
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(FAILED_AFTER), Some(KEEPALIVE))
        .with_srflx_acceptance_min_wait(Some(REFLEXIVE_WAIT))
        .with_prflx_acceptance_min_wait(Some(OVERTAKING_WAIT))
        .with_relay_acceptance_min_wait(Some(relay_wait))
        .with_turn_allocation_refresh_interval_cap(allocation_refresh)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // A restart is for a path that is lost: new sockets find the addresses that there are now.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_include_loopback_candidate(config.loopback)
        .build()
}

pub(crate) fn configuration(
    ice_servers: &[IceServer],
    relay_only: bool,
    streams: &TurnStreams,
) -> RTCConfiguration {
    let servers = streams
        .for_library(ice_servers)
        .iter()
        .map(|server| RTCIceServer {
            urls: server.urls.clone(),
            username: server.username.clone(),
            credential: server.credential.reveal().to_owned(),
        })
        .collect();
    let policy = if relay_only {
        RTCIceTransportPolicy::Relay
    } else {
        RTCIceTransportPolicy::All
    };
    RTCConfigurationBuilder::default()
        .with_ice_servers(servers)
        .with_ice_transport_policy(policy)
        .build()
}
