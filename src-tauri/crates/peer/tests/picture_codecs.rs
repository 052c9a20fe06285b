//! Pictures in the codec that both sides agree on, whatever either of them prefers.

mod support;

use ahoy_media::packet::EncodedFrame;
use ahoy_media::video::send::NextPicture;
use ahoy_peer::{Codec, FrameSender, PeerConfig, VideoCodec};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{AUDIO_VIDEO, DEADLINE, Party, arrived, connect, frame, loopback, noise};

/// Every order of every choice of the codecs.
fn preferences() -> Vec<Vec<VideoCodec>> {
    let mut all: Vec<Vec<VideoCodec>> = Vec::new();
    for first in VideoCodec::ALL {
        all.push(vec![first]);
        for second in VideoCodec::ALL.into_iter().filter(|codec| *codec != first) {
            all.push(vec![first, second]);
            let third = VideoCodec::ALL
                .into_iter()
                .filter(|codec| ![first, second].contains(codec));
            all.push([first, second].into_iter().chain(third).collect());
        }
    }
    all
}

fn preferring(video_codecs: &[VideoCodec]) -> PeerConfig {
    PeerConfig {
        video_codecs: video_codecs.to_vec(),
        ..loopback()
    }
}

/// A picture that all payload formats take: for H.264 a unit of an IDR picture, for the others just bytes.
fn picture(ticks: u32) -> EncodedFrame {
    let bytes = [&[0, 0, 0, 1, 0x65, 0x88], &noise(u64::from(ticks), 3000)[..]].concat();
    EncodedFrame {
        keyframe: true,
        ..frame(Bytes::from(bytes), ticks)
    }
}

/// Sends pictures until the other side has some; returns the codecs that they came in.
async fn codecs_received(sender: FrameSender, codec: VideoCodec, to: &mut Party) -> Vec<VideoCodec> {
    let came = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&came);
    to.peer
        .set_video_receiver(Box::new(move |codec, _| list.lock().expect("free").push(codec)));
    let sending = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for number in 1_u32.. {
            ticks.tick().await;
            sender.try_send(Codec::Video(codec), picture(number * 3000));
            if came.lock().expect("free").len() >= 6 {
                return;
            }
        }
    };
    let enough = tokio::time::timeout(DEADLINE, sending).await;
    assert!(enough.is_ok(), "pictures in {codec} do not come");
    let came = came.lock().expect("free");
    came.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_preferences_agrees_on_the_callers_first_that_both_have() {
    let preferences = preferences();
    assert_eq!(preferences.len(), 15);
    for callers in &preferences {
        for callees in &preferences {
            let agreed = callers.iter().copied().find(|codec| callees.contains(codec));
            let (mut a, mut b) = (
                Party::with_config(preferring(callers)).await,
                Party::with_config(preferring(callees)).await,
            );
            connect(&mut a, &mut b, AUDIO_VIDEO).await;
            let codecs = [&a, &b].map(|party| party.peer.video_out().picture_codec(NextPicture::Follows));
            assert_eq!(codecs, [agreed; 2], "{callers:?} calls {callees:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_in_the_agreed_codec_both_ways_and_are_reported_on() {
    // The one agreed on is the first of neither, the first of one, and the only one.
    for (callers, callees, agreed) in [
        (&VideoCodec::ALL[..], &[VideoCodec::H264][..], VideoCodec::H264),
        (
            &[VideoCodec::H264, VideoCodec::Vp9],
            &VideoCodec::ALL,
            VideoCodec::H264,
        ),
        (
            &[VideoCodec::Vp9, VideoCodec::Vp8],
            &VideoCodec::ALL,
            VideoCodec::Vp9,
        ),
        (&[VideoCodec::Vp8], &VideoCodec::ALL, VideoCodec::Vp8),
    ] {
        let (mut a, mut b) = (
            Party::with_config(preferring(callers)).await,
            Party::with_config(preferring(callees)).await,
        );
        connect(&mut a, &mut b, AUDIO_VIDEO).await;
        let (from_a, from_b) = (a.peer.video_out(), b.peer.video_out());
        let there = codecs_received(from_a.clone(), agreed, &mut b).await;
        let back = codecs_received(from_b, agreed, &mut a).await;
        for came in [there, back] {
            assert!(came.iter().all(|codec| *codec == agreed), "{agreed}: {came:?}");
        }
        let other = VideoCodec::ALL
            .into_iter()
            .find(|codec| *codec != agreed)
            .expect("three codecs");
        assert!(
            !from_a.try_send(Codec::Video(other), picture(1)),
            "a picture in {other} while {agreed} is agreed on"
        );
        // Feedback on the stream, which the library gives only for one whose codec it knows.
        let reported = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for number in 1_000_u32.. {
                ticks.tick().await;
                from_a.try_send(Codec::Video(agreed), picture(number * 3000));
                if a.peer.stats().await.video_out.remote.is_some() {
                    return;
                }
            }
        };
        let reported = tokio::time::timeout(DEADLINE, reported).await;
        assert!(reported.is_ok(), "nobody reports on pictures in {agreed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_on_where_no_picture_codec_is_shared() {
    let (mut a, mut b) = (
        Party::with_config(preferring(&[VideoCodec::Vp9])).await,
        Party::with_config(preferring(&[VideoCodec::H264])).await,
    );
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    assert_eq!(a.peer.video_out().picture_codec(NextPicture::Follows), None);
    let sound = a.peer.audio_out();
    support::stream(sound, Duration::from_millis(5), support::sounds(10)).await;
    arrived(&mut b.audio, |packets| packets.len() >= 5).await;
}
