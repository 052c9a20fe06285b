//! How many HTTP requests one address may make (IM-Suite §12). Pure: moments are passed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Addresses that are remembered; beyond it the one that was quiet longest is forgotten, which at worst gives it a full
/// bucket again (chosen: about 5 MB).
const ADDRESSES: usize = 65_536;
/// Requests that an address may make at once, in seconds of its rate: 20 at 10 per second (IM-Suite §12).
const BURST_SECONDS: f64 = 2.0;

/// A bucket of tokens per address.
#[derive(Debug)]
pub(crate) struct RequestRates {
    /// Requests per second; 0 is no limit.
    rate: u32,
    buckets: HashMap<IpAddr, Bucket>,
    /// The same buckets by the time of their last use, to find the quietest.
    by_use: std::collections::BTreeMap<(Duration, u64), IpAddr>,
    uses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    used: (Duration, u64),
}

impl RequestRates {
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
            by_use: Default::default(),
            uses: 0,
        }
    }

    /// Counts a request at `now`, which is any clock that does not go back. An error is the time until the next one.
    pub(crate) fn take(&mut self, now: Duration, address: IpAddr) -> Result<(), Duration> {
        if self.rate == 0 {
            return Ok(());
        }
        let rate = f64::from(self.rate);
        let burst = rate * BURST_SECONDS;
        let address = household(address);
        let mut tokens = match self.buckets.get(&address) {
            None => burst,
            Some(bucket) => {
                self.by_use.remove(&bucket.used);
                let passed = now.saturating_sub(bucket.used.0).as_secs_f64();
                (bucket.tokens + passed * rate).min(burst)
            }
        };
        let outcome = if tokens >= 1.0 {
            tokens -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - tokens) / rate))
        };
        self.uses += 1;
        let used = (now, self.uses);
        self.buckets.insert(address, Bucket { tokens, used });
        self.by_use.insert(used, address);
        if self.buckets.len() > ADDRESSES
            && let Some((_, quietest)) = self.by_use.pop_first()
        {
            self.buckets.remove(&quietest);
        }
        outcome
    }
}

/// An IPv6 customer has a whole /64 (RFC 6177); whoever could take a fresh address each time would have no limit.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Duration = Duration::ZERO;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn twenty_at_once_then_ten_a_second() {
        let mut rates = RequestRates::new(10);
        for _ in 0..20 {
            assert_eq!(rates.take(ZERO, address(1)), Ok(()));
        }
        let wait = rates.take(ZERO, address(1)).unwrap_err();
        assert_eq!(wait.as_millis(), 100);
        assert_eq!(rates.take(ZERO, address(2)), Ok(()), "another address");
        assert!(rates.take(Duration::from_millis(50), address(1)).is_err());
        assert!(rates.take(Duration::from_millis(101), address(1)).is_ok());
        let second = Duration::from_millis(1_101);
        let granted = (0..20).filter(|_| rates.take(second, address(1)).is_ok()).count();
        assert_eq!(granted, 10);
    }

    #[test]
    fn no_rate_is_no_limit() {
        let mut rates = RequestRates::new(0);
        assert!((0..1000).all(|_| rates.take(ZERO, address(1)).is_ok()));
        assert!(rates.buckets.is_empty());
    }

    #[test]
    fn a_household_counts_as_one() {
        let mut rates = RequestRates::new(10);
        let at = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, host));
        let granted = (0..100)
            .filter(|host| rates.take(ZERO, at(*host)).is_ok())
            .count();
        assert_eq!(granted, 20);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(household(mapped), address(1));
    }

    #[test]
    fn the_quietest_address_is_forgotten_first_and_the_table_stays_bounded() {
        let mut rates = RequestRates::new(10);
        for _ in 0..21 {
            // The table of the busy one is empty now.
            let _ = rates.take(ZERO, address(1));
        }
        for i in 0..u32::try_from(ADDRESSES).unwrap() {
            let at = Duration::from_micros(u64::from(i));
            rates.take(at, IpAddr::V4((0x0b00_0000 + i).into())).unwrap();
            if i % 1000 == 0 {
                let _ = rates.take(at, address(1));
            }
        }
        assert_eq!((rates.buckets.len(), rates.by_use.len()), (ADDRESSES, ADDRESSES));
        let after = Duration::from_micros(ADDRESSES as u64);
        assert!(
            rates.take(after, address(1)).is_err(),
            "it was busy all the time and is remembered"
        );
    }
}
