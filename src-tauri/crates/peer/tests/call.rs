//! Two peers on one machine, over real sockets: what a call needs of them.

mod support;

use ahoy_call::Direction;
use ahoy_peer::{
    AudioCodec, Codec, MediaKind, OfferMedia, PeerConfig, PeerError, PeerEvent, RemoteTrack, TransportState,
    VideoCodec,
};
use std::time::Duration;
use support::{
    AUDIO, AUDIO_VIDEO, Party, arrived, connect, join, loopback, negotiate, noise, picture_at, pictures,
    renegotiate, restart, sounds, stream,
};

const SOUND_INTERVAL: Duration = Duration::from_millis(5);
const PICTURE_INTERVAL: Duration = Duration::from_millis(10);

/// Sends sound and pictures from one party to the other and compares every byte that comes.
async fn media_arrives_intact(from: &Party, to: &mut Party) {
    let (sounds, pictures) = (sounds(50), pictures(20, 30_000));
    let sending = tokio::spawn(stream(from.peer.audio_out(), SOUND_INTERVAL, sounds.clone()));
    stream(from.peer.video_out(), PICTURE_INTERVAL, pictures.clone()).await;
    sending.await.expect("the sender ends");
    arrived(&mut to.audio, |packets| packets.len() >= sounds.len()).await;
    for (packet, sound) in to.audio.borrow().iter().zip(&sounds) {
        assert_eq!(packet.payload, sound.payload);
        assert_eq!(packet.rtp_time, sound.rtp_time);
    }
    let last = pictures[pictures.len() - 1].rtp_time.as_u32();
    arrived(&mut to.video, |packets| picture_at(packets, last).is_some()).await;
    for picture in &pictures {
        let came = picture_at(&to.video.borrow(), picture.rtp_time.as_u32());
        assert_eq!(
            came.as_deref(),
            Some(&picture.payload[..]),
            "{:?}",
            picture.rtp_time
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_and_pictures_arrive_intact_both_ways() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    media_arrives_intact(&a, &mut b).await;
    media_arrives_intact(&b, &mut a).await;
    let sound = PeerEvent::Track(RemoteTrack {
        kind: MediaKind::Audio,
        codec: Codec::Audio(AudioCodec::Opus),
    });
    let picture = PeerEvent::Track(RemoteTrack {
        kind: MediaKind::Video,
        codec: Codec::Video(VideoCodec::Vp8),
    });
    assert_eq!((b.count(&sound), b.count(&picture)), (1, 1));
    let stats = b.peer.stats().await;
    assert_eq!((stats.audio_in.packets, stats.audio_in.packets_lost), (50, 0));
    assert_eq!(stats.audio_in.bytes, 50 * 80);
    assert!(stats.video_in.bytes > 600_000);
    assert!(stats.audio_in.jitter < 0.1, "{} s", stats.audio_in.jitter);
    assert_eq!(stats.transport.dtls_state, "connected");
    assert!(stats.transport.srtp_cipher.is_some());
    // A check may come before the candidate it comes from was signalled.
    let path = stats.transport.path.expect("a selected pair");
    assert!(["host", "prflx"].contains(&path.as_str()), "{path:?}");
    let remote = stats.transport.remote.expect("a selected pair");
    assert_eq!(remote.protocol, "udp");
    assert!(remote.address.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_without_pictures_makes_a_call_of_sound() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO).await;
    stream(b.peer.audio_out(), SOUND_INTERVAL, sounds(20)).await;
    arrived(&mut a.audio, |packets| packets.len() >= 20).await;
    assert!(!a.peer.video_out().ready());
    assert_eq!(b.peer.video_out().codec(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_added_to_a_call_of_sound_by_either_side() {
    for caller_adds in [true, false] {
        let (mut a, mut b) = (Party::new().await, Party::new().await);
        connect(&mut a, &mut b, AUDIO).await;
        let (adding, other) = if caller_adds {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        renegotiate(adding, other, Direction::SendRecv, true).await;
        media_arrives_intact(adding, other).await;
        media_arrives_intact(other, adding).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_connects_when_candidates_follow_the_answer() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    negotiate(&a, &b, AUDIO).await;
    a.told(&PeerEvent::CandidatesDone).await;
    b.told(&PeerEvent::CandidatesDone).await;
    join(&mut a, &mut b);
    a.connected().await;
    b.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_gathered_before_there_is_a_description() {
    let mut a = Party::new().await;
    assert_eq!(a.peer.stats().await.transport.local, None);
    assert_eq!(a.events(), []);
    a.peer.create_offer(AUDIO).await.expect("an offer");
    a.told(&PeerEvent::CandidatesDone).await;
    let is_candidate = |event: &PeerEvent| matches!(event, PeerEvent::Candidate(_));
    assert!(a.events().iter().any(is_candidate));
    for event in a.events() {
        if let PeerEvent::Candidate(candidate) = event {
            assert!(!candidate.candidate.contains(".local"), "{candidate:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_keyframe_reaches_the_sender() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    stream(a.peer.video_out(), PICTURE_INTERVAL, pictures(3, 3000)).await;
    arrived(&mut b.video, |packets| packets.len() >= 9).await;
    assert_eq!(a.count(&PeerEvent::KeyframeNeeded), 0);
    b.peer.request_keyframe().await;
    a.told(&PeerEvent::KeyframeNeeded).await;
    assert_eq!(b.peer.stats().await.video_in.pli_count, 1);
    assert_eq!(a.peer.stats().await.video_out.pli_count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_goes_on_over_restarts_by_both_sides() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    let sending = tokio::spawn(stream(
        a.peer.audio_out(),
        Duration::from_millis(20),
        sounds(3000),
    ));
    arrived(&mut b.audio, |packets| packets.len() >= 10).await;
    for round in 0..4 {
        if round % 2 == 0 {
            restart(&a, &b).await;
        } else {
            restart(&b, &a).await;
        }
        let before = b.audio.borrow().len();
        arrived(&mut b.audio, |packets| packets.len() >= before + 30).await;
    }
    sending.abort();
    let received = b.peer.stats().await.audio_in;
    assert_eq!(received.packets, b.audio.borrow().len() as u64);
    assert!(received.packets_lost < 20, "{} lost", received.packets_lost);
    assert_eq!(a.count(&PeerEvent::State(TransportState::Failed)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_is_none_is_refused_without_harm() {
    let (mut a, b) = (Party::new().await, Party::new().await);
    let offer = a.peer.create_offer(AUDIO_VIDEO).await.expect("an offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    for bad in ["", "v=0\r\n", "m=audio", "\0\0\0", &"a=x\r\n".repeat(20_000)] {
        let refused = Party::new().await.peer.create_answer(bad, true).await;
        assert!(
            matches!(refused, Err(PeerError::BadDescription { .. })),
            "{refused:?}"
        );
        let refused = a.peer.set_answer(bad).await;
        assert!(
            matches!(refused, Err(PeerError::BadDescription { .. })),
            "{refused:?}"
        );
    }
    let too_large = format!("{answer}a=x:{}\r\n", "x".repeat(64 * 1024));
    let refused = a.peer.set_answer(&too_large).await;
    assert!(
        matches!(refused, Err(PeerError::BadDescription { .. })),
        "{refused:?}"
    );
    a.peer
        .set_answer(&answer)
        .await
        .expect("the good answer still fits");
    a.told(&PeerEvent::State(TransportState::Connecting)).await;
}

/// Damages a real offer in a thousand ways: an error is as good as an answer, a panic is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_offer_never_panics() {
    let a = Party::new().await;
    let offer = a.peer.create_offer(AUDIO_VIDEO).await.expect("an offer");
    let mut refused = 0;
    for seed in 0..200_u64 {
        let mut lines: Vec<Vec<u8>> = offer.lines().map(|line| line.as_bytes().to_vec()).collect();
        for (round, damage) in noise(seed, 15).chunks(5).enumerate() {
            let line = usize::from(damage[0]) * 7 % lines.len();
            match damage[1] % 5 {
                0 => drop(lines.remove(line)),
                1 => lines.insert(line, lines[(line + round) % lines.len()].clone()),
                2 => {
                    let at = usize::from(damage[2]) % lines[line].len().max(1);
                    lines[line].truncate(at);
                }
                3 => lines[line].extend(noise(seed, 40).iter().map(|byte| byte % 95 + 32)),
                _ => {
                    let at = usize::from(damage[3]) % lines[line].len().max(1);
                    if let Some(byte) = lines[line].get_mut(at) {
                        *byte = damage[4] % 95 + 32;
                    }
                }
            }
        }
        let damaged = lines
            .iter()
            .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
            .collect::<String>();
        let b = Party::with_config(loopback()).await;
        if let Err(error) = b.peer.create_answer(&damaged, true).await {
            assert!(!error.to_string().contains("broke down"), "seed {seed}: {error}");
            refused += 1;
        }
        b.peer.close().await;
    }
    assert!(refused > 10, "{refused} of 200 refused: the damage does nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_codecs_nobody_has_is_refused_as_such() {
    let (a, b) = (Party::new().await, Party::new().await);
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    let foreign = offer.replace("opus/48000/2", "EVS/16000/1");
    let refused = b.peer.create_answer(&foreign, true).await;
    assert!(matches!(refused, Err(PeerError::NoCommonCodec)), "{refused:?}");
}

/// A browser that is told to use one codec offers no other, and no digits either.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_one_voice_codec_alone_is_answered_with_a_voice() {
    for codec in AudioCodec::ALL {
        let speaking = |audio_codecs| PeerConfig {
            audio_codecs,
            ..loopback()
        };
        let (mut a, mut b) = (
            Party::with_config(speaking(vec![codec])).await,
            Party::with_config(speaking(AudioCodec::ALL.to_vec())).await,
        );
        join(&mut a, &mut b);
        let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
        let of_digits =
            |line: &str| line.starts_with("a=") && (line.contains(":110 ") || line.contains(":126 "));
        let alone: String = offer
            .lines()
            .filter(|line| !of_digits(line))
            .map(|line| line.trim_end_matches(" 110").trim_end_matches(" 126"))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let answer = b.peer.create_answer(&alone, true).await;
        let answer = answer.unwrap_or_else(|error| panic!("{codec}: {error}\n{alone}"));
        assert!(!answer.contains("a=recvonly"), "{codec}: {answer}");
        a.peer.set_answer(&answer).await.expect("the answer fits");
        a.connected().await;
        b.connected().await;
        stream(b.peer.audio_out(), SOUND_INTERVAL, sounds(20)).await;
        arrived(&mut a.audio, |packets| packets.len() >= 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_codec_nobody_has_leaves_a_call_of_sound() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO_VIDEO).await.expect("an offer");
    let foreign = offer.replace("VP8/90000", "H266/90000");
    let answer = b.peer.create_answer(&foreign, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    assert!(!a.peer.video_out().ready() && !b.peer.video_out().ready());
    stream(a.peer.audio_out(), SOUND_INTERVAL, sounds(20)).await;
    stream(b.peer.audio_out(), SOUND_INTERVAL, sounds(20)).await;
    arrived(&mut a.audio, |packets| packets.len() >= 20).await;
    arrived(&mut b.audio, |packets| packets.len() >= 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_candidates_do_not_keep_a_call_from_connecting() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    negotiate(&a, &b, AUDIO).await;
    for bad in [
        "",
        "candidate:",
        "candidate:1 1 udp x 1.2.3.4 9 typ host",
        "candidate:1 1 udp 1 no.such.host.invalid 9 typ host",
        "candidate:1 1 udp 1 a.local 9 typ host",
        "\0",
        &"9".repeat(5000),
    ] {
        let candidate = ahoy_call::Candidate {
            candidate: bad.to_owned(),
            sdp_mid: None,
            sdp_m_line_index: Some(77),
            username_fragment: None,
        };
        a.peer
            .add_candidate(Some(candidate))
            .await
            .expect("one bad candidate is not fatal");
    }
    a.peer.add_candidate(None).await.expect("the end of candidates");
    join(&mut a, &mut b);
    a.connected().await;
    b.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_active_is_answered_passive_and_connects() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    assert!(offer.contains("a=setup:actpass"));
    let active = offer.replace("a=setup:actpass", "a=setup:active");
    let answer = b.peer.create_answer(&active, true).await.expect("an answer");
    assert!(
        answer.contains("a=setup:passive") && !answer.contains("a=setup:active"),
        "{answer}"
    );
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_is_offered_one_way_goes_one_way() {
    for (offered, answered) in [
        (Direction::RecvOnly, Direction::SendOnly),
        (Direction::SendOnly, Direction::RecvOnly),
    ] {
        let (mut a, mut b) = (Party::new().await, Party::new().await);
        let media = OfferMedia {
            direction: offered,
            ..AUDIO_VIDEO
        };
        connect(&mut a, &mut b, media).await;
        assert_eq!(a.peer.video_direction().await, offered);
        assert_eq!(b.peer.video_direction().await, answered);
        let (from, to) = match offered {
            Direction::RecvOnly => (&b, &mut a),
            _ => (&a, &mut b),
        };
        media_arrives_intact(from, to).await;
    }
}
