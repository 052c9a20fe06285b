//! What every interceptor of this crate needs.

use rtc::interceptor::TaggedPacket;
use std::collections::VecDeque;

/// The two queues of an interceptor: what it takes in a walk it gives back in the same walk, so each holds one packet
/// and what the interceptor adds to it.
#[derive(Default)]
pub(crate) struct Passage {
    pub(crate) inbound: VecDeque<TaggedPacket>,
    pub(crate) outbound: VecDeque<TaggedPacket>,
}
