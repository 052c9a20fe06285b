//! Which port a relayed address gets: one that nobody can guess (RFC 8656 §7.2).

use ring::hmac;
use std::ops::RangeInclusive;

/// Draws ports from a range in an order that depends on a key.
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    key: hmac::Key,
    drawn: u64,
}

impl Ports {
    pub(crate) fn new(range: RangeInclusive<u16>, key: &[u8; 32]) -> Self {
        Self {
            range,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            drawn: 0,
        }
    }

    pub(crate) fn range(&self) -> &RangeInclusive<u16> {
        &self.range
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.range.len()
    }

    pub(crate) fn draw(&mut self) -> u16 {
        self.drawn += 1;
        let random = hmac::sign(&self.key, &self.drawn.to_be_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&random.as_ref()[..8]);
        let count = self.range.len().max(1) as u64;
        let offset = u64::from_be_bytes(bytes) % count;
        self.range.start().saturating_add(offset as u16)
    }
}
