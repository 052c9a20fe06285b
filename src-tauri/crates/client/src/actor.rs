//! The one loop: wait for one input, feed it, drain everything that follows from it, publish.
//!
//! The actor owns every decision of this client; tasks and threads only tell it things. It runs on one tokio task.

use crate::client::{Pictures, Request};
use crate::ice_servers::IceServers;
use crate::inbox::{Inbox, Message};
use crate::legs::Legs;
use crate::live::Live;
use crate::network::{NetworkWatch, Settling};
use crate::people::People;
use crate::settings::{Credentials, Settings};
use crate::snapshot::{
    ClientEvent, Command, CommandRefused, EndedCall, Found, Notice, Phase, Problem, RecentCall, ServerState,
    Snapshot,
};
use crate::two_way::TwoWay;
use ahoy_call::{CallId, CallSnapshot, CallState, Constraints, Endpoint, Party};
use ahoy_media::device::Devices;
use ahoy_signaling::rest::{List, Rest};
use ahoy_signaling::zlm::own::Room;
use ahoy_signaling::{Connection, LinkEvent, Protocol, ProtocolKind, Renewal, Secret};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, watch};

/// How long the end of the client waits for the last message to leave and the devices to be free.
const STOP_LIMIT: Duration = Duration::from_secs(3);

pub(crate) struct Actor {
    pub(crate) settings: Settings,
    pub(crate) devices: Arc<dyn Devices>,
    pub(crate) pictures: Pictures,
    pub(crate) inbox: Inbox,
    events: mpsc::Sender<ClientEvent>,
    snapshots: watch::Sender<Arc<Snapshot>>,

    /// When this client began.
    pub(crate) started: SystemTime,
    /// The present token, for everything that asks the server over REST; `None` before the first.
    pub(crate) token: watch::Sender<Option<Secret>>,
    pub(crate) renewal: Renewal,
    /// Why the present token, or the way to a new one, is of no use.
    pub(crate) token_problem: Option<Problem>,
    /// The link still uses the token before the present one.
    pub(crate) reconnect_due: bool,
    /// `None` when the server's address is no address, which the sign-in says, and for servers of rooms.
    pub(crate) rest: Option<Rest>,
    pub(crate) ice: IceServers,
    network: Settling,
    _network_watch: Option<NetworkWatch>,
    pub(crate) link: Option<Connection>,
    pub(crate) protocol: Box<dyn Protocol>,
    pub(crate) server: ServerState,
    pub(crate) me: Option<Party>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) people: People,
    /// The other rooms, where the server tells.
    pub(crate) rooms: Vec<Room>,
    pub(crate) found: Option<Found>,
    pub(crate) legs: Legs,
    /// Makes one call of two to a media server.
    pub(crate) two_way: Option<TwoWay>,
    pub(crate) ended: Option<EndedCall>,
    pub(crate) recent: Vec<RecentCall>,
    pub(crate) notices: Vec<Notice>,
    next_notice: u64,
    last_state: Option<(CallId, CallState)>,
    /// The live call as it was last seen: what its end is told with.
    pub(crate) last_seen: Option<CallSnapshot>,
    /// When the call named here, refused for the number of calls, may be tried again.
    pub(crate) retry_after: Option<(CallId, Duration)>,
    /// What the other side of the call named here wishes to receive.
    pub(crate) pending_limit: Option<(CallId, Constraints)>,
    /// Media sessions that are being closed on blocking threads.
    pub(crate) closing: Vec<tokio::task::JoinHandle<()>>,
}

enum Input {
    Request(Option<Request>),
    Link(Option<LinkEvent>),
    Message(Box<Message>),
    Time,
}

impl Actor {
    pub(crate) fn new(
        settings: Settings,
        devices: Arc<dyn Devices>,
        pictures: Pictures,
        inbox: Inbox,
        events: mpsc::Sender<ClientEvent>,
        snapshots: watch::Sender<Arc<Snapshot>>,
    ) -> Self {
        let server = ServerState::connecting(&settings.server);
        let protocol = crate::signaling::session(&settings.credentials, None);
        let asks = settings.credentials.protocol() == ProtocolKind::ImSuite;
        let rest = Rest::new(&settings.server, settings.insecure_server)
            .ok()
            .filter(|_| asks);
        let (token, token_rx) = watch::channel(None);
        // What happens to other networks cannot hurt a link that never leaves this machine.
        let watched = !ahoy_signaling::is_on_this_machine(&settings.server);
        let network_watch = watched.then(|| NetworkWatch::start(inbox.clone())).flatten();
        let can_log_in = matches!(settings.credentials, Credentials::Password { .. });
        Self {
            started: SystemTime::now(),
            token,
            renewal: Renewal::new(can_log_in),
            token_problem: None,
            reconnect_due: false,
            ice: if asks {
                IceServers::start(rest.clone(), token_rx)
            } else {
                IceServers::told()
            },
            rest,
            network: Settling::default(),
            _network_watch: network_watch,
            found: None,
            retry_after: None,
            settings,
            devices,
            pictures,
            inbox,
            events,
            snapshots,
            link: None,
            protocol,
            server,
            me: None,
            endpoint: None,
            people: People::default(),
            rooms: Vec::new(),
            legs: Legs::default(),
            two_way: None,
            ended: None,
            recent: Vec::new(),
            notices: Vec::new(),
            next_notice: 1,
            last_state: None,
            last_seen: None,
            pending_limit: None,
            closing: Vec::new(),
        }
    }

    pub(crate) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut inbox: mpsc::Receiver<Message>,
    ) {
        self.sign_in();
        loop {
            self.drain().await;
            self.publish();
            match self.next_input(&mut requests, &mut inbox).await {
                Input::Request(Some(Request::Command(command, reply))) => {
                    let result = self.handle_command(command);
                    // Whoever asked may have gone away.
                    reply.send(result).ok();
                }
                Input::Request(Some(Request::Stop) | None) => break,
                Input::Link(Some(event)) => self.handle_link(event),
                Input::Link(None) => self.link = None,
                Input::Message(message) => self.handle_message(*message),
                Input::Time => self.handle_time(),
            }
        }
        self.stop().await;
        // Only now is the channel closed, which is what `ClientHandle::stop` waits for.
        drop(requests);
    }

    async fn next_input(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        inbox: &mut mpsc::Receiver<Message>,
    ) -> Input {
        let wake = self.next_wake();
        let link = async {
            match &mut self.link {
                Some(link) => link.incoming.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = requests.recv() => Input::Request(request),
            Some(message) = inbox.recv() => Input::Message(Box::new(message)),
            event = link => Input::Link(event),
            () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => Input::Time,
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let endpoint = self.endpoint.as_ref().and_then(Endpoint::poll_timeout);
        let two_way = self.two_way.as_ref().and_then(TwoWay::poll_timeout);
        let server = [
            self.protocol.poll_timeout(),
            self.renewal.poll_timeout(),
            self.network.poll_timeout(),
        ];
        let call = [endpoint, self.legs.poll_timeout(), two_way];
        server.into_iter().chain(call).flatten().min()
    }

    fn handle_time(&mut self) {
        let now = Instant::now();
        if self.protocol.poll_timeout().is_some_and(|at| at <= now) {
            self.protocol.handle_timeout(now);
        }
        self.renewal.handle_timeout(now);
        if self.network.handle_timeout(now) {
            self.handle_network_change();
        }
        if let Some(endpoint) = &mut self.endpoint
            && endpoint.poll_timeout().is_some_and(|at| at <= now)
        {
            endpoint.handle_timeout(now);
        }
        self.handle_live_time(now);
    }

    /// Performs actions, sends texts and takes in events until nothing is left to do.
    async fn drain(&mut self) {
        loop {
            let mut quiet = true;
            self.tell_state();
            while let Some(action) = self.endpoint.as_mut().and_then(Endpoint::poll_action) {
                quiet = false;
                self.perform(action);
                self.tell_state();
            }
            self.tell_state();
            while let Some(event) = self.protocol.poll_event() {
                quiet = false;
                self.handle_protocol(event);
            }
            while let Some(text) = self.protocol.poll_text() {
                quiet = false;
                self.send_text(text).await;
            }
            while let Some(renew) = self.renewal.poll_renew() {
                quiet = false;
                self.renew(renew);
            }
            if quiet {
                break;
            }
        }
        self.reconnect_if_due();
    }

    /// Tells each state of the call once, in order.
    fn tell_state(&mut self) {
        self.say_what_is_waited_for();
        let snapshot = self.call_snapshot();
        let state = snapshot.as_ref().map(|call| (call.call.clone(), call.state));
        if let Some(snapshot) = snapshot {
            self.last_seen = Some(snapshot);
        }
        if state != self.last_state {
            self.last_state.clone_from(&state);
            if let Some((call, state)) = state {
                if state == CallState::Reconnecting {
                    self.report_lost();
                }
                self.tell(ClientEvent::State { call, state });
            }
        }
    }

    fn handle_message(&mut self, message: Message) {
        match message {
            Message::Peer { call, news } => self.handle_peer_news(&call, news),
            Message::Media { call, news } => self.handle_media_news(&call, news),
            Message::Login(result) => self.handle_login(result),
            Message::Account(news) => self.handle_account(news),
            Message::NetworkChanged => self.network.handle_change(Instant::now()),
        }
    }

    fn handle_command(&mut self, command: Command) -> Result<(), CommandRefused> {
        match command {
            Command::PlaceCall { to, video, stream } => self.place_call(to, video, stream),
            Command::PlaceTwoWay {
                to,
                video,
                push,
                play,
            } => self.place_two_way(to, video, *push, *play),
            Command::Accept { video } => self.accept(video),
            Command::Decline => self.decline(),
            Command::Busy => self.decline_as_busy(),
            Command::HangUp => self.hang_up(),
            Command::SetMuted(muted) => self
                .legs
                .sending_mut()
                .ok_or(CommandRefused::NoCall)
                .map(|live| live.set_muted(muted)),
            Command::SetCamera(on) => self.set_camera(on),
            Command::SetVoiceLoss(percent) => self
                .legs
                .sending_mut()
                .ok_or(CommandRefused::NoCall)
                .map(|live| live.set_voice_loss(percent)),
            Command::SetCameraRotation(rotation) => {
                self.settings.camera_rotation = rotation;
                if let Some(live) = self.legs.sending_mut() {
                    live.set_camera_rotation(rotation);
                }
                Ok(())
            }
            Command::SetVoice(voice) => {
                self.settings.voice = voice;
                for session in self.legs.iter_mut().filter_map(Live::session) {
                    session.set_voice(voice);
                }
                Ok(())
            }
            Command::SendDigits(digits) => self.send_digits(&digits),
            Command::RestartIce => self.restart_ice(),
            Command::SetDevice(kind, spec) => self.set_device(kind, spec),
            Command::SetRing(ring) => {
                self.settings.devices.ring = Some(ring);
                Ok(())
            }
            Command::Silence => {
                self.call_snapshot().ok_or(CommandRefused::NoCall)?;
                self.legs.silence();
                Ok(())
            }
            Command::RetryNow => {
                self.retry_now();
                Ok(())
            }
            Command::DismissEnded => {
                self.ended = None;
                Ok(())
            }
            Command::DismissNotice(id) => {
                self.notices.retain(|notice| notice.id != id);
                Ok(())
            }
            Command::Search(keyword) => self.search(&keyword),
            Command::AddContact(user) => self.change_list(List::Contacts, user, true),
            Command::RemoveContact(user) => self.change_list(List::Contacts, user, false),
            Command::Block(user) => self.change_list(List::Blocked, user, true),
            Command::Unblock(user) => self.change_list(List::Blocked, user, false),
        }
    }

    /// Tells an event; a reader that does not keep up loses it.
    pub(crate) fn tell(&self, event: ClientEvent) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::debug!(?event, "the reader of events does not keep up; one is dropped");
        }
    }

    /// Shows a notice and tells it; the same code is shown once at a time.
    pub(crate) fn notice(&mut self, code: &'static str, detail: impl Into<String>) {
        let notice = Notice {
            id: self.next_notice,
            code,
            detail: detail.into(),
        };
        self.next_notice += 1;
        self.notices.retain(|other| other.code != code);
        self.notices.push(notice.clone());
        self.tell(ClientEvent::Notice(notice));
    }

    pub(crate) fn has_notice(&self, code: &str) -> bool {
        self.notices.iter().any(|notice| notice.code == code)
    }

    /// Takes a notice away whose cause is gone.
    pub(crate) fn dismiss(&mut self, code: &str) {
        self.notices.retain(|notice| notice.code != code);
    }

    pub(crate) fn fail_sign_in(&mut self, problem: Problem) {
        self.server.phase = Phase::SignedOut;
        self.server.problem = Some(problem.clone());
        self.server.retry_at = None;
        self.tell(ClientEvent::SignInFailed { problem });
    }

    fn publish(&mut self) {
        let snapshot = Snapshot {
            server: self.server.clone(),
            me: self.me.clone(),
            people: self.people.list(),
            rooms: self.rooms.clone(),
            found: self.found.clone(),
            call: self.live_call(),
            ended: self.ended.clone(),
            recent: self.recent.clone(),
            notices: self.notices.clone(),
        };
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    async fn stop(mut self) {
        if self.hang_up().is_ok() {
            self.drain().await;
        }
        self.legs.clear();
        let closing = std::mem::take(&mut self.closing);
        let link = self.link.take();
        let all = async {
            for task in closing {
                // A panic in a closing thread was reported there.
                task.await.ok();
            }
            if let Some(link) = link {
                link.close().await;
            }
        };
        if tokio::time::timeout(STOP_LIMIT, all).await.is_err() {
            tracing::warn!("devices or the socket were not free within {STOP_LIMIT:?}");
        }
    }
}
