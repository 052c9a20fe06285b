//! The addresses of this machine: those the connection's sockets were bound to, and those there are now.
//!
//! The library asks again at every ICE restart, which is what moves a call to another network.

use crate::{CandidateType, SelectedCandidate};
use rtc::shared::ifaces::ifaces;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the sockets go; clones share what was bound last.
#[derive(Debug, Clone)]
pub(crate) struct Interfaces {
    /// 127.0.0.1 too.
    loopback: bool,
    bound: Arc<Mutex<Vec<IpAddr>>>,
    #[cfg(test)]
    pub(crate) pretended: Arc<Mutex<Option<Vec<IpAddr>>>>,
}

impl Interfaces {
    pub(crate) fn new(loopback: bool) -> Self {
        Self {
            loopback,
            bound: Arc::default(),
            #[cfg(test)]
            pretended: Arc::default(),
        }
    }

    /// What became of the addresses since the sockets were bound.
    pub(crate) fn change(&self) -> Change {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.usable();
        Change {
            gone: bound.iter().copied().filter(|ip| !now.contains(ip)).collect(),
            came: now.iter().any(|ip| !bound.contains(ip)),
            bound,
        }
    }

    /// Every usable address of the machine, and 127.0.0.1 when asked.
    fn usable(&self) -> Vec<IpAddr> {
        #[cfg(test)]
        if let Some(pretended) = &*self.pretended.lock().unwrap_or_else(PoisonError::into_inner) {
            return pretended.clone();
        }
        let found = ifaces().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot list the network interfaces");
            Vec::new()
        });
        let mut addresses: Vec<IpAddr> = Vec::new();
        for ip in found
            .iter()
            .filter_map(|interface| interface.addr)
            .map(|a| a.ip())
        {
            if is_usable(ip) && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        if self.loopback {
            addresses.push(Ipv4Addr::LOCALHOST.into());
        }
        addresses
    }
}

/// The addresses to bind now, port 0.
impl ToSocketAddrs for Interfaces {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        let mut addresses = self.usable();
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&addresses);
        if addresses.is_empty() {
            // Without a network now, the library still needs a socket to come up with.
            addresses.push(Ipv4Addr::UNSPECIFIED.into());
        }
        let sockets: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(sockets.into_iter())
    }
}

/// How the machine's addresses differ from those that are bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    bound: Vec<IpAddr>,
    gone: Vec<IpAddr>,
    /// There is one that is not bound.
    came: bool,
}

impl Change {
    pub(crate) fn is_none(&self) -> bool {
        self.gone.is_empty() && !self.came
    }

    /// Whether the path is lost for this machine, and only a restart can find another; `None` = there is no path.
    pub(crate) fn ends(&self, path: Option<&SelectedCandidate>) -> bool {
        if self.is_none() {
            return false;
        }
        let Some(path) = path.filter(|_| !self.bound.is_empty()) else {
            return true;
        };
        match path.address.map(|address| address.ip()) {
            Some(ip) if self.bound.contains(&ip) => self.gone.contains(&ip),
            // An earlier restart closed the socket of this path; the library names it until it has another.
            Some(_) if path.candidate_type == CandidateType::Host => true,
            // Behind the address a server or the other side sees is one of this machine, and nothing says which.
            Some(_) | None => !self.gone.is_empty(),
        }
    }
}

/// Link-local addresses need a scope that a candidate cannot carry (RFC 8445 §5.1.1.1).
fn is_usable(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn pretending(list: &[IpAddr]) -> Interfaces {
        let interfaces = Interfaces::new(false);
        pretend(&interfaces, list);
        interfaces
    }

    fn pretend(interfaces: &Interfaces, list: &[IpAddr]) {
        *interfaces.pretended.lock().expect("no panic") = Some(list.to_vec());
    }

    fn bind(interfaces: &Interfaces) -> Vec<SocketAddr> {
        interfaces.to_socket_addrs().expect("addresses").collect()
    }

    fn path(candidate_type: CandidateType, ip: IpAddr) -> SelectedCandidate {
        SelectedCandidate {
            candidate_type,
            address: Some(SocketAddr::new(ip, 5000)),
            protocol: "udp".to_owned(),
            relay_protocol: None,
        }
    }

    #[test]
    fn an_address_that_goes_and_one_that_comes_are_told_apart() {
        let interfaces = pretending(&[ip(1), ip(2)]);
        assert_eq!(bind(&interfaces).len(), 2);
        assert!(interfaces.change().is_none());
        pretend(&interfaces, &[ip(2), ip(3)]);
        let change = interfaces.change();
        assert_eq!((change.gone.as_slice(), change.came), ([ip(1)].as_slice(), true));
        assert_eq!(bind(&interfaces).len(), 2);
        assert!(interfaces.change().is_none(), "the new ones are bound");
    }

    #[test]
    fn without_a_network_the_stand_in_is_no_address_that_can_go() {
        let interfaces = pretending(&[]);
        assert_eq!(bind(&interfaces), [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))]);
        assert!(interfaces.change().is_none());
    }

    #[test]
    fn a_path_ends_with_the_address_it_begins_at() {
        let interfaces = pretending(&[ip(1), ip(2)]);
        bind(&interfaces);
        for candidate_type in [CandidateType::Host, CandidateType::PeerReflexive] {
            let (first, second) = (path(candidate_type, ip(1)), path(candidate_type, ip(2)));
            pretend(&interfaces, &[ip(2)]);
            assert!(interfaces.change().ends(Some(&first)));
            assert!(!interfaces.change().ends(Some(&second)));
            pretend(&interfaces, &[ip(1), ip(2), ip(3)]);
            assert!(
                !interfaces.change().ends(Some(&first)),
                "one more address harms nothing"
            );
        }
    }

    #[test]
    fn a_path_seen_from_outside_may_begin_at_any_address_that_is_gone() {
        let interfaces = pretending(&[ip(1), ip(2)]);
        bind(&interfaces);
        for candidate_type in [
            CandidateType::ServerReflexive,
            CandidateType::PeerReflexive,
            CandidateType::Relay,
        ] {
            let outside = path(candidate_type, IpAddr::from([203, 0, 113, 7]));
            pretend(&interfaces, &[ip(2)]);
            assert!(interfaces.change().ends(Some(&outside)));
            pretend(&interfaces, &[ip(1), ip(2), ip(3)]);
            assert!(!interfaces.change().ends(Some(&outside)));
        }
    }

    #[test]
    fn the_path_of_a_socket_closed_by_a_restart_is_no_path_any_more() {
        for candidate_type in [CandidateType::Host, CandidateType::PeerReflexive] {
            let old = path(candidate_type, ip(1));
            let interfaces = pretending(&[]);
            bind(&interfaces);
            assert!(!interfaces.change().ends(Some(&old)), "nothing to try");
            pretend(&interfaces, &[ip(1)]);
            assert!(interfaces.change().ends(Some(&old)));
            assert!(interfaces.change().ends(None));
        }
        let interfaces = pretending(&[ip(2)]);
        bind(&interfaces);
        pretend(&interfaces, &[ip(1), ip(2)]);
        assert!(interfaces.change().ends(Some(&path(CandidateType::Host, ip(1)))));
    }
}
