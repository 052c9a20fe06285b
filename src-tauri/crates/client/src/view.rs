//! The live call as a snapshot shows it.

use crate::actor::Actor;
use crate::live::{Live, Media};
use crate::media_session::MediaSession;
use crate::snapshot::{CameraState, LiveCall, MicrophoneState, PathKind, Phase, ServerState, Snapshot};
use crate::two_way::TwoWay;
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
        let telling = self.legs.telling()?;
        let (live, receiving) = (self.legs.sending()?, self.legs.receiving()?);
        let (session, played) = (session(live), session(receiving));
        let two_way = self.two_way.as_ref();
        let connected_at = two_way.map_or(live.connected_at, TwoWay::up_since);
        Some(LiveCall {
            peer_name: call.peer_name.or_else(|| self.people.name_of(&call.peer)),
            call: call.call,
            peer: call.peer,
            outgoing: call.outgoing,
            video: call.video,
            way: call.way,
            stream: call.stream,
            played: two_way.map(|two_way| two_way.played().clone()),
            lost: two_way.and_then(TwoWay::lost),
            state: call.state,
            began_at: live.began_at,
            connected_at,
            muted: live.muted,
            microphone: session.map_or(MicrophoneState::Ok, |session| session.microphone_state()),
            camera: camera_state(live),
            picture: live.picture_step(),
            remote_muted: receiving.remote_media.audio.map(|audio| audio == Toggle::Off),
            remote_video: played.map(|session| session.pictures_arrive()),
            their_audio: live.their_words.audio.shown(),
            their_video: live.their_words.video.shown(),
            hears: live.hears(),
            sees: live.sees(),
            telltale: telling.verdict.telltale,
            verdict: telling.verdict.clone(),
            path: self.path(),
            // Each connection has its own, and the digits of one say nothing of the other.
            check_code: live.check_code.clone().filter(|_| two_way.is_none()),
            takes_digits: call.way.sends() && live.peer.as_ref().is_some_and(|peer| peer.takes_digits()),
            voice_loss: live.voice_loss,
            level_in: played.map_or(0.0, |session| session.levels().0),
            level_out: session.map_or(0.0, |session| session.levels().1),
        })
    }

    /// A call that goes through a relay on one of its ways does so.
    fn path(&self) -> PathKind {
        let kinds = self.legs.iter().map(|live| live.peer_stats.transport.path);
        kinds.fold(PathKind::Unknown, |worst, kind| match (worst, kind) {
            (PathKind::Relay, _) | (_, Some(ahoy_peer::CandidateType::Relay)) => PathKind::Relay,
            (_, Some(_)) => PathKind::Direct,
            (worst, None) => worst,
        })
    }
}

fn session(live: &Live) -> Option<&MediaSession> {
    match &live.media {
        Media::Running(session) => Some(session),
        Media::None | Media::Wanted { .. } | Media::Opening => None,
    }
}

fn camera_state(live: &Live) -> CameraState {
    match &live.media {
        _ if !live.camera_on => CameraState::Off,
        Media::Running(session) => session.camera_state(),
        Media::None | Media::Wanted { .. } | Media::Opening => CameraState::On,
    }
}
