//! RTP packets to whole frames, in order and without a hole: pure, told the time.
//!
//! Packets come late, doubled and out of order. A missing one is waited for, since a retransmission may bring it; after
//! the limit the gap is given up, and frames are withheld until one comes that needs none of the lost ones. What the
//! packets hold is read by a [`PayloadFormat`]; nothing here knows a codec.

mod format;
mod keyframe_asking;
mod repair_wait;
mod sequence;

pub use format::{Fragment, FrameOrder, Layer, PayloadFormat};
pub use keyframe_asking::KeyframeRequest;

use crate::packet::ReceivedPacket;
use crate::units::RtpTime;
use crate::video::Rotation;
use bytes::{Bytes, BytesMut};
use keyframe_asking::KeyframeAsking;
use repair_wait::RepairWait;
use sequence::{Arrival, SequenceWindow};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets held at most: four keyframes of 300 kB. More than that behind a gap and the gap is given up.
const MAX_PACKETS: usize = 1024;

/// One whole frame whose references have all been delivered.
#[derive(Debug, Clone)]
pub struct AssembledFrame {
    pub payload: Bytes,
    pub keyframe: bool,
    pub rtp_time: RtpTime,
    /// How it is to be turned; `None` = as the one before.
    pub rotation: Option<Rotation>,
    /// When its first packet came.
    pub first_arrived_at: Instant,
}

/// Running totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AssemblyCounts {
    /// Packets that were neither doubled nor malformed.
    pub packets_received: u64,
    /// Packets that never came: expected less received (RFC 3550 §6.4.1), without doubled ones.
    pub packets_lost: u64,
    pub packets_duplicated: u64,
    pub packets_malformed: u64,
    /// Packets whose frame had been given up already.
    pub packets_late: u64,
    /// Whole frames handed out.
    pub frames_assembled: u64,
    /// Frames given up, as far as their last packet came.
    pub frames_dropped: u64,
}

impl AssemblyCounts {
    /// The totals of two streams together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            packets_received: self.packets_received + other.packets_received,
            packets_lost: self.packets_lost + other.packets_lost,
            packets_duplicated: self.packets_duplicated + other.packets_duplicated,
            packets_malformed: self.packets_malformed + other.packets_malformed,
            packets_late: self.packets_late + other.packets_late,
            frames_assembled: self.frames_assembled + other.frames_assembled,
            frames_dropped: self.frames_dropped + other.frames_dropped,
        }
    }
}

/// Assembles the frames of one stream: feed packets, then poll frames and keyframe requests until there are none.
#[derive(Debug)]
pub struct FrameAssembly<F> {
    format: F,
    window: SequenceWindow,
    packets: BTreeMap<i64, Held>,
    /// The next packet in order, or, while a keyframe is needed, the lowest that may still start one.
    next: i64,
    needs_keyframe: bool,
    /// Of the last frame handed out or withheld in order.
    last_order: FrameOrder,
    /// Lowest temporal layer that refers to a lost frame.
    broken_layer: Option<u8>,
    gap: Option<Gap>,
    wait: RepairWait,
    asking: KeyframeAsking,
    ssrc: Option<u32>,
    counts: AssemblyCounts,
}

#[derive(Debug)]
struct Held {
    /// `None`: padding only, belongs to no frame.
    fragment: Option<Fragment>,
    /// The codec's own bytes.
    content: Bytes,
    rtp_time: RtpTime,
    marker: bool,
    rotation: Option<Rotation>,
    arrived_at: Instant,
}

/// The packet that is waited for.
#[derive(Debug, Clone, Copy)]
struct Gap {
    missing: i64,
    /// When the first packet after it came.
    since: Instant,
}

/// What begins at a place in the sequence.
enum Extent {
    /// A whole frame, up to and with this packet.
    Whole { end: i64 },
    /// A frame that lacks this packet, or nothing at all.
    Missing(i64),
    /// A packet from the middle of a frame.
    Middle,
}

impl<F: PayloadFormat> FrameAssembly<F> {
    pub fn new(format: F) -> Self {
        Self {
            format,
            window: SequenceWindow::default(),
            packets: BTreeMap::new(),
            next: i64::MIN,
            needs_keyframe: true,
            last_order: FrameOrder::default(),
            broken_layer: None,
            gap: None,
            wait: RepairWait::new(),
            asking: KeyframeAsking::default(),
            ssrc: None,
            counts: AssemblyCounts::default(),
        }
    }

    /// Sets the round trip that the wait for a missing packet goes by.
    pub fn set_round_trip(&mut self, rtt: Duration) {
        self.wait.set_round_trip(rtt);
        self.asking.set_round_trip(rtt);
    }

    /// Takes one packet. A new SSRC, or a jump in the sequence that the next packet confirms, starts anew.
    pub fn handle_packet(&mut self, packet: ReceivedPacket) {
        if self
            .ssrc
            .replace(packet.ssrc)
            .is_some_and(|old| old != packet.ssrc)
        {
            self.window = SequenceWindow::default();
            self.start_anew();
        }
        let parsed = if packet.payload.is_empty() {
            None
        } else {
            match self.format.parse(&packet.payload) {
                Some(parsed) => Some(parsed),
                None => {
                    self.counts.packets_malformed += 1;
                    return;
                }
            }
        };
        let number = match self.window.handle(packet.sequence) {
            Arrival::New(number) => number,
            Arrival::Duplicate => {
                self.counts.packets_duplicated += 1;
                return;
            }
            Arrival::Stray => return,
            Arrival::Restart(number) => {
                self.start_anew();
                number
            }
        };
        self.counts.packets_received += 1;
        self.wait.handle_packet(number);
        if number < self.next {
            self.counts.packets_late += 1;
            return;
        }
        let (fragment, content) = parsed.unzip();
        let held = Held {
            fragment,
            content: content.unwrap_or_default(),
            rtp_time: packet.rtp_time,
            marker: packet.marker,
            rotation: packet.rotation,
            arrived_at: packet.arrived_at,
        };
        self.packets.insert(number, held);
        self.asking.handle_packet();
    }

    /// Tells that the last frame could not be decoded: nothing but a keyframe is handed out next.
    pub fn handle_decode_failure(&mut self) {
        self.needs_keyframe = true;
        self.asking.want(KeyframeRequest::DecodeFailed);
    }

    /// The next frame that can be decoded, if one is there.
    pub fn poll_frame(&mut self, now: Instant) -> Option<AssembledFrame> {
        loop {
            if self.needs_keyframe && !self.seek_keyframe(now) {
                return None;
            }
            self.skip_padding();
            let missing = match self.extent(self.next) {
                Extent::Whole { end } => match self.take_frame(end) {
                    Some(frame) => return Some(frame),
                    None => continue,
                },
                Extent::Missing(missing) => missing,
                Extent::Middle => {
                    self.give_up(self.next);
                    continue;
                }
            };
            let gap = self.gap_at(missing)?;
            if missing == self.next && self.only_padding_is_missing() {
                continue;
            }
            if self.jump_to_whole_keyframe() {
                continue;
            }
            if now.saturating_duration_since(gap.since) < self.wait.patience()
                && self.packets.len() <= MAX_PACKETS
            {
                return None;
            }
            self.give_up(missing);
        }
    }

    /// A keyframe to ask the sender for; call after `poll_frame`.
    pub fn poll_keyframe_request(&mut self, now: Instant) -> Option<KeyframeRequest> {
        self.asking.poll(now, self.keyframe_is_coming())
    }

    /// When to poll again although no packet came.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let patience_ends = self.gap.map(|gap| gap.since + self.wait.patience());
        let ask = self.asking.due().filter(|_| !self.keyframe_is_coming());
        [patience_ends, ask].into_iter().flatten().min()
    }

    pub fn counts(&self) -> AssemblyCounts {
        AssemblyCounts {
            packets_lost: self.window.lost(),
            ..self.counts
        }
    }

    fn start_anew(&mut self) {
        self.drop_below(i64::MAX);
        self.next = i64::MIN;
        self.needs_keyframe = true;
        self.gap = None;
        self.last_order = FrameOrder::default();
        self.wait.start_anew();
    }

    /// Moves to the first keyframe that has begun to come; false when there is none.
    fn seek_keyframe(&mut self, now: Instant) -> bool {
        let begun = self
            .packets
            .iter()
            .find(|(_, held)| held.starts_keyframe())
            .map(|(number, _)| *number);
        if let Some(start) = begun {
            self.drop_below(start);
            self.next = start;
            return true;
        }
        // The first packet of a keyframe may still come, so younger packets are kept; older ones are of no use.
        let patience = self.wait.patience();
        let useless = |held: &Held| {
            now.saturating_duration_since(held.arrived_at) >= patience
                || held.fragment.is_some_and(|fragment| fragment.starts_frame)
        };
        let useless_up_to = self
            .packets
            .iter()
            .rev()
            .find(|(_, held)| useless(held))
            .map(|(number, _)| *number);
        if let Some(number) = useless_up_to {
            self.drop_below(number + 1);
            self.asking.want(KeyframeRequest::Start);
        }
        if self.packets.len() > MAX_PACKETS {
            self.drop_below(i64::MAX);
            self.asking.want(KeyframeRequest::Start);
        }
        self.gap = None;
        false
    }

    fn skip_padding(&mut self) {
        while self
            .packets
            .get(&self.next)
            .is_some_and(|held| held.fragment.is_none())
        {
            self.packets.remove(&self.next);
            self.next += 1;
        }
    }

    fn extent(&self, start: i64) -> Extent {
        let mut rtp_time = None;
        let mut end = start;
        for number in start.. {
            let Some(held) = self.packets.get(&number) else {
                return Extent::Missing(number);
            };
            let Some(fragment) = held.fragment else { continue };
            match rtp_time {
                None if !fragment.starts_frame => return Extent::Middle,
                None => rtp_time = Some(held.rtp_time),
                // A sender that sets no marker ends a frame by beginning the next one.
                Some(rtp_time) if rtp_time != held.rtp_time => return Extent::Whole { end },
                Some(_) => {}
            }
            end = number;
            if held.marker {
                return Extent::Whole { end };
            }
        }
        Extent::Missing(end)
    }

    /// Takes the frame that begins at `next`; `None` when it refers to a lost one.
    fn take_frame(&mut self, end: i64) -> Option<AssembledFrame> {
        let rest = self.packets.split_off(&(end + 1));
        let parts = std::mem::replace(&mut self.packets, rest);
        self.next = end + 1;
        self.gap = None;
        let mut pieces = parts.into_values().filter(|held| held.fragment.is_some());
        let first = pieces.next()?;
        let fragment = first.fragment?;
        let mut keyframe = fragment.keyframe;
        self.last_order = fragment.order;
        if !keyframe && self.is_broken(fragment.order) {
            self.counts.frames_dropped += 1;
            return None;
        }
        let (mut arrived_at, rtp_time, mut rotation) = (first.arrived_at, first.rtp_time, first.rotation);
        let payload = match pieces.next() {
            None => first.content,
            Some(second) => {
                let mut whole = BytesMut::from(&first.content[..]);
                for piece in std::iter::once(second).chain(pieces) {
                    arrived_at = arrived_at.min(piece.arrived_at);
                    keyframe |= piece.starts_keyframe();
                    // The last packet of a picture says it (3GPP TS 26.114 §7.4.5).
                    rotation = piece.rotation.or(rotation);
                    whole.extend_from_slice(&piece.content);
                }
                whole.freeze()
            }
        };
        if keyframe {
            self.needs_keyframe = false;
            self.broken_layer = None;
            self.asking.handle_keyframe();
        }
        self.counts.frames_assembled += 1;
        Some(AssembledFrame {
            payload,
            keyframe,
            rtp_time,
            rotation,
            first_arrived_at: arrived_at,
        })
    }

    /// Whether the frame is of a layer that refers to a lost frame; a frame that refers to the base layer only mends its
    /// own layer.
    fn is_broken(&mut self, order: FrameOrder) -> bool {
        let (Some(broken), Some(layer)) = (self.broken_layer, order.layer) else {
            return false;
        };
        if layer.sync && layer.id == broken {
            self.broken_layer = Some(broken + 1);
        }
        layer.id >= broken && !layer.sync
    }

    /// The gap that begins with the missing packet; `None` while nothing has come after it.
    fn gap_at(&mut self, missing: i64) -> Option<Gap> {
        if self.gap.is_none_or(|gap| gap.missing != missing) {
            let since = self
                .packets
                .range(missing..)
                .map(|(_, held)| held.arrived_at)
                .min();
            self.gap = since.map(|since| Gap { missing, since });
        }
        self.gap
    }

    /// Moves over missing packets that were no part of any frame: the frame after them has the next number.
    fn only_padding_is_missing(&mut self) -> bool {
        let Some((number, held)) = self
            .packets
            .range(self.next..)
            .find(|(_, held)| held.fragment.is_some())
        else {
            return false;
        };
        let follows = held.starts_frame() && held.order().follows(&self.last_order);
        let number = *number;
        if follows && !self.needs_keyframe {
            self.drop_below(number);
            self.next = number;
            return true;
        }
        false
    }

    /// Moves to a whole keyframe after the gap: it is newer than what is waited for, and needs none of it.
    fn jump_to_whole_keyframe(&mut self) -> bool {
        let starts = self
            .packets
            .range(self.next + 1..)
            .filter(|(_, held)| held.starts_keyframe());
        let whole = starts
            .map(|(number, _)| *number)
            .find(|start| matches!(self.extent(*start), Extent::Whole { .. }));
        let Some(start) = whole else { return false };
        self.drop_below(start);
        self.next = start;
        self.gap = None;
        true
    }

    /// Moves to the next frame that can do without what is lost, or else to the need for a keyframe.
    fn give_up(&mut self, missing: i64) {
        let last = self.last_order;
        let usable = |held: &Held| {
            held.starts_keyframe()
                || (!self.needs_keyframe && held.starts_frame() && held.order().survives_after(&last))
        };
        let next = self
            .packets
            .range(missing + 1..)
            .find(|(_, held)| usable(held))
            .map(|(number, _)| *number);
        match next {
            Some(number) => {
                self.drop_below(number);
                self.next = number;
                // Which layers the lost frames were of is not known; only the base layer is whole.
                self.broken_layer = Some(1);
            }
            None => {
                self.drop_below(missing + 1);
                self.next = missing + 1;
                self.needs_keyframe = true;
                self.asking.want(KeyframeRequest::Lost);
            }
        }
        self.gap = None;
    }

    fn drop_below(&mut self, number: i64) {
        let rest = self.packets.split_off(&number);
        let dropped = std::mem::replace(&mut self.packets, rest);
        self.counts.frames_dropped += dropped.values().filter(|held| held.marker).count() as u64;
        if self.needs_keyframe && !dropped.is_empty() {
            self.next = self
                .next
                .max(dropped.keys().next_back().map_or(i64::MIN, |last| last + 1));
        }
    }

    fn keyframe_is_coming(&self) -> bool {
        self.packets.get(&self.next).is_some_and(Held::starts_keyframe)
    }
}

impl Held {
    fn starts_frame(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.starts_frame)
    }

    fn starts_keyframe(&self) -> bool {
        self.fragment
            .is_some_and(|fragment| fragment.starts_frame && fragment.keyframe)
    }

    fn order(&self) -> FrameOrder {
        self.fragment.map(|fragment| fragment.order).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
