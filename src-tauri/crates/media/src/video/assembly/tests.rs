use super::*;
use crate::units::SequenceNumber;
use crate::video::vp8::Vp8Format;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// Makes the packets of a VP8 stream with 15-bit picture numbers.
struct Sender {
    start: Instant,
    sequence: u16,
    picture: u16,
}

impl Sender {
    fn new() -> Self {
        // Both wrap within the tests.
        Self {
            start: Instant::now(),
            sequence: 65_530,
            picture: 0x7ffe,
        }
    }

    fn at(&self, milliseconds: u32) -> Instant {
        self.start + MS * milliseconds
    }

    /// One frame of so many packets, sent whole at `milliseconds`. Its payload says the picture number.
    fn frame(&mut self, keyframe: bool, packets: u16, milliseconds: u32) -> Vec<ReceivedPacket> {
        self.layered(keyframe, packets, milliseconds, None)
    }

    fn layered(
        &mut self,
        keyframe: bool,
        packets: u16,
        milliseconds: u32,
        layer: Option<(u8, u8, bool)>,
    ) -> Vec<ReceivedPacket> {
        let picture = self.picture;
        self.picture = (picture + 1) & 0x7fff;
        (0..packets)
            .map(|index| {
                let start = if index == 0 { 0x10 } else { 0 };
                let [high, low] = (picture | 0x8000).to_be_bytes();
                let mut payload = vec![0x80 | start, 0x80, high, low];
                if let Some((base, id, sync)) = layer {
                    payload[1] = 0xe0;
                    payload.extend([base, id << 6 | u8::from(sync) << 5]);
                }
                payload.extend([u8::from(!keyframe), low, index as u8]);
                self.packet(Bytes::from(payload), index + 1 == packets, milliseconds)
            })
            .collect()
    }

    fn packet(&mut self, payload: Bytes, marker: bool, milliseconds: u32) -> ReceivedPacket {
        let sequence = SequenceNumber::new(self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        ReceivedPacket {
            payload,
            sequence,
            rtp_time: RtpTime::new(milliseconds * 90),
            marker,
            ssrc: 7,
            codec: None,
            repaired: false,
            rotation: None,
            arrived_at: self.at(milliseconds),
        }
    }

    fn padding(&mut self, milliseconds: u32) -> ReceivedPacket {
        self.packet(Bytes::new(), false, milliseconds)
    }
}

struct Receiver {
    assembly: FrameAssembly<Vp8Format>,
}

impl Receiver {
    fn new() -> Self {
        Self {
            assembly: FrameAssembly::new(Vp8Format),
        }
    }

    fn take(&mut self, packets: impl IntoIterator<Item = ReceivedPacket>) {
        packets
            .into_iter()
            .for_each(|packet| self.assembly.handle_packet(packet));
    }

    /// The frames that are there: keyframe, low byte of the picture number, packets.
    fn frames(&mut self, now: Instant) -> Vec<(bool, u8, usize)> {
        std::iter::from_fn(|| self.assembly.poll_frame(now))
            .map(|frame| (frame.keyframe, frame.payload[1], frame.payload.len() / 3))
            .collect()
    }

    fn asks(&mut self, now: Instant) -> Option<KeyframeRequest> {
        self.assembly.poll_keyframe_request(now)
    }
}

#[test]
fn frames_come_out_whole_and_in_order_over_the_wrap() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 5, 0));
    receiver.take(sender.frame(false, 1, 33));
    receiver.take(sender.frame(false, 3, 66));
    assert_eq!(
        receiver.frames(sender.at(66)),
        [(true, 0xfe, 5), (false, 0xff, 1), (false, 0, 3)]
    );
    assert_eq!(receiver.asks(sender.at(66)), None);
}

#[test]
fn doubled_and_reordered_packets_change_nothing() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    let mut packets = sender.frame(true, 4, 0);
    packets.extend(sender.frame(false, 4, 33));
    packets.swap(1, 6);
    packets.swap(0, 2);
    let again = packets.clone();
    receiver.take(packets);
    receiver.take(again);
    assert_eq!(
        receiver.frames(sender.at(40)),
        [(true, 0xfe, 4), (false, 0xff, 4)]
    );
    let counts = receiver.assembly.counts();
    assert_eq!(
        (
            counts.packets_received,
            counts.packets_duplicated,
            counts.packets_lost
        ),
        (8, 8, 0)
    );
}

#[test]
fn a_retransmission_in_time_repairs_without_a_keyframe() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 2, 0));
    let mut broken = sender.frame(false, 3, 33);
    let missing = broken.remove(1);
    receiver.take(broken);
    receiver.take(sender.frame(false, 1, 66));
    assert_eq!(receiver.frames(sender.at(66)), [(true, 0xfe, 2)]);
    assert_eq!(receiver.assembly.poll_timeout(), Some(sender.at(33 + 100)));
    receiver.take([missing]);
    assert_eq!(receiver.frames(sender.at(132)), [(false, 0xff, 3), (false, 0, 1)]);
    assert_eq!(receiver.asks(sender.at(132)), None);
}

#[test]
fn a_loss_is_given_up_at_the_limit_and_frames_wait_for_a_keyframe() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 2, 0));
    receiver.take(sender.frame(false, 3, 33).into_iter().skip(1));
    receiver.take(sender.frame(false, 1, 66));
    assert_eq!(receiver.frames(sender.at(132)), [(true, 0xfe, 2)]);
    assert_eq!(receiver.asks(sender.at(132)), None);
    assert_eq!(receiver.frames(sender.at(133)), []);
    assert_eq!(receiver.asks(sender.at(133)), Some(KeyframeRequest::Lost));
    receiver.take(sender.frame(false, 1, 140));
    assert_eq!(receiver.frames(sender.at(140)), []);
    receiver.take(sender.frame(true, 2, 200));
    assert_eq!(receiver.frames(sender.at(200)), [(true, 2, 2)]);
    assert_eq!(receiver.assembly.counts().frames_dropped, 3);
    assert_eq!(receiver.assembly.counts().packets_lost, 1);
}

#[test]
fn the_limit_leaves_time_for_a_repair_where_one_can_come() {
    for (rtt, patience) in [(10, 100), (80, 130), (900, 100)] {
        let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
        receiver.assembly.set_round_trip(MS * rtt);
        receiver.take(sender.frame(true, 1, 0));
        sender.frame(false, 1, 5);
        receiver.take(sender.frame(false, 1, 10));
        receiver.frames(sender.at(10));
        assert_eq!(
            receiver.assembly.poll_timeout(),
            Some(sender.at(10 + patience)),
            "rtt {rtt}"
        );
    }
}

#[test]
fn a_request_is_repeated_every_half_second_while_packets_come() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    let mut asked = Vec::new();
    for frame in 0..40 {
        let at = frame * 50;
        receiver.take(sender.frame(false, 1, at));
        assert_eq!(receiver.frames(sender.at(at)), []);
        asked.extend(receiver.asks(sender.at(at)).map(|why| (at, why)));
    }
    assert_eq!(asked, [0, 500, 1000, 1500].map(|at| (at, KeyframeRequest::Start)));
    assert_eq!(receiver.asks(sender.at(60_000)), Some(KeyframeRequest::Start));
    assert_eq!(receiver.asks(sender.at(70_000)), None, "the sender is silent");
}

#[test]
fn no_keyframe_is_asked_for_while_one_is_coming() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(false, 1, 0));
    receiver.frames(sender.at(0));
    assert_eq!(receiver.asks(sender.at(0)), Some(KeyframeRequest::Start));
    let keyframe = sender.frame(true, 4, 490);
    receiver.take(keyframe[..2].to_vec());
    assert_eq!(receiver.frames(sender.at(600)), []);
    assert_eq!(receiver.asks(sender.at(600)), None);
    receiver.take(keyframe[3..].to_vec());
    assert_eq!(receiver.frames(sender.at(700)), []);
    assert_eq!(
        receiver.asks(sender.at(700)),
        Some(KeyframeRequest::Start),
        "it is given up"
    );
}

#[test]
fn a_whole_keyframe_ends_the_wait_for_what_is_before_it() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 1, 0));
    receiver.take(sender.frame(false, 3, 33).into_iter().skip(1));
    receiver.take(sender.frame(true, 3, 40));
    assert_eq!(receiver.frames(sender.at(41)), [(true, 0xfe, 1), (true, 0, 3)]);
    assert_eq!(receiver.asks(sender.at(41)), None);
}

#[test]
fn padding_belongs_to_no_frame_and_lost_padding_is_not_waited_for() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 2, 0));
    let padding = sender.padding(1);
    receiver.take([padding]);
    sender.padding(2);
    receiver.take(sender.frame(false, 1, 33));
    assert_eq!(
        receiver.frames(sender.at(33)),
        [(true, 0xfe, 2), (false, 0xff, 1)]
    );
}

#[test]
fn a_lost_frame_of_an_upper_layer_costs_only_the_upper_layer() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.layered(true, 1, 0, Some((10, 0, false))));
    sender.layered(false, 1, 33, Some((10, 1, true)));
    receiver.take(sender.layered(false, 1, 66, Some((11, 0, false))));
    receiver.take(sender.layered(false, 1, 99, Some((11, 1, false))));
    receiver.take(sender.layered(false, 1, 132, Some((12, 0, false))));
    receiver.take(sender.layered(false, 1, 165, Some((12, 1, true))));
    assert_eq!(
        receiver.frames(sender.at(165)).len(),
        1,
        "the gap may be repaired"
    );
    let shown: Vec<_> = receiver
        .frames(sender.at(166))
        .iter()
        .map(|frame| frame.1)
        .collect();
    assert_eq!(shown, [0, 2, 3], "picture 1 refers to the lost one");
    assert_eq!(receiver.asks(sender.at(166)), None);
}

#[test]
fn a_lost_frame_of_the_base_layer_needs_a_keyframe() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.layered(true, 1, 0, Some((255, 0, false))));
    sender.layered(false, 1, 33, Some((0, 0, false)));
    receiver.take(sender.layered(false, 1, 66, Some((1, 0, false))));
    receiver.take(sender.layered(false, 1, 99, Some((1, 1, true))));
    assert_eq!(receiver.frames(sender.at(166)).len(), 1);
    assert_eq!(receiver.asks(sender.at(166)), Some(KeyframeRequest::Lost));
}

#[test]
fn a_decode_failure_holds_frames_back_until_a_keyframe() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 1, 0));
    assert_eq!(receiver.frames(sender.at(0)).len(), 1);
    receiver.take(sender.frame(false, 1, 33));
    receiver.assembly.handle_decode_failure();
    assert_eq!(receiver.frames(sender.at(33)), []);
    assert_eq!(receiver.asks(sender.at(33)), Some(KeyframeRequest::DecodeFailed));
    receiver.take(sender.frame(true, 1, 66));
    assert_eq!(receiver.frames(sender.at(66)).len(), 1);
}

#[test]
fn a_new_stream_starts_anew() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    receiver.take(sender.frame(true, 1, 0));
    assert_eq!(receiver.frames(sender.at(0)).len(), 1);
    sender.sequence = 3;
    let mut other = sender.frame(true, 2, 33);
    other.iter_mut().for_each(|packet| packet.ssrc = 8);
    receiver.take(other);
    assert_eq!(receiver.frames(sender.at(33)), [(true, 0xff, 2)]);
}

#[test]
fn memory_is_bounded_behind_a_gap_and_without_a_keyframe() {
    let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
    for _ in 0..4000 {
        receiver.take(sender.frame(false, 3, 0).into_iter().skip(1));
        receiver.frames(sender.at(0));
        assert!(receiver.assembly.packets.len() <= MAX_PACKETS + 3);
    }
    receiver.take(sender.frame(true, 1, 0));
    sender.frame(false, 1, 0);
    for _ in 0..4000 {
        receiver.take(sender.frame(false, 1, 0));
        receiver.frames(sender.at(0));
        assert!(receiver.assembly.packets.len() <= MAX_PACKETS + 1);
    }
}

proptest! {
    /// Whatever is lost, doubled and reordered: frames are whole, in order, and none lacks the one it refers to.
    #[test]
    fn no_frame_is_handed_out_without_its_reference(
        kinds in proptest::collection::vec((0..10_u8, 1..5_u16), 1..60),
        fates in proptest::collection::vec(0..20_u8, 300),
    ) {
        let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
        sender.picture = 0;
        let mut fates = fates.into_iter().cycle();
        let mut held = Vec::new();
        let mut shown: Vec<(bool, u8, usize)> = Vec::new();
        for (frame, (kind, packets)) in kinds.iter().enumerate() {
            let at = frame as u32 * 33;
            for packet in sender.frame(*kind == 0 || frame == 0, *packets, at) {
                match fates.next() {
                    Some(0) => {}
                    Some(1) => receiver.take([packet.clone(), packet]),
                    Some(2 | 3) => held.push(packet),
                    _ => receiver.take([packet]),
                }
            }
            if fates.next() < Some(8) {
                receiver.take(held.drain(..));
            }
            shown.extend(receiver.frames(sender.at(at)));
            receiver.asks(sender.at(at));
        }
        let mut last = None;
        for (keyframe, picture, packets) in shown {
            prop_assert_eq!(packets, usize::from(kinds[usize::from(picture)].1));
            prop_assert!(last < Some(picture));
            prop_assert!(keyframe || last == picture.checked_sub(1), "{:?} then {}", last, picture);
            last = Some(picture);
        }
    }

    #[test]
    fn any_packets_are_survived(
        packets in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..8), any::<u16>(), any::<u8>(), any::<bool>()), 0..100),
    ) {
        let start = Instant::now();
        let mut receiver = Receiver::new();
        for (at, (payload, sequence, rtp_time, marker)) in packets.into_iter().enumerate() {
            let now = start + MS * at as u32;
            receiver.take([ReceivedPacket {
                payload: payload.into(),
                sequence: SequenceNumber::new(sequence),
                rtp_time: RtpTime::new(u32::from(rtp_time)),
                marker,
                ssrc: 1,
                codec: None,
                repaired: false,
                rotation: None,
                arrived_at: now,
            }]);
            while receiver.assembly.poll_frame(now).is_some() {}
            receiver.asks(now);
            receiver.assembly.poll_timeout();
        }
    }
}
