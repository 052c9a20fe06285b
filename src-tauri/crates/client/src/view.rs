//! The live call as a snapshot shows it.

use crate::actor::Actor;
use crate::live::{Live, Media};
use crate::snapshot::{CameraState, LiveCall, MicrophoneState, PathKind, Phase, ServerState, Snapshot};
use ahoy_call::Toggle;

impl Snapshot {
    pub(crate) fn initial(url: &str) -> Self {
        Self {
            server: ServerState::connecting(url),
            me: None,
            people: Vec::new(),
            rooms: Vec::new(),
            found: None,
            call: None,
            ended: None,
            recent: Vec::new(),
            notices: Vec::new(),
        }
    }
}

impl ServerState {
    pub(crate) fn connecting(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            phase: Phase::Connecting,
            problem: None,
            retry_at: None,
            basic_mode: false,
        }
    }
}

impl Actor {
    pub(crate) fn live_call(&self) -> Option<LiveCall> {
        let call = self.call_snapshot()?;
        let live = self.live.as_ref().filter(|live| live.call == call.call)?;
        let session = match &live.media {
            Media::Running(session) => Some(session),
            Media::None | Media::Wanted { .. } | Media::Opening => None,
        };
        let (level_in, level_out) = session.map_or((0.0, 0.0), |session| session.levels());
        Some(LiveCall {
            peer_name: call.peer_name.or_else(|| self.people.name_of(&call.peer)),
            call: call.call,
            peer: call.peer,
            outgoing: call.outgoing,
            video: call.video,
            way: call.way,
            stream: call.stream,
            state: call.state,
            began_at: live.began_at,
            connected_at: live.connected_at,
            muted: live.muted,
            microphone: session.map_or(MicrophoneState::Ok, |session| session.microphone_state()),
            camera: camera_state(live),
            picture: live.picture_step(),
            remote_muted: live.remote_media.audio.map(|audio| audio == Toggle::Off),
            remote_video: session.map(|session| session.pictures_arrive()),
            their_audio: live.their_words.audio.shown(),
            their_video: live.their_words.video.shown(),
            hears: live.hears(),
            sees: live.sees(),
            telltale: live.verdict.telltale,
            verdict: live.verdict.clone(),
            path: path(live),
            check_code: live.check_code.clone(),
            takes_digits: call.way.sends() && live.peer.as_ref().is_some_and(|peer| peer.takes_digits()),
            voice_loss: live.voice_loss,
            level_in,
            level_out,
        })
    }
}

fn camera_state(live: &Live) -> CameraState {
    match &live.media {
        _ if !live.camera_on => CameraState::Off,
        Media::Running(session) => session.camera_state(),
        Media::None | Media::Wanted { .. } | Media::Opening => CameraState::On,
    }
}

fn path(live: &Live) -> PathKind {
    match live.peer_stats.transport.path {
        None => PathKind::Unknown,
        Some(ahoy_peer::CandidateType::Relay) => PathKind::Relay,
        Some(_) => PathKind::Direct,
    }
}
