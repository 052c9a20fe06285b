//! Two peers on one machine, joined as signaling would join them.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

pub mod relays;

use ahoy_call::{Candidate, Direction};
use ahoy_media::packet::{EncodedFrame, ReceivedPacket};
use ahoy_media::units::RtpTime;
use ahoy_peer::{FrameSender, MediaKind, OfferMedia, Peer, PeerConfig, PeerEvent, TransportState};
use bytes::Bytes;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Every wait of a test ends here at the latest; two shared cores are slow.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub const AUDIO: OfferMedia = OfferMedia {
    audio: true,
    video: false,
    direction: ahoy_call::Direction::SendRecv,
};
pub const AUDIO_VIDEO: OfferMedia = OfferMedia {
    audio: true,
    video: true,
    direction: ahoy_call::Direction::SendRecv,
};

pub fn loopback() -> PeerConfig {
    PeerConfig {
        loopback: true,
        ..PeerConfig::default()
    }
}

/// A peer with everything it told and received.
pub struct Party {
    pub peer: Arc<Peer>,
    pub events: watch::Receiver<Vec<PeerEvent>>,
    pub audio: watch::Receiver<Vec<ReceivedPacket>>,
    pub video: watch::Receiver<Vec<ReceivedPacket>>,
    /// Candidates this peer told, for the other one.
    candidates: Option<mpsc::Receiver<Candidate>>,
}

impl Party {
    pub async fn new() -> Self {
        Self::with_config(loopback()).await
    }

    pub async fn with_config(config: PeerConfig) -> Self {
        let (tx, rx) = mpsc::channel(64);
        let peer = Peer::new(config, tx).await.expect("a peer on loopback");
        Self::from_peer(peer, rx)
    }

    pub fn from_peer(peer: Peer, mut told: mpsc::Receiver<PeerEvent>) -> Self {
        let (events_tx, events) = watch::channel(Vec::new());
        let (candidate_tx, candidate_rx) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                if let PeerEvent::Candidate(candidate) = &event {
                    // A test that joins nobody drops the receiver.
                    let _ = candidate_tx.send(candidate.clone()).await;
                }
                events_tx.send_modify(|events| events.push(event));
            }
        });
        let (audio, video) = (
            received(&peer, MediaKind::Audio),
            received(&peer, MediaKind::Video),
        );
        Self {
            peer: Arc::new(peer),
            events,
            audio,
            video,
            candidates: Some(candidate_rx),
        }
    }

    /// Candidates of this peer, for a test that delivers them itself.
    pub fn take_candidates(&mut self) -> mpsc::Receiver<Candidate> {
        self.candidates.take().expect("candidates are taken once")
    }

    pub async fn told(&mut self, event: &PeerEvent) {
        self.told_times(event, 1).await;
    }

    pub async fn told_times(&mut self, event: &PeerEvent, times: usize) {
        let wait = self
            .events
            .wait_for(|events| events.iter().filter(|told| *told == event).count() >= times);
        let waited = tokio::time::timeout(DEADLINE, wait).await.map(|_| ());
        assert!(
            waited.is_ok(),
            "{event:?} not told {times} times: {:?}",
            self.events()
        );
    }

    pub async fn connected(&mut self) {
        self.told(&PeerEvent::State(TransportState::Connected)).await;
    }

    pub fn events(&self) -> Vec<PeerEvent> {
        self.events.borrow().clone()
    }

    pub fn count(&self, event: &PeerEvent) -> usize {
        self.events.borrow().iter().filter(|told| *told == event).count()
    }
}

fn received(peer: &Peer, kind: MediaKind) -> watch::Receiver<Vec<ReceivedPacket>> {
    let (tx, rx) = watch::channel(Vec::new());
    let keep = move |packet| tx.send_modify(|packets: &mut Vec<ReceivedPacket>| packets.push(packet));
    match kind {
        MediaKind::Audio => peer.set_audio_receiver(Box::new(keep)),
        MediaKind::Video => peer.set_video_receiver(Box::new(move |_, packet| keep(packet))),
    }
    rx
}

/// Waits until enough packets came.
pub async fn arrived(
    packets: &mut watch::Receiver<Vec<ReceivedPacket>>,
    enough: impl Fn(&[ReceivedPacket]) -> bool,
) {
    let wait = packets.wait_for(|packets| enough(packets));
    let waited = tokio::time::timeout(DEADLINE, wait).await.map(|_| ());
    assert!(waited.is_ok(), "{} packets came", packets.borrow().len());
}

/// Carries candidates both ways from here on.
pub fn join(a: &mut Party, b: &mut Party) {
    carry(a.take_candidates(), Arc::downgrade(&b.peer));
    carry(b.take_candidates(), Arc::downgrade(&a.peer));
}

fn carry(mut candidates: mpsc::Receiver<Candidate>, to: Weak<Peer>) {
    tokio::spawn(async move {
        while let Some(candidate) = candidates.recv().await {
            let Some(to) = to.upgrade() else { return };
            if to.add_candidate(Some(candidate)).await.is_err() {
                return;
            }
        }
    });
}

/// `a` calls, `b` answers; returns when both are connected.
pub async fn connect(a: &mut Party, b: &mut Party, media: OfferMedia) {
    join(a, b);
    negotiate(a, b, media).await;
    a.connected().await;
    b.connected().await;
}

/// Offer by `a`, answer by `b`.
pub async fn negotiate(a: &Party, b: &Party, media: OfferMedia) {
    let offer = a.peer.create_offer(media).await.expect("an offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
}

/// Re-offer of pictures by `a`, answer by `b`.
pub async fn renegotiate(a: &Party, b: &Party, video: Direction, send_video: bool) {
    let offer = a.peer.reoffer(false, video).await.expect("a re-offer");
    let answer = b.peer.create_answer(&offer, send_video).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
}

/// ICE restart by `a`; returns `b`'s answer.
pub async fn restart(a: &Party, b: &Party) -> String {
    let video = a.peer.video_direction().await;
    let offer = a.peer.reoffer(true, video).await.expect("a restart offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    a.peer.set_answer(&answer).await.expect("the answer fits");
    answer
}

/// Bytes nobody mistakes for others.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

pub fn frame(payload: Bytes, ticks: u32) -> EncodedFrame {
    EncodedFrame {
        payload,
        rtp_time: RtpTime::new(ticks),
        keyframe: false,
        captured_at: Instant::now(),
    }
}

/// Sends a frame every `interval` as a device would; frames that are refused are tried at the next tick.
pub async fn stream(to: FrameSender, interval: Duration, frames: impl IntoIterator<Item = EncodedFrame>) {
    let mut ticks = tokio::time::interval(interval);
    for frame in frames {
        loop {
            ticks.tick().await;
            if to.codec().is_some_and(|codec| to.try_send(codec, frame.clone())) {
                break;
            }
        }
    }
}

/// `count` pictures of `bytes` each, 90 kHz at 30 a second.
pub fn pictures(count: u32, bytes: usize) -> Vec<EncodedFrame> {
    (0..count)
        .map(|number| frame(noise(u64::from(number) + 1, bytes), number * 3000))
        .collect()
}

/// `count` sounds of 80 bytes, 48 kHz at 50 a second.
pub fn sounds(count: u32) -> Vec<EncodedFrame> {
    (0..count)
        .map(|number| frame(noise(u64::from(number) + 1_000_000, 80), number * 960))
        .collect()
}

/// Puts the packets of one picture together (RFC 7741 §4.2: descriptor with picture id first); `None` while one misses.
pub fn picture_at(packets: &[ReceivedPacket], ticks: u32) -> Option<Vec<u8>> {
    let mut parts: Vec<&ReceivedPacket> = packets
        .iter()
        .filter(|packet| packet.rtp_time.as_u32() == ticks)
        .collect();
    parts.sort_by_key(|packet| packet.sequence.since(packets[0].sequence));
    parts.dedup_by_key(|packet| packet.sequence);
    let begins = parts.first().is_some_and(|packet| packet.payload[0] & 0x10 != 0);
    let ends = parts.last().is_some_and(|packet| packet.marker);
    let whole = parts
        .windows(2)
        .all(|pair| pair[1].sequence.since(pair[0].sequence) == 1);
    (begins && ends && whole).then(|| {
        parts
            .iter()
            .flat_map(|packet| {
                let long_id = packet.payload[2] & 0x80 != 0;
                packet.payload[if long_id { 4 } else { 3 }..].iter().copied()
            })
            .collect()
    })
}
