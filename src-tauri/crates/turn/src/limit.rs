//! How much one source may ask and one user may send: buckets that fill with time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Answers to strangers per second and source address, which is also the burst (IM-Suite §16.22).
const ANSWERS_PER_SECOND: u64 = 50;
/// Sources that are told apart; above it new ones share one bucket, so that a flood from forged addresses takes no memory
/// (chosen: half a megabyte).
const MAX_SOURCES: usize = 8192;

/// A bucket of tokens that fills with time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// Tokens per second, and the most that it holds.
    rate: u64,
    /// In billionths of a token.
    level: u128,
    filled_at: Duration,
}

impl Bucket {
    const UNIT: u128 = 1_000_000_000;

    pub(crate) fn full(rate: u64, now: Duration) -> Self {
        Self {
            rate,
            level: u128::from(rate) * Self::UNIT,
            filled_at: now,
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.level == u128::from(self.rate) * Self::UNIT
    }

    fn fill(&mut self, now: Duration) {
        let capacity = u128::from(self.rate) * Self::UNIT;
        let since = now.saturating_sub(self.filled_at).as_nanos();
        self.level = capacity.min(self.level + since * u128::from(self.rate));
        self.filled_at = self.filled_at.max(now);
    }

    /// Takes `count` tokens, or none when there are fewer.
    pub(crate) fn take(&mut self, count: u64, now: Duration) -> bool {
        self.fill(now);
        let cost = u128::from(count) * Self::UNIT;
        let enough = self.level >= cost;
        if enough {
            self.level -= cost;
        }
        enough
    }
}

/// Who was answered how often lately.
#[derive(Debug)]
pub(crate) struct Sources {
    buckets: HashMap<IpAddr, Bucket>,
    /// Shared by all that found the table full.
    others: Bucket,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            buckets: HashMap::new(),
            others: Bucket::full(ANSWERS_PER_SECOND, Duration::ZERO),
        }
    }

    /// Whether one more answer may go to this address.
    pub(crate) fn admit(&mut self, source: IpAddr, now: Duration) -> bool {
        let source = site(source);
        if let Some(bucket) = self.buckets.get_mut(&source) {
            return bucket.take(1, now);
        }
        if self.buckets.len() >= MAX_SOURCES {
            return self.others.take(1, now);
        }
        let mut bucket = Bucket::full(ANSWERS_PER_SECOND, now);
        let admitted = bucket.take(1, now);
        self.buckets.insert(source, bucket);
        admitted
    }

    /// Forgets buckets that are full again: a new one is the same.
    pub(crate) fn sweep(&mut self, now: Duration) {
        const FULL_AFTER: Duration = Duration::from_secs(1);
        self.buckets
            .retain(|_, bucket| now.saturating_sub(bucket.filled_at) < FULL_AFTER);
        if self.buckets.is_empty() {
            self.buckets.shrink_to(MAX_SOURCES / 8);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// What counts as one source: an IPv6 site has 2^64 addresses at its will.
fn site(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn ip(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    fn admitted(sources: &mut Sources, source: IpAddr, tries: u32, at: Duration) -> usize {
        (0..tries).filter(|_| sources.admit(source, at)).count()
    }

    #[test]
    fn a_source_gets_fifty_answers_a_second_and_others_are_unhurt() {
        let mut sources = Sources::new();
        assert_eq!(admitted(&mut sources, ip(1), 10_000, Duration::ZERO), 50);
        assert_eq!(admitted(&mut sources, ip(2), 10, Duration::ZERO), 10);
        assert_eq!(
            admitted(&mut sources, ip(1), 10_000, Duration::from_millis(500)),
            25
        );
        assert_eq!(
            admitted(&mut sources, ip(1), 10_000, Duration::from_secs(100)),
            50
        );
    }

    #[test]
    fn addresses_of_one_ipv6_site_are_one_source() {
        let mut sources = Sources::new();
        let asked = (0..100u16).filter(|n| {
            let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, *n);
            sources.admit(ip.into(), Duration::ZERO)
        });
        assert_eq!(asked.count(), 50);
    }

    #[test]
    fn a_flood_from_a_million_addresses_takes_no_more_memory_than_the_table() {
        let mut sources = Sources::new();
        for n in 0..1_000_000 {
            sources.admit(ip(n), Duration::ZERO);
        }
        assert_eq!(sources.buckets.len(), MAX_SOURCES);
        sources.sweep(Duration::from_secs(1));
        assert!(sources.is_empty());
        assert!(sources.admit(ip(5), Duration::from_secs(1)));
    }
}
