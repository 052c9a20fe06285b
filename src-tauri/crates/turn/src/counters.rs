//! What the relay has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The codes that requests are refused with.
pub const REFUSAL_CODES: [u16; 11] = [400, 401, 403, 420, 437, 438, 441, 442, 443, 486, 508];

/// Written by the relay's task alone, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) allocations: AtomicU64,
    pub(crate) allocations_made: AtomicU64,
    pub(crate) bytes_from_clients: AtomicU64,
    pub(crate) bytes_to_clients: AtomicU64,
    pub(crate) over_rate: AtomicU64,
    pub(crate) over_bandwidth: AtomicU64,
    pub(crate) not_sent: AtomicU64,
    pub(crate) streams: AtomicU64,
    refused: [AtomicU64; REFUSAL_CODES.len()],
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnStats {
    /// Allocations that exist.
    pub allocations: u64,
    /// Allocations that were ever made.
    pub allocations_made: u64,
    /// Payload bytes from clients to peers.
    pub bytes_from_clients: u64,
    /// Payload bytes from peers to clients.
    pub bytes_to_clients: u64,
    /// Requests of strangers that were dropped because their source asked too often.
    pub over_rate: u64,
    /// Datagrams that were dropped because their user sent or received too much.
    pub over_bandwidth: u64,
    /// Datagrams that the system or a full queue did not take.
    pub not_sent: u64,
    /// Connections of TCP and TLS that exist.
    pub streams: u64,
    /// Requests refused, in the order of [`REFUSAL_CODES`].
    pub refused: [u64; REFUSAL_CODES.len()],
}

impl TurnStats {
    /// How often a request was refused with this code.
    pub fn refused_with(&self, code: u16) -> u64 {
        let at = REFUSAL_CODES.iter().position(|known| *known == code);
        at.map_or(0, |at| self.refused[at])
    }
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, code: u16) {
        if let Some(at) = REFUSAL_CODES.iter().position(|known| *known == code) {
            Self::add(&self.refused[at], 1);
        }
    }

    pub(crate) fn read(&self) -> TurnStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TurnStats {
            allocations: load(&self.allocations),
            allocations_made: load(&self.allocations_made),
            bytes_from_clients: load(&self.bytes_from_clients),
            bytes_to_clients: load(&self.bytes_to_clients),
            over_rate: load(&self.over_rate),
            over_bandwidth: load(&self.over_bandwidth),
            not_sent: load(&self.not_sent),
            streams: load(&self.streams),
            refused: std::array::from_fn(|at| load(&self.refused[at])),
        }
    }
}
