//! Opens the devices of a call and connects them with its peer connection.
//!
//! On blocking threads, because drivers take their time; the actor is told what came of it.

use super::{MediaSession, Outgoing, VideoPipelines, sound_encoder};
use crate::client::Pictures;
use crate::inbox::Inbox;
use crate::ladder::Plan;
use crate::media_news::{MediaNews, Replacement};
use crate::settings::{DeviceChoice, Limits};
use crate::snapshot::{CameraState, MediaMoment, MicrophoneState};
use ahoy_call::CallId;
use ahoy_media::audio::render_tap::render_tap;
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::audio::{AudioCapture, AudioPlayout, CaptureSettings};
use ahoy_media::codec::opus::{OpusMode, OpusWish};
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::jitter_buffer::JitterBufferSettings;
use ahoy_media::lip_sync::LipSync;
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::pattern::PatternSource;
use ahoy_media::synthetic::silence::{SilentMicrophone, SilentSpeaker};
use ahoy_media::units::{Resolution, RtpTime};
use ahoy_media::video::Rotation;
use ahoy_media::video::receive::{VideoReceive, VideoReceiveSetup};
use ahoy_media::video::screen::SharedScreen;
use ahoy_media::video::send::{VideoSend, VideoSendSetup};
use ahoy_peer::{Codec, MediaKind, Peer, SoundOut};
use std::sync::Arc;
use std::time::Instant;

/// Everything that opening needs, on its way to a blocking thread.
pub(crate) struct Opening {
    pub(crate) call: CallId,
    pub(crate) devices: Arc<dyn Devices>,
    pub(crate) choice: DeviceChoice,
    pub(crate) limits: Limits,
    pub(crate) camera_rotation: Rotation,
    pub(crate) voice: VoiceSettings,
    pub(crate) opus: OpusWish,
    pub(crate) pictures: Pictures,
    pub(crate) inbox: Inbox,
    pub(crate) lip_sync: LipSync,
}

impl Opening {
    /// Opens the camera alone; its pictures are seen here and go nowhere until the connection is up.
    pub(crate) fn open_preview(self, peer: &Peer, plan: Plan) {
        let outgoing = self.open_outgoing(peer, true, plan);
        if let Err(error) = &outgoing {
            tracing::info!(%error, "no preview");
        }
        self.inbox
            .media_opened(&self.call, MediaNews::Previewed(outgoing.ok().map(Box::new)));
    }

    /// Opens what the call needs, connects it with the peer connection and tells the actor. `outgoing` is the picture
    /// that runs already.
    pub(crate) fn open_all(
        self,
        peer: &Peer,
        outgoing: Option<Box<Outgoing>>,
        send_video: bool,
        video: bool,
        plan: Plan,
    ) {
        let news = match self.open(peer, outgoing, send_video, video, plan) {
            Ok(session) => MediaNews::Opened(Box::new(session)),
            Err(error) => MediaNews::CannotOpen {
                error,
                essential: true,
            },
        };
        self.inbox.media_opened(&self.call, news);
    }

    /// Opens what a call of sound needs to have pictures, without the camera if it is not to be seen.
    pub(crate) fn open_video(self, peer: &Peer, send_video: bool, plan: Plan) {
        let opened = self
            .open_outgoing(peer, send_video, plan)
            .or_else(|error| {
                self.say_fallen_back(error);
                self.open_outgoing(peer, false, plan)
            })
            .and_then(|outgoing| self.video_pipelines(peer, outgoing));
        let news = match opened {
            Ok(pipelines) => MediaNews::VideoOpened(Box::new(pipelines)),
            Err(error) => MediaNews::CannotOpen {
                error,
                essential: false,
            },
        };
        self.inbox.media_opened(&self.call, news);
    }

    /// Opens one device to take over from the one in use.
    pub(crate) fn open_one(self, kind: DeviceKind, spec: &DeviceSpec) {
        let opened = match kind {
            DeviceKind::Microphone => self
                .microphone(spec)
                .map(|(source, state)| Replacement::Microphone {
                    source,
                    state,
                    in_room: is_in_room(spec) && state == MicrophoneState::Ok,
                }),
            DeviceKind::Speaker => self.speaker(spec).map(Replacement::Speaker),
            DeviceKind::Camera => self
                .camera(spec)
                .map(|(source, state)| Replacement::Camera { source, state }),
            // A screen is fixed for a call; the next call takes the new one.
            DeviceKind::Screen => return,
        };
        let news = match opened {
            Ok(replacement) => MediaNews::Replaced(replacement),
            Err(error) => MediaNews::CannotOpen {
                error,
                essential: false,
            },
        };
        self.inbox.media_opened(&self.call, news);
    }

    fn open(
        &self,
        peer: &Peer,
        outgoing: Option<Box<Outgoing>>,
        send_video: bool,
        video: bool,
        plan: Plan,
    ) -> Result<MediaSession, DeviceError> {
        // Whoever sends nothing needs some codec to hear with until a packet tells which.
        let sound = peer.sound_out();
        let heard = sound.map_or(SoundCodec::Opus, |sound| sound.codec);
        let playout = self.open_playout(peer, heard)?;
        let (capture, microphone) = self.open_capture(peer, sound, plan)?;
        let (tap, played) = render_tap();
        playout.set_render_tap(tap);
        capture.set_played(played);
        let in_room = is_in_room(&self.choice.microphone) && microphone == MicrophoneState::Ok;
        let video = match (video, outgoing) {
            (false, _) => None,
            (true, Some(outgoing)) => Some(self.video_pipelines(peer, *outgoing)?),
            (true, None) => Some(self.video_pipelines(peer, self.open_outgoing(peer, send_video, plan)?)?),
        };
        let session = MediaSession {
            capture,
            playout,
            video,
            microphone,
            in_room,
            voice: self.voice,
            opus: self.opus,
            sound,
            bitrate: plan.audio,
            played: false,
            lip_sync: self.lip_sync.clone(),
        };
        session.clean_voice();
        Ok(session)
    }

    fn video_pipelines(&self, peer: &Peer, outgoing: Outgoing) -> Result<VideoPipelines, DeviceError> {
        Ok(VideoPipelines {
            outgoing,
            receive: self.open_receive(peer)?,
            remote_is_off: false,
        })
    }

    fn open_playout(&self, peer: &Peer, codec: SoundCodec) -> Result<AudioPlayout, DeviceError> {
        let sink = self.speaker(&self.choice.speaker)?;
        let channels = match self.opus.mode {
            OpusMode::Music => 2,
            OpusMode::Voice | OpusMode::LowDelay => 1,
        };
        let failed = self.loss_reporter(DeviceKind::Speaker);
        let playout = AudioPlayout::start(sink, codec, channels, JitterBufferSettings::default(), failed)?;
        playout.set_lip_sync(self.lip_sync.clone());
        let lip_sync = self.lip_sync.clone();
        peer.set_report_receiver(Box::new(move |kind, report| {
            let mut alignment = lip_sync.lock();
            match kind {
                MediaKind::Audio => alignment.handle_sound_report(Instant::now(), report),
                MediaKind::Video => alignment.handle_picture_report(Instant::now(), report),
            }
        }));
        let inlet = playout.inlet();
        let mut first = self.moment(false, MediaMoment::FirstReceived);
        peer.set_audio_receiver(Box::new(move |packet| {
            first();
            // A full queue is counted by the pipeline.
            inlet.push(packet);
        }));
        Ok(playout)
    }

    fn open_capture(
        &self,
        peer: &Peer,
        sound: Option<SoundOut>,
        plan: Plan,
    ) -> Result<(AudioCapture, MicrophoneState), DeviceError> {
        let encoder = sound_encoder(sound, self.opus, plan.audio)
            .map_err(|error| unusable(DeviceKind::Microphone, &error))?;
        let (source, state) = self.microphone(&self.choice.microphone)?;
        let settings = CaptureSettings {
            first_rtp_time: RtpTime::new(random_u32()),
            bitrate: plan.audio,
            muted: false,
        };
        let out = peer.audio_out();
        let mut first = self.moment(false, MediaMoment::FirstSent);
        let frames = move |codec, frame| {
            let sent = out.try_send(Codec::Audio(codec), frame);
            if sent {
                first();
            }
            sent
        };
        let failed = self.loss_reporter(DeviceKind::Microphone);
        Ok((
            AudioCapture::start(source, encoder, settings, frames, failed)?,
            state,
        ))
    }

    fn open_outgoing(&self, peer: &Peer, send_video: bool, plan: Plan) -> Result<Outgoing, DeviceError> {
        let (source, camera) = if send_video {
            let (source, state) = self.camera(&self.choice.camera)?;
            (Some(source), state)
        } else {
            (None, CameraState::Off)
        };
        let (out, ready) = (peer.video_out(), peer.video_out());
        let mut first = self.moment(true, MediaMoment::FirstSent);
        let setup = VideoSendSetup {
            encoder: Box::new(PictureCodec::encoder),
            limits: plan.video,
            rotation: self.camera_rotation,
            preview: Some(Box::new(SharedScreen::new(self.pictures.local.clone()))),
            ready: Box::new(move |next| ready.picture_codec(next)),
            send: Box::new(move |codec, frame| {
                let sent = out.try_send(Codec::Video(codec), frame);
                if sent {
                    first();
                }
                sent
            }),
            on_device_failure: Box::new(self.loss_reporter(DeviceKind::Camera)),
        };
        let send = VideoSend::start(setup, source).map_err(|error| unusable(DeviceKind::Camera, &error))?;
        Ok(Outgoing { send, camera })
    }

    fn open_receive(&self, peer: &Peer) -> Result<VideoReceive, DeviceError> {
        let screen: Box<dyn VideoSink> = match &self.choice.screen {
            DeviceSpec::Default => Box::new(SharedScreen::new(self.pictures.remote.clone())),
            other => self.devices.screen(other)?,
        };
        let (inbox, call) = (self.inbox.clone(), self.call.clone());
        let mut rendered = self.moment(true, MediaMoment::FirstRendered);
        let setup = VideoReceiveSetup {
            screen,
            request_keyframe: Box::new(move |_| inbox.media(&call, MediaNews::KeyframeWanted)),
            on_first_rendered: Box::new(move |_| rendered()),
            lip_sync: self.lip_sync.clone(),
        };
        let receive = VideoReceive::start(setup).map_err(|error| unusable(DeviceKind::Screen, &error))?;
        let packets = receive.packets();
        let mut first = self.moment(true, MediaMoment::FirstReceived);
        peer.set_video_receiver(Box::new(move |codec, packet| {
            first();
            // A full queue is counted by the pipeline.
            packets.try_send(codec, packet);
        }));
        Ok(receive)
    }

    fn microphone(&self, spec: &DeviceSpec) -> Result<(Box<dyn AudioSource>, MicrophoneState), DeviceError> {
        match self.devices.microphone(spec) {
            Ok(source) => Ok((source, MicrophoneState::Ok)),
            Err(error) if self.choice.fall_back => {
                self.say_fallen_back(error);
                Ok((Box::new(SilentMicrophone::new()), MicrophoneState::Missing))
            }
            Err(error) => Err(error),
        }
    }

    fn speaker(&self, spec: &DeviceSpec) -> Result<Box<dyn AudioSink>, DeviceError> {
        match self.devices.speaker(spec) {
            Err(error) if self.choice.fall_back => {
                self.say_fallen_back(error);
                Ok(Box::new(SilentSpeaker::new()))
            }
            result => result,
        }
    }

    /// What a camera is asked for.
    pub(crate) fn picture_wanted(&self) -> VideoRequest {
        VideoRequest {
            resolution: resolution(&self.limits),
            frame_rate: self.limits.frame_rate,
        }
    }

    fn camera(&self, spec: &DeviceSpec) -> Result<(Box<dyn VideoSource>, CameraState), DeviceError> {
        let wanted = self.picture_wanted();
        match self.devices.camera(spec, wanted) {
            Ok(source) => Ok((source, CameraState::On)),
            Err(error) if self.choice.fall_back => {
                self.say_fallen_back(error);
                let pattern = PatternSource::nearest(wanted.resolution, wanted.frame_rate);
                Ok((Box::new(pattern), CameraState::TestPicture))
            }
            Err(error) => Err(error),
        }
    }

    fn say_fallen_back(&self, error: DeviceError) {
        self.inbox.media_opened(
            &self.call,
            MediaNews::CannotOpen {
                error,
                essential: false,
            },
        );
    }

    /// Tells the actor once, from whatever thread sees it first.
    fn moment(&self, video: bool, what: MediaMoment) -> impl FnMut() + Send + 'static {
        let mut untold = Some((self.inbox.clone(), self.call.clone()));
        move || {
            if let Some((inbox, call)) = untold.take() {
                inbox.media(
                    &call,
                    MediaNews::Moment {
                        video,
                        what,
                        at: Instant::now(),
                    },
                );
            }
        }
    }

    fn loss_reporter(&self, kind: DeviceKind) -> impl FnMut(DeviceError) + Send + 'static {
        let (inbox, call) = (self.inbox.clone(), self.call.clone());
        move |error| inbox.media(&call, MediaNews::Lost { kind, error })
    }
}

fn is_in_room(microphone: &DeviceSpec) -> bool {
    matches!(microphone, DeviceSpec::Default | DeviceSpec::Microphone(_))
}

fn unusable(kind: DeviceKind, why: &impl std::fmt::Display) -> DeviceError {
    DeviceError::Unusable {
        kind,
        why: why.to_string(),
    }
}

fn resolution(limits: &Limits) -> Resolution {
    Resolution::new(limits.resolution.width, limits.resolution.height)
}

/// RFC 3550 §5.1: the first timestamp is random.
fn random_u32() -> u32 {
    getrandom::u32().expect("the system gives random numbers")
}
