//! Which peers a relay may be used to reach.
//!
//! A relay stands inside a network and has the rights of its host: without rules its users reach what only that host can
//! (RFC 8656 §21.3). Private, local and special networks are refused, whatever form the address comes in.

use crate::network::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What may be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is a peer like others.
    Peer,
    /// It is this relay: only the relayed addresses of other clients are there. With `host` the operator has also allowed
    /// the host's own programs.
    Own { host: bool },
    /// Nothing.
    Denied,
}

#[derive(Debug)]
pub(crate) struct PeerRules {
    allow: Vec<Network>,
    /// Addresses of this host.
    own: Vec<IpAddr>,
    /// The port of the relay itself on those.
    listening: u16,
}

impl PeerRules {
    pub(crate) fn new(allow: Vec<Network>, own: Vec<IpAddr>, listening: u16) -> Self {
        Self {
            allow,
            own,
            listening,
        }
    }

    pub(crate) fn reach(&self, ip: IpAddr) -> Reach {
        let ip = ip.to_canonical();
        let allowed = self.allow.iter().any(|network| network.contains(ip));
        if self.own.contains(&ip) {
            return Reach::Own { host: allowed };
        }
        if allowed || !is_special(ip) {
            Reach::Peer
        } else {
            Reach::Denied
        }
    }

    /// Whether a datagram may go to a program at this address, given that no client is there.
    pub(crate) fn may_send(&self, peer: SocketAddr) -> bool {
        match self.reach(peer.ip()) {
            Reach::Peer => true,
            Reach::Own { host } => host && peer.port() != self.listening,
            Reach::Denied => false,
        }
    }
}

/// Networks that are not the public internet (IANA special-purpose registries; GOALS S16).
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_special_v4(ip),
        IpAddr::V6(ip) => is_special_v6(ip),
    }
}

fn is_special_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    match a {
        0 | 10 | 127 => true,
        // Shared by the customers of a provider (RFC 6598).
        100 => b & 0xC0 == 64,
        169 => b == 254,
        172 => b & 0xF0 == 16,
        192 => (b == 168) || (b == 0 && c == 0),
        // Between test machines (RFC 2544).
        198 => b & 0xFE == 18,
        // Multicast, reserved, broadcast.
        224.. => true,
        _ => false,
    }
}

/// Addresses that carry an IPv4 address within are refused altogether: whoever wants that peer names it as IPv4.
fn is_special_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, ..] = ip.segments();
    let embeds_v4 = [a, b, c, d, e, f] == [0; 6]     // ::, ::1 and IPv4-compatible
        || (a == 0x64 && b == 0xff9b)                // NAT64 (RFC 6052, RFC 8215)
        || a == 0x2002                               // 6to4 (RFC 3056)
        || (a == 0x2001 && b == 0)                   // Teredo (RFC 4380)
        || (e & 0xFDFF == 0 && f == 0x5efe)          // ISATAP (RFC 5214)
        || (a == 0 && b == 0 && c == 0 && d == 0); // IPv4-translated, and the rest of ::/64
    let local = a & 0xFE00 == 0xFC00                 // unique local
        || a & 0xFFC0 == 0xFE80                      // link-local
        || a & 0xFFC0 == 0xFEC0                      // site-local of old
        || a & 0xFF00 == 0xFF00; // multicast
    embeds_v4 || local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn rules(allow: &[&str]) -> PeerRules {
        let allow = allow.iter().map(|n| n.parse().expect("a network")).collect();
        PeerRules::new(allow, vec![ip("198.51.100.1"), ip("10.1.1.1")], 3478)
    }

    #[test]
    fn special_networks_are_denied_in_every_form() {
        let denied = "0.0.0.0 0.1.2.3 127.0.0.1 127.255.0.1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 \
            100.127.0.1 169.254.169.254 192.0.0.8 198.18.0.1 198.19.255.255 224.0.0.1 239.1.2.3 240.0.0.1 255.255.255.255 \
            :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:10.0.0.1 64:ff9b::a00:1 64:ff9b::808:808 64:ff9b:1::1 \
            2002:a00:1:: 2002:7f00:1::1 2001::1 2001:0:a00:1:: 2001:db8::5efe:a00:1 2001:db8::200:5efe:a00:1 \
            fc00::1 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1";
        for text in denied.split_whitespace() {
            assert_eq!(rules(&[]).reach(ip(text)), Reach::Denied, "{text}");
            assert!(!rules(&[]).may_send(SocketAddr::new(ip(text), 5000)), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_peers() {
        for text in "8.8.8.8 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.0.2.1 198.17.0.1 198.20.0.1 223.255.255.1 \
            ::ffff:8.8.8.8 2001:db8::1 2600::1"
            .split_whitespace()
        {
            assert_eq!(rules(&[]).reach(ip(text)), Reach::Peer, "{text}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached_in_its_mapped_form_too() {
        let rules = rules(&["10.0.0.0/8"]);
        assert_eq!(rules.reach(ip("10.0.0.1")), Reach::Peer);
        assert_eq!(rules.reach(ip("::ffff:10.0.0.1")), Reach::Peer);
        assert_eq!(rules.reach(ip("192.168.0.1")), Reach::Denied);
        assert_eq!(rules.reach(ip("64:ff9b::a00:1")), Reach::Denied);
    }

    #[test]
    fn programs_of_the_host_are_out_of_reach_unless_allowed_and_the_relay_itself_always() {
        let at = |ip: &str, port| SocketAddr::new(ip.parse().expect("an address"), port);
        let closed = rules(&[]);
        assert_eq!(closed.reach(ip("198.51.100.1")), Reach::Own { host: false });
        assert_eq!(
            closed.reach(ip("::ffff:198.51.100.1")),
            Reach::Own { host: false }
        );
        assert!(!closed.may_send(at("198.51.100.1", 22)));
        let open = rules(&["10.0.0.0/8"]);
        assert!(open.may_send(at("10.1.1.1", 22)));
        assert!(!open.may_send(at("10.1.1.1", 3478)));
        assert!(!open.may_send(at("198.51.100.1", 22)));
    }
}
