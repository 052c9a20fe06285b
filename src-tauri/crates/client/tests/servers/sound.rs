//! The codec of the sound changes in a call, by a re-offer of the other side.

use crate::script::{Party1, ScriptedServer, Socket, within};
use ahoy_call::Direction;
use ahoy_client::{CallStats, ClientEvent, Command};
use ahoy_media::codec::opus::{OpusMode, OpusSettings};
use ahoy_media::codec::{AudioEncoder, SoundCodec};
use ahoy_media::packet::EncodedFrame;
use ahoy_media::units::{Bitrate, RtpTime};
use ahoy_peer::{Codec, OfferMedia, Peer, PeerConfig, PeerEvent, TransportState};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// The other side: a connection without a client.
struct Other {
    peer: Arc<Peer>,
    events: mpsc::Receiver<PeerEvent>,
    /// The codec and the bytes of the packet that came last.
    heard: watch::Receiver<Option<(SoundCodec, usize)>>,
}

impl Other {
    async fn start() -> Self {
        let (events_tx, events) = mpsc::channel(64);
        let config = PeerConfig {
            loopback: true,
            audio_codecs: SoundCodec::ALL.to_vec(),
            ..PeerConfig::default()
        };
        let peer = Peer::new(config, events_tx).await.expect("a connection");
        let (heard_tx, heard) = watch::channel(None);
        peer.set_audio_receiver(Box::new(move |packet| {
            heard_tx.send_replace(packet.codec.map(|codec| (codec, packet.payload.len())));
        }));
        Self {
            peer: Arc::new(peer),
            events,
            heard,
        }
    }

    /// Tells its candidates until the connection is up.
    async fn connect(&mut self, socket: &mut Socket) {
        loop {
            match within("the connection", self.events.recv()).await {
                Some(PeerEvent::Candidate(candidate)) => {
                    let candidate = json!({"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid,
                        "sdpMLineIndex": candidate.sdp_m_line_index});
                    socket
                        .say(
                            json!({"type": "call.ice", "payload": {"call_id": "call_1", "from_user": 2,
                            "to_user": 1, "ice_candidate": candidate}}),
                        )
                        .await;
                }
                Some(PeerEvent::State(TransportState::Connected)) => return,
                Some(_) => {}
                None => panic!("the connection is gone"),
            }
        }
    }

    async fn hears(&mut self, codec: SoundCodec) -> usize {
        let wait = self
            .heard
            .wait_for(|heard| heard.is_some_and(|(its, _)| its == codec));
        let heard = within("sound", wait).await.expect("the connection is there");
        heard.expect("it was waited for").1
    }

    /// Says something in whatever was agreed on, until told otherwise.
    fn speak(&self) -> tokio::task::JoinHandle<()> {
        let peer = Arc::clone(&self.peer);
        let sound = peer.sound_out().expect("sound is sent");
        let mut encoder: Box<dyn AudioEncoder> = sound
            .codec
            .encoder(Bitrate::from_kbps(32), OpusSettings::of(OpusMode::Voice))
            .expect("an encoder");
        let out = peer.audio_out();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for number in 0.. {
                ticks.tick().await;
                let payload = encoder.encode(&[0.1; 960]).expect("a frame");
                let step = encoder.clock_rate().as_hz() / 50;
                let frame = EncodedFrame {
                    payload,
                    rtp_time: RtpTime::new(number * step),
                    keyframe: false,
                    captured_at: Instant::now(),
                };
                out.try_send(Codec::Audio(sound.codec), frame);
            }
        })
    }
}

fn offer(sdp: &str, negotiation: u32) -> Value {
    json!({"type": "call.offer", "timestamp": ahoy_signaling::Timestamp::now().to_string(), "payload": {
        "call_id": "call_1", "from_user": 2, "to_user": 1, "call_type": "audio", "negotiation": negotiation,
        "sdp": {"type": "offer", "sdp": sdp}, "expires_in": 30,
    }})
}

/// The description with this payload type first among those of sound.
fn preferring(sdp: &str, payload_type: &str) -> String {
    let line = |line: &str| {
        let Some(media) = line.strip_prefix("m=audio ") else {
            return line.to_owned();
        };
        let (head, types) = media.split_at(media.find("SAVPF ").expect("a profile") + 6);
        let others: Vec<&str> = types.split(' ').filter(|word| *word != payload_type).collect();
        format!("m=audio {head}{payload_type} {}", others.join(" "))
    };
    sdp.lines().map(|l| line(l) + "\r\n").collect()
}

async fn answered(socket: &mut Socket, other: &Other) {
    let answer = socket.hear("call.answer").await;
    let sdp = answer["payload"]["sdp"]["sdp"].as_str().expect("a description");
    other.peer.set_answer(sdp).await.expect("the answer fits");
}

async fn stats(party: &mut Party1, what: &str, wanted: impl Fn(&CallStats) -> bool) -> CallStats {
    party
        .event(what, |event| match event {
            ClientEvent::Stats(stats) if wanted(stats) => Some((**stats).clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_follow_a_reoffer_that_prefers_another_codec_and_back() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut socket = server.welcomed().await;
    ann.signed_in().await;
    let mut other = Other::start().await;
    let media = OfferMedia {
        audio: true,
        video: false,
        direction: Direction::SendRecv,
    };
    let first = other.peer.create_offer(media).await.expect("an offer");
    socket.say(offer(&first, 0)).await;
    ann.event("ringing", |event| {
        matches!(event, ClientEvent::Incoming { .. }).then_some(())
    })
    .await;
    ann.client
        .command(Command::Accept { video: false })
        .await
        .expect("accepted");
    answered(&mut socket, &other).await;
    other.connect(&mut socket).await;
    other.hears(SoundCodec::Opus).await;
    let mut negotiation = 0;
    for (codec, payload_type, name) in [
        (SoundCodec::Pcmu, 0, "PCMU"),
        (SoundCodec::G722, 9, "G722"),
        (SoundCodec::Opus, 111, "opus"),
    ] {
        negotiation += 1;
        let again = other
            .peer
            .reoffer(false, Direction::Inactive)
            .await
            .expect("a re-offer");
        let again = preferring(&again, &payload_type.to_string());
        socket.say(offer(&again, negotiation)).await;
        answered(&mut socket, &other).await;
        let agreed = other.peer.sound_out().expect("sound goes on");
        assert_eq!((agreed.codec, agreed.payload_type), (codec, payload_type));
        let bytes = other.hears(codec).await;
        if codec != SoundCodec::Opus {
            assert_eq!(bytes, 160, "20 ms of {name}");
        }
        let speaking = other.speak();
        let told = stats(&mut ann, "the codec both ways", |stats| {
            stats.audio_in.codec == Some(name) && stats.audio_out.codec == Some(name)
        })
        .await;
        assert_eq!(told.audio_in.payload_type, Some(payload_type));
        assert_eq!(told.audio_out.payload_type, Some(payload_type));
        speaking.abort();
    }
    ann.client.stop().await;
}
