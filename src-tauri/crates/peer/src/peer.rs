//! The connection as its owner sees it.

use crate::check_code;
use crate::codec::audio_clock_rate;
use crate::config::{IceServer, OfferMedia, PeerConfig};
use crate::digits::{Digits, DigitsRefused};
use crate::early_media::Keys;
use crate::engine::{self, Taps};
use crate::error::PeerError;
use crate::event::Codec;
use crate::event::{MediaKind, PacketSink, PeerEvent, PictureSink, ReportSink, SoundOut, TransportState};
use crate::event_numbers::EventNumbers;
use crate::frame_sender::FrameSender;
use crate::handler::{Handler, SharedHandler};
use crate::interfaces::Interfaces;
use crate::ledger::Ledger;
use crate::media_tap::Sinks;
use crate::negotiation::{LocalMedia, Negotiation};
use crate::outlet::{self, Outlet};
use crate::rehearsal::Rehearsal;
use crate::repair_types::RepairTypes;
use crate::sockets::CountedRuntime;
use crate::stats::PeerStats;
use crate::streams::{LocalStreams, track_codecs};
use crate::track_out::{Packetizer, TrackOut};
use crate::transport_stats;
use crate::turn_stream::TurnStreams;
use ahoy_call::{CallId, Candidate, Direction};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
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
    repair_types: Arc<RepairTypes>,
    event_numbers: Arc<EventNumbers>,
    outlet: Arc<Outlet>,
    negotiation: tokio::sync::Mutex<Negotiation>,
    audio_out: FrameSender,
    video_out: FrameSender,
    socket_send_errors: Arc<AtomicU64>,
    turn_streams: Arc<TurnStreams>,
    rehearsal: Arc<Rehearsal>,
    senders: Vec<JoinHandle<()>>,
    carrier: Mutex<Option<JoinHandle<()>>>,
    feedback_ssrc: u32,
    interfaces: Interfaces,
    relay_only: bool,
}

impl Peer {
    /// Makes a connection that gathers nothing until an offer or answer is made.
    ///
    /// Must be called on a tokio runtime with time and IO; the connection's tasks run there.
    pub async fn new(config: PeerConfig, events: mpsc::Sender<PeerEvent>) -> Result<Peer, PeerError> {
        let setup = Setup {
            runtime: Arc::new(TokioRuntime),
            interfaces: None,
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
        let (audio_out, audio_frames) = FrameSender::channel();
        let (video_out, video_frames) = FrameSender::channel();
        let taps = Taps {
            ledger: Arc::new(Mutex::new(Ledger::new(streams.audio, streams.video))),
            outlet: Arc::new(outlet),
            sinks: Arc::default(),
            repair_types: Arc::default(),
            event_numbers: Arc::default(),
            pictures: Arc::clone(video_out.gate()),
            #[cfg(test)]
            workarounds: setup.workarounds,
        };
        let keys = Arc::<Keys>::default();
        let gates = [Arc::clone(audio_out.gate()), Arc::clone(video_out.gate())];
        let handler = Arc::new(Handler::new(taps.outlet.clone(), gates, Arc::clone(&keys)));
        let socket_send_errors = Arc::new(AtomicU64::new(0));
        let interfaces = setup
            .interfaces
            .unwrap_or_else(|| Interfaces::new(config.loopback));
        let (media_engine, registry) = engine::media(&config, &taps, &streams)?;
        let turn_streams = Arc::new(TurnStreams::new(config.extra_roots.clone()));
        let rehearsal = Arc::new(Rehearsal::new(streams.audio));
        let runtime = CountedRuntime::new(
            setup.runtime,
            socket_send_errors.clone(),
            Arc::clone(&turn_streams),
            Arc::clone(&rehearsal),
            keys,
        );
        #[cfg(test)]
        let runtime = runtime.repeating_handshake(setup.workarounds.repeats_handshake);
        let allocation_refresh = engine::ALLOCATION_REFRESH;
        #[cfg(test)]
        let allocation_refresh = if setup.workarounds.refreshes_early {
            allocation_refresh
        } else {
            Duration::MAX
        };
        let connection = PeerConnectionBuilder::new()
            .with_configuration(engine::configuration(
                &config.ice_servers,
                config.relay_only,
                &turn_streams,
            ))
            .with_setting_engine(engine::settings(&config, allocation_refresh))
            .with_media_engine(media_engine)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(SharedHandler(handler.clone())))
            .with_runtime(Arc::new(runtime))
            .with_udp_addrs(vec![interfaces.clone()])
            .build()
            .await
            .map_err(|error| PeerError::failed("open its sockets", error))?;

        let media_of = |kind| {
            let codecs = track_codecs(kind, &config.audio_codecs, &config.video_codecs);
            (!codecs.is_empty()).then(|| LocalMedia::new(kind, codecs))
        };
        let (audio, video) = (media_of(MediaKind::Audio), media_of(MediaKind::Video));
        let track_out = |media: &LocalMedia, sender: &FrameSender, ssrc| {
            let packetizer = Packetizer::new(ssrc, streams.first_sequence);
            #[cfg(test)]
            let packetizer = packetizer
                .with_fresh_headers(setup.workarounds.fresh_headers)
                .with_orientation(setup.workarounds.orientation.filter(|_| ssrc == streams.video));
            TrackOut {
                track: media.track(),
                gate: Arc::clone(sender.gate()),
                packetizer,
                ledger: Arc::clone(&taps.ledger),
            }
        };
        let mut senders = Vec::new();
        if let Some(media) = &audio {
            let out = track_out(media, &audio_out, streams.audio);
            senders.push(tokio::spawn(out.send(audio_frames)));
        }
        if let Some(media) = &video {
            let out = track_out(media, &video_out, streams.video);
            senders.push(tokio::spawn(out.send(video_frames)));
        }
        let carrier = tokio::spawn(outlet::carry(taps.outlet.clone(), queue, events));
        let feedback_ssrc = streams.video;
        let negotiation = Negotiation::new(streams, &config, audio, video);
        #[cfg(test)]
        let negotiation = negotiation.with_workarounds(setup.workarounds);
        let inner = Inner {
            connection: Box::new(connection),
            handler,
            ledger: taps.ledger,
            sinks: taps.sinks,
            repair_types: taps.repair_types,
            event_numbers: taps.event_numbers,
            outlet: taps.outlet,
            negotiation: tokio::sync::Mutex::new(negotiation),
            audio_out,
            video_out,
            socket_send_errors,
            turn_streams,
            rehearsal,
            senders,
            carrier: Mutex::new(Some(carrier)),
            feedback_ssrc,
            interfaces,
            relay_only: config.relay_only,
        };
        Ok(Peer {
            inner: Arc::new(inner),
            runtime: Handle::current(),
        })
    }

    /// Makes the first offer, sets it as local description and begins to gather; candidates follow as events.
    pub async fn create_offer(&self, media: OfferMedia) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation
            .create_offer(&*inner.connection, &inner.handler, media)
            .await
    }

    /// Makes an offer for the connection that is there: with new ICE credentials, or with pictures the other way.
    ///
    /// It changes nothing before [`Peer::set_answer`]; another offer, of either side, takes its place. The candidates of
    /// a restart follow its answer as events.
    pub async fn reoffer(&self, restart: bool, video: Direction) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation.reoffer(&*inner.connection, restart, video).await
    }

    /// Applies an offer (the first, or a re-offer) and answers it: sound both ways, pictures as offered, sent from here
    /// only if `send_video`.
    pub async fn create_answer(&self, offer_sdp: &str, send_video: bool) -> Result<String, PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        let answer = negotiation
            .create_answer(&*inner.connection, &inner.handler, offer_sdp, send_video)
            .await?;
        inner.follow(&negotiation).await;
        Ok(answer)
    }

    /// Applies the answer to the last offer.
    pub async fn set_answer(&self, sdp: &str) -> Result<(), PeerError> {
        self.open()?;
        let inner = &self.inner;
        let mut negotiation = inner.negotiation.lock().await;
        negotiation
            .set_answer(&*inner.connection, &inner.handler, sdp)
            .await?;
        inner.follow(&negotiation).await;
        Ok(())
    }

    /// Which way pictures go by the last negotiation.
    pub async fn video_direction(&self) -> Direction {
        self.inner
            .negotiation
            .lock()
            .await
            .agreed()
            .direction(MediaKind::Video)
    }

    /// Whether the other side agreed to send sound.
    pub async fn hears(&self) -> bool {
        self.inner.negotiation.lock().await.agreed().hears()
    }

    /// Uses other STUN and TURN servers, or other credentials for them, from the next restart on; an empty list keeps
    /// those there are.
    pub async fn set_ice_servers(&self, servers: &[IceServer]) -> Result<(), PeerError> {
        self.open()?;
        let configuration = engine::configuration(servers, self.inner.relay_only, &self.inner.turn_streams);
        self.inner
            .connection
            .set_configuration(configuration)
            .await
            .map_err(|error| PeerError::failed("use other servers", error))
    }

    /// Loses so many percent of the own voice packets on purpose, so that a person can hear what that does.
    pub fn set_voice_loss(&self, percent: u8) {
        self.inner.rehearsal.set_loss(percent);
    }

    /// Presses keys of a telephone one after the other, each in place of 100 ms of the voice.
    ///
    /// Errors: the other side takes none (by its description, or because the connection is down), or too many wait.
    pub fn send_digits(&self, digits: &Digits) -> Result<(), DigitsRefused> {
        self.inner.audio_out.gate().handle_digits(digits)
    }

    /// Whether the other side takes digits, by its description; `false` before there is one.
    pub fn takes_digits(&self) -> bool {
        self.inner.audio_out.gate().takes_digits()
    }

    /// Says something over the connection itself and waits shortly until the other side has it; `false` when it has no
    /// ear for it.
    pub async fn say(&self, text: &str) -> bool {
        self.inner.handler.channel().say(text).await
    }

    /// Whether only a restart can help: the address that the path begins at is gone, or the path is lost and there is an
    /// address to try that there was not when it was made.
    pub async fn network_changed(&self) -> bool {
        let change = self.inner.interfaces.change();
        if change.is_none() {
            return false;
        }
        let path = transport_stats::local_end(&*self.inner.connection).await;
        change.ends(path.as_ref())
    }

    /// The digits that both people can compare to know that nobody stands between them (IM-Suite §14); `None` before
    /// both descriptions are there, and when one has no SHA-256 fingerprint.
    pub async fn check_code(&self, call: &CallId) -> Option<String> {
        let connection = &self.inner.connection;
        let local = connection.local_description().await?;
        let remote = connection.remote_description().await?;
        let ours = check_code::fingerprint(&local.sdp)?;
        let theirs = check_code::fingerprint(&remote.sdp)?;
        Some(check_code::of(&ours, &theirs, call))
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

    /// Sets where received packets of sound go; the sink before it is dropped. A sink must not call the peer.
    pub fn set_audio_receiver(&self, sink: PacketSink) {
        if self.open().is_ok() {
            let mut sinks = self.inner.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.set_audio(sink);
        }
    }

    /// Sets where received packets of pictures go; the sink before it is dropped. A sink must not call the peer.
    pub fn set_video_receiver(&self, sink: PictureSink) {
        if self.open().is_ok() {
            let mut sinks = self.inner.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.set_video(sink);
        }
    }

    /// Sets where goes what the other side says of the clocks of its streams; the sink before it is dropped. A sink must
    /// not call the peer.
    pub fn set_report_receiver(&self, sink: ReportSink) {
        if self.open().is_ok() {
            let mut sinks = self.inner.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.set_reports(sink);
        }
    }

    /// Returns the way for encoded sound.
    pub fn audio_out(&self) -> FrameSender {
        self.inner.audio_out.clone()
    }

    /// How sound is to be encoded, as negotiated last; `None` when none is sent. Waits for the first negotiation, so
    /// before it, it must not be called on the runtime.
    pub fn sound_out(&self) -> Option<SoundOut> {
        let gate = self.inner.audio_out.gate();
        match gate.wait_negotiated(NEGOTIATION) {
            Some((Codec::Audio(codec), payload_type)) => Some(SoundOut {
                codec,
                payload_type,
                opus: gate.opus(),
            }),
            Some((Codec::Video(_), _)) | None => None,
        }
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
            out.codec = gate.negotiated();
            let reached_the_wire = out.packets + out.send_errors + PACKETS_ON_THE_WAY;
            out.frames_dropped = sender.dropped();
            out.send_errors += gate.refused() + gate.handed().saturating_sub(reached_the_wire);
        }
        stats.transport = transport_stats::read(&*inner.connection, now, &inner.turn_streams).await;
        stats.transport.available_outgoing_bitrate = Some(inner.outlet.target());
        stats.transport.path_loss = inner.outlet.loss();
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
    /// Both ways of media do from here on what was negotiated.
    async fn follow(&self, negotiation: &Negotiation) {
        {
            let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
            sinks.set_payload_types(
                negotiation.agreed().audio_payload_types(),
                negotiation.agreed().video_payload_types(),
                negotiation.agreed().events_received(),
            );
            sinks.set_in_sync(negotiation.in_sync());
            sinks.set_orientation(negotiation.orientation());
        }
        self.repair_types
            .set_received(negotiation.agreed().repairs_received());
        negotiation
            .open_gates(
                &*self.connection,
                &self.event_numbers,
                &self.audio_out,
                &self.video_out,
            )
            .await;
        let pictures = self.video_out.gate().negotiated();
        let repairing = pictures.and_then(|(_, payload_type)| negotiation.agreed().repair_of(payload_type));
        self.repair_types.set_sent(repairing);
        if let Some((Codec::Audio(codec), _)) = self.audio_out.gate().negotiated() {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.set_audio_clock(audio_clock_rate(codec));
        }
    }

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
        self.handler.channel().close();
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

/// How long a connection that is up may take to apply the answer it came up with (chosen: it takes milliseconds).
const NEGOTIATION: Duration = Duration::from_secs(2);

/// What tests replace.
pub(crate) struct Setup {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) interfaces: Option<Interfaces>,
    #[cfg(test)]
    pub(crate) workarounds: engine::Workarounds,
}
