//! A bad network in this process: a forwarder of datagrams between two addresses that delays, loses and queues them.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a thread without work looks whether it is over.
const LOOK: Duration = Duration::from_millis(50);

/// Above every datagram of a call.
const LARGEST: usize = 2048;

/// Of one direction.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Share of datagrams that get lost, whatever their size.
    pub loss: f64,
    pub delay: Duration,
    /// Bits per second.
    pub rate: f64,
    /// What would wait longer for its turn is dropped.
    pub queue: Duration,
}

/// The decisions about one direction, told the time; equal seeds lose equal datagrams.
#[derive(Debug)]
struct Way {
    conditions: Conditions,
    random: u64,
    free_at: Option<Instant>,
}

impl Way {
    fn new(conditions: Conditions, seed: u64) -> Self {
        // Never zero, where the generator would stay.
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            conditions,
            random,
            free_at: None,
        }
    }

    /// When a datagram arrives at the other end; `None` when it does not.
    fn handle_datagram(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
        // Headers of IP and UDP travel too.
        let takes = Duration::from_secs_f64((bytes + 28) as f64 * 8.0 / self.conditions.rate);
        if begins - now > self.conditions.queue {
            return None;
        }
        self.free_at = Some(begins + takes);
        let lost = self.next_random() < self.conditions.loss;
        (!lost).then_some(begins + takes + self.conditions.delay)
    }

    /// From 0 to 1, by xorshift.
    fn next_random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Datagrams of one direction.
#[derive(Debug, Default)]
pub struct Count {
    pub passed: AtomicU64,
    pub lost: AtomicU64,
}

/// A side may have another address after it was silent for this long: it has found itself a new path.
const MOVES: Duration = Duration::from_millis(300);

/// Where one of the two sends to, and is sent from.
struct End {
    socket: UdpSocket,
    owner: Mutex<Option<Owner>>,
}

/// Whose datagrams cross: a side that tries several of its addresses at once goes on with the first.
#[derive(Debug, Clone, Copy)]
struct Owner {
    address: SocketAddr,
    heard_at: Instant,
}

impl End {
    fn open() -> std::io::Result<Arc<Self>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Arc::new(Self {
            socket,
            owner: Mutex::new(None),
        }))
    }

    /// Whether a datagram of this address crosses.
    fn hear(&self, now: Instant, from: SocketAddr) -> bool {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = owner.is_some_and(|owner| owner.address != from && now < owner.heard_at + MOVES);
        if !taken {
            *owner = Some(Owner {
                address: from,
                heard_at: now,
            });
        }
        !taken
    }

    fn owner(&self) -> Option<SocketAddr> {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.map(|owner| owner.address)
    }
}

/// The forwarder; it ends when dropped.
pub struct Link {
    ends: [Arc<End>; 2],
    counts: [Arc<Count>; 2],
    /// Most microseconds by which a datagram was handed on after its time.
    late: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Link {
    /// The same conditions both ways, with losses of their own.
    pub fn start(conditions: Conditions, seed: u64) -> std::io::Result<Self> {
        let ends = [End::open()?, End::open()?];
        let counts = [Arc::<Count>::default(), Arc::default()];
        let (late, over) = (Arc::<AtomicU64>::default(), Arc::new(AtomicBool::new(false)));
        let mut threads = Vec::new();
        for (from, to) in [(0, 1), (1, 0)] {
            let way = Way::new(conditions, seed * 2 + from as u64);
            let (due, dues) = channel();
            let (end, count, stop) = (
                Arc::clone(&ends[from]),
                Arc::clone(&counts[from]),
                Arc::clone(&over),
            );
            threads.push(std::thread::spawn(move || {
                receive(&end, way, &count, &due, &stop)
            }));
            let (end, late) = (Arc::clone(&ends[to]), Arc::clone(&late));
            threads.push(std::thread::spawn(move || deliver(&dues, &end, &late)));
        }
        Ok(Self {
            ends,
            counts,
            late,
            over,
            threads,
        })
    }

    /// The address for the first of the two.
    pub fn first(&self) -> SocketAddr {
        self.ends[0].socket.local_addr().expect("a bound socket has one")
    }

    /// The address for the second of the two.
    pub fn second(&self) -> SocketAddr {
        self.ends[1].socket.local_addr().expect("a bound socket has one")
    }

    /// Datagrams of the first and of the second.
    pub fn counts(&self) -> &[Arc<Count>; 2] {
        &self.counts
    }

    /// How late a datagram has been at most: how long this machine lets a program wait that has something to do.
    pub fn latest(&self) -> Duration {
        Duration::from_micros(self.late.load(Ordering::Relaxed))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has told so.
            thread.join().ok();
        }
    }
}

type Due = (Instant, Vec<u8>);

fn receive(end: &End, mut way: Way, count: &Count, due: &Sender<Due>, over: &AtomicBool) {
    let mut buffer = [0; LARGEST];
    while !over.load(Ordering::Relaxed) {
        // Nothing came, or the last one could not be delivered, which the system tells here.
        let Ok((length, from)) = end.socket.recv_from(&mut buffer) else {
            continue;
        };
        let now = Instant::now();
        if !end.hear(now, from) {
            continue;
        }
        match way.handle_datagram(now, length) {
            Some(at) => {
                count.passed.fetch_add(1, Ordering::Relaxed);
                if due.send((at, buffer[..length].to_vec())).is_err() {
                    return;
                }
            }
            None => {
                count.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Datagrams come in the order in which they are due, as the delay is the same for all.
fn deliver(dues: &Receiver<Due>, to: &End, late: &AtomicU64) {
    for (at, datagram) in dues {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        late.fetch_max(at.elapsed().as_micros() as u64, Ordering::Relaxed);
        if let Some(owner) = to.owner() {
            // A program that has ended takes nothing any more.
            to.socket.send_to(&datagram, owner).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITIONS: Conditions = Conditions {
        loss: 0.05,
        delay: Duration::from_millis(20),
        rate: 1e6,
        queue: Duration::from_millis(100),
    };

    #[test]
    fn a_seed_loses_its_share_and_always_the_same() {
        let conditions = Conditions {
            rate: 1e9,
            ..CONDITIONS
        };
        let lost = |seed| -> Vec<usize> {
            let (mut way, start) = (Way::new(conditions, seed), Instant::now());
            let mut arrives = |at: usize| way.handle_datagram(start + Duration::from_millis(at as u64), 1000);
            (0..10_000).filter(|&at| arrives(at).is_none()).collect()
        };
        assert!((400..600).contains(&lost(1).len()), "{}", lost(1).len());
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
    }

    #[test]
    fn more_than_the_rate_waits_and_then_is_dropped() {
        let conditions = Conditions {
            loss: 0.0,
            ..CONDITIONS
        };
        let (mut way, now) = (Way::new(conditions, 1), Instant::now());
        // 10 ms each, of which eleven begin within the queue.
        let arrivals: Vec<_> = (0..20)
            .map_while(|_| way.handle_datagram(now, 1222))
            .map(|at| (at - now).as_millis())
            .collect();
        assert_eq!(arrivals, [30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130]);
        let later = now + Duration::from_secs(1);
        assert_eq!(
            way.handle_datagram(later, 1222),
            Some(later + Duration::from_millis(30))
        );
    }

    #[test]
    fn datagrams_cross_both_ways_between_those_who_spoke_first() {
        let conditions = Conditions {
            loss: 0.0,
            delay: Duration::from_millis(1),
            rate: 1e9,
            ..CONDITIONS
        };
        let link = Link::start(conditions, 1).expect("there are free ports");
        let side = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
            socket
                .set_read_timeout(Some(Duration::from_secs(5)))
                .expect("it can wait");
            socket
        };
        let (one, other) = (side(), side());
        let mut buffer = [0; 16];
        other.send_to(b"hello", link.second()).expect("it is sent");
        // The first is unknown until it speaks, so what came before is gone.
        while link.counts()[1].passed.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        one.send_to(b"there?", link.first()).expect("it is sent");
        let (length, from) = other.recv_from(&mut buffer).expect("it arrives");
        assert_eq!((&buffer[..length], from), (&b"there?"[..], link.second()));
        other.send_to(b"yes", link.second()).expect("it is sent");
        let (length, from) = one.recv_from(&mut buffer).expect("it arrives");
        // The greeting may have waited for its turn until the first one spoke.
        let (length, from) = if &buffer[..length] == b"hello" {
            one.recv_from(&mut buffer).expect("it arrives")
        } else {
            (length, from)
        };
        assert_eq!((&buffer[..length], from), (&b"yes"[..], link.first()));
    }
}
