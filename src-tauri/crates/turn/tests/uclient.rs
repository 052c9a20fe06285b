//! coturn's client through our relay: every way to it, and nothing lost.

mod support;

use support::{Echo, has, server, uclient};

/// Two clients with ten messages a second each way for two seconds.
const LOAD: [&str; 8] = ["-c", "-m", "2", "-n", "40", "-z", "20", "-l"];
const SIZE: &str = "300";

async fn relays(way: &[&str]) {
    if !has("turnutils_uclient") {
        return;
    }
    let (server, echo) = (server().await, Echo::start().await);
    let port = echo.address.port().to_string();
    let peer = ["-e", "127.0.0.1", "-r", &port];
    uclient(server.address(), &[&LOAD[..], &[SIZE], &peer, way].concat()).await;
    let stats = server.stats();
    // Each client allocates once to try and once to work.
    assert_eq!(stats.allocations_made, 4, "{stats:?}");
    assert_eq!(stats.bytes_from_clients, 2 * 40 * 300, "{stats:?}");
    assert_eq!(stats.bytes_from_clients, stats.bytes_to_clients, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_over_udp_lose_nothing() {
    relays(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_indications_over_udp_lose_nothing() {
    relays(&["-s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_over_tcp_lose_nothing() {
    relays(&["-t"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_indications_over_tcp_lose_nothing() {
    relays(&["-t", "-s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_over_tls_lose_nothing() {
    relays(&["-t", "-S"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_indications_over_tls_lose_nothing() {
    relays(&["-t", "-S", "-s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_of_this_relay_reach_each_other_by_their_relayed_addresses() {
    if !has("turnutils_uclient") {
        return;
    }
    let server = server().await;
    for way in [&["-y"][..], &["-y", "-s"], &["-y", "-t"]] {
        uclient(server.address(), &[&LOAD[..], &[SIZE], way].concat()).await;
    }
}
