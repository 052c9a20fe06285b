//! Nonces that need no memory (RFC 8489 §9.2): a date and a seal over it and the client's address.
//!
//! Whoever sends from a forged address never sees the nonce, and one that was overheard is of no use from elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a nonce is good for (RFC 8656 §5 asks for at least an hour between changes).
const LIFETIME: Duration = Duration::from_secs(3600);
/// Bytes of a nonce: 20 characters, so that the whole challenge is three times the smallest request (IM-Suite §16.22).
const BYTES: usize = 15;
/// Bytes of its date, in seconds since the relay started.
const DATE: usize = 4;
/// Characters of a nonce.
const CHARACTERS: usize = 20;

pub(crate) struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    pub(crate) fn issue(&self, at: Duration, client: SocketAddr) -> String {
        let expires = u32::try_from((at + LIFETIME).as_secs()).unwrap_or(u32::MAX);
        STANDARD.encode(self.sealed(expires.to_be_bytes(), client))
    }

    pub(crate) fn is_fresh(&self, nonce: &[u8], at: Duration, client: SocketAddr) -> bool {
        let mut bytes = [0; BYTES];
        if nonce.len() != CHARACTERS || STANDARD.decode_slice(nonce, &mut bytes) != Ok(BYTES) {
            return false;
        }
        let mut date = [0; DATE];
        date.copy_from_slice(&bytes[..DATE]);
        let genuine: bool = self.sealed(date, client).ct_eq(&bytes).into();
        genuine && at.as_secs() <= u64::from(u32::from_be_bytes(date))
    }

    fn sealed(&self, date: [u8; DATE], client: SocketAddr) -> [u8; BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&date);
        context.update(&client.port().to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        let seal = context.sign();
        let mut bytes = [0; BYTES];
        bytes[..DATE].copy_from_slice(&date);
        bytes[DATE..].copy_from_slice(&seal.as_ref()[..BYTES - DATE]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_an_hour_at_the_address_it_was_made_for() {
        let nonces = Nonces::new(&[7; 32]);
        let client = SocketAddr::from(([192, 0, 2, 1], 4000));
        let issued = Duration::from_secs(100);
        let nonce = nonces.issue(issued, client);
        assert_eq!(nonce.len(), CHARACTERS);
        let fresh = |at, client| nonces.is_fresh(nonce.as_bytes(), at, client);
        assert!(fresh(issued + LIFETIME, client));
        assert!(!fresh(issued + LIFETIME + Duration::from_secs(1), client));
        assert!(!fresh(issued, SocketAddr::from(([192, 0, 2, 1], 4001))), "port");
        assert!(
            !fresh(issued, SocketAddr::from(([192, 0, 2, 2], 4000))),
            "address"
        );
    }

    #[test]
    fn a_nonce_that_was_altered_or_made_up_is_not_fresh() {
        let nonces = Nonces::new(&[7; 32]);
        let client = SocketAddr::from(([192, 0, 2, 1], 4000));
        let mut altered = nonces.issue(Duration::ZERO, client).into_bytes();
        altered[0] = if altered[0] == b'B' { b'C' } else { b'B' };
        for nonce in [&altered[..], b"", b"x", &[0xFF; CHARACTERS], &[b'A'; CHARACTERS]] {
            assert!(!nonces.is_fresh(nonce, Duration::ZERO, client));
        }
        let other = Nonces::new(&[8; 32]).issue(Duration::ZERO, client);
        assert!(!nonces.is_fresh(other.as_bytes(), Duration::ZERO, client));
    }
}
