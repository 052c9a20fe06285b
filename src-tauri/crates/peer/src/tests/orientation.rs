//! Pictures of a sender that holds its camera turned, through both pipelines and a connection.

use super::support::{AUDIO_VIDEO, DEADLINE, Party, join, loopback};
use crate::Peer;
use crate::engine::Workarounds;
use crate::event::Codec;
use crate::peer::Setup;
use crate::sdp;
use ahoy_media::codec::PictureCodec;
use ahoy_media::device::{VideoSink, VideoSource};
use ahoy_media::lip_sync::LipSync;
use ahoy_media::packet::EncodedFrame;
use ahoy_media::synthetic::pattern::PatternSource;
use ahoy_media::synthetic::pattern_probe::{VideoProbe, VideoProbeReport};
use ahoy_media::units::{Bitrate, Resolution, RtpTime};
use ahoy_media::video::receive::{VideoReceive, VideoReceiveSetup};
use ahoy_media::video::rotation::turned;
use ahoy_media::video::{PicturePool, Rotation, VideoFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use webrtc::runtime::TokioRuntime;

const UPRIGHT: Resolution = Resolution::new(320, 180);
const PICTURES: u64 = 12;

/// The number that the extension is offered under.
const NUMBER: u8 = 1;

/// Counts for the test what the probe sees.
struct Counted {
    probe: VideoProbe,
    count: watch::Sender<u64>,
}

impl VideoSink for Counted {
    fn show(&mut self, now: Instant, frame: VideoFrame) {
        self.probe.show(now, frame);
        self.count.send_modify(|count| *count += 1);
    }
}

/// Sends pictures that lie so far turned to the left, and says so unless `silent`; returns what the other side sees.
async fn seen(lie: Rotation, silent: bool) -> VideoProbeReport {
    let byte = (lie.as_degrees() / 90) as u8;
    let (tx, rx) = mpsc::channel(64);
    let setup = Setup {
        runtime: Arc::new(TokioRuntime),
        interfaces: None,
        workarounds: Workarounds {
            orientation: (!silent).then_some((NUMBER, byte)),
            ..Workarounds::default()
        },
    };
    let peer = Peer::with_setup(loopback(), tx, setup)
        .await
        .expect("a peer on loopback");
    let (mut a, mut b) = (Party::from_peer(peer, rx), Party::new().await);
    let (count, mut shown) = watch::channel(0);
    let (probe, reader) = VideoProbe::new(None);
    let receive = VideoReceive::start(VideoReceiveSetup {
        screen: Box::new(Counted { probe, count }),
        request_keyframe: Box::new(|_| ()),
        on_first_rendered: Box::new(|_| ()),
        lip_sync: LipSync::default(),
    })
    .expect("a thread");
    let packets = receive.packets();
    b.peer.set_video_receiver(Box::new(move |codec, packet| {
        packets.try_send(codec, packet);
    }));
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO_VIDEO).await.expect("an offer");
    assert_eq!(sdp::orientation(&offer), Some(NUMBER), "{offer}");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    assert_eq!(sdp::orientation(&answer), Some(NUMBER), "{answer}");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    let sending = tokio::task::spawn_blocking({
        let out = a.peer.video_out();
        let shown = shown.clone();
        move || {
            let mut source = PatternSource::new(UPRIGHT, 30).expect("usable");
            let to_left = Rotation::from_degrees((360 - lie.as_degrees()) % 360).expect("a right angle");
            let mut pool = PicturePool::default();
            let mut encoder = PictureCodec::Vp8
                .encoder(lie.of_size(UPRIGHT), Bitrate::from_kbps(1000), 30)
                .expect("an encoder");
            let begun = Instant::now();
            while *shown.borrow() < PICTURES && begun.elapsed() < DEADLINE {
                let Some(frame) = source.next_frame(Duration::from_millis(100)).expect("no device") else {
                    continue;
                };
                let frame = VideoFrame {
                    picture: turned(frame.picture, to_left, &mut pool),
                    ..frame
                };
                // One that is refused, before all is up, must not be missed by the next.
                let keyframe = *shown.borrow() == 0;
                let Some(encoded) = encoder.encode(&frame, keyframe).expect("it encodes") else {
                    continue;
                };
                let ticks = begun.elapsed().as_millis() as u32 * 90;
                out.try_send(
                    Codec::Video(PictureCodec::Vp8),
                    EncodedFrame {
                        payload: encoded.payload,
                        rtp_time: RtpTime::new(ticks),
                        keyframe: encoded.keyframe,
                        captured_at: frame.captured_at,
                    },
                );
            }
        }
    });
    let enough = shown.wait_for(|count| *count >= PICTURES);
    let waited = tokio::time::timeout(DEADLINE, enough).await.map(|_| ());
    assert!(waited.is_ok(), "{:?}", reader.total());
    sending.await.expect("the sender ends");
    reader.total()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_stand_upright_however_the_camera_is_held() {
    for lie in [Rotation::None, Rotation::Right, Rotation::Half, Rotation::Left] {
        let report = seen(lie, false).await;
        assert_eq!(report.unreadable, 0, "{lie:?}: {report:?}");
        let size = Resolution::new(report.width, report.height);
        assert_eq!(size, UPRIGHT, "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_said_is_not_turned() {
    let report = seen(Rotation::Half, true).await;
    assert_eq!(report.unreadable, report.frames, "{report:?}");
}
