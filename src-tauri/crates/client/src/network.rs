//! The system's network changes: a watcher on a thread of the library, and the wait until they have settled.

use crate::inbox::Inbox;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One change of network is a dozen events within this time; chosen after what a cable and a Wi-Fi make of it on Linux.
const SETTLE: Duration = Duration::from_millis(300);
/// However many events follow, it is acted on after so long; chosen, far below the patience of a call.
const LONGEST: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub(crate) struct NetworkWatch {
    _watch: netwatcher::WatchHandle,
}

impl NetworkWatch {
    /// `None` where the system does not tell; then lost connections are noticed by their silence.
    pub(crate) fn start(inbox: Inbox) -> Option<Self> {
        let watched = netwatcher::watch_interfaces_with_callback(move |update| {
            let matters = |ip: &IpAddr| leads_out(ip);
            let moved = update.addrs_added().any(|(_, record)| matters(&record.ip))
                || update.addrs_removed().any(|(_, record)| matters(&record.ip));
            if moved && !update.is_initial {
                inbox.network_changed();
            }
        });
        match watched {
            Ok(watch) => Some(Self { _watch: watch }),
            Err(error) => {
                tracing::warn!(?error, "the system does not tell of changes of its network");
                None
            }
        }
    }
}

/// Whether an address can carry anything to another machine beyond the cable: neither loopback nor link-local.
fn leads_out(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

/// Makes one change of many events. Pure.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// First event, and when to act.
    since: Option<(Instant, Instant)>,
}

impl Settling {
    pub(crate) fn handle_change(&mut self, now: Instant) {
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, (now + SETTLE).min(first + LONGEST)));
    }

    /// Whether the network has settled on something new; told once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.since.take_if(|(_, due)| *due <= now).is_some()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.since.map(|(_, due)| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_events_is_one_change() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        settling.handle_change(at(0));
        settling.handle_change(at(100));
        assert!(!settling.handle_timeout(at(399)));
        assert!(settling.handle_timeout(at(400)));
        assert!(!settling.handle_timeout(at(500)) && settling.poll_timeout().is_none());
    }

    #[test]
    fn events_without_end_hold_nothing_up_for_more_than_a_second() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        for ms in (0..1000).step_by(100) {
            settling.handle_change(start + Duration::from_millis(ms));
        }
        assert_eq!(settling.poll_timeout(), Some(start + LONGEST));
    }

    #[test]
    fn addresses_of_this_machine_alone_are_no_network() {
        let ip = |text: &str| leads_out(&text.parse().expect("an address"));
        assert!(ip("192.168.1.5") && ip("2001:db8::1") && ip("fd00::1"));
        assert!(!ip("127.0.0.1") && !ip("::1") && !ip("169.254.1.1") && !ip("fe80::1"));
    }
}
