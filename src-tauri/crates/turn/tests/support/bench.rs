//! The relay without sockets, under a clock of the test.

use super::stun::{Account, Answer, Attributes, METHOD_ALLOCATE, Method, UDP};
use ahoy_turn::{Client, Link, Moment, Relay, RelayEvent, RelayId, Route, StreamId, TurnConfig};
use rtc_stun::attributes::*;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// When the tests begin, in unix seconds.
pub const START: u64 = 1_700_000_000;
/// Where clients believe the relay to be.
pub const RELAY_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
pub const LISTENING: u16 = 3478;

/// A relay, its clock, and the sockets that it asked for.
pub struct Bench {
    pub relay: Relay,
    pub now: Moment,
    pub open: Vec<(RelayId, u16)>,
    pub disconnected: Vec<StreamId>,
    /// Ports that another program holds.
    pub taken: Vec<u16>,
}

/// A message that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub route: Route,
    pub bytes: Vec<u8>,
}

pub fn client(n: u16) -> Client {
    Client {
        address: SocketAddr::from(([203, 0, 113, 1], 1000 + n)),
        link: Link::Datagram,
    }
}

pub fn peer(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 5000))
}

impl Bench {
    pub fn new() -> Self {
        let config = TurnConfig::new(SocketAddr::from((RELAY_IP, LISTENING)), super::config().secret);
        Self::with(config, RELAY_IP)
    }

    pub fn with(config: TurnConfig, relay_ip: IpAddr) -> Self {
        Self {
            relay: Relay::new(&config, relay_ip, vec![relay_ip], LISTENING, [7; 32]),
            now: Moment {
                at: Duration::ZERO,
                unix: START,
            },
            open: Vec::new(),
            disconnected: Vec::new(),
            taken: Vec::new(),
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.unix += time.as_secs();
        self.relay.handle_timeout(self.now);
        self.perform();
    }

    /// What a message of a client leads to.
    pub fn hear(&mut self, from: Client, bytes: &[u8]) -> Option<Sent> {
        let sent = self.relay.handle_datagram(self.now, from, bytes);
        let sent = sent.map(|sent| Sent {
            route: sent.route,
            bytes: sent.payload.to_vec(),
        });
        let opened = self.perform();
        sent.or(opened)
    }

    /// What a datagram of a peer leads to.
    pub fn hear_peer(&mut self, relayed: SocketAddr, from: SocketAddr, bytes: &[u8]) -> Option<Sent> {
        let (relay, _) = *self.open.iter().find(|(_, port)| *port == relayed.port())?;
        let sent = self.relay.handle_relayed(self.now, relay, from, bytes);
        sent.map(|sent| Sent {
            route: sent.route,
            bytes: sent.payload.to_vec(),
        })
    }

    fn perform(&mut self) -> Option<Sent> {
        let mut last = None;
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Open { relay, port } => {
                    let is_open = !self.taken.contains(&port);
                    if is_open {
                        self.open.push((relay, port));
                    }
                    let sent = self.relay.handle_opened(self.now, relay, is_open);
                    last = sent.map(|sent| Sent {
                        route: sent.route,
                        bytes: sent.payload.to_vec(),
                    });
                }
                RelayEvent::Close { relay } => self.open.retain(|(open, _)| *open != relay),
                RelayEvent::Disconnect { stream } => self.disconnected.push(stream),
            }
        }
        last
    }

    /// Asks and reads the answer, which goes back to where the request came from.
    pub fn ask(&mut self, from: Client, request: &[u8]) -> Answer {
        let sent = self.hear(from, request).expect("an answer");
        assert_eq!(sent.route, Route::ToClient(from));
        let answer = Answer::read(&sent.bytes);
        assert_eq!(answer.transaction(), request[8..20]);
        answer
    }

    /// A user who has been told realm and nonce at this address.
    pub fn known(&mut self, user: &str, at: Client) -> Account {
        let mut account = Account::of(user, self.now.unix);
        let challenge = self.ask(
            at,
            &super::stun::unsigned(METHOD_ALLOCATE, &[(ATTR_REQUESTED_TRANSPORT, &UDP)]),
        );
        assert_eq!(challenge.code(), 401);
        account.take_challenge(&challenge);
        account
    }

    /// A signed request; a success is signed as well.
    pub fn signed(
        &mut self,
        at: Client,
        account: &Account,
        method: Method,
        attributes: Attributes<'_>,
        peers: &[SocketAddr],
    ) -> Answer {
        let request = account.request(method, attributes, peers);
        let sent = self.hear(at, &request).expect("an answer");
        let answer = Answer::read(&sent.bytes);
        if answer.is_success() {
            account.check(&sent.bytes);
        }
        answer
    }

    pub fn allocate(&mut self, at: Client, account: &Account) -> Answer {
        self.signed(
            at,
            account,
            METHOD_ALLOCATE,
            &[(ATTR_REQUESTED_TRANSPORT, &UDP)],
            &[],
        )
    }

    /// A user with an allocation; returns the relayed address.
    pub fn allocated(&mut self, user: &str, at: Client) -> (Account, SocketAddr) {
        let account = self.known(user, at);
        let answer = self.allocate(at, &account);
        assert!(answer.is_success(), "{}", answer.code());
        (account, answer.address(ATTR_XOR_RELAYED_ADDRESS))
    }
}
