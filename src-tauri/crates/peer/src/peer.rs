//! The connection as its owner sees it.

use crate::config::{OfferMedia, PeerConfig};
use crate::engine::{self, Taps};
use crate::error::PeerError;
use crate::event::{MediaKind, PacketSink, PeerEvent, TransportState};
use crate::frame_sender::FrameSender;
use crate::handler::{Handler, SharedHandler};
use crate::ledger::Ledger;
use crate::media_tap::Sinks;
use crate::negotiation::Negotiation;
use crate::outlet::{self, Outlet};
use crate::sockets::CountedRuntime;
use crate::stats::PeerStats;
use crate::streams::{LocalStreams, first_codec};
use crate::track_out::{Packetizer, TrackOut};
use crate::transport_stats;
use ahoy_call::Candidate;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{PeerConnection, PeerConnectionBuilder};
use webrtc::runtime::{Runtime, TokioRuntime};

/// How long `close` waits for the owner to take the last events.
const LAST_EVENTS: Duration = Duration::from_millis(100);

/// Packets between `write_rtp` and the wire at any moment: the library's queue and a picture. More are errors.
const PACKETS_ON_THE_WAY: u64 = 300;

/// One peer connection; dropping it closes it.
pub struct Peer {
    inner: Arc<Inner>,
    runtime: Handle,
}

struct Inner {
    connection: Box<dyn PeerConnection>,
    handler: Arc<Handler>,
    ledger: Arc<Mutex<Ledger>>,
    sinks: Arc<Mutex<Sinks>>,
    outlet: Arc<Outlet>,
    negotiation: tokio::sync::Mutex<Negotiation>,
    audio_out: FrameSender,
    video_out: FrameSender,
    socket_send_errors: Arc<AtomicU64>,
    senders: Vec<JoinHandle<()>>,
    carrier: Mutex<Option<JoinHandle<()>>>,
    feedback_ssrc: u32,
}

impl Peer {
    /// Makes a connection that gathers nothing until an offer or answer is made.
    ///
    /// Must be called on a tokio runtime with time and IO; the connection's tasks run there.
    pub async fn new(config: PeerConfig, events: mpsc::Sender<PeerEvent>) -> Result<Peer, PeerError> {
        let setup = Setup {
            runtime: Arc::new(TokioRuntime),
            #[cfg(test)]
            workarounds: engine::Workarounds::default(),
        };
        Self::with_setup(config, events, setup).await
    }

    pub(crate) async fn with_setup(
        config: PeerConfig,
        events: mpsc::Sender<PeerEvent>,
        setup: Setup,
    ) -> Result<Peer, PeerError> {
        let streams = LocalStreams::random()?;
        let (outlet, queue) = Outlet::new(config.start_bitrate);
        let taps = Taps {
            ledger: Arc::new(Mutex::new(Ledger::new(streams.audio, streams.video))),
            outlet: Arc::new(outlet),
            sinks: Arc::default(),
            #[cfg(test)]
            workarounds: setup.workarounds,
        };
        let (audio_out, audio_frames) = FrameSender::channel();
        let (video_out, video_frames) = FrameSender::channel();
        let gates = [Arc::clone(audio_out.gate()), Arc::clone(video_out.gate())];
        let handler = Arc::new(Handler::new(taps.outlet.clone(), gates));
        let socket_send_errors = Arc::new(AtomicU64::new(0));
        let (media_engine, registry) = engine::media(&config, &taps, &streams)?;
        let connection = PeerConnectionBuilder::new()
            .with_configuration(engine::configuration(&config))
            .with_setting_engine(engine::settings(&config))
            .with_media_engine(media_engine)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(SharedHandler(handler.clone())))
            .with_runtime(Arc::new(CountedRuntime::new(
                setup.runtime,
                socket_send_errors.clone(),
            )))
            .with_udp_addrs(engine::bind_addresses(config.loopback))
            .build()
            .await
            .map_err(|error| PeerError::failed("open its sockets", error))?;

        let track_of = |kind| {
            first_codec(kind, &config.audio_codecs, &config.video_codecs)
                .map(|codec| Arc::new(TrackLocalStaticRTP::new(streams.track(kind, codec))))
        };
        let (audio, video) = (track_of(MediaKind::Audio), track_of(MediaKind::Video));
        let track_out = |track: &Arc<TrackLocalStaticRTP>, sender: &FrameSender, ssrc| {
            let packetizer = Packetizer::new(ssrc, streams.first_sequence);
            #[cfg(test)]
            let packetizer = packetizer.with_fresh_headers(setup.workarounds.fresh_headers);
            TrackOut {
                track: Arc::clone(track),
                gate: Arc::clone(sender.gate()),
                outlet: taps.outlet.clone(),
                packetizer,
            }
        };
        let mut senders = Vec::new();
        if let Some(track) = &audio {
            let out = track_out(track, &audio_out, streams.audio);
            senders.push(tokio::spawn(out.send_unpaced(audio_frames)));
        }
        if let Some(track) = &video {
            let out = track_out(track, &video_out, streams.video);
            senders.push(tokio::spawn(out.send_paced(video_frames)));
        }
        let carrier = tokio::spawn(outlet::carry(taps.outlet.clone(), queue, events));
        let negotiation = Negotiation::new(audio, video);
        #[cfg(test)]
        let negotiation = negotiation.with_workarounds(setup.workarounds);
        let inner = Inner {
            connection: Box::new(connection),
            handler,
            ledger: taps.ledger,
            sinks: taps.sinks,
            outlet: taps.outlet,
            negotiation: tokio::sync::Mutex::new(negotiation),
            audio_out,
            video_out,
            socket_send_errors,
            senders,
            carrier: Mutex::new(Some(carrier)),
            feedback_ssrc: streams.video,
        };
        Ok(Peer {
            inner: Arc::new(inner),
            runtime: Handle::current(),
        })
    }

    /// Makes an offer, sets it as local description and begins to gather; candidates follow as events.
    ///
    /// Called again with more media it makes the offer that adds them; media once offered stays.
    pub async fn create_offer(&self, media: OfferMedia) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation
            .create_offer(&*inner.connection, &inner.handler, media)
            .await
    }

    /// Applies an offer (the first, or a renegotiation) and answers both ways for audio, and for video when offered.
    pub async fn create_answer(&self, offer_sdp: &str) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        let answer = negotiation
            .create_answer(&*inner.connection, &inner.handler, offer_sdp)
            .await?;
        negotiation
            .open_gates(&*inner.connection, &inner.audio_out, &inner.video_out)
            .await;
        Ok(answer)
    }

    /// Applies the answer to the last offer.
    pub async fn set_answer(&self, sdp: &str) -> Result<(), PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation.set_answer(&*inner.connection, sdp).await?;
        negotiation
            .open_gates(&*inner.connection, &inner.audio_out, &inner.video_out)
            .await;
        Ok(())
    }

    /// Takes a candidate of the other side at any time; `None` is the end of candidates.
    ///
    /// A candidate that cannot be used is logged and skipped: the others may connect.
    pub async fn add_candidate(&self, candidate: Option<Candidate>) -> Result<(), PeerError> {
        self.open()?;
        let Some(candidate) = candidate else {
            return Ok(());
        };
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation.add_candidate(&*inner.connection, candidate).await;
        Ok(())
    }

    /// Makes an offer that restarts ICE, with the media of the last one. It carries the local candidates itself.
    pub async fn restart_offer(&self) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation
            .restart_offer(&*inner.connection, &inner.handler)
            .await
    }

    /// Sets where received packets of a kind go; the sink before it is dropped. A sink must not call the peer.
    pub fn set_receiver(&self, kind: MediaKind, sink: PacketSink) {
        if self.open().is_ok() {
            let mut sinks = self.inner.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.set(kind, sink);
        }
    }

    /// Returns the way for encoded sound.
    pub fn audio_out(&self) -> FrameSender {
        self.inner.audio_out.clone()
    }

    /// Returns the way for encoded pictures.
    pub fn video_out(&self) -> FrameSender {
        self.inner.video_out.clone()
    }

    /// Asks the other side for a keyframe (PLI, RFC 4585 §6.3.1); nothing happens before its video came.
    pub async fn request_keyframe(&self) {
        let Some(track) = self.inner.handler.remote_video() else {
            return;
        };
        let media_ssrc = {
            let ledger = self.inner.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.remote_ssrc(MediaKind::Video)
        };
        let Some(media_ssrc) = media_ssrc else { return };
        let pli = PictureLossIndication {
            sender_ssrc: self.inner.feedback_ssrc,
            media_ssrc,
        };
        if let Err(error) = track.write_rtcp(vec![Box::new(pli)]).await {
            tracing::debug!(%error, "keyframe request not sent");
        }
    }

    /// Reads all counters.
    pub async fn stats(&self) -> PeerStats {
        let inner = &self.inner;
        let now = Instant::now();
        let mut stats = {
            let ledger = inner.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            PeerStats {
                audio_in: ledger.inbound_stats(MediaKind::Audio),
                video_in: ledger.inbound_stats(MediaKind::Video),
                audio_out: ledger.outbound_stats(MediaKind::Audio, now),
                video_out: ledger.outbound_stats(MediaKind::Video, now),
                ..PeerStats::default()
            }
        };
        for (out, sender) in [
            (&mut stats.audio_out, &inner.audio_out),
            (&mut stats.video_out, &inner.video_out),
        ] {
            let gate = sender.gate();
            let reached_the_wire = out.packets + out.send_errors + PACKETS_ON_THE_WAY;
            out.frames_dropped = sender.dropped();
            out.send_errors += gate.refused() + gate.handed().saturating_sub(reached_the_wire);
        }
        stats.transport = transport_stats::read(&*inner.connection, now).await;
        stats.transport.available_outgoing_bitrate = Some(inner.outlet.target());
        stats.transport.socket_send_errors = inner.socket_send_errors.load(Ordering::Relaxed);
        stats
    }

    /// Ends the connection; sockets and tasks are gone when it returns.
    pub async fn close(&self) {
        self.inner.close().await;
    }

    fn open(&self) -> Result<(), PeerError> {
        if self.inner.handler.is_closed() {
            Err(PeerError::Closed)
        } else {
            Ok(())
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let inner = Arc::clone(&self.inner);
        self.runtime.spawn(async move { inner.close().await });
    }
}

impl Inner {
    async fn close(&self) {
        if !self.handler.close() {
            return;
        }
        for sender in &self.senders {
            sender.abort();
        }
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing the peer connection");
        }
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.outlet.push(PeerEvent::State(TransportState::Closed));
        let carrier = self.carrier.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut carrier) = carrier
            && tokio::time::timeout(LAST_EVENTS, &mut carrier).await.is_err()
        {
            carrier.abort();
        }
    }
}

/// What tests replace.
pub(crate) struct Setup {
    pub(crate) runtime: Arc<dyn Runtime>,
    #[cfg(test)]
    pub(crate) workarounds: engine::Workarounds,
}
