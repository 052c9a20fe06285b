//! `turn:` and `turns:` URLs (RFC 7065).

/// What carries TURN to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TurnUrl {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

impl TurnUrl {
    /// Reads a URL; `None` for one of another scheme, and for TURN over DTLS, which nothing here speaks.
    pub(super) fn parse(text: &str) -> Option<Self> {
        const PORT: u16 = 3478;
        const TLS_PORT: u16 = 5349;
        let (scheme, rest) = text.split_once(':')?;
        let is_secure = match scheme {
            "turn" => false,
            "turns" => true,
            _ => return None,
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = match (is_secure, query) {
            (false, "" | "transport=udp") => Transport::Udp,
            (false, "transport=tcp") => Transport::Tcp,
            (true, "" | "transport=tcp") => Transport::Tls,
            _ => return None,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if is_secure => TLS_PORT,
            None => PORT,
        };
        (!host.is_empty()).then(|| Self {
            host: host.to_owned(),
            port,
            transport,
        })
    }

    /// As a name service takes it.
    pub(super) fn address(&self) -> (String, u16) {
        (self.host.clone(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_rfc_is_read() {
        for (text, host, port, transport) in [
            ("turn:example.org", "example.org", 3478, Transport::Udp),
            (
                "turn:example.org:99?transport=udp",
                "example.org",
                99,
                Transport::Udp,
            ),
            (
                "turn:example.org?transport=tcp",
                "example.org",
                3478,
                Transport::Tcp,
            ),
            ("turns:example.org", "example.org", 5349, Transport::Tls),
            (
                "turns:192.0.2.1:443?transport=tcp",
                "192.0.2.1",
                443,
                Transport::Tls,
            ),
            (
                "turn:[2001:db8::1]:99?transport=tcp",
                "2001:db8::1",
                99,
                Transport::Tcp,
            ),
            ("turns:[2001:db8::1]", "2001:db8::1", 5349, Transport::Tls),
        ] {
            let url = TurnUrl::parse(text).expect(text);
            assert_eq!(
                (url.host.as_str(), url.port, url.transport),
                (host, port, transport)
            );
        }
    }

    #[test]
    fn what_is_not_turn_over_udp_tcp_or_tls_is_left_alone() {
        for text in [
            "",
            "turn",
            "turn:",
            "stun:a",
            "turns:a?transport=udp",
            "turn:a?transport=sctp",
            "turn:a:x",
            "turn:[::1",
        ] {
            assert_eq!(TurnUrl::parse(text), None, "{text}");
        }
    }
}
