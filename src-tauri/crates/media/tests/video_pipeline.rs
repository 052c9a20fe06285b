//! Camera to screen through both pipelines, with a network of function calls in between.

use ahoy_media::codec::{CodecError, EncodedPicture, EncoderSpeed, PictureCodec, VideoEncoder};
use ahoy_media::device::{DeviceError, DeviceKind, VideoSink, VideoSource};
use ahoy_media::lip_sync::LipSync;
use ahoy_media::packet::{EncodedFrame, ReceivedPacket};
use ahoy_media::synthetic::pattern::{self, PatternSource};
use ahoy_media::units::{Bitrate, Resolution, SequenceNumber};
use ahoy_media::video::assembly::KeyframeRequest;
use ahoy_media::video::receive::{VideoPackets, VideoReceive, VideoReceiveSetup};
use ahoy_media::video::rotation::turned;
use ahoy_media::video::send::stats::QualityLimitationReason;
use ahoy_media::video::send::{NextPicture, VideoLimits, VideoSend, VideoSendSetup};
use ahoy_media::video::{PicturePool, Rotation, VideoFrame};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SIZE: Resolution = Resolution::new(320, 180);
const LONG: Duration = Duration::from_secs(20);

/// A screen that passes on what it shows.
struct Shown(Sender<VideoFrame>);

impl VideoSink for Shown {
    fn show(&mut self, _now: Instant, frame: VideoFrame) {
        // The test may have seen enough.
        self.0.send(frame).ok();
    }
}

/// A camera that tells when it is closed.
struct Closing {
    pattern: PatternSource,
    closed: Sender<()>,
}

impl VideoSource for Closing {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        self.pattern.next_frame(timeout)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.closed.send(()).ok();
    }
}

fn pattern_at(frame_rate: u32) -> Box<dyn VideoSource> {
    Box::new(PatternSource::new(SIZE, frame_rate).expect("usable"))
}

fn setup(mut send: impl FnMut(EncodedFrame) -> bool + Send + 'static) -> VideoSendSetup {
    let limits = VideoLimits {
        bitrate: Bitrate::from_kbps(400),
        resolution: SIZE,
        frame_rate: 60,
        limitation: QualityLimitationReason::None,
    };
    VideoSendSetup {
        encoder: Box::new(PictureCodec::encoder),
        limits,
        rotation: Rotation::None,
        preview: None,
        ready: Box::new(|_| Some(PictureCodec::Vp8)),
        send: Box::new(move |_, frame| send(frame)),
        on_device_failure: Box::new(|_| ()),
    }
}

/// Sends and hands every frame to the test.
fn sender_to_channel(source: Option<Box<dyn VideoSource>>) -> (VideoSend, Receiver<EncodedFrame>) {
    let (tx, rx) = channel();
    (
        VideoSend::start(setup(move |frame| tx.send(frame).is_ok()), source).expect("threads"),
        rx,
    )
}

/// Cuts frames into packets as a sender of RFC 7741 does, with the shortest descriptor.
struct Packetizer {
    sequence: SequenceNumber,
}

impl Packetizer {
    fn packets(&mut self, frame: &EncodedFrame) -> Vec<ReceivedPacket> {
        let pieces: Vec<_> = frame.payload.chunks(500).collect();
        let count = pieces.len();
        pieces
            .into_iter()
            .enumerate()
            .map(|(index, piece)| {
                self.sequence = self.sequence.next();
                let descriptor = if index == 0 { 0x10 } else { 0 };
                ReceivedPacket {
                    payload: Bytes::from([&[descriptor], piece].concat()),
                    sequence: self.sequence,
                    rtp_time: frame.rtp_time,
                    marker: index + 1 == count,
                    ssrc: 1,
                    codec: None,
                    repaired: false,
                    rotation: None,
                    arrived_at: Instant::now(),
                }
            })
            .collect()
    }
}

struct Screen {
    receive: VideoReceive,
    packets: VideoPackets,
    shown: Receiver<VideoFrame>,
    requests: Receiver<KeyframeRequest>,
    first: Receiver<Instant>,
}

fn screen() -> Screen {
    let (shown_tx, shown) = channel();
    let (requests_tx, requests) = channel();
    let (first_tx, first) = channel();
    let receive = VideoReceive::start(VideoReceiveSetup {
        screen: Box::new(Shown(shown_tx)),
        request_keyframe: Box::new(move |reason| {
            requests_tx.send(reason).ok();
        }),
        on_first_rendered: Box::new(move |at| {
            first_tx.send(at).ok();
        }),
        lip_sync: LipSync::default(),
    })
    .expect("a thread");
    Screen {
        packets: receive.packets(),
        receive,
        shown,
        requests,
        first,
    }
}

fn number(frame: &VideoFrame) -> u32 {
    pattern::read(&frame.picture).expect("a readable pattern").number
}

#[test]
fn every_picture_that_is_encoded_is_shown_in_order() {
    let screen = screen();
    let packets = screen.packets.clone();
    let mut packetizer = Packetizer {
        sequence: SequenceNumber::new(65_500),
    };
    let send = VideoSend::start(
        setup(move |frame| {
            packetizer
                .packets(&frame)
                .into_iter()
                .all(|packet| packets.try_send(PictureCodec::Vp8, packet))
        }),
        Some(pattern_at(60)),
    )
    .expect("threads");
    let numbers: Vec<_> = (0..60)
        .map(|_| number(&screen.shown.recv_timeout(LONG).expect("a picture")))
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let (sent, received) = (send.stats(Instant::now()), screen.receive.stats(Instant::now()));
    drop(send);
    let skipped = u64::from(numbers[59] - numbers[0]) - 59;
    let dropped = sent.frames_overwritten + sent.frames_dropped_by_encoder;
    assert!(
        skipped <= dropped,
        "{skipped} pictures are missing and {dropped} were left out"
    );
    assert!(
        screen.first.try_recv().is_ok() && screen.first.try_recv().is_err(),
        "told of once"
    );
    assert!(screen.requests.try_recv().is_err(), "nothing was lost");
    assert_eq!((received.frame_width, received.frame_height), (320, 180));
    assert_eq!(
        (
            received.packets_lost,
            received.frames_dropped,
            received.packets_discarded
        ),
        (0, 0, 0)
    );
    assert!(received.frames_decoded >= 59 && received.frames_per_second > 1.0);
    assert_eq!((sent.key_frames_encoded, received.key_frames_decoded), (1, 1));
    assert!(sent.total_encode_time > Duration::ZERO && sent.bitrate > Bitrate::from_kbps(1));
}

#[test]
fn a_lost_packet_is_answered_by_a_keyframe_and_pictures_go_on() {
    let screen = screen();
    let packets = screen.packets.clone();
    let mut packetizer = Packetizer {
        sequence: SequenceNumber::new(1),
    };
    let mut frames = 0;
    let send = VideoSend::start(
        setup(move |frame| {
            frames += 1;
            let skip = usize::from(frames == 10);
            packetizer
                .packets(&frame)
                .into_iter()
                .skip(skip)
                .all(|packet| packets.try_send(PictureCodec::Vp8, packet))
        }),
        Some(pattern_at(60)),
    )
    .expect("threads");
    assert_eq!(screen.requests.recv_timeout(LONG), Ok(KeyframeRequest::Lost));
    let before = screen
        .shown
        .try_iter()
        .last()
        .map(|frame| number(&frame))
        .expect("pictures before the loss");
    send.request_keyframe();
    let next = number(&screen.shown.recv_timeout(LONG).expect("a picture after the loss"));
    assert!(
        next > before + 1,
        "frames without their reference are not shown: {before}, then {next}"
    );
    let received = screen.receive.stats(Instant::now());
    assert_eq!(received.packets_lost, 1);
    assert_eq!(received.key_frames_decoded, 2);
    assert!(received.frames_dropped > 0);
}

#[test]
fn a_full_queue_costs_a_picture_before_it_is_encoded() {
    let open = Arc::new(AtomicBool::new(false));
    let (asked_tx, asked) = channel();
    let (tx, frames) = channel();
    let gate = Arc::clone(&open);
    let mut setup = setup(move |frame| tx.send(frame).is_ok());
    setup.ready = Box::new(move |_| {
        asked_tx.send(()).ok();
        gate.load(Ordering::SeqCst).then_some(PictureCodec::Vp8)
    });
    let send = VideoSend::start(setup, Some(pattern_at(100))).expect("threads");
    (0..5).for_each(|_| asked.recv_timeout(LONG).expect("a question"));
    let stats = send.stats(Instant::now());
    assert!(stats.frames_dropped_by_queue >= 4);
    assert_eq!(stats.frames_encoded, 0);
    open.store(true, Ordering::SeqCst);
    assert!(frames.recv_timeout(LONG).expect("a frame").keyframe);
}

#[test]
fn only_a_smaller_picture_replaces_what_waits() {
    let (asked_tx, asked) = channel();
    let (tx, frames) = channel();
    let mut setup = setup(move |frame| tx.send(frame.keyframe).is_ok());
    setup.ready = Box::new(move |next| {
        asked_tx.send(next).ok();
        Some(PictureCodec::Vp8)
    });
    let mut limits = setup.limits;
    let send = VideoSend::start(setup, Some(pattern_at(100))).expect("threads");
    (0..5).for_each(|_| {
        frames.recv_timeout(LONG).expect("a frame");
    });
    assert!(asked.try_iter().all(|next| next == NextPicture::Follows));
    limits.resolution = Resolution::new(SIZE.width / 2, SIZE.height / 2);
    send.set_limits(limits);
    let replaces = |next: NextPicture| next == NextPicture::Replaces;
    while !replaces(asked.recv_timeout(LONG).expect("a question")) {}
    while !frames.recv_timeout(LONG).expect("a frame") {}
    frames.recv_timeout(LONG).expect("a frame");
    assert!(!replaces(asked.try_iter().last().expect("a question")), "once");
}

#[test]
fn a_frame_that_is_not_taken_is_followed_by_a_keyframe() {
    let (tx, frames) = channel();
    let mut count = 0;
    let send = VideoSend::start(
        setup(move |frame| {
            count += 1;
            let taken = count != 3;
            tx.send((count, frame.keyframe)).is_ok() && taken
        }),
        Some(pattern_at(30)),
    )
    .expect("threads");
    let mut after =
        std::iter::from_fn(|| frames.recv_timeout(LONG).ok()).skip_while(|(count, _)| *count <= 3);
    // Within the least time between keyframes (300 ms, ten pictures) after the first one.
    assert!(after.by_ref().take(12).any(|(_, keyframe)| keyframe));
    assert_eq!(send.stats(Instant::now()).frames_refused, 1);
}

#[test]
fn pictures_shrink_to_the_limit_and_keep_to_the_frame_rate() {
    let (send, frames) = sender_to_channel(Some(pattern_at(60)));
    send.set_limits(VideoLimits {
        bitrate: Bitrate::from_kbps(400),
        resolution: Resolution::new(160, 160),
        frame_rate: 10,
        limitation: QualityLimitationReason::Bandwidth,
    });
    let mut decoder = PictureCodec::Vp8.decoder();
    let small = std::iter::from_fn(|| frames.recv_timeout(LONG).ok()).find_map(|frame| {
        let decoded = decoder.decode(&frame.payload).ok()??;
        (decoded.picture.resolution() == Resolution::new(160, 90)).then_some(decoded)
    });
    assert!(pattern::read(&small.expect("a small picture").picture).is_some());
    let times: Vec<_> = (0..8)
        .map(|_| frames.recv_timeout(LONG).expect("a frame"))
        .map(|frame| frame.rtp_time)
        .collect();
    let ticks = times[7].since(times[0]) / 7;
    assert!(
        ticks >= 8500,
        "{ticks} ticks of 90 kHz between pictures at 10 per second"
    );
    let stats = send.stats(Instant::now());
    assert_eq!((stats.frame_width, stats.frame_height), (160, 90));
    assert_eq!(stats.quality_limitation_reason.as_str(), "bandwidth");
}

#[test]
fn pictures_pause_while_the_camera_goes_on_and_come_back_with_a_keyframe() {
    let (send, frames) = sender_to_channel(Some(pattern_at(60)));
    let limits = |frame_rate| VideoLimits {
        bitrate: Bitrate::from_kbps(400),
        resolution: SIZE,
        frame_rate,
        limitation: QualityLimitationReason::Bandwidth,
    };
    assert!(frames.recv_timeout(LONG).expect("a frame").keyframe);
    send.set_limits(limits(0));
    // What was on its way comes, and then nothing.
    while frames.recv_timeout(Duration::from_millis(300)).is_ok() {}
    send.set_limits(limits(60));
    assert!(frames.recv_timeout(LONG).expect("a frame").keyframe);
}

#[test]
fn a_camera_that_is_switched_off_is_closed_and_another_one_goes_on() {
    let (closed_tx, closed) = channel();
    let pattern = PatternSource::new(SIZE, 60).expect("usable");
    let (send, frames) = sender_to_channel(Some(Box::new(Closing {
        pattern,
        closed: closed_tx,
    })));
    frames.recv_timeout(LONG).expect("a frame");
    let off = Instant::now();
    send.set_enabled(false);
    closed
        .recv_timeout(Duration::from_secs(1))
        .expect("closed within a second");
    assert!(off.elapsed() < Duration::from_secs(1));
    while frames.recv_timeout(Duration::from_millis(300)).is_ok() {}
    let encoded = send.stats(Instant::now()).frames_encoded;
    send.replace_source(pattern_at(60)).expect("a thread");
    let frame = frames.recv_timeout(LONG).expect("a frame of the new camera");
    assert!(frame.captured_at > off);
    assert!(send.stats(Instant::now()).frames_encoded > encoded);
}

#[test]
fn a_camera_that_fails_is_reported_once_and_can_be_replaced() {
    struct Broken;
    impl VideoSource for Broken {
        fn next_frame(&mut self, _: Duration) -> Result<Option<VideoFrame>, DeviceError> {
            Err(DeviceError::Lost(DeviceKind::Camera))
        }
    }
    let (tx, failures) = channel();
    let (frames_tx, frames) = channel();
    let mut setup = setup(move |frame| frames_tx.send(frame).is_ok());
    setup.on_device_failure = Box::new(move |error| {
        tx.send(error).ok();
    });
    let send = VideoSend::start(setup, Some(Box::new(Broken))).expect("threads");
    assert_eq!(
        failures.recv_timeout(LONG),
        Ok(DeviceError::Lost(DeviceKind::Camera))
    );
    send.replace_source(pattern_at(60)).expect("a thread");
    frames.recv_timeout(LONG).expect("a frame of the new camera");
    assert!(failures.try_recv().is_err());
}

#[test]
fn the_preview_sees_the_camera_even_while_nothing_is_sent() {
    let (tx, seen) = channel();
    let mut setup = setup(|_| true);
    setup.preview = Some(Box::new(Shown(tx)));
    setup.ready = Box::new(|_| None);
    let _send = VideoSend::start(setup, Some(pattern_at(60))).expect("threads");
    let frame = seen.recv_timeout(LONG).expect("a picture");
    assert_eq!(frame.picture.resolution(), SIZE);
}

#[test]
fn dropping_the_pipelines_ends_their_threads_in_half_a_second() {
    let (closed_tx, closed) = channel();
    let pattern = PatternSource::new(SIZE, 60).expect("usable");
    let (send, frames) = sender_to_channel(Some(Box::new(Closing {
        pattern,
        closed: closed_tx,
    })));
    let screen = screen();
    frames.recv_timeout(LONG).expect("a frame");
    let begun = Instant::now();
    drop(send);
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    assert!(closed.try_recv().is_ok(), "the camera is closed");
    let begun = Instant::now();
    drop(screen.receive);
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    let packet = Packetizer {
        sequence: SequenceNumber::new(1),
    }
    .packets(&EncodedFrame {
        payload: Bytes::from_static(b"x"),
        rtp_time: ahoy_media::units::RtpTime::new(0),
        keyframe: true,
        captured_at: Instant::now(),
    });
    assert!(
        !screen.packets.try_send(PictureCodec::Vp8, packet[0].clone()),
        "nobody listens any more"
    );
}

#[test]
fn a_slow_decoder_loses_packets_at_the_queue_and_counts_them() {
    struct Stuck(Arc<Mutex<()>>);
    impl VideoSink for Stuck {
        fn show(&mut self, _: Instant, _: VideoFrame) {
            drop(self.0.lock());
        }
    }
    let (frames_send, frames) = sender_to_channel(Some(pattern_at(60)));
    let frame = frames.recv_timeout(LONG).expect("a keyframe");
    drop(frames_send);
    let hold = Arc::new(Mutex::new(()));
    let held = hold.lock().expect("free");
    let receive = VideoReceive::start(VideoReceiveSetup {
        screen: Box::new(Stuck(Arc::clone(&hold))),
        request_keyframe: Box::new(|_| ()),
        on_first_rendered: Box::new(|_| ()),
        lip_sync: LipSync::default(),
    })
    .expect("a thread");
    let packets = receive.packets();
    let mut packetizer = Packetizer {
        sequence: SequenceNumber::new(1),
    };
    let refused = (0..1000)
        .flat_map(|_| packetizer.packets(&frame))
        .filter(|packet| !packets.try_send(PictureCodec::Vp8, packet.clone()));
    let refused = refused.count() as u64;
    assert!(refused >= 1000 - 512, "{refused}");
    assert_eq!(receive.stats(Instant::now()).packets_discarded, refused);
    drop(held);
}

#[test]
fn a_camera_that_is_turned_is_seen_and_sent_so_and_can_be_turned_back() {
    let ((tx, frames), (preview_tx, preview)) = (channel(), channel());
    let setup = VideoSendSetup {
        rotation: Rotation::Left,
        preview: Some(Box::new(Shown(preview_tx))),
        ..setup(move |frame| tx.send(frame).is_ok())
    };
    let send = VideoSend::start(setup, Some(pattern_at(30))).expect("threads");
    let seen = preview.recv_timeout(LONG).expect("a picture").picture;
    let sent = frames.recv_timeout(LONG).expect("a keyframe");
    let decoded = PictureCodec::Vp8.decoder().decode(&sent.payload);
    let decoded = decoded.expect("it is whole").expect("it is shown").picture;
    let mut pool = PicturePool::default();
    for picture in [seen, decoded] {
        let size = picture.resolution();
        assert_eq!(
            size,
            Resolution::new(SIZE.height, SIZE.width),
            "no smaller for standing"
        );
        assert_eq!(pattern::read(&picture), None);
        assert!(pattern::read(&turned(picture, Rotation::Right, &mut pool)).is_some());
    }
    send.set_rotation(Rotation::None);
    let is_back = |picture: &VideoFrame| pattern::read(&picture.picture).is_some();
    assert!(preview.iter().take(60).any(|picture| is_back(&picture)));
}

/// An encoder that takes as long as a slow machine, by the pixels.
struct Slow {
    inner: Box<dyn VideoEncoder>,
    /// Of a picture of [`SIZE`].
    whole: Duration,
    speeds: Sender<EncoderSpeed>,
}

impl VideoEncoder for Slow {
    fn encode(
        &mut self,
        frame: &VideoFrame,
        force_keyframe: bool,
    ) -> Result<Option<EncodedPicture>, CodecError> {
        let share = frame.picture.resolution().pixels() as f64 / SIZE.pixels() as f64;
        std::thread::sleep(self.whole.mul_f64(share));
        self.inner.encode(frame, force_keyframe)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.inner.set_bitrate(bitrate)
    }

    fn set_resolution(&mut self, resolution: Resolution) -> Result<(), CodecError> {
        self.inner.set_resolution(resolution)
    }

    fn set_speed(&mut self, speed: EncoderSpeed) -> Result<(), CodecError> {
        self.speeds.send(speed).ok();
        self.inner.set_speed(speed)
    }

    fn implementation(&self) -> &'static str {
        "slow"
    }
}

#[test]
fn a_machine_that_is_too_slow_gets_a_faster_encoder_and_then_smaller_pictures() {
    let (speeds_tx, speeds) = channel();
    let (tx, frames) = channel();
    let mut setup = setup(move |frame| tx.send(frame).is_ok());
    setup.limits.frame_rate = 20;
    setup.encoder = Box::new(move |codec, size, bitrate, frame_rate| {
        Ok(Box::new(Slow {
            inner: codec.encoder(size, bitrate, frame_rate)?,
            // One and a half times the interval.
            whole: Duration::from_millis(75),
            speeds: speeds_tx.clone(),
        }))
    });
    let send = VideoSend::start(setup, Some(pattern_at(20))).expect("threads");
    let small = std::iter::from_fn(|| frames.recv_timeout(LONG).ok())
        .map(|_| send.stats(Instant::now()))
        .find(|stats| stats.frame_width < SIZE.width)
        .expect("smaller pictures");
    assert_eq!(small.quality_limitation_reason.as_str(), "cpu");
    assert_eq!(small.encoder_implementation, Some("slow"));
    let mut taken: Vec<_> = speeds.try_iter().collect();
    taken.dedup();
    assert_eq!(
        taken,
        [EncoderSpeed::Usual, EncoderSpeed::Fast, EncoderSpeed::Fastest]
    );
}

#[test]
fn another_codec_in_mid_call_begins_with_a_keyframe_that_the_receiver_shows() {
    let screen = screen();
    let packets = screen.packets.clone();
    let codec = Arc::new(Mutex::new(PictureCodec::Vp8));
    let mut packetizer = Packetizer {
        sequence: SequenceNumber::new(65_530),
    };
    let asked = Arc::clone(&codec);
    let mut setup = setup(|_| true);
    setup.send = Box::new(move |codec, frame| {
        let cut = packetizer.packets(&frame).into_iter();
        // The shortest descriptors of VP8 and VP9: the first packet of a frame, and whether it refers to others.
        cut.enumerate().all(|(index, mut packet)| {
            if codec == PictureCodec::Vp9 {
                let refers = if frame.keyframe { 0 } else { 0x40 };
                let first = if index == 0 { 0x08 } else { 0 };
                packet.payload = Bytes::from([&[refers | first], &packet.payload[1..]].concat());
            }
            packets.try_send(codec, packet)
        })
    });
    setup.ready = Box::new(move |_| Some(*asked.lock().expect("free")));
    let send = VideoSend::start(setup, Some(pattern_at(30))).expect("threads");
    let mut last = number(&screen.shown.recv_timeout(LONG).expect("a picture"));
    for codec_next in [PictureCodec::Vp9, PictureCodec::Vp8] {
        *codec.lock().expect("free") = codec_next;
        while screen.receive.stats(Instant::now()).codec != Some(codec_next) {
            let shown = number(&screen.shown.recv_timeout(LONG).expect("a picture"));
            assert!(shown > last, "{shown} after {last}");
            last = shown;
        }
    }
    let stats = screen.receive.stats(Instant::now());
    assert!(stats.key_frames_decoded >= 3, "{stats:?}");
    assert_eq!((stats.packets_lost, stats.frames_dropped), (0, 0), "{stats:?}");
    assert_eq!(send.stats(Instant::now()).codec, Some(PictureCodec::Vp8));
}
