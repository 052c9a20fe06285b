//! Calls over relays alone, by UDP, TCP and TLS, with our relay and with coturn; and a network without UDP.

mod support;

use ahoy_peer::{CandidateType, PeerEvent, TransportState};
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use support::relays::{Certificate, Coturn, Wire, ours, relay_only};
use support::{AUDIO, Party, arrived, connect, restart, sounds, stream};

/// Within this a call is connected where UDP is blocked altogether.
const WITHOUT_UDP: Duration = Duration::from_secs(5);

/// Two peers that have nothing but these servers; every sound arrives as it was sent.
async fn a_call_over(urls: &[String], certificate: &Certificate) -> (Party, Party, Duration) {
    let config = || relay_only(urls, certificate);
    let (mut a, mut b) = (
        Party::with_config(config()).await,
        Party::with_config(config()).await,
    );
    let began = Instant::now();
    connect(&mut a, &mut b, AUDIO).await;
    let took = began.elapsed();
    sound_arrives(&a, &mut b).await;
    let path = a.peer.stats().await.transport;
    let local = path.local.expect("a pair is selected");
    assert_eq!(local.candidate_type, CandidateType::Relay);
    let last = urls.last().expect("a server");
    let expected = match (last.starts_with("turns:"), last.ends_with("=tcp")) {
        (true, _) => "tls",
        (false, true) => "tcp",
        (false, false) => "udp",
    };
    assert_eq!(local.relay_protocol, Some(expected));
    (a, b, took)
}

async fn sound_arrives(a: &Party, b: &mut Party) {
    let sounds = sounds(50);
    let before = b.audio.borrow().len();
    stream(a.peer.audio_out(), Duration::from_millis(10), sounds.clone()).await;
    arrived(&mut b.audio, |packets| packets.len() >= before + sounds.len()).await;
    for (packet, sound) in b.audio.borrow()[before..].iter().zip(&sounds) {
        assert_eq!(packet.payload, sound.payload);
    }
}

/// A port that takes datagrams and answers none, as a firewall does.
fn silence() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "turn:127.0.0.1:{}?transport=udp",
        socket.local_addr().expect("bound").port()
    );
    (socket, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn our_relay_carries_a_call_over_udp_and_opens_no_stream_beside_it() {
    let certificate = Certificate::new();
    let relay = ours(&certificate).await;
    let mut urls = relay.urls();
    urls.reverse();
    urls.sort_by_key(|url| url.ends_with("=udp"));
    let (_a, _b, took) = a_call_over(&urls, &certificate).await;
    // Each flight of DTLS that waited for something else to be sent would take half a second.
    assert!(took < Duration::from_secs(1), "{took:?}");
    let stats = relay.stats();
    // One allocation of each peer for each address of this machine.
    assert!(stats.allocations >= 2, "{stats:?}");
    assert_eq!(stats.streams, 0, "{stats:?}");
    assert!(stats.bytes_to_clients > 50 * 80, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_relay_carries_a_call_over_tcp_when_udp_is_blocked() {
    let certificate = Certificate::new();
    let relay = ours(&certificate).await;
    let (_blocked, over_udp) = silence();
    let urls = [over_udp, relay.urls()[2].clone()];
    let (a, b, took) = a_call_over(&urls, &certificate).await;
    assert!(took < WITHOUT_UDP, "{took:?}");
    let stats = relay.stats();
    assert_eq!((stats.streams, stats.allocations), (2, 2), "{stats:?}");
    a.peer.close().await;
    b.peer.close().await;
    let gone = async {
        // The relay tells nobody; its counters show it.
        while relay.stats().allocations > 0 || relay.stats().streams > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(support::DEADLINE, gone)
        .await
        .expect("a closed peer leaves nothing on the relay");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_relay_carries_a_call_over_tls_when_udp_is_blocked() {
    let certificate = Certificate::new();
    let relay = ours(&certificate).await;
    let (_blocked, over_udp) = silence();
    let urls = [over_udp, relay.urls()[3].clone()];
    let (_a, _b, took) = a_call_over(&urls, &certificate).await;
    assert!(took < WITHOUT_UDP, "{took:?}");
    assert_eq!(relay.stats().streams, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_certificate_of_somebody_else_gets_no_credentials() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let relay = ours(&certificate).await;
    let mut party = Party::with_config(relay_only(&relay.urls()[3..], &other)).await;
    party.peer.create_offer(AUDIO).await.expect("an offer");
    let mut candidates = party.take_candidates();
    let any = tokio::time::timeout(Duration::from_secs(2), candidates.recv()).await;
    assert!(any.is_err(), "a relay nobody trusts gave a candidate");
    assert_eq!(relay.stats().refused_with(401), 0, "something was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_back_by_an_ice_restart_after_its_streams_broke() {
    let certificate = Certificate::new();
    let relay = ours(&certificate).await;
    let wire = Wire::to(relay.address()).await;
    let urls = [format!("turn:{}?transport=tcp", wire.address)];
    let (mut a, mut b, _) = a_call_over(&urls, &certificate).await;
    let made = relay.stats().allocations_made;
    wire.cut();
    a.told(&PeerEvent::State(TransportState::Disconnected)).await;
    restart(&a, &b).await;
    a.told_times(&PeerEvent::State(TransportState::Connected), 2)
        .await;
    sound_arrives(&a, &mut b).await;
    assert!(relay.stats().allocations_made > made, "{:?}", relay.stats());
}

#[tokio::test(flavor = "multi_thread")]
async fn coturn_carries_a_call_over_udp() {
    let certificate = Certificate::new();
    let Some(coturn) = Coturn::start(&certificate).await else {
        return;
    };
    a_call_over(&[coturn.udp()], &certificate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coturn_carries_a_call_over_tcp_when_udp_is_blocked() {
    let certificate = Certificate::new();
    let Some(coturn) = Coturn::start(&certificate).await else {
        return;
    };
    let (_blocked, over_udp) = silence();
    let (_a, _b, took) = a_call_over(&[over_udp, coturn.tcp()], &certificate).await;
    assert!(took < WITHOUT_UDP, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn coturn_carries_a_call_over_tls_when_udp_is_blocked() {
    let certificate = Certificate::new();
    let Some(coturn) = Coturn::start(&certificate).await else {
        return;
    };
    let (_blocked, over_udp) = silence();
    let (_a, _b, took) = a_call_over(&[over_udp, coturn.tls()], &certificate).await;
    assert!(took < WITHOUT_UDP, "{took:?}");
}
