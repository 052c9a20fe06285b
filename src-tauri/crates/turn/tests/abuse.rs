//! What a relay refuses, without sockets: peers that are not on the internet (GOALS S16), and users and strangers who want
//! more than is theirs (S17).

mod support;

use ahoy_turn::{Client, Link, Network, Route, TurnConfig, credentials};
use rtc_stun::attributes::*;
use std::net::SocketAddr;
use std::time::Duration;
use support::bench::{Bench, LISTENING, RELAY_IP, START, client, peer};
use support::stun::{
    Account, Answer, METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION,
    METHOD_REFRESH, UDP, channel_data, fingerprinted, indication, unsigned,
};

const CHANNEL: [u8; 4] = [0x40, 0x01, 0, 0];
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn answers_to_strangers_are_at_most_three_times_the_request_and_name_no_software() {
    let mut bench = Bench::new();
    let v6 = Client {
        address: "[2001:db8::1]:1000".parse().expect("an address"),
        link: Link::Datagram,
    };
    let stranger = Account::of("7", START);
    let unknown: [(AttrType, &[u8]); 3] = [
        (AttrType(0x7001), &[]),
        (AttrType(0x7002), &[]),
        (AttrType(0x7003), &[]),
    ];
    for from in [client(1), v6] {
        for request in [
            unsigned(METHOD_BINDING, &[]),
            fingerprinted(METHOD_BINDING),
            unsigned(METHOD_BINDING, &unknown),
            unsigned(METHOD_ALLOCATE, &[]),
            fingerprinted(METHOD_ALLOCATE),
            unsigned(METHOD_REFRESH, &[]),
            stranger.request(METHOD_ALLOCATE, &[], &[]),
        ] {
            let sent = bench.hear(from, &request).expect("an answer");
            let (asked, answered) = (request.len(), sent.bytes.len());
            assert!(answered <= 3 * asked, "{answered} for {asked}");
            assert!(Answer::read(&sent.bytes).get(ATTR_SOFTWARE).is_none());
        }
    }
}

#[test]
fn expired_borrowed_and_made_up_credentials_open_nothing() {
    let mut bench = Bench::new();
    let good = bench.known("7", client(1));
    let mut expired = good.clone();
    expired.credentials = credentials::issue(
        &support::config().secret,
        "7",
        START - 7200,
        Duration::from_secs(3600),
    );
    let mut of_another_user = good.clone();
    of_another_user.credentials.username = good.credentials.username.replace(":7", ":8");
    let mut made_up = good.clone();
    made_up.credentials.credential = "x".to_owned();
    let mut of_no_form = good.clone();
    of_no_form.credentials.username = "alice".to_owned();
    for account in [expired, of_another_user, made_up, of_no_form] {
        let refused = bench.allocate(client(1), &account);
        assert_eq!(refused.code(), 401);
        assert!(refused.get(ATTR_NONCE).is_some(), "a challenge");
    }
    // A request that was overheard, sent from elsewhere.
    assert_eq!(bench.allocate(client(2), &good).code(), 438);
    assert_eq!(bench.open, []);
    assert!(bench.allocate(client(1), &good).is_success());
}

#[test]
fn credentials_that_belong_to_somebody_else_do_not_touch_an_allocation() {
    let mut bench = Bench::new();
    let (_, relayed) = bench.allocated("7", client(1));
    let other = bench.known("8", client(1));
    for method in [METHOD_REFRESH, METHOD_CREATE_PERMISSION, METHOD_CHANNEL_BIND] {
        let refused = bench.signed(client(1), &other, method, &[(ATTR_LIFETIME, &[0; 4])], &[peer(1)]);
        assert_eq!(refused.code(), 441);
    }
    assert_eq!(bench.open.len(), 1);
    assert_eq!(bench.open[0].1, relayed.port());
}

#[test]
fn a_nonce_that_is_too_old_is_renewed_and_the_request_then_works() {
    let mut bench = Bench::new();
    let (mut account, _) = bench.allocated("7", client(1));
    bench.signed(
        client(1),
        &account,
        METHOD_REFRESH,
        &[(ATTR_LIFETIME, &3600u32.to_be_bytes())],
        &[],
    );
    bench.pass(59 * MINUTE);
    bench.signed(
        client(1),
        &account,
        METHOD_REFRESH,
        &[(ATTR_LIFETIME, &3600u32.to_be_bytes())],
        &[],
    );
    bench.pass(2 * MINUTE);
    let stale = bench.signed(client(1), &account, METHOD_REFRESH, &[], &[]);
    assert_eq!(stale.code(), 438);
    account.take_challenge(&stale);
    assert!(
        bench
            .signed(client(1), &account, METHOD_REFRESH, &[], &[])
            .is_success()
    );
}

#[test]
fn the_eleventh_allocation_of_a_user_is_refused_and_other_users_are_unhurt() {
    let mut bench = Bench::new();
    for n in 0..10 {
        bench.allocated("7", client(n));
    }
    let account = bench.known("7", client(10));
    assert_eq!(bench.allocate(client(10), &account).code(), 486);
    let (other, relayed) = bench.allocated("8", client(11));
    bench.signed(client(11), &other, METHOD_CREATE_PERMISSION, &[], &[peer(1)]);
    assert!(bench.hear_peer(relayed, peer(1), b"hi").is_some());
    // One that ends makes room.
    let first = bench.known("7", client(0));
    bench.signed(
        client(0),
        &first,
        METHOD_REFRESH,
        &[(ATTR_LIFETIME, &[0; 4])],
        &[],
    );
    assert!(bench.allocate(client(10), &account).is_success());
}

#[test]
fn what_a_user_sends_beyond_the_bandwidth_is_dropped_and_other_users_are_unhurt() {
    let mut config = TurnConfig::new(SocketAddr::from((RELAY_IP, LISTENING)), support::config().secret);
    config.bandwidth = Some(10_000);
    let mut bench = Bench::with(config, RELAY_IP);
    let mut relayed = Vec::new();
    for (user, at) in [("7", client(1)), ("8", client(2))] {
        let (account, address) = bench.allocated(user, at);
        bench.signed(
            at,
            &account,
            METHOD_CHANNEL_BIND,
            &[(ATTR_CHANNEL_NUMBER, &CHANNEL)],
            &[peer(1)],
        );
        relayed.push(address);
    }
    let flood = channel_data(0x4001, &[0; 1000]);
    let passed = |bench: &mut Bench, at| (0..50).filter(|_| bench.hear(at, &flood).is_some()).count();
    assert_eq!(passed(&mut bench, client(1)), 10);
    assert_eq!(
        bench.hear_peer(relayed[0], peer(1), b"hi"),
        None,
        "both ways together"
    );
    assert_eq!(passed(&mut bench, client(2)), 10);
    bench.pass(Duration::from_millis(500));
    assert_eq!(passed(&mut bench, client(1)), 5);
}

#[test]
fn a_flood_of_questions_gets_fifty_answers_a_second_and_others_are_unhurt() {
    let mut bench = Bench::new();
    let (account, relayed) = bench.allocated(
        "7",
        Client {
            address: SocketAddr::from(([203, 0, 113, 9], 1000)),
            link: Link::Datagram,
        },
    );
    let caller = Client {
        address: SocketAddr::from(([203, 0, 113, 9], 1000)),
        link: Link::Datagram,
    };
    bench.signed(caller, &account, METHOD_CREATE_PERMISSION, &[], &[peer(1)]);
    let questions = [
        unsigned(METHOD_BINDING, &[]),
        unsigned(METHOD_ALLOCATE, &[(ATTR_REQUESTED_TRANSPORT, &UDP)]),
        Account::of("7", START).request(METHOD_ALLOCATE, &[], &[]),
    ];
    let mut answered = 0;
    for n in 0..100_000u32 {
        let question = &questions[n as usize % questions.len()];
        answered += u32::from(bench.hear(client(n as u16 % 900), question).is_some());
        if n % 1000 == 0 {
            assert!(bench.hear_peer(relayed, peer(1), b"hi").is_some());
        }
    }
    assert_eq!(answered, 50);
    assert!(
        bench
            .signed(caller, &account, METHOD_REFRESH, &[], &[])
            .is_success()
    );
}

#[test]
fn peers_that_are_not_on_the_internet_are_forbidden_in_every_form_and_by_every_way() {
    let mut bench = Bench::new();
    let (account, relayed) = bench.allocated("7", client(1));
    let denied = "0.0.0.0 127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 169.254.169.254 169.254.0.1 \
        192.0.0.1 198.18.0.1 224.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 \
        64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::808:808 2002:7f00:1:: 2001::1 fc00::1 fe80::1 ff02::1 198.51.100.1 \
        ::ffff:198.51.100.1";
    for text in denied.split_whitespace() {
        let forbidden = SocketAddr::new(text.parse().expect("an address"), 5000);
        let number: (AttrType, &[u8]) = (ATTR_CHANNEL_NUMBER, &CHANNEL);
        let bound = bench.signed(client(1), &account, METHOD_CHANNEL_BIND, &[number], &[forbidden]);
        assert_eq!(bound.code(), 403, "channel to {text}");
        let permitted = bench.signed(
            client(1),
            &account,
            METHOD_CREATE_PERMISSION,
            &[],
            &[peer(1), forbidden],
        );
        assert_eq!(permitted.code(), 403, "permission for {text}");
        let data: (AttrType, &[u8]) = (ATTR_DATA, b"x");
        assert_eq!(
            bench.hear(client(1), &indication(&[forbidden], &[data])),
            None,
            "data to {text}"
        );
    }
    assert_eq!(
        bench.hear_peer(relayed, peer(1), b"x"),
        None,
        "nothing was permitted beside it"
    );
    // The relay's own port, its own relayed address, and a free port of the range.
    for port in [LISTENING, relayed.port(), relayed.port() ^ 1, 22, 80] {
        let own = SocketAddr::new(RELAY_IP, port);
        let permitted = bench.signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[own]);
        assert_eq!(permitted.code(), 403, "{own}");
    }
}

#[test]
fn two_clients_reach_each_other_by_their_relayed_addresses_and_nothing_else_of_the_host() {
    let mut bench = Bench::new();
    let (one, one_relayed) = bench.allocated("7", client(1));
    let (two, two_relayed) = bench.allocated("8", client(2));
    let permit = |bench: &mut Bench, at, account: &Account, peer| {
        bench
            .signed(at, account, METHOD_CREATE_PERMISSION, &[], &[peer])
            .code()
    };
    assert_eq!(permit(&mut bench, client(1), &one, two_relayed), 0);
    let data: (AttrType, &[u8]) = (ATTR_DATA, b"hello");
    let hello = indication(&[two_relayed], &[data]);
    assert_eq!(
        bench.hear(client(1), &hello),
        None,
        "the other has not permitted it"
    );
    assert_eq!(permit(&mut bench, client(2), &two, one_relayed), 0);
    let came = bench.hear(client(1), &hello).expect("it is handed over");
    assert_eq!(came.route, Route::ToClient(client(2)));
    assert_eq!(
        Answer::read(&came.bytes).address(ATTR_XOR_PEER_ADDRESS),
        one_relayed
    );
    // The permission is for the address, and still opens no other port of it.
    let elsewhere = SocketAddr::new(RELAY_IP, 22);
    assert_eq!(bench.hear(client(1), &indication(&[elsewhere], &[data])), None);
    bench.signed(client(2), &two, METHOD_REFRESH, &[(ATTR_LIFETIME, &[0; 4])], &[]);
    assert_eq!(bench.hear(client(1), &hello), None, "the other has gone");
}

#[test]
fn an_allowed_network_is_reached_although_it_is_private() {
    let mut config = TurnConfig::new(SocketAddr::from((RELAY_IP, LISTENING)), support::config().secret);
    config.allow = vec!["10.0.0.0/8".parse::<Network>().expect("a network")];
    let mut bench = Bench::with(config, RELAY_IP);
    let (account, _) = bench.allocated("7", client(1));
    let mut permit = |peer: &str| {
        let peer = peer.parse().expect("an address");
        bench
            .signed(client(1), &account, METHOD_CREATE_PERMISSION, &[], &[peer])
            .code()
    };
    assert_eq!(permit("10.1.2.3:5000"), 0);
    assert_eq!(permit("192.168.1.1:5000"), 403);
}
