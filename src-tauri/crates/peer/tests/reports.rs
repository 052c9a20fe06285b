//! What a peer says of the clocks of its streams, as the other one hears it.

mod support;

use ahoy_media::packet::{EncodedFrame, SenderReport};
use ahoy_media::units::{NtpTime, RtpTime};
use ahoy_peer::MediaKind;
use std::time::{Duration, Instant};
use support::{AUDIO_VIDEO, DEADLINE, Party, connect, join, noise, stream};
use tokio::sync::watch;

type Reports = watch::Receiver<Vec<(MediaKind, SenderReport)>>;

fn reports(party: &Party) -> Reports {
    let (tx, rx) = watch::channel(Vec::new());
    party.peer.set_report_receiver(Box::new(move |kind, report| {
        tx.send_modify(|reports: &mut Vec<_>| reports.push((kind, report)));
    }));
    rx
}

/// How long the pictures of these tests were under way to the peer: an encoder that is slow.
const TO_ENCODE: Duration = Duration::from_millis(400);

/// A frame that was captured so long ago; its time is counted from `epoch`.
fn captured(epoch: Instant, clock_rate: f64, ago: Duration) -> EncodedFrame {
    let now = Instant::now();
    let seconds = now.duration_since(epoch).as_secs_f64() - ago.as_secs_f64();
    EncodedFrame {
        payload: noise(1, 80),
        rtp_time: RtpTime::new((seconds * clock_rate).round() as i64 as u32),
        keyframe: true,
        captured_at: now - ago,
    }
}

/// Sends sound and pictures until two reports of each have come.
async fn report_both(from: &Party, reports: &mut Reports) {
    let epoch = Instant::now();
    let sound = (0..1000).map(move |_| captured(epoch, 48e3, Duration::ZERO));
    let pictures = (0..500).map(move |_| captured(epoch, 90e3, TO_ENCODE));
    let sending = [
        tokio::spawn(stream(from.peer.audio_out(), Duration::from_millis(20), sound)),
        tokio::spawn(stream(from.peer.video_out(), Duration::from_millis(40), pictures)),
    ];
    let count =
        |all: &[(MediaKind, SenderReport)], wanted| all.iter().filter(|(kind, _)| *kind == wanted).count();
    let enough = |all: &Vec<(MediaKind, SenderReport)>| {
        count(all, MediaKind::Audio) >= 2 && count(all, MediaKind::Video) >= 2
    };
    let waited = tokio::time::timeout(DEADLINE, reports.wait_for(enough))
        .await
        .map(|_| ());
    assert!(waited.is_ok(), "{:?}", reports.borrow());
    for sending in sending {
        sending.abort();
    }
}

/// What the newest report of a kind says of the moment zero of its stream.
fn zero(reports: &Reports, wanted: MediaKind) -> (NtpTime, SenderReport) {
    let reports = reports.borrow();
    let (_, report) = reports
        .iter()
        .rfind(|(kind, _)| *kind == wanted)
        .expect("one came");
    let seconds = f64::from(report.rtp_time.as_u32()) / f64::from(report.clock_rate);
    (report.ntp_time.plus(-seconds), *report)
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_tell_when_sound_and_pictures_were_captured_and_not_when_they_were_encoded() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    let mut told = reports(&b);
    connect(&mut a, &mut b, AUDIO_VIDEO).await;
    report_both(&a, &mut told).await;
    let (sound, of_sound) = zero(&told, MediaKind::Audio);
    let (pictures, of_pictures) = zero(&told, MediaKind::Video);
    let apart = pictures.since(sound);
    assert!(apart.abs() < 0.020, "{apart} s between one moment of both");
    assert_eq!((of_sound.clock_rate, of_pictures.clock_rate), (48_000, 90_000));
    assert!(of_sound.in_sync && of_pictures.in_sync);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_another_stream_than_the_sound_are_told_as_such() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    let mut told = reports(&b);
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO_VIDEO).await.expect("an offer");
    // The pictures have their track named after them.
    let apart = |line: &str| match line.split_once("msid:") {
        Some((before, _)) if line.contains("-video") => format!("{before}msid:another track"),
        Some(_) | None => line.to_owned(),
    };
    let changed: Vec<String> = offer.lines().map(apart).collect();
    let changed = changed.join("\r\n") + "\r\n";
    assert_ne!(changed, offer);
    let answer = b.peer.create_answer(&changed, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    a.connected().await;
    b.connected().await;
    report_both(&a, &mut told).await;
    assert!(!zero(&told, MediaKind::Audio).1.in_sync);
}
