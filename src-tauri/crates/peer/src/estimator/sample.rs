//! One packet whose fate is known.

use std::time::{Duration, Instant};

/// What feedback tells of a packet, in the order of departure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) departure: Instant,
    /// On the receiver's clock, whose zero is not known here; `None` = lost.
    pub(crate) arrival: Option<Duration>,
    /// On the wire, headers of all layers included.
    pub(crate) bytes: usize,
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
