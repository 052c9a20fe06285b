//! The interceptor that spreads pictures and their repairs, and sends bursts that find out what the path carries.
//!
//! A keyframe on a path that is full replaces what waits: it is smaller, and whoever has it needs nothing older.
//!
//! Sound passes at once, and so do its repairs where there is room for them. Runs on the connection's driver task, between
//! whatever makes packets and the numbering for feedback, so that repairs and bursts are measured too.

use crate::estimator::{SharedControl, VOICE_ALONE, WIRE_OVERHEAD, lock};
use crate::frame_sender::Gate;
use crate::interceptor::Passage;
use crate::pacer::Pacer;
use crate::padding::{Padding, RtxStream};
use crate::repairs::{COPY_AFTER, Repairs};
use ahoy_media::units::{RtpTime, SequenceNumber};
use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Packets of pictures that wait: a keyframe of 1.2 MB. The gate closes long before; what comes all the same is dropped,
/// and asked for again.
const QUEUE: usize = 1024;
/// Repairs that wait; the other side asks again for those that are dropped.
const REPAIR_QUEUE: usize = 128;
/// Without a picture for so long there is nothing to find more room for.
const PICTURES_STOPPED: Duration = Duration::from_secs(1);

/// So long after a keyframe repairs of what it replaced may still be asked for; later the numbers begin anew.
const ASKED_FOR: Duration = Duration::from_secs(5);
/// Between two looks whether the path has room again; feedback, which makes it, is read elsewhere.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Marks a packet that only fills a burst.
pub(crate) struct Fill;

pub(crate) struct Pacing {
    control: SharedControl,
    /// Told whether the pictures are behind.
    gate: Arc<Gate>,
    /// SSRC of the pictures.
    video: u32,
    rtx: Option<RtxStream>,
    pacer: Pacer,
    padding: Padding,
    repairs: Repairs,
    voice_repairs: Repairs,
    waiting_repairs: VecDeque<TaggedPacket>,
    /// Second copies of repairs, and when each joins those that wait.
    copies: VecDeque<(Instant, TaggedPacket)>,
    waiting: VecDeque<TaggedPacket>,
    /// Of both, on the wire.
    waiting_bytes: usize,
    picture_at: Option<Instant>,
    /// The first packet of a keyframe before which nothing is sent again, and when it was given.
    replaced_until: Option<(Instant, SequenceNumber)>,
    /// The path is full; when to look again.
    full_until: Option<Instant>,
    passage: Passage,
}

impl Pacing {
    pub(crate) fn new(control: SharedControl, gate: Arc<Gate>, video: u32) -> Self {
        Self {
            control,
            gate,
            video,
            rtx: None,
            pacer: Pacer::default(),
            padding: Padding::default(),
            repairs: Repairs::default(),
            voice_repairs: Repairs::default(),
            waiting_repairs: VecDeque::new(),
            copies: VecDeque::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            picture_at: None,
            replaced_until: None,
            full_until: None,
            passage: Passage::default(),
        }
    }

    fn take(&mut self, message: TaggedPacket) {
        let now = message.now;
        let Packet::Rtp(packet) = &message.message.packet else {
            self.passage.outbound.push_back(message);
            return;
        };
        let bytes = wire_bytes(packet);
        if !self.is_waiting() {
            self.pacer.handle_idle(now);
        }
        let repairs = self.rtx.is_some_and(|rtx| rtx.ssrc == packet.header.ssrc);
        if packet.header.ssrc == self.video && !message.message.has(&Attribute::Retransmission) {
            self.padding.handle_picture_packet(packet);
            self.picture_at = Some(now);
            let number = SequenceNumber::new(packet.header.sequence_number);
            if self.gate.begins_keyframe(RtpTime::new(packet.header.timestamp)) && !self.gate.keeps_up() {
                self.replace_waiting(now, number);
            }
            if self.waiting.len() < QUEUE {
                self.waiting_bytes += bytes;
                self.waiting.push_back(message);
            }
        } else if packet.header.ssrc == self.video || repairs {
            let repaired = match packet.payload.get(..2) {
                Some(original) if repairs => u16::from_be_bytes([original[0], original[1]]),
                Some(_) | None => packet.header.sequence_number,
            };
            let (target, rtt, loss) = {
                let control = lock(&self.control);
                (control.target(), control.rtt(), control.own_loss())
            };
            if self.waiting_repairs.len() < REPAIR_QUEUE
                && !self.is_replaced(now, SequenceNumber::new(repaired))
                && self.repairs.allows(now, repaired, bytes, target, rtt)
            {
                if self.copies.len() < REPAIR_QUEUE && self.repairs.allows_copy(bytes, loss, rtt) {
                    self.copies.push_back((now + COPY_AFTER, copy(&message)));
                }
                self.wait_to_repair(message, bytes);
            }
        } else if !message.message.has(&Attribute::Retransmission)
            || self.allows_voice_repair(now, packet.header.sequence_number, bytes)
        {
            lock(&self.control).handle_sent(now, bytes);
            self.passage.outbound.push_back(message);
        }
    }

    /// A keyframe that begins with this packet makes everything before it worthless.
    fn replace_waiting(&mut self, now: Instant, first: SequenceNumber) {
        self.waiting.clear();
        self.waiting_repairs.clear();
        self.copies.clear();
        self.waiting_bytes = 0;
        self.replaced_until = Some((now, first));
    }

    fn is_replaced(&self, now: Instant, number: SequenceNumber) -> bool {
        self.replaced_until.is_some_and(|(at, first)| {
            now.saturating_duration_since(at) < ASKED_FOR && number.since(first) < 0
        })
    }

    /// Where a path carries little more than a voice, a repair would delay the packets after it.
    fn allows_voice_repair(&mut self, now: Instant, sequence: u16, bytes: usize) -> bool {
        let (target, rtt) = {
            let control = lock(&self.control);
            (control.target(), control.least_rtt())
        };
        target >= VOICE_ALONE && self.voice_repairs.allows(now, sequence, bytes, target, rtt)
    }

    fn wait_to_repair(&mut self, message: TaggedPacket, bytes: usize) {
        self.waiting_bytes += bytes;
        self.waiting_repairs.push_back(message);
    }

    /// Lets go what is due; repairs first, since pictures wait for them at the other side.
    fn release(&mut self, now: Instant) {
        while let Some((_, message)) = self.copies.pop_front_if(|(due, _)| *due <= now) {
            if !self.is_waiting() {
                self.pacer.handle_idle(now);
            }
            let bytes = rtp_bytes(&message);
            self.wait_to_repair(message, bytes);
        }
        let control = Arc::clone(&self.control);
        let mut control = lock(&control);
        let target = control.target();
        if self.pictures_flow(now)
            && let Some(burst) = control.poll_burst(now)
        {
            if !self.is_waiting() {
                self.pacer.handle_idle(now);
            }
            self.pacer.handle_burst(burst);
        }
        let mut full = (self.is_waiting() || self.pictures_come(now)) && control.is_full(now);
        while !full && self.pacer.due(now) <= now {
            let bursts = self.pacer.wants_padding();
            let Some(mut message) = self.next_packet(now) else {
                break;
            };
            message.now = now;
            let bytes = rtp_bytes(&message);
            self.passage.outbound.push_back(message);
            if let Some(sent) = self.pacer.handle_sent(now, bytes, self.waiting_bytes, target) {
                control.handle_burst_sent(sent.begin, sent.end);
            }
            if !bursts {
                control.handle_sent(now, bytes);
                full = control.is_full(now);
            }
        }
        self.full_until = full.then(|| now + LOOK_AGAIN);
        self.gate
            .set_behind(full || Pacer::is_behind(self.waiting_bytes, target));
    }

    fn next_packet(&mut self, now: Instant) -> Option<TaggedPacket> {
        if let Some(mut message) = self.waiting_repairs.pop_front() {
            if let Packet::Rtp(packet) = &mut message.message.packet {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(wire_bytes(packet));
                if packet.header.ssrc != self.video {
                    self.padding.number(&mut packet.header);
                }
            }
            return Some(message);
        }
        if let Some(message) = self.waiting.pop_front() {
            if let Packet::Rtp(packet) = &message.message.packet {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(wire_bytes(packet));
            }
            return Some(message);
        }
        if !self.pacer.wants_padding() {
            return None;
        }
        let packet = self.padding.poll_packet(self.rtx?)?;
        let fill = Attribute::Custom(Arc::new(Fill));
        Some(TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(packet)).with(fill),
        })
    }

    /// Bursts are of pictures and of what repairs them.
    fn pictures_flow(&self, now: Instant) -> bool {
        self.rtx.is_some() && self.pictures_come(now)
    }

    fn pictures_come(&self, now: Instant) -> bool {
        self.picture_at
            .is_some_and(|at| now.saturating_duration_since(at) < PICTURES_STOPPED)
    }

    fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
            || !self.waiting_repairs.is_empty()
            || (self.rtx.is_some() && self.pacer.wants_padding())
    }
}

/// The library's message is no `Clone`, all its parts are.
fn copy(message: &TaggedPacket) -> TaggedPacket {
    TaggedPacket {
        now: message.now,
        transport: message.transport,
        message: message.message.clone(),
    }
}

fn rtp_bytes(message: &TaggedPacket) -> usize {
    match &message.message.packet {
        Packet::Rtp(packet) => wire_bytes(packet),
        _ => 0,
    }
}

fn wire_bytes(packet: &rtc::rtp::Packet) -> usize {
    packet.marshal_size() + WIRE_OVERHEAD
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Pacing {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.passage.inbound.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passage.inbound.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        let now = message.now;
        self.take(message);
        self.release(now);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passage.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.release(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        // A moment that has passed is due at the next turn, which comes at once.
        let due = || self.full_until.unwrap_or_else(|| self.pacer.due(Instant::now()));
        let paced = (self.is_waiting() || self.full_until.is_some()).then(due);
        let copy = self.copies.front().map(|(due, _)| *due);
        [paced, copy].into_iter().flatten().min()
    }
}

impl Interceptor for Pacing {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if info.ssrc == self.video
            && let (Some(ssrc), Some(payload_type)) = (info.ssrc_rtx, info.payload_type_rtx)
        {
            self.rtx = Some(RtxStream { ssrc, payload_type });
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        if info.ssrc == self.video {
            self.rtx = None;
        }
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VideoCodec;
    use crate::estimator::{Control, Sample};
    use crate::event::Codec;
    use crate::frame_sender::FrameSender;
    use rtc::rtp::header::Header;
    use std::sync::Mutex;

    const VOICE: u32 = 1;
    const VIDEO: u32 = 7;
    const RTX: u32 = 8;

    struct Sender {
        pacing: Pacing,
        pictures: FrameSender,
        control: SharedControl,
    }

    fn sender() -> Sender {
        sender_at(1e6)
    }

    /// With this estimate in bits per second.
    fn sender_at(estimate: f64) -> Sender {
        let control = Arc::new(Mutex::new(Control::new(estimate, 24e3, 5e6)));
        let (pictures, _frames) = FrameSender::channel();
        pictures.gate().set_connected(true);
        let vp8 = Codec::Video(VideoCodec::Vp8);
        pictures.gate().set_negotiated(Some((vp8, 96)));
        let mut pacing = Pacing::new(Arc::clone(&control), Arc::clone(pictures.gate()), VIDEO);
        pacing.bind_local_stream(&StreamInfo {
            ssrc: VIDEO,
            ssrc_rtx: Some(RTX),
            payload_type_rtx: Some(97),
            ..StreamInfo::default()
        });
        Sender {
            pacing,
            pictures,
            control,
        }
    }

    fn message(now: Instant, ssrc: u32, sequence: u16) -> TaggedPacket {
        let header = Header {
            version: 2,
            ssrc,
            sequence_number: sequence,
            ..Header::default()
        };
        let payload = vec![0, sequence as u8].into_iter().chain([0; 1100]).collect();
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(rtc::rtp::Packet { header, payload })),
        }
    }

    impl Sender {
        fn write(&mut self, message: TaggedPacket) {
            self.pacing.handle_write(message).expect("nothing refuses");
        }

        /// SSRC, sequence number, whether it only fills: of what leaves now.
        fn left(&mut self) -> Vec<(u32, u16, bool)> {
            std::iter::from_fn(|| self.pacing.poll_write())
                .filter_map(|message| match &message.message.packet {
                    Packet::Rtp(packet) => {
                        let fills = message.message.custom::<Fill>().is_some();
                        Some((packet.header.ssrc, packet.header.sequence_number, fills))
                    }
                    _ => None,
                })
                .collect()
        }
    }

    #[test]
    fn voice_leaves_at_once_while_a_keyframe_waits_and_no_picture_is_asked_for() {
        let (mut sender, begin) = (sender(), Instant::now());
        // 57 kB at 1.8 Mbit/s take a quarter of a second.
        (0..50).for_each(|number| sender.write(message(begin, VIDEO, number)));
        let at_once = sender.left().len();
        assert!(at_once <= 3, "{at_once}");
        sender.write(message(begin, VOICE, 300));
        assert_eq!(sender.left(), [(VOICE, 300, false)]);
        let mut numbers = Vec::new();
        for passed in 1..=400 {
            let now = begin + Duration::from_millis(passed);
            sender.pacing.handle_timeout(now).expect("nothing refuses");
            numbers.extend(sender.left().into_iter().map(|(_, number, _)| number));
            if passed == 50 {
                assert!(!sender.pictures.gate().keeps_up());
            }
        }
        assert!(
            numbers.is_sorted() && numbers.len() == 50 - at_once,
            "{numbers:?}"
        );
        assert!(sender.pictures.gate().keeps_up());
        assert_eq!(sender.pacing.poll_timeout(), None);
    }

    #[test]
    fn pictures_wait_for_a_path_that_no_longer_answers_and_voice_does_not() {
        let (mut sender, begin) = (sender(), Instant::now());
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let told = |sender: &Sender, milliseconds: u64| {
            let sample = Sample {
                departure: at(milliseconds - 40),
                arrival: Some(Duration::from_millis(milliseconds)),
                bytes: 1_100,
            };
            lock(&sender.control).handle_feedback(at(milliseconds), &[sample]);
        };
        (1..=4).for_each(|number| told(&sender, number * 50));
        let mut pictures = Vec::new();
        for number in 0..60 {
            let now = at(200 + u64::from(number) * 10);
            sender.write(message(now, VIDEO, number));
            sender.write(message(now, VOICE, 500 + number));
            let left = sender.left();
            assert!(left.contains(&(VOICE, 500 + number, false)), "{left:?}");
            pictures.extend(left.iter().filter(|(ssrc, ..)| *ssrc == VIDEO).map(|_| number));
        }
        // 1 Mbit/s for 40 ms of path, 50 ms of feedback and 150 ms of room are 30 kB, half of it voice here.
        assert!((8..=16).contains(&pictures.len()), "{pictures:?}");
        assert!(!sender.pictures.gate().keeps_up());
        told(&sender, 800);
        let look = sender.pacing.poll_timeout().expect("pictures wait");
        assert!(look <= at(800), "it looks again soon");
        sender.pacing.handle_timeout(at(800)).expect("nothing refuses");
        assert!(!sender.left().is_empty());
    }

    #[test]
    fn a_voice_alone_on_a_full_path_wakes_nobody() {
        let (mut sender, begin) = (sender(), Instant::now());
        for number in 0..60 {
            let now = begin + Duration::from_millis(u64::from(number) * 10);
            if number < 5 {
                let sample = Sample {
                    departure: now,
                    arrival: Some(now - begin),
                    bytes: 1_100,
                };
                lock(&sender.control).handle_feedback(now, &[sample]);
            }
            sender.write(message(now, VOICE, number));
            assert_eq!(sender.left().len(), 1);
        }
        assert!(lock(&sender.control).is_full(begin + Duration::from_millis(590)));
        assert_eq!(sender.pacing.poll_timeout(), None);
        assert!(sender.pictures.gate().keeps_up());
    }

    #[test]
    fn a_keyframe_replaces_what_waits_for_a_full_path() {
        let (mut sender, begin) = (sender(), Instant::now());
        (0..50).for_each(|number| sender.write(message(begin, VIDEO, number)));
        let at_once = sender.left().len();
        let later = begin + Duration::from_millis(20);
        let mut repair = message(later, VIDEO, 1);
        repair.message.add(Attribute::Retransmission);
        sender.write(repair);
        sender.pictures.gate().note_keyframe(RtpTime::new(0));
        (50..53).for_each(|number| sender.write(message(later, VIDEO, number)));
        let mut old = message(later, VIDEO, 2);
        old.message.add(Attribute::Retransmission);
        sender.write(old);
        let mut numbers = Vec::new();
        for passed in 21..=100 {
            let now = begin + Duration::from_millis(passed);
            sender.pacing.handle_timeout(now).expect("nothing refuses");
            numbers.extend(sender.left().into_iter().map(|(_, number, _)| number));
        }
        assert!(at_once < 5 && numbers.ends_with(&[50, 51, 52]), "{numbers:?}");
        assert!(numbers.len() <= 8, "{numbers:?}");
        assert!(sender.pictures.gate().keeps_up());
    }

    #[test]
    fn voice_is_sent_again_once_in_a_round_trip_and_not_where_there_is_room_for_a_voice_alone() {
        let sent_again = |estimate| {
            let (mut sender, begin) = (sender_at(estimate), Instant::now());
            for number in [5, 6, 5] {
                let mut repair = message(begin, VOICE, number);
                repair.message.add(Attribute::Retransmission);
                sender.write(repair);
            }
            sender.left()
        };
        assert_eq!(sent_again(1e6), [(VOICE, 5, false), (VOICE, 6, false)]);
        assert_eq!(sent_again(60e3), []);
    }

    #[test]
    fn repairs_leave_before_pictures_under_numbers_in_one_row() {
        let (mut sender, begin) = (sender(), Instant::now());
        (0..20).for_each(|number| sender.write(message(begin, VIDEO, number)));
        sender.left();
        sender.write(message(begin, RTX, 0));
        sender.write(message(begin, RTX, 0));
        sender.write(message(begin, RTX, 1));
        sender
            .pacing
            .handle_timeout(begin + Duration::from_millis(30))
            .expect("nothing refuses");
        // The second one asks for what is under way.
        let left = sender.left();
        assert_eq!(left[..2], [(RTX, 0, false), (RTX, 1, false)]);
        assert_eq!(left[2].0, VIDEO);
    }

    #[test]
    fn a_repair_leaves_twice_on_a_path_that_loses_much() {
        let (mut sender, begin) = (sender(), Instant::now());
        let sample = |number: u64| Sample {
            departure: begin + Duration::from_millis(number * 10),
            arrival: (!number.is_multiple_of(12)).then_some(Duration::from_millis(number * 10)),
            bytes: 1200,
        };
        let samples: Vec<Sample> = (0..101).map(sample).collect();
        let now = begin + Duration::from_millis(1050);
        lock(&sender.control).handle_feedback(now, &samples);
        sender.write(message(now, RTX, 0));
        assert_eq!(sender.left(), [(RTX, 0, false)]);
        let due = sender.pacing.poll_timeout().expect("a copy waits");
        assert_eq!(due, now + COPY_AFTER);
        sender.pacing.handle_timeout(due).expect("nothing refuses");
        assert_eq!(sender.left(), [(RTX, 1, false)]);
        assert_eq!(sender.pacing.poll_timeout(), None);
    }

    #[test]
    fn a_burst_without_pictures_is_filled_and_ends() {
        let (mut sender, begin) = (sender(), Instant::now());
        let sample = |number: u64| Sample {
            departure: begin + Duration::from_millis(number * 10),
            arrival: Some(Duration::from_millis(number * 10)),
            bytes: 1200,
        };
        let samples: Vec<Sample> = (0..10).map(sample).collect();
        let now = begin + Duration::from_millis(120);
        lock(&sender.control).handle_feedback(now, &samples);
        sender.write(message(now, VIDEO, 5));
        let mut left = sender.left();
        for passed in 1..=200 {
            let now = now + Duration::from_millis(passed);
            sender.pacing.handle_timeout(now).expect("nothing refuses");
            left.extend(sender.left());
        }
        assert_eq!(left[0], (VIDEO, 5, false));
        // 40 ms at three times 1 Mbit/s.
        let filled = left
            .iter()
            .filter(|(ssrc, _, fills)| *ssrc == RTX && *fills)
            .count();
        assert!((8..=16).contains(&filled), "{left:?}");
        assert_eq!(sender.pacing.poll_timeout(), None);
    }
}
