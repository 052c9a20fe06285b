//! The actor's dealings with devices and media: opening, replacing, closing, and what they report.

use crate::actor::Actor;
use crate::live::{Media, Preview};
use crate::media_news::MediaNews;
use crate::media_session::Opening;
use crate::peer_task::PeerWork;
use crate::recovery::Recovery;
use crate::snapshot::{CameraState, ClientEvent, CommandRefused};
use crate::streams;
use ahoy_call::{CallId, Command as CallCommand, Direction, PeerInput};
use ahoy_media::device::DeviceKind;
use ahoy_media::spec::DeviceSpec;
use std::time::Instant;

impl Actor {
    pub(crate) fn set_camera(&mut self, on: bool) -> Result<(), CommandRefused> {
        let video_call = self.call_snapshot().ok_or(CommandRefused::NoCall)?.video;
        // Whoever turns a camera on or off has decided; a lost one is no longer looked for.
        if let Some(live) = self.legs.sending_mut() {
            live.camera_recovery = Recovery::default();
        }
        self.command_sending(|call| CallCommand::SetCamera { call, on })?;
        let live = self.legs.sending_mut().ok_or(CommandRefused::NoCall)?;
        live.camera_on = on;
        live.report_soon();
        let call = live.call.clone();
        match (live.session(), on) {
            (Some(session), true) if session.has_video() => {
                self.open_device(call, DeviceKind::Camera, self.settings.devices.camera.clone())
            }
            (Some(session), false) => session.close_camera(),
            // The camera is opened when the other side has agreed to pictures.
            (Some(_), true) => {}
            (None, true) if video_call => {
                live.preview = Preview::None;
                self.start_preview(&call);
            }
            (None, true) => {}
            (None, false) => {
                let outgoing = live.take_preview();
                self.close(outgoing);
            }
        }
        Ok(())
    }

    /// Says that the camera is on, for one that is open already.
    pub(crate) fn show_camera(&mut self) -> Result<(), CommandRefused> {
        self.command_sending(|call| CallCommand::SetCamera { call, on: true })?;
        let live = self.legs.sending_mut().ok_or(CommandRefused::NoCall)?;
        live.camera_on = true;
        live.report_soon();
        Ok(())
    }

    /// Opens or closes what the pictures take that were negotiated.
    pub(crate) fn change_video(&mut self, call: &CallId, video: Direction) {
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        live.video = Some(video);
        if let Media::Wanted { video: wanted, .. } = &mut live.media {
            *wanted = video != Direction::Inactive;
        }
        let (camera_on, peer) = (live.camera_on, live.peer.clone());
        let plan = live.follow_ladder(Instant::now(), &self.settings.limits);
        let (Some(session), Some(peer)) = (live.session(), peer) else {
            return;
        };
        if video == Direction::Inactive {
            let pictures = session.take_video();
            self.close(pictures);
        } else if !session.has_video() {
            let send_video = camera_on && video.sends();
            let opening = self.opening(call.clone());
            tokio::task::spawn_blocking(move || opening.open_video(&peer, send_video, plan));
        } else if camera_on && video.sends() && session.camera_state() == CameraState::Off {
            self.open_device(
                call.clone(),
                DeviceKind::Camera,
                self.settings.devices.camera.clone(),
            );
        }
        // Echo has no user to ask, and shows what it is shown.
        if self.settings.auto_answer
            && video == Direction::RecvOnly
            && let Err(refused) = self.set_camera(true)
        {
            tracing::debug!(%refused, "no picture comes back");
        }
    }

    pub(crate) fn set_device(&mut self, kind: DeviceKind, spec: DeviceSpec) -> Result<(), CommandRefused> {
        let choice = match kind {
            DeviceKind::Microphone => &mut self.settings.devices.microphone,
            DeviceKind::Speaker => &mut self.settings.devices.speaker,
            DeviceKind::Camera => &mut self.settings.devices.camera,
            DeviceKind::Screen => &mut self.settings.devices.screen,
        };
        choice.clone_from(&spec);
        let Some(live) = self.legs.with_device_mut(kind) else {
            return Ok(());
        };
        let unused = match kind {
            DeviceKind::Camera => !live.camera_on,
            DeviceKind::Microphone => !live.way.sends(),
            DeviceKind::Speaker | DeviceKind::Screen => !live.way.receives(),
        };
        let call = live.call.clone();
        if live.session().is_some() && !unused {
            self.open_device(call, kind, spec);
        }
        Ok(())
    }

    /// Opens one device on a blocking thread; it replaces the one in use when it is open.
    fn open_device(&self, call: CallId, kind: DeviceKind, spec: DeviceSpec) {
        let opening = self.opening(call);
        tokio::task::spawn_blocking(move || opening.open_one(kind, &spec));
    }

    pub(crate) fn opening(&self, call: CallId) -> Opening {
        let leg = self.legs.get(&call);
        Opening {
            choice: match leg {
                Some(live) => streams::devices(&self.settings.devices, live.way),
                None => self.settings.devices.clone(),
            },
            lip_sync: leg.map(|live| live.lip_sync.clone()).unwrap_or_default(),
            call,
            devices: self.devices.clone(),
            limits: self.settings.limits.clone(),
            camera_rotation: self.settings.camera_rotation,
            voice: self.settings.voice,
            opus: self.settings.opus,
            pictures: self.pictures.clone(),
            inbox: self.inbox.clone(),
        }
    }

    /// Shows the caller's own picture while it rings: the camera is open, and nothing is sent before the answer.
    pub(crate) fn start_preview(&mut self, call: &CallId) {
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let (Some(peer), Media::None, Preview::None) = (&live.peer, &live.media, &live.preview) else {
            return;
        };
        let peer = peer.clone();
        let plan = live.follow_ladder(Instant::now(), &self.settings.limits);
        live.preview = Preview::Opening;
        let opening = self.opening(call.clone());
        tokio::task::spawn_blocking(move || opening.open_preview(&peer, plan));
    }

    /// Opens the devices on a blocking thread, once there is a connection to feed and no camera half open.
    pub(crate) fn start_media(&mut self, call: &CallId) {
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let (Media::Wanted { send_video, video }, Some(peer)) = (&live.media, &live.peer) else {
            return;
        };
        if matches!(live.preview, Preview::Opening) {
            return;
        }
        let (send_video, video, peer) = (*send_video, *video, peer.clone());
        let plan = live.follow_ladder(Instant::now(), &self.settings.limits);
        let outgoing = live.take_preview();
        live.media = Media::Opening;
        let opening = self.opening(call.clone());
        tokio::task::spawn_blocking(move || opening.open_all(&peer, outgoing, send_video, video, plan));
    }

    /// Frees devices and connection, off this task: drivers may take their time.
    pub(crate) fn stop_media(&mut self, call: &CallId) {
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        live.work = None;
        live.peer = None;
        let outgoing = live.take_preview();
        let session = match std::mem::replace(&mut live.media, Media::None) {
            Media::Running(session) => Some(session),
            Media::None | Media::Wanted { .. } | Media::Opening => None,
        };
        self.close((outgoing, session));
    }

    /// Drops what holds devices on a blocking thread.
    pub(crate) fn close(&mut self, holders: impl Send + 'static) {
        self.closing.retain(|task| !task.is_finished());
        self.closing
            .push(tokio::task::spawn_blocking(move || drop(holders)));
        self.pictures.remote.take();
        self.pictures.local.take();
    }

    pub(crate) fn handle_media_news(&mut self, call: &CallId, news: MediaNews) {
        let Some(live) = self.legs.get_mut(call) else {
            // It was opened for a call that has ended meanwhile.
            self.close(news);
            return;
        };
        match news {
            MediaNews::Opened(session) => {
                if !matches!(live.media, Media::Opening) {
                    self.close(session);
                    return;
                }
                let (muted, camera_on) = (live.muted, live.camera_on);
                live.media = Media::Running(session);
                // It may have been agreed on otherwise while they were being opened.
                live.follow_negotiation(self.settings.opus);
                let mut camera_missing = false;
                let video = live.video;
                if let Some(session) = live.session() {
                    session.set_muted(muted);
                    if !camera_on {
                        session.close_camera();
                    }
                    camera_missing = camera_on && session.camera_state() == CameraState::Off;
                }
                live.follow_ladder(Instant::now(), &self.settings.limits);
                if let Some((sending, receiving)) = self.legs.both_sessions() {
                    sending.cancel_echo_of(receiving);
                }
                if let Some(video) = video {
                    // It was negotiated while the devices were being opened.
                    self.change_video(call, video);
                } else if camera_missing {
                    // It was turned on while the devices were being opened.
                    self.open_device(
                        call.clone(),
                        DeviceKind::Camera,
                        self.settings.devices.camera.clone(),
                    );
                }
            }
            MediaNews::Previewed(outgoing) => {
                if live.peer.is_none() || !live.camera_on {
                    live.preview = Preview::Tried;
                    self.start_media(call);
                    self.close(outgoing);
                    return;
                }
                live.preview = outgoing.map_or(Preview::Tried, Preview::Running);
                self.start_media(call);
            }
            MediaNews::VideoOpened(pipelines) => {
                let (camera_on, video) = (live.camera_on, live.video);
                let wanted = video.is_some_and(|video| video != Direction::Inactive);
                match live.session() {
                    Some(session) if wanted && !session.has_video() => session.add_video(*pipelines),
                    Some(_) | None => {
                        self.close(pipelines);
                        return;
                    }
                }
                if !camera_on && let Some(session) = live.session() {
                    session.close_camera();
                }
                if let Some(video) = video {
                    // The camera may have been turned on, or the direction changed, meanwhile.
                    self.change_video(call, video);
                }
            }
            MediaNews::Replaced(device) => {
                let camera_on = live.camera_on;
                let kind = device.kind();
                if let Some(session) = live.session() {
                    session.replace(device, camera_on);
                }
                self.note_opened(kind, Instant::now());
            }
            MediaNews::Recovered { device, on_default } => self.handle_recovered(device, on_default),
            MediaNews::NotRecovered(kind) => self.note_not_recovered(kind),
            MediaNews::CannotOpen { error, essential } => {
                let code = crate::notice_code(&error);
                self.notice(code, error.to_string());
                if essential && let Some(endpoint) = &mut self.endpoint {
                    endpoint.handle_peer(Instant::now(), call, PeerInput::MediaFailed);
                }
            }
            MediaNews::Lost { kind, error } => self.handle_lost_device(call, kind, &error),
            MediaNews::Moment { video, what, at } => self.tell(ClientEvent::Media { video, what, at }),
            MediaNews::KeyframeWanted => live.order(PeerWork::RequestKeyframe),
        }
    }
}
