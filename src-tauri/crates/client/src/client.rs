//! The client as its owner sees it.

use crate::actor::Actor;
use crate::snapshot::{ClientEvent, Command, CommandRefused, Snapshot};
use crate::{Settings, inbox};
use ahoy_media::device::Devices;
use ahoy_media::video::VideoFrame;
use ahoy_media::video::latest::Latest;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands wait when it is full.
const COMMANDS: usize = 32;

/// Events for a reader in order; a reader that stops reading loses the newest, counted in the log.
const EVENTS: usize = 1024;

pub(crate) enum Request {
    Command(Command, oneshot::Sender<Result<(), CommandRefused>>),
    /// Hang up, let go of everything, end.
    Stop,
}

/// Starts clients.
pub struct Client;

impl Client {
    /// Starts the actor on the current tokio runtime: it signs in by itself and lives until [`ClientHandle::stop`] or
    /// until every handle is dropped.
    pub fn start(
        settings: Settings,
        devices: Arc<dyn Devices>,
    ) -> (ClientHandle, mpsc::Receiver<ClientEvent>) {
        let (request_tx, request_rx) = mpsc::channel(COMMANDS);
        let (event_tx, event_rx) = mpsc::channel(EVENTS);
        let (snapshot_tx, snapshot_rx) = watch::channel(Arc::new(Snapshot::initial(&settings.server)));
        let pictures = Pictures::default();
        let (inbox, inbox_rx) = inbox::Inbox::new();
        let actor = Actor::new(settings, devices, pictures.clone(), inbox, event_tx, snapshot_tx);
        tokio::spawn(actor.run(request_rx, inbox_rx));
        (
            ClientHandle {
                requests: request_tx,
                snapshots: snapshot_rx,
                pictures,
            },
            event_rx,
        )
    }
}

/// The newest picture of each side, for a window.
#[derive(Clone, Default)]
pub(crate) struct Pictures {
    pub(crate) remote: Latest<VideoFrame>,
    pub(crate) local: Latest<VideoFrame>,
}

/// Gives commands to a client and reads its state; clones speak to the same client.
#[derive(Clone)]
pub struct ClientHandle {
    requests: mpsc::Sender<Request>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    pictures: Pictures,
}

impl ClientHandle {
    /// Asks for something; an error means "not accepted", never "the call failed".
    pub async fn command(&self, command: Command) -> Result<(), CommandRefused> {
        let (reply_tx, reply_rx) = oneshot::channel();
        self.requests
            .send(Request::Command(command, reply_tx))
            .await
            .map_err(|_| CommandRefused::Stopped)?;
        reply_rx.await.map_err(|_| CommandRefused::Stopped)?
    }

    /// The state, as a value that changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// The newest picture of the other side, when the screen is [`DeviceSpec::Default`](ahoy_media::spec::DeviceSpec).
    pub fn remote_picture(&self) -> Latest<VideoFrame> {
        self.pictures.remote.clone()
    }

    /// The newest picture of the own camera.
    pub fn local_picture(&self) -> Latest<VideoFrame> {
        self.pictures.local.clone()
    }

    /// Hangs up, signs out and waits until devices and sockets are free.
    pub async fn stop(&self) {
        if self.requests.send(Request::Stop).await.is_ok() {
            self.requests.closed().await;
        }
    }
}
