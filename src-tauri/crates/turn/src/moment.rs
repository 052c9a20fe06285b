//! The clock that callers pass in.

use std::time::Duration;

/// One point in time, on both clocks that the relay needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since the relay started; never goes back.
    pub at: Duration,
    /// Unix seconds, which credentials are dated with.
    pub unix: u64,
}
