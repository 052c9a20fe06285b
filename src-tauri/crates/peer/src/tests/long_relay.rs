//! Calls that last long over relays which do not answer everything (RFC 8656 §3.2, §8, §9, §12), under a clock that runs
//! faster: more than twenty minutes of the peers and of the relay in one of the world.
//!
//! The relay is the product's own, behind a socket that loses what a test wants lost. A MediaServer's answers no Refresh
//! at all but keeps its allocations; any other relay may be out of reach just when one is due.

use super::fast_clock::{FastClock, FastRuntime};
use super::support::{AUDIO, Party, connect, loopback, noise};
use crate::engine::Workarounds;
use crate::peer::Setup;
use crate::{CandidateType, Credential, IceServer, Peer, PeerConfig, PeerEvent, TransportState};
use ahoy_media::packet::EncodedFrame;
use ahoy_media::units::RtpTime;
use ahoy_turn::{Client, Link, Moment, Relay, RelayEvent, TurnConfig, TurnSecret, credentials};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A minute of calls takes two seconds.
const SPEED: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// How long a call is to last: two lifetimes of an allocation, and four of a permission (RFC 8656 §3.2, §9).
const CALL: Duration = Duration::from_secs(21 * 60);
/// Between two sounds. Every packet of a real call would be one in 0.7 ms.
const SOUND: Duration = Duration::from_millis(300);
/// A minute without this many sounds is one in which the call was not heard.
const HEARD: usize = 100;
const SECRET: &str = "north";
/// When the credentials were issued, in unix seconds.
const START: u64 = 1_700_000_000;

/// Requests of TURN by their STUN method (RFC 8656 §17).
const REFRESH: u8 = 0x04;
const CREATE_PERMISSION: u8 = 0x08;
const CHANNEL_BIND: u8 = 0x09;

/// What happens to requests on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faults {
    /// Allocations live on, but no Refresh is answered.
    NoRefreshIsAnswered,
    /// Of each client every second Refresh is lost with all its repetitions, beginning with the first, and every second
    /// CreatePermission beginning with the second; of everything else the first copy is lost.
    EverySecondIsLost,
}

/// What the relay was asked, each request once, and how many of those it was let answer.
#[derive(Debug, Default)]
struct Asked {
    requests: BTreeMap<u8, u32>,
    answered: BTreeMap<u8, u32>,
}

/// The relay behind its socket, until dropped.
struct FaultyRelay {
    address: SocketAddr,
    asked: Arc<Mutex<Asked>>,
    running: JoinHandle<()>,
}

impl FaultyRelay {
    async fn start(clock: FastClock, faults: Faults) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let asked = Arc::<Mutex<Asked>>::default();
        let running = tokio::spawn(serve(socket, address, clock, faults, Arc::clone(&asked)));
        Self {
            address,
            asked,
            running,
        }
    }

    fn count(&self, method: u8) -> (u32, u32) {
        let asked = self.asked.lock().expect("no test panics here");
        let of = |counts: &BTreeMap<u8, u32>| counts.get(&method).copied().unwrap_or(0);
        (of(&asked.requests), of(&asked.answered))
    }
}

impl Drop for FaultyRelay {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Both peers have their allocations here, so that whatever one sends the other goes through without another socket.
async fn serve(
    socket: UdpSocket,
    address: SocketAddr,
    clock: FastClock,
    faults: Faults,
    asked: Arc<Mutex<Asked>>,
) {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = TurnConfig::new(address, TurnSecret::new(SECRET));
    let mut relay = Relay::new(&config, ip, vec![ip], address.port(), [7; 32]);
    let mut fates: HashMap<[u8; 12], Fate> = HashMap::new();
    // How many requests of a method each client has made.
    let mut numbers: HashMap<(SocketAddr, u8), u32> = HashMap::new();
    let mut bytes = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
        let datagram = &bytes[..length];
        let at = clock.elapsed();
        let now = Moment {
            at,
            unix: START + at.as_secs(),
        };
        relay.handle_timeout(now);
        let fate = request(datagram).map(|(method, id)| {
            let mut asked = asked.lock().expect("no test panics here");
            let fate = fates.entry(id).or_insert_with(|| {
                *asked.requests.entry(method).or_insert(0) += 1;
                let number = numbers.entry((from, method)).or_insert(0);
                *number += 1;
                Fate::of(faults, method, *number)
            });
            let next = fate.next();
            if next == Next::Answered {
                *asked.answered.entry(method).or_insert(0) += 1;
            }
            next
        });
        if fate == Some(Next::Lost) {
            continue;
        }
        let client = Client {
            address: from,
            link: Link::Datagram,
        };
        let mut leaves = Vec::new();
        if let Some(sent) = relay.handle_datagram(now, client, datagram) {
            leaves.push((sent.route, sent.payload.to_vec()));
        }
        while let Some(event) = relay.poll_event() {
            if let RelayEvent::Open { relay: id, .. } = event
                && let Some(sent) = relay.handle_opened(now, id, true)
            {
                leaves.push((sent.route, sent.payload.to_vec()));
            }
        }
        if fate == Some(Next::Unanswered) {
            continue;
        }
        for (route, payload) in leaves {
            if let ahoy_turn::Route::ToClient(client) = route {
                socket
                    .send_to(&payload, client.address)
                    .await
                    .expect("loopback takes it");
            }
        }
    }
}

/// Method and transaction of a request of TURN (RFC 8489 §5).
fn request(datagram: &[u8]) -> Option<(u8, [u8; 12])> {
    match datagram {
        [
            0,
            method @ (0x03 | REFRESH | CREATE_PERMISSION | CHANNEL_BIND),
            ..,
        ] => Some((*method, datagram.get(8..20)?.try_into().ok()?)),
        _ => None,
    }
}

/// What becomes of one request and its repetitions.
#[derive(Debug)]
struct Fate {
    copies_lost: u32,
    unanswered: bool,
    copies: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Lost,
    Unanswered,
    Answered,
}

impl Fate {
    fn of(faults: Faults, method: u8, number: u32) -> Self {
        let (copies_lost, unanswered) = match faults {
            Faults::NoRefreshIsAnswered => (0, method == REFRESH),
            Faults::EverySecondIsLost => match method {
                REFRESH if !number.is_multiple_of(2) => (u32::MAX, false),
                CREATE_PERMISSION if number.is_multiple_of(2) => (u32::MAX, false),
                REFRESH | CREATE_PERMISSION => (0, false),
                _ => (1, false),
            },
        };
        Self {
            copies_lost,
            unanswered,
            copies: 0,
        }
    }

    fn next(&mut self) -> Next {
        self.copies += 1;
        if self.copies <= self.copies_lost {
            Next::Lost
        } else if self.unanswered {
            Next::Unanswered
        } else {
            Next::Answered
        }
    }
}

/// A call of two peers that have nothing but one relay.
struct Call {
    clock: FastClock,
    relay: FaultyRelay,
    a: Party,
    b: Party,
}

impl Call {
    async fn begin(faults: Faults, workarounds: Workarounds) -> Self {
        let clock = FastClock::new(SPEED);
        let relay = FaultyRelay::start(clock, faults).await;
        let mut a = party(clock, relay.address, workarounds).await;
        let mut b = party(clock, relay.address, workarounds).await;
        connect(&mut a, &mut b, AUDIO).await;
        Self { clock, relay, a, b }
    }

    /// Lets both talk; how many sounds each heard in every minute.
    async fn talk(&self, duration: Duration) -> [Vec<usize>; 2] {
        let ends = self.clock.elapsed() + duration;
        let mut ticks = tokio::time::interval(self.clock.real(SOUND));
        let mut number = 0;
        let mut heard = [Vec::new(), Vec::new()];
        let mut before = [0, 0];
        let mut minute = self.clock.elapsed() + MINUTE;
        while self.clock.elapsed() < ends {
            ticks.tick().await;
            for party in [&self.a, &self.b] {
                let out = party.peer.audio_out();
                if let Some(codec) = out.codec() {
                    // Refused while the connection is down; then nothing is heard.
                    out.try_send(codec, sound(number));
                }
            }
            number += 1;
            if self.clock.elapsed() >= minute {
                minute += MINUTE;
                for (at, party) in [&self.a, &self.b].into_iter().enumerate() {
                    let count = party.audio.borrow().len();
                    heard[at].push(count - before[at]);
                    before[at] = count;
                }
            }
        }
        heard
    }

    async fn path(&self) -> [(CandidateType, Option<SocketAddr>); 2] {
        let mut paths = Vec::new();
        for party in [&self.a, &self.b] {
            let local = party
                .peer
                .stats()
                .await
                .transport
                .local
                .expect("a pair is selected");
            paths.push((local.candidate_type, local.address));
        }
        [paths[0], paths[1]]
    }

    fn failed(&self) -> bool {
        [&self.a, &self.b]
            .iter()
            .any(|party| party.count(&PeerEvent::State(TransportState::Failed)) > 0)
    }
}

fn sound(number: u32) -> EncodedFrame {
    EncodedFrame {
        payload: noise(u64::from(number), 80),
        rtp_time: RtpTime::new(number.wrapping_mul(960)),
        keyframe: false,
        captured_at: Instant::now(),
    }
}

async fn party(clock: FastClock, relay: SocketAddr, workarounds: Workarounds) -> Party {
    let issued = credentials::issue(&TurnSecret::new(SECRET), "7", START, Duration::from_secs(3600));
    let config = PeerConfig {
        ice_servers: vec![IceServer {
            urls: vec![format!("turn:{relay}?transport=udp")],
            username: issued.username,
            credential: Credential::new(issued.credential),
        }],
        relay_only: true,
        ..loopback()
    };
    let (tx, rx) = mpsc::channel(64);
    let setup = Setup {
        runtime: Arc::new(FastRuntime(clock)),
        interfaces: None,
        workarounds,
    };
    let peer = Peer::with_setup(config, tx, setup).await.expect("a peer");
    Party::from_peer(peer, rx)
}

/// The call is heard in every minute, on the path that it began with.
async fn lasts(faults: Faults) -> FaultyRelay {
    let call = Call::begin(faults, Workarounds::default()).await;
    let before = call.path().await;
    let heard = call.talk(CALL).await;
    let counts = format!(
        "{heard:?}, {:?}",
        call.relay.asked.lock().expect("no test panics here")
    );
    assert!(!call.failed(), "{counts}");
    for minutes in &heard {
        assert!(minutes.len() >= 20, "{counts}");
        assert!(minutes.iter().all(|count| *count >= HEARD), "{counts}");
    }
    assert_eq!(
        call.path().await,
        before,
        "it goes on by the allocations it began with"
    );
    assert!(
        before.iter().all(|(kind, _)| *kind == CandidateType::Relay),
        "{before:?}"
    );
    call.relay
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outlives_twenty_minutes_on_a_relay_that_answers_no_refresh() {
    let relay = lasts(Faults::NoRefreshIsAnswered).await;
    let (asked, answered) = relay.count(REFRESH);
    assert!(
        asked >= 20 && answered == 0,
        "{asked} refreshes, {answered} answered"
    );
    let (permissions, _) = relay.count(CREATE_PERMISSION);
    let (channels, _) = relay.count(CHANNEL_BIND);
    // Two peers, each 21 minutes: permissions every two, channels every five.
    assert!(
        permissions >= 2 * 10 && channels >= 2 * 4,
        "{permissions}, {channels}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outlives_twenty_minutes_of_refreshes_that_get_lost() {
    let relay = lasts(Faults::EverySecondIsLost).await;
    for method in [REFRESH, CREATE_PERMISSION] {
        let (asked, answered) = relay.count(method);
        assert!(answered < asked, "{method}: {answered} of {asked} were answered");
    }
    let call = Call::begin(
        Faults::EverySecondIsLost,
        Workarounds {
            refreshes_early: false,
            ..Workarounds::default()
        },
    )
    .await;
    // The relay gives an allocation up ten minutes after it was made.
    let heard = call.talk(12 * MINUTE).await;
    let last = heard.iter().filter_map(|minutes| minutes.last());
    assert_eq!(
        last.max(),
        Some(&0),
        "the library refreshes early by itself: {heard:?}"
    );
}
