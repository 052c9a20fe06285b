//! What the buffer counts, with the names of W3C webrtc-stats.

/// Counters go on over a change of source.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct JitterBufferCounters {
    /// Unique packets; duplicates are counted apart.
    pub packets_received: u64,
    /// Packets that never came, of the current and earlier sources.
    pub packets_lost: u64,
    /// Packets that came after their time, or that did not fit.
    pub packets_discarded: u64,
    pub packets_duplicated: u64,
    /// Packets that carry in-band protection.
    pub fec_packets_received: u64,
    /// Stretches of lost sound that were rebuilt from deep redundancy, 20 ms each at most.
    pub dred_frames: u64,
    /// Seconds (RFC 3550 §6.4.1).
    pub jitter: f64,
    /// Seconds summed over emitted samples.
    pub jitter_buffer_delay: f64,
    /// Seconds summed over emitted samples.
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub concealed_samples: u64,
    pub concealment_events: u64,
    pub inserted_samples_for_deceleration: u64,
    pub removed_samples_for_acceleration: u64,
    /// Samples played: decoded, recovered, made up for losses and for the sender's pauses, after stretching.
    pub total_samples_received: u64,
}
