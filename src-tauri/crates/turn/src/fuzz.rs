//! One entry for fuzzers: the relay hears whatever bytes they make up.

use crate::client::{Client, Link, StreamId};
use crate::config::TurnConfig;
use crate::credentials::TurnSecret;
use crate::framing::Frame;
use crate::moment::Moment;
use crate::relay::{Relay, RelayEvent};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Feeds a relay that has one allocation: the input is cut into messages of a client, a second client, a connection and a
/// peer, and as one stream. Must neither panic nor take more time than the input is long.
pub fn hear_anything(input: &[u8]) {
    let ip = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    let config = TurnConfig::new(SocketAddr::new(ip, 3478), TurnSecret::new(*b"fuzz"));
    let mut relay = Relay::new(&config, ip, vec![ip], 3478, [1; 32]);
    let mut now = Moment {
        at: Duration::ZERO,
        unix: 1_700_000_000,
    };
    let client = |port| Client {
        address: SocketAddr::from(([203, 0, 113, 1], port)),
        link: Link::Datagram,
    };
    let stream = Client {
        address: SocketAddr::from(([203, 0, 113, 2], 1)),
        link: Link::Stream(StreamId(1)),
    };
    let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
    relay.handle_connected(now, StreamId(1), stream.address);
    let relayed = relay.allocate_for_fuzzing(now, client(1), peer);
    for (n, bytes) in input.chunks(97).enumerate() {
        now.at += Duration::from_millis(u64::from(bytes[0]) * 10);
        let answered = match n % 4 {
            0 => relay.handle_datagram(now, client(1), bytes).is_some(),
            1 => relay.handle_datagram(now, client(2), bytes).is_some(),
            2 => relay.handle_datagram(now, stream, bytes).is_some(),
            _ => relay.handle_relayed(now, relayed, peer, bytes).is_some(),
        };
        std::hint::black_box(answered);
        while let Some(event) = relay.poll_event() {
            if let RelayEvent::Open { relay: id, .. } = event {
                let is_open = bytes.len().is_multiple_of(2);
                std::hint::black_box(relay.handle_opened(now, id, is_open).is_some());
            }
        }
        relay.handle_timeout(now);
    }
    // The whole as one datagram, and as one stream.
    relay.handle_datagram(now, client(1), input);
    let mut rest = input;
    while let Ok(Some(frame)) = Frame::read(rest) {
        let Some(bytes) = rest.get(..frame.on_stream) else {
            break;
        };
        relay.handle_datagram(now, stream, &bytes[..frame.length]);
        rest = &rest[frame.on_stream..];
    }
}
