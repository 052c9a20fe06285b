use ahoy_turn::framing::Frame;
use ahoy_turn::{Client, Link, Moment, Relay, StreamId, TurnConfig, TurnSecret};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Bytes of strangers, and of a client that has an allocation already: no fuzzer guesses its signature.
pub fn stun(bytes: &[u8]) {
    of_strangers(bytes);
    ahoy_turn::fuzz::hear_anything(bytes);
}

/// A sequence of messages, each behind one byte that chooses the client and two that give its length.
fn of_strangers(bytes: &[u8]) {
    // Reading a stream needs no more than its first bytes.
    if let Ok(Some(frame)) = Frame::read(bytes) {
        let _ = format!("{frame:?}");
    }
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let config = TurnConfig::new(SocketAddr::new(ip, 3478), TurnSecret::new(*b"north"));
    let mut relay = Relay::new(&config, ip, vec![ip], 3478, [7; 32]);
    let mut at = Duration::ZERO;
    let mut rest = bytes;
    while let [client, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (message, next) = tail.split_at(length);
        rest = next;
        at += Duration::from_millis(u64::from(client >> 2) * 10);
        let moment = Moment { at, unix: 1000 };
        let address = SocketAddr::from(([198, 51, 100, 1 + (client & 1)], 40_000));
        let stream = StreamId(u64::from(client & 1));
        let link = if client & 2 == 0 {
            Link::Datagram
        } else {
            relay.handle_connected(moment, stream, address);
            Link::Stream(stream)
        };
        let answer = relay.handle_datagram(moment, Client { address, link }, message);
        if let Some(answer) = answer {
            // IM-Suite §16.22; nothing here has credentials.
            assert!(
                answer.payload.len() <= 3 * message.len(),
                "{} for {}",
                answer.payload.len(),
                message.len()
            );
        }
        relay.handle_timeout(moment);
        while relay.poll_event().is_some() {}
    }
}
