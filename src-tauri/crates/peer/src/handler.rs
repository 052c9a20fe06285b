//! What the library calls back. Runs on the connection's driver task, so nothing here waits.

use crate::channel::{self, Channel};
use crate::early_media::Keys;
use crate::event::{PeerEvent, TransportState};
use crate::frame_sender::Gate;
use crate::outlet::Outlet;
use crate::sdp;
use ahoy_call::Candidate;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
};

/// What the callbacks leave for the connection.
pub(crate) struct Handler {
    outlet: Arc<Outlet>,
    gates: [Arc<Gate>; 2],
    /// Credentials of the local description, for the candidates that belong to it.
    local_ufrag: Mutex<Option<String>>,
    video: Mutex<Option<Arc<dyn TrackRemote>>>,
    channel: Arc<Channel>,
    keys: Arc<Keys>,
    closed: AtomicBool,
}

impl Handler {
    pub(crate) fn new(outlet: Arc<Outlet>, gates: [Arc<Gate>; 2], keys: Arc<Keys>) -> Self {
        Self {
            outlet,
            gates,
            local_ufrag: Mutex::new(None),
            video: Mutex::new(None),
            channel: Arc::default(),
            keys,
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_local_ufrag(&self, ufrag: Option<&str>) {
        *self.local_ufrag.lock().unwrap_or_else(PoisonError::into_inner) = ufrag.map(str::to_owned);
    }

    /// The other side's video track, for feedback to it.
    pub(crate) fn remote_video(&self) -> Option<Arc<dyn TrackRemote>> {
        self.video.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn take_channel(&self, channel: Arc<dyn DataChannel>) {
        if !self.is_closed() {
            self.channel.take(channel, Arc::clone(&self.outlet));
        }
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Shuts the gates; `false` when they were shut before.
    pub(crate) fn close(&self) -> bool {
        let was_open = !self.closed.swap(true, Ordering::AcqRel);
        self.open_gates(false);
        self.video.lock().unwrap_or_else(PoisonError::into_inner).take();
        was_open
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn open_gates(&self, open: bool) {
        for gate in &self.gates {
            gate.set_connected(open);
        }
    }

    fn handle_candidate(&self, event: &RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            Ok(init) => self.outlet.push(PeerEvent::Candidate(Candidate {
                candidate: sdp::private_relay(&init.candidate).unwrap_or(init.candidate),
                // The first section of the bundle, in which all candidates are gathered (RFC 9143 §6).
                sdp_mid: None,
                sdp_m_line_index: Some(0),
                username_fragment: self
                    .local_ufrag
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
            })),
            Err(error) => tracing::warn!(%error, "local candidate cannot be written"),
        }
    }

    fn handle_state(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::Connecting => TransportState::Connecting,
            RTCPeerConnectionState::Connected => TransportState::Connected,
            RTCPeerConnectionState::Disconnected => TransportState::Disconnected,
            RTCPeerConnectionState::Failed => TransportState::Failed,
            // `Closed` is told by whoever closes; `New` says nothing.
            _ => return,
        };
        if state == TransportState::Connected {
            self.keys.are_known();
        }
        if self.is_closed() {
            return;
        }
        match state {
            TransportState::Connected | TransportState::Disconnected => self.open_gates(true),
            TransportState::Connecting | TransportState::Failed | TransportState::Closed => {
                self.open_gates(false);
            }
        }
        tracing::info!(?state, "transport");
        self.outlet.push(PeerEvent::State(state));
    }
}

/// The handler as the library holds it.
pub(crate) struct SharedHandler(pub(crate) Arc<Handler>);

type Callback<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

// The trait is written with `async_trait`; these are the signatures it makes.
impl PeerConnectionEventHandler for SharedHandler {
    fn on_ice_candidate<'life, 'a>(&'life self, event: RTCPeerConnectionIceEvent) -> Callback<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        self.0.handle_candidate(&event);
        Box::pin(std::future::ready(()))
    }

    fn on_ice_gathering_state_change<'life, 'a>(&'life self, state: RTCIceGatheringState) -> Callback<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        if state == RTCIceGatheringState::Complete {
            self.0.outlet.push(PeerEvent::CandidatesDone);
        }
        Box::pin(std::future::ready(()))
    }

    fn on_connection_state_change<'life, 'a>(&'life self, state: RTCPeerConnectionState) -> Callback<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        self.0.handle_state(state);
        Box::pin(std::future::ready(()))
    }

    fn on_data_channel<'life, 'a>(&'life self, channel: Arc<dyn DataChannel>) -> Callback<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            if channel.label().await.is_ok_and(|label| label == channel::LABEL) {
                self.0.take_channel(channel);
            }
        })
    }

    fn on_track<'life, 'a>(&'life self, track: Arc<dyn TrackRemote>) -> Callback<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        let handler = Arc::clone(&self.0);
        Box::pin(async move {
            if track.kind().await == rtc::rtp_transceiver::rtp_sender::RtpCodecKind::Video {
                *handler.video.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&track));
            }
            tokio::spawn(watch(handler, track));
        })
    }
}

/// Empties the track's own queue, in which nothing of use comes, until the library's driver ends; without our closing it
/// that means that the driver broke down.
async fn watch(handler: Arc<Handler>, track: Arc<dyn TrackRemote>) {
    while track.poll().await.is_some() {}
    if !handler.is_closed() {
        handler.open_gates(false);
        tracing::warn!("the driver of the peer connection ended by itself");
        handler.outlet.push(PeerEvent::State(TransportState::Failed));
    }
}
