//! Which payload type repairs which (RFC 4588 §8.1: `apt`), where several picture codecs are agreed on.
//!
//! The library knows one pair for a stream, that of the codec it was bound with, and the codec of a packet may be another.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Written by negotiation, read on the connection's driver task.
#[derive(Debug, Default)]
pub(crate) struct RepairTypes {
    /// Pairs of a repairing payload type and the one it repairs, as this side numbers what it receives.
    received: Mutex<Vec<(u8, u8)>>,
    /// The payload type that repairs what is sent, plus one; 0 where none is known.
    sent: AtomicU8,
}

impl RepairTypes {
    pub(crate) fn set_received(&self, pairs: &[(u8, u8)]) {
        *self.received() = pairs.to_vec();
    }

    /// What a repairing payload type repairs.
    pub(crate) fn repaired_by(&self, payload_type: u8) -> Option<u8> {
        let pairs = self.received();
        pairs
            .iter()
            .find_map(|&(repairing, repaired)| (repairing == payload_type).then_some(repaired))
    }

    pub(crate) fn set_sent(&self, payload_type: Option<u8>) {
        // Payload types have seven bits.
        self.sent.store(
            payload_type.map_or(0, |number| (number & 0x7f) + 1),
            Ordering::Relaxed,
        );
    }

    /// What repairs the pictures that are sent.
    pub(crate) fn sent(&self) -> Option<u8> {
        self.sent.load(Ordering::Relaxed).checked_sub(1)
    }

    fn received(&self) -> MutexGuard<'_, Vec<(u8, u8)>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
