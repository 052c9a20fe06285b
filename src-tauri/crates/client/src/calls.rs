//! The actor's dealings with the endpoint: commands go in, actions are performed.

use crate::actor::Actor;
use crate::attention::{MICROPHONE_SILENT, TALKING_MUTED};
use crate::device_loss::MOVED;
use crate::in_band;
use crate::live::{Live, Media};
use crate::peer_task::{self, PeerNews, PeerWork};
use crate::snapshot::{ClientEvent, CommandRefused, EndedCall, RecentCall, RecentSource, Snapshot};
use crate::sounds::sound_of;
use crate::streams::{self, STREAM_SILENT, STREAM_WITHOUT_SOUND};
use crate::two_way::NOTICES as HALVES;
use ahoy_call::{
    Action, CallEnd, CallId, CallSnapshot, Command as CallCommand, CommandError, Constraints, Direction,
    ListedCall, Party, PeerInput, Ring, Signal, StreamCall,
};
use ahoy_media::sounds::Sound;
use ahoy_media::units::Bitrate;
use ahoy_peer::{
    AudioCodec, Digits, DigitsRefused, PeerConfig, PeerEvent, TransportState, VideoCodec, answered_codec,
};
use ahoy_signaling::LiveCall;
use std::time::{Instant, SystemTime};

/// Where the estimate of a new connection begins: a picture and voice fit at once, and a path that carries less is not
/// flooded before the first feedback. Bursts find what there is more within a second.
const START_BITRATE: Bitrate = Bitrate::from_kbps(1000);

impl From<CommandError> for CommandRefused {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::AlreadyInCall => CommandRefused::AlreadyInCall,
            CommandError::UnknownCall => CommandRefused::NoCall,
            CommandError::WrongState => CommandRefused::WrongState,
            CommandError::SelfCall => CommandRefused::SelfCall,
        }
    }
}

impl Actor {
    pub(crate) fn place_call(
        &mut self,
        to: Party,
        video: bool,
        stream: Option<Box<StreamCall>>,
    ) -> Result<(), CommandRefused> {
        if self.server.phase != crate::snapshot::Phase::Ready {
            return Err(CommandRefused::NotSignedIn);
        }
        let constraints = self.constraints(video);
        let hide_addresses = !self.people.is_contact(&to);
        let call = CallId::from_random(random_bytes());
        let endpoint = self.endpoint.as_mut().ok_or(CommandRefused::NotSignedIn)?;
        endpoint.handle_command(
            Instant::now(),
            CallCommand::PlaceCall {
                call,
                to,
                video,
                constraints,
                hide_addresses,
                stream,
            },
        )?;
        self.ended = None;
        Ok(())
    }

    pub(crate) fn accept(&mut self, video: bool) -> Result<(), CommandRefused> {
        self.command_call(|call| CallCommand::Accept { call, video })
    }

    pub(crate) fn decline(&mut self) -> Result<(), CommandRefused> {
        self.command_call(|call| CallCommand::Decline { call })
    }

    pub(crate) fn decline_as_busy(&mut self) -> Result<(), CommandRefused> {
        self.command_call(|call| CallCommand::Busy { call })
    }

    /// Ends the call, both halves of it where it has two.
    pub(crate) fn hang_up(&mut self) -> Result<(), CommandRefused> {
        if let Some(two_way) = &mut self.two_way {
            two_way.handle_hang_up();
        }
        self.command_all(|call| CallCommand::HangUp { call })
    }

    /// Looks for a new path at once.
    pub(crate) fn restart_ice(&mut self) -> Result<(), CommandRefused> {
        self.command_all(|call| CallCommand::RestartIce { call })
    }

    pub(crate) fn send_digits(&mut self, digits: &Digits) -> Result<(), CommandRefused> {
        let peer = self.legs.sending().and_then(|live| live.peer.as_ref());
        let peer = peer.ok_or(CommandRefused::NoCall)?;
        peer.send_digits(digits).map_err(|refused| match refused {
            DigitsRefused::NotNegotiated => CommandRefused::DigitsNotTaken,
            DigitsRefused::TooMany => CommandRefused::TooManyDigits,
        })
    }

    /// Tells the calls whether the server is there.
    pub(crate) fn tell_link(&mut self, up: bool) {
        if let Some(endpoint) = &mut self.endpoint {
            endpoint.handle_link(Instant::now(), up);
        }
    }

    /// Compares this side's call with those that the server holds for this user after a reconnect.
    pub(crate) fn compare_calls(&mut self, live_calls: &[LiveCall]) {
        let listed = live_calls.iter().map(|live| ListedCall {
            call: live.call.clone(),
            bound_here: live.bound_here,
        });
        if let Some(endpoint) = &mut self.endpoint {
            endpoint.handle_live_calls(Instant::now(), listed.collect());
        }
    }

    pub(crate) fn command_call(
        &mut self,
        command: impl FnOnce(CallId) -> CallCommand,
    ) -> Result<(), CommandRefused> {
        let call = self.call_snapshot().ok_or(CommandRefused::NoCall)?.call;
        let endpoint = self.endpoint.as_mut().ok_or(CommandRefused::NoCall)?;
        Ok(endpoint.handle_command(Instant::now(), command(call))?)
    }

    /// Tells every half of the call; an error only if none of them can do it.
    fn command_all(&mut self, command: impl Fn(CallId) -> CallCommand) -> Result<(), CommandRefused> {
        let endpoint = self.endpoint.as_mut().ok_or(CommandRefused::NoCall)?;
        let calls: Vec<CallId> = endpoint.snapshots().map(|half| half.call).collect();
        let done = calls
            .into_iter()
            .map(|call| endpoint.handle_command(Instant::now(), command(call)))
            .reduce(Result::or);
        Ok(done.ok_or(CommandRefused::NoCall)??)
    }

    /// The call as the user sees it.
    pub(crate) fn call_snapshot(&self) -> Option<CallSnapshot> {
        let endpoint = self.endpoint.as_ref()?;
        match &self.two_way {
            Some(two_way) => two_way.join(endpoint.snapshots()),
            None => endpoint.snapshot(),
        }
    }

    /// One call of the protocol.
    pub(crate) fn snapshot_of(&self, call: &CallId) -> Option<CallSnapshot> {
        let endpoint = self.endpoint.as_ref()?;
        endpoint.snapshots().find(|half| half.call == *call)
    }

    /// What this side wishes to receive.
    pub(crate) fn constraints(&self, video: bool) -> Constraints {
        let limits = &self.settings.limits;
        Constraints {
            audio: true,
            video,
            audio_codecs: self
                .settings
                .audio_codecs
                .iter()
                .map(|codec| codec.name().to_owned())
                .collect(),
            video_codecs: self
                .settings
                .video_codecs
                .iter()
                .filter(|_| video)
                .map(|codec| codec.name().to_owned())
                .collect(),
            max_bandwidth: Some(limits.max_bandwidth.as_bps()),
            min_bandwidth: Some(limits.min_bandwidth.as_bps()),
            prefer_hd: None,
            fallback_to_audio: None,
            resolution: video.then_some(limits.resolution),
            frame_rate: video.then_some(limits.frame_rate),
        }
    }

    /// The runtime of this call, made at its first action.
    fn live_for(&mut self, call: &CallId) -> &mut Live {
        if self.legs.get(call).is_none() {
            if self.two_way.is_none() {
                // It takes the place of one that has lost a glare.
                self.legs.clear();
            }
            self.legs
                .add(Live::new(Instant::now(), call.clone(), START_BITRATE));
        }
        self.legs.get_mut(call).expect("it was made above")
    }

    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::CreateOffer { call, video } => {
                let placed = self.snapshot_of(&call);
                let stream = placed.as_ref().and_then(|placed| placed.stream.as_ref());
                let audio_codecs = streams::audio_codecs(stream, &self.settings.audio_codecs);
                let video_codecs = streams::video_codecs(stream, &self.settings.video_codecs);
                let way = placed.map_or(Direction::SendRecv, |placed| placed.way);
                self.open_connection(&call, audio_codecs, video_codecs);
                let live = self.live_for(&call);
                live.way = way;
                live.camera_on = video && way.sends();
                live.order(PeerWork::Offer {
                    video,
                    direction: way,
                });
            }
            Action::CreateAnswer {
                call,
                offer_sdp,
                video,
                candidates,
                ..
            } => {
                // The one agreed on leads, so that the connection knows from the start which it reports on.
                let mut audio_codecs = self.settings.audio_codecs.clone();
                if let Some(agreed) = answered_codec(&offer_sdp, &audio_codecs) {
                    audio_codecs.sort_by_key(|codec| *codec != agreed);
                }
                let way = self
                    .snapshot_of(&call)
                    .map_or(Direction::SendRecv, |call| call.way);
                let video_codecs = self.settings.video_codecs.clone();
                self.open_connection(&call, audio_codecs, video_codecs);
                let live = self.live_for(&call);
                live.way = way;
                live.camera_on = video;
                live.order(PeerWork::Answer {
                    offer: offer_sdp,
                    candidates,
                });
            }
            Action::ApplyAnswer {
                call,
                sdp,
                candidates,
            } => {
                self.live_for(&call)
                    .order(PeerWork::ApplyAnswer { sdp, candidates });
            }
            Action::AddCandidate { call, candidate } => {
                self.live_for(&call).order(PeerWork::Candidate(candidate))
            }
            Action::CreateReoffer { call, restart, video } => {
                self.live_for(&call).order(PeerWork::Reoffer { restart, video })
            }
            Action::CreateReanswer {
                call,
                offer_sdp,
                send_video,
                candidates,
            } => self.live_for(&call).order(PeerWork::Reanswer {
                offer: offer_sdp,
                send_video,
                candidates,
            }),
            Action::SendSignal(signal) => self.send_signal(signal),
            Action::SendInBand { call, reason, detail } => {
                let text = in_band::end(&call, reason, detail.as_ref());
                self.live_for(&call).order(PeerWork::Say(text));
            }
            Action::SignalingLost { call } => {
                tracing::warn!(%call, "the server has forgotten the call, which goes on");
                self.notice("call_unknown_to_server", "the server no longer knows this call");
            }
            Action::VideoChanged { call, video } => self.change_video(&call, video),
            Action::StartMedia {
                call,
                send_video,
                video,
            } => {
                let live = self.live_for(&call);
                // The user may have turned the camera off while it rang.
                let send_video = send_video && live.camera_on;
                live.media = Media::Wanted { send_video, video };
                self.start_media(&call);
            }
            Action::StopMedia { call } => self.stop_media(&call),
            Action::Ring { call, ring } => self.ring(&call, ring),
            Action::Ended { call, end } => self.end_call(&call, end),
        }
    }

    fn open_connection(
        &mut self,
        call: &CallId,
        audio_codecs: Vec<AudioCodec>,
        video_codecs: Vec<VideoCodec>,
    ) {
        let config = PeerConfig {
            ice_servers: self.settings.ice_servers.clone(),
            relay_only: self.settings.relay_only,
            loopback: self.settings.loopback,
            audio_codecs,
            video_codecs,
            opus: self.settings.opus,
            start_bitrate: START_BITRATE,
            max_bitrate: self.settings.limits.max_bandwidth,
            ..PeerConfig::default()
        };
        let work = peer_task::spawn(call.clone(), config, self.ice.clone(), self.inbox.clone());
        self.live_for(call).work = Some(work);
    }

    pub(crate) fn send_signal(&mut self, signal: Signal) {
        let (now, wall) = (Instant::now(), ahoy_signaling::Timestamp::now());
        if let Err(error) = self.protocol.handle_signal(now, wall, signal) {
            tracing::warn!(%error, "signal not sent");
        }
    }

    fn ring(&mut self, call: &CallId, ring: Ring) {
        if self.settings.auto_answer {
            if ring == Ring::Incoming {
                self.announce(call);
                self.answer_by_itself();
            }
            return;
        }
        let ringer = match ring {
            Ring::Silent => None,
            Ring::Incoming => self.ringer(Sound::Ring),
            // One tone for both halves of a call.
            Ring::Outgoing if self.legs.rings() => None,
            Ring::Outgoing => self.ringer(Sound::Ringback),
        };
        self.live_for(call).ringer = ringer;
        if ring == Ring::Incoming {
            self.announce(call);
        }
    }

    fn announce(&mut self, call: &CallId) {
        self.live_for(call);
        if let Some(snapshot) = self.call_snapshot() {
            self.ended = None;
            self.tell(ClientEvent::Incoming {
                call: call.clone(),
                from: snapshot.peer,
                video: snapshot.video,
            });
        }
    }

    fn answer_by_itself(&mut self) {
        let video = self.call_snapshot().is_some_and(|call| call.video);
        if let Err(refused) = self.accept(video) {
            tracing::warn!(%refused, "call not answered");
        }
    }

    fn end_call(&mut self, call: &CallId, end: CallEnd) {
        self.stop_media(call);
        let Some(end) = self.end_half(call, end) else {
            return;
        };
        let Some(ended) = self.take_ended(call, end) else {
            return;
        };
        let recent = RecentCall {
            ended: ended.clone(),
            at: SystemTime::now(),
            source: RecentSource::Here,
        };
        self.recent.insert(0, recent);
        self.recent.truncate(Snapshot::RECENT);
        self.ended = Some(ended.clone());
        self.legs.clear();
        self.two_way = None;
        let of_this_call = [
            TALKING_MUTED,
            MICROPHONE_SILENT,
            MOVED,
            STREAM_SILENT,
            STREAM_WITHOUT_SOUND,
        ];
        for code in of_this_call.into_iter().chain(HALVES) {
            self.dismiss(code);
        }
        let now = Instant::now();
        self.protocol.set_in_call(now, false);
        if let Some(sound) = sound_of(&ended) {
            self.play_out(sound);
        }
        self.tell(ClientEvent::Ended(ended));
    }

    pub(crate) fn handle_peer_news(&mut self, call: &CallId, news: PeerNews) {
        let now = Instant::now();
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let input = match news {
            PeerNews::Ready(peer) => {
                peer.set_voice_loss(live.voice_loss);
                live.peer = Some(peer);
                let own_video_call = live.camera_on && self.call_snapshot().is_some_and(|call| call.outgoing);
                if own_video_call {
                    self.start_preview(call);
                }
                self.start_media(call);
                return;
            }
            PeerNews::CheckCode(code) => {
                live.check_code = Some(code);
                return;
            }
            PeerNews::Stats(stats) => {
                self.handle_stats(now, call, *stats);
                return;
            }
            PeerNews::WithoutSound => {
                if live.way == Direction::RecvOnly {
                    self.notice(
                        STREAM_WITHOUT_SOUND,
                        "the stream has no sound, or none that a call can carry",
                    );
                }
                return;
            }
            PeerNews::Input(input) => {
                if let PeerInput::Negotiated { .. } = &input {
                    live.follow_negotiation(self.settings.opus);
                    live.follow_ladder(now, &self.settings.limits);
                }
                input
            }
            PeerNews::Broken(error) => {
                tracing::warn!(%call, %error, "the connection cannot be made");
                PeerInput::DescriptionFailed
            }
            PeerNews::Event(PeerEvent::Candidate(candidate)) => PeerInput::LocalCandidate(Some(candidate)),
            PeerNews::Event(PeerEvent::CandidatesDone) => PeerInput::LocalCandidate(None),
            PeerNews::Event(PeerEvent::KeyframeNeeded) => {
                if let Some(session) = live.session() {
                    session.request_keyframe();
                }
                return;
            }
            PeerNews::Event(PeerEvent::TargetBitrate(estimate)) => {
                live.estimate = estimate;
                live.follow_ladder(now, &self.settings.limits);
                return;
            }
            PeerNews::Event(PeerEvent::Track(_)) => return,
            PeerNews::Event(PeerEvent::Digit(digit)) => {
                self.tell(ClientEvent::Digit(digit));
                return;
            }
            PeerNews::Event(PeerEvent::Message(text)) => match in_band::read(call, &text) {
                Some(input) => input,
                None => return,
            },
            PeerNews::Event(PeerEvent::ChannelClosed) => PeerInput::ChannelClosed,
            PeerNews::Event(PeerEvent::State(state)) => match state {
                TransportState::Closed => return,
                TransportState::Connecting => PeerInput::Checking,
                TransportState::Connected => {
                    let sound = match (live.connected_at.is_some(), live.connected) {
                        (false, _) => Some(Sound::Answered),
                        (true, false) => Some(Sound::Back),
                        // A restart that nobody noticed.
                        (true, true) => None,
                    };
                    if live.check_code.is_none() {
                        live.order(PeerWork::CheckCode);
                    }
                    live.set_connected(now, self.settings.stats_interval);
                    if let Some(two_way) = &mut self.two_way {
                        two_way.handle_up(SystemTime::now());
                    }
                    self.protocol.set_in_call(now, true);
                    self.legs.silence();
                    // The second half of a call says nothing new.
                    let known = sound == Some(Sound::Answered) && self.legs.other_was_up(call);
                    if let Some(sound) = sound.filter(|_| !known) {
                        self.play_out(sound);
                    }
                    PeerInput::Connected
                }
                TransportState::Disconnected => {
                    live.connected = false;
                    if !self.legs.rings() {
                        let ringer = self.ringer(Sound::Reconnecting);
                        self.live_for(call).ringer = ringer;
                    }
                    self.send_loss(call);
                    PeerInput::Disconnected
                }
                TransportState::Failed => {
                    live.connected = false;
                    PeerInput::Failed
                }
            },
        };
        if let Some(endpoint) = &mut self.endpoint {
            endpoint.handle_peer(now, call, input);
        }
    }

    fn take_ended(&mut self, call: &CallId, end: CallEnd) -> Option<EndedCall> {
        let whole = self.two_way.as_ref().map_or(call, |two_way| two_way.call());
        let seen = self.last_seen.take().filter(|seen| seen.call == *whole)?;
        Some(EndedCall {
            call: seen.call,
            peer_name: seen.peer_name.or_else(|| self.people.name_of(&seen.peer)),
            peer: seen.peer,
            outgoing: seen.outgoing,
            video: seen.video,
            stream: seen.stream,
            played: self
                .two_way
                .as_ref()
                .map(|two_way| Box::new(two_way.played().clone())),
            retry_after: self
                .retry_after
                .take()
                .filter(|(refused, _)| refused == call)
                .map(|(_, after)| after),
            end,
        })
    }
}

/// 128 random bits of the system.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
