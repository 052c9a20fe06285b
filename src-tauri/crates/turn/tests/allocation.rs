//! An allocation from its first request to its end, without sockets (RFC 8656).

mod support;

use ahoy_turn::{Client, Link, Route, StreamId, TurnConfig};
use rtc_stun::attributes::*;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use support::bench::{Bench, LISTENING, RELAY_IP, client, peer};
use support::stun::{
    Account, Answer, METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION,
    METHOD_DATA, METHOD_REFRESH, UDP, channel_data, fingerprinted, indication, unsigned,
};

const CHANNEL: [u8; 4] = [0x40, 0x01, 0, 0];
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_stranger_learns_its_address_and_how_to_sign() {
    let mut bench = Bench::new();
    let bound = bench.ask(client(1), &unsigned(METHOD_BINDING, &[]));
    assert_eq!(bound.address(ATTR_XORMAPPED_ADDRESS), client(1).address);
    let with_fingerprint = bench.ask(client(1), &fingerprinted(METHOD_BINDING));
    assert!(with_fingerprint.get(ATTR_FINGERPRINT).is_some());
    let challenge = bench.ask(
        client(1),
        &unsigned(METHOD_ALLOCATE, &[(ATTR_REQUESTED_TRANSPORT, &UDP)]),
    );
    assert_eq!(challenge.code(), 401);
    assert!(!challenge.text(ATTR_REALM).is_empty() && !challenge.text(ATTR_NONCE).is_empty());
}

#[test]
fn an_allocation_lives_ten_minutes_and_as_long_as_it_is_refreshed() {
    let mut bench = Bench::new();
    let account = bench.known("7", client(1));
    let made = bench.allocate(client(1), &account);
    assert_eq!(made.lifetime(), 600);
    assert_eq!(made.address(ATTR_XORMAPPED_ADDRESS), client(1).address);
    let relayed = made.address(ATTR_XOR_RELAYED_ADDRESS);
    assert_eq!(relayed.ip(), RELAY_IP);
    assert!(relayed.port() >= 49152);
    bench.pass(9 * MINUTE);
    let refreshed = bench.signed(client(1), &account, METHOD_REFRESH, &[], &[]);
    assert_eq!(refreshed.lifetime(), 600);
    bench.pass(9 * MINUTE);
    assert_eq!(bench.open.len(), 1);
    bench.pass(2 * MINUTE);
    assert_eq!(bench.open, []);
    let late = bench.signed(client(1), &account, METHOD_REFRESH, &[], &[]);
    assert_eq!(late.code(), 437);
}

#[test]
fn a_lifetime_is_at_most_an_hour_and_zero_ends_the_allocation() {
    let mut bench = Bench::new();
    let (account, _) = bench.allocated("7", client(1));
    let lifetime = |seconds: u32| seconds.to_be_bytes();
    let long = bench.signed(
        client(1),
        &account,
        METHOD_REFRESH,
        &[(ATTR_LIFETIME, &lifetime(9999))],
        &[],
    );
    assert_eq!(long.lifetime(), 3600);
    let end = account.request(METHOD_REFRESH, &[(ATTR_LIFETIME, &lifetime(0))], &[]);
    let ended = bench.hear(client(1), &end).expect("an answer");
    assert_eq!(Answer::read(&ended.bytes).lifetime(), 0);
    assert_eq!(bench.open, []);
    let repeated = bench.hear(client(1), &end).expect("an answer");
    assert_eq!(repeated, ended, "the same answer to the same request");
    let next = bench.signed(client(1), &account, METHOD_REFRESH, &[], &[]);
    assert_eq!(next.code(), 437);
}

#[test]
fn a_repeated_allocate_is_answered_the_same_and_another_one_is_refused() {
    let mut bench = Bench::new();
    let account = bench.known("7", client(1));
    let request = account.request(METHOD_ALLOCATE, &[(ATTR_REQUESTED_TRANSPORT, &UDP)], &[]);
    let first = bench.hear(client(1), &request).expect("an answer");
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.hear(client(1), &request), Some(first));
    assert_eq!(bench.open.len(), 1);
    assert_eq!(bench.allocate(client(1), &account).code(), 437);
}

#[test]
fn a_request_that_lacks_something_is_told_what() {
    let mut bench = Bench::new();
    let account = bench.known("7", client(1));
    let transport: (AttrType, &[u8]) = (ATTR_REQUESTED_TRANSPORT, &UDP);
    let mut code = |attributes: &[(AttrType, &[u8])]| {
        bench
            .signed(client(1), &account, METHOD_ALLOCATE, attributes, &[])
            .code()
    };
    assert_eq!(code(&[]), 400);
    assert_eq!(code(&[(ATTR_REQUESTED_TRANSPORT, &[6, 0, 0, 0])]), 442);
    assert_eq!(code(&[(ATTR_REQUESTED_TRANSPORT, &[17])]), 400);
    assert_eq!(
        code(&[transport, (ATTR_REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])]),
        440
    );
    assert_eq!(
        code(&[transport, (ATTR_REQUESTED_ADDRESS_FAMILY, &[9, 0, 0, 0])]),
        440
    );
    assert_eq!(code(&[transport, (ATTR_RESERVATION_TOKEN, &[0; 8])]), 508);
    assert_eq!(
        code(&[
            transport,
            (ATTR_RESERVATION_TOKEN, &[0; 8]),
            (ATTR_EVEN_PORT, &[0])
        ]),
        400
    );
    assert_eq!(code(&[transport, (ATTR_EVEN_PORT, &[0x80])]), 508);
    let unknown = bench.signed(
        client(1),
        &account,
        METHOD_ALLOCATE,
        &[transport, (ATTR_DONT_FRAGMENT, &[])],
        &[],
    );
    assert_eq!(unknown.code(), 420);
    assert_eq!(unknown.get(ATTR_UNKNOWN_ATTRIBUTES), Some(vec![0x00, 0x1A]));
    let even = bench.signed(
        client(1),
        &account,
        METHOD_ALLOCATE,
        &[transport, (ATTR_EVEN_PORT, &[0])],
        &[],
    );
    assert_eq!(even.address(ATTR_XOR_RELAYED_ADDRESS).port() % 2, 0);
}

#[test]
fn a_relay_of_ipv6_gives_ipv6_to_who_asks_for_it() {
    let ip: IpAddr = "2001:db8::99".parse().expect("an address");
    let config = TurnConfig::new(SocketAddr::new(ip, LISTENING), support::config().secret);
    let mut bench = Bench::with(config, ip);
    let account = bench.known("7", client(1));
    assert_eq!(bench.allocate(client(1), &account).code(), 440);
    let family: (AttrType, &[u8]) = (ATTR_REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    let transport: (AttrType, &[u8]) = (ATTR_REQUESTED_TRANSPORT, &UDP);
    let made = bench.signed(client(1), &account, METHOD_ALLOCATE, &[transport, family], &[]);
    assert_eq!(made.address(ATTR_XOR_RELAYED_ADDRESS).ip(), ip);
    let other: SocketAddr = "[2600::1]:5000".parse().expect("an address");
    let mut permit = |peer| {
        bench
            .signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[peer])
            .code()
    };
    assert_eq!(permit(other), 0);
    assert_eq!(permit(peer(1)), 443);
}

#[test]
fn ports_of_other_programs_are_passed_over_until_too_many_are_taken() {
    let mut config = TurnConfig::new(SocketAddr::from((RELAY_IP, LISTENING)), support::config().secret);
    config.relay_ports = 50_000..=50_003;
    let mut bench = Bench::with(config, RELAY_IP);
    bench.taken = vec![50_000, 50_001, 50_002];
    let (_, relayed) = bench.allocated("7", client(1));
    assert_eq!(relayed.port(), 50_003);
    bench.taken.push(50_003);
    let account = bench.known("8", client(2));
    assert_eq!(bench.allocate(client(2), &account).code(), 508);
}

#[test]
fn data_flows_by_indications_and_by_channels_both_ways_with_a_permission_only() {
    let mut bench = Bench::new();
    let (account, relayed) = bench.allocated("7", client(1));
    let data: (AttrType, &[u8]) = (ATTR_DATA, b"hello");
    let to_peer = indication(&[peer(1)], &[data]);
    assert_eq!(bench.hear(client(1), &to_peer), None, "no permission yet");
    assert_eq!(bench.hear_peer(relayed, peer(1), b"hi"), None);

    let permitted = bench.signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[peer(1)]);
    assert!(permitted.is_success());
    let sent = bench.hear(client(1), &to_peer).expect("it is sent");
    assert_eq!(sent.bytes, b"hello");
    assert!(matches!(sent.route, Route::ToPeer { peer: to, .. } if to == peer(1)));
    let came = bench.hear_peer(relayed, peer(1), b"hi").expect("it is delivered");
    assert_eq!(came.route, Route::ToClient(client(1)));
    let came = Answer::read(&came.bytes);
    assert_eq!(
        (came.method(), came.get(ATTR_DATA)),
        (METHOD_DATA, Some(b"hi".to_vec()))
    );
    assert_eq!(came.address(ATTR_XOR_PEER_ADDRESS), peer(1));

    let bound = bench.signed(
        client(1),
        &account,
        METHOD_CHANNEL_BIND,
        &[(ATTR_CHANNEL_NUMBER, &CHANNEL)],
        &[peer(1)],
    );
    assert!(bound.is_success());
    let sent = bench
        .hear(client(1), &channel_data(0x4001, b"hello"))
        .expect("it is sent");
    assert_eq!(sent.bytes, b"hello");
    let came = bench.hear_peer(relayed, peer(1), b"hi").expect("it is delivered");
    assert_eq!(came.bytes, channel_data(0x4001, b"hi"));
    assert_eq!(bench.hear_peer(relayed, peer(2), b"hi"), None, "another peer");
}

#[test]
fn permissions_last_five_minutes_and_channels_ten() {
    let mut bench = Bench::new();
    let (account, relayed) = bench.allocated("7", client(1));
    let number: (AttrType, &[u8]) = (ATTR_CHANNEL_NUMBER, &CHANNEL);
    bench.signed(
        client(1),
        &account,
        METHOD_REFRESH,
        &[(ATTR_LIFETIME, &3600u32.to_be_bytes())],
        &[],
    );
    bench.signed(client(1), &account, METHOD_CHANNEL_BIND, &[number], &[peer(1)]);
    bench.pass(Duration::from_secs(299));
    assert!(bench.hear_peer(relayed, peer(1), b"hi").is_some());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.hear_peer(relayed, peer(1), b"hi"), None);
    bench.signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[peer(1)]);
    bench.pass(Duration::from_secs(299));
    let by_channel = bench.hear_peer(relayed, peer(1), b"hi").expect("it is delivered");
    assert_eq!(by_channel.bytes, channel_data(0x4001, b"hi"));
    bench.signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[peer(1)]);
    bench.pass(Duration::from_secs(2));
    let by_indication = bench.hear_peer(relayed, peer(1), b"hi").expect("it is delivered");
    assert_eq!(Answer::read(&by_indication.bytes).method(), METHOD_DATA);
    assert_eq!(bench.hear(client(1), &channel_data(0x4001, b"x")), None);
}

#[test]
fn a_channel_is_for_one_peer_and_a_peer_has_one_channel() {
    let mut bench = Bench::new();
    let (account, _) = bench.allocated("7", client(1));
    let mut bind = |number: u16, peer| {
        let [high, low] = number.to_be_bytes();
        bench
            .signed(
                client(1),
                &account,
                METHOD_CHANNEL_BIND,
                &[(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0])],
                &[peer],
            )
            .code()
    };
    assert_eq!(bind(0x4001, peer(1)), 0);
    assert_eq!(bind(0x4001, peer(1)), 0, "a refresh");
    assert_eq!(bind(0x4001, peer(2)), 400);
    assert_eq!(bind(0x4002, peer(1)), 400);
    assert_eq!(bind(0x3FFF, peer(3)), 400);
    assert_eq!(bind(0x8000, peer(3)), 400);
}

#[test]
fn a_call_outlives_its_credentials_and_takes_new_ones_of_the_same_user() {
    let mut bench = Bench::new();
    let (mut account, _) = bench.allocated("7", client(1));
    for _ in 0..8 {
        bench.pass(9 * MINUTE);
        let answer = bench.signed(client(1), &account, METHOD_REFRESH, &[], &[]);
        if answer.code() == 438 {
            account.take_challenge(&answer);
            assert!(
                bench
                    .signed(client(1), &account, METHOD_REFRESH, &[], &[])
                    .is_success()
            );
        }
    }
    let renewed = bench.known("7", client(1));
    assert_ne!(renewed.credentials, account.credentials);
    assert!(
        bench
            .signed(client(1), &renewed, METHOD_REFRESH, &[], &[])
            .is_success()
    );
    let second = bench.known("7", client(2));
    let expired = Account {
        credentials: account.credentials,
        ..second
    };
    assert_eq!(
        bench.allocate(client(2), &expired).code(),
        401,
        "for a new allocation"
    );
}

#[test]
fn a_connection_that_closes_ends_its_allocation_and_one_without_is_closed() {
    let mut bench = Bench::new();
    let (stream, idle) = (StreamId(1), StreamId(2));
    let by_stream = Client {
        address: client(1).address,
        link: Link::Stream(stream),
    };
    for id in [stream, idle] {
        bench.relay.handle_connected(bench.now, id, client(1).address);
    }
    let (account, relayed) = bench.allocated("7", by_stream);
    bench.signed(
        by_stream,
        &account,
        METHOD_CHANNEL_BIND,
        &[(ATTR_CHANNEL_NUMBER, &CHANNEL)],
        &[peer(1)],
    );
    let padded = bench.hear_peer(relayed, peer(1), b"hi").expect("it is delivered");
    assert_eq!(padded.bytes, [&channel_data(0x4001, b"hi")[..], &[0, 0]].concat());
    for _ in 0..62 {
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!(bench.disconnected, [idle]);
    bench.relay.handle_disconnected(stream);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.open, []);
}
