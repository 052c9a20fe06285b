//! The devices and the four pipelines of one call.
//!
//! Devices are opened on blocking threads, because drivers take their time; the actor is told what came of it. Dropping
//! the session closes every device and ends every thread.

use crate::attention::Noticed;
use crate::client::Pictures;
use crate::inbox::Inbox;
use crate::ladder::Plan;
use crate::settings::{DeviceChoice, Limits};
use crate::snapshot::{CameraState, MediaMoment, MicrophoneState};
use ahoy_call::CallId;
use ahoy_media::audio::render_tap::render_tap;
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::audio::{AudioCapture, AudioInStats, AudioOutStats, AudioPlayout, CaptureSettings};
use ahoy_media::codec::opus::{OpusMode, OpusSettings, OpusWish};
use ahoy_media::codec::{AudioEncoder, CodecError, Loss, PictureCodec, SoundCodec};
use ahoy_media::device::{
    AudioSink, AudioSource, DeviceError, DeviceKind, Devices, VideoRequest, VideoSink, VideoSource,
};
use ahoy_media::jitter_buffer::JitterBufferSettings;
use ahoy_media::lip_sync::LipSync;
use ahoy_media::spec::DeviceSpec;
use ahoy_media::synthetic::pattern::PatternSource;
use ahoy_media::synthetic::silence::{SilentMicrophone, SilentSpeaker};
use ahoy_media::units::{Bitrate, NtpTime, Resolution, RtpTime};
use ahoy_media::video::Rotation;
use ahoy_media::video::receive::stats::VideoReceiveStats;
use ahoy_media::video::receive::{VideoReceive, VideoReceiveSetup};
use ahoy_media::video::screen::SharedScreen;
use ahoy_media::video::send::stats::VideoSendStats;
use ahoy_media::video::send::{VideoSend, VideoSendSetup};
use ahoy_peer::{Codec, MediaKind, Peer, SoundOut};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pictures per second below which nothing is said to arrive.
const ARRIVING: f64 = 0.5;

/// What opening and running media tells the actor.
pub(crate) enum MediaNews {
    Opened(Box<MediaSession>),
    /// The camera runs for the caller's own eyes; `None` = it does not.
    Previewed(Option<Box<Outgoing>>),
    /// What a running call needs to have pictures.
    VideoOpened(Box<VideoPipelines>),
    /// Another device is open and takes over.
    Replaced(Replacement),
    /// A device is not what was asked for. `essential`: the call cannot do without.
    CannotOpen {
        error: DeviceError,
        essential: bool,
    },
    /// A device that was in use is gone.
    Lost {
        kind: DeviceKind,
        error: DeviceError,
    },
    Moment {
        video: bool,
        what: MediaMoment,
        at: Instant,
    },
    /// A device is open that may take the place of a lost one. `on_default`: it is what the system uses.
    Recovered {
        device: Replacement,
        on_default: bool,
    },
    /// Nothing could be opened in the place of a lost device.
    NotRecovered(DeviceKind),
    /// The received picture cannot be decoded without a keyframe.
    KeyframeWanted,
}

pub(crate) enum Replacement {
    Microphone {
        source: Box<dyn AudioSource>,
        state: MicrophoneState,
        /// It stands in a room, and is no file or tone.
        in_room: bool,
    },
    Speaker(Box<dyn AudioSink>),
    Camera {
        source: Box<dyn VideoSource>,
        state: CameraState,
    },
}

impl Replacement {
    pub(crate) fn kind(&self) -> DeviceKind {
        match self {
            Replacement::Microphone { .. } => DeviceKind::Microphone,
            Replacement::Speaker(_) => DeviceKind::Speaker,
            Replacement::Camera { .. } => DeviceKind::Camera,
        }
    }
}

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

/// The running media of a call.
pub(crate) struct MediaSession {
    capture: AudioCapture,
    playout: AudioPlayout,
    video: Option<VideoPipelines>,
    microphone: MicrophoneState,
    /// The microphone stands in a room: its voice is cleaned, and it is missed when it gives nothing.
    in_room: bool,
    voice: VoiceSettings,
    opus: OpusWish,
    /// As what sound is sent; `None` = it is not.
    sound: Option<SoundOut>,
    bitrate: Bitrate,
    played: bool,
    lip_sync: LipSync,
}

/// The pictures of a call, both ways.
pub(crate) struct VideoPipelines {
    outgoing: Outgoing,
    receive: VideoReceive,
    remote_is_off: bool,
}

/// The own picture: a camera, or what stands in for one, and its encoder.
pub(crate) struct Outgoing {
    send: VideoSend,
    camera: CameraState,
}

/// The counters of all pipelines at one moment.
pub(crate) struct MediaStats {
    pub(crate) audio_in: AudioInStats,
    pub(crate) audio_out: AudioOutStats,
    pub(crate) video: Option<(VideoReceiveStats, VideoSendStats)>,
    /// What is heard and seen at this moment, on the other side's clock.
    pub(crate) sound_playout: Option<NtpTime>,
    pub(crate) picture_playout: Option<NtpTime>,
    pub(crate) microphone_missing: bool,
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

impl Outgoing {
    pub(crate) fn set_rotation(&self, rotation: Rotation) {
        self.send.set_rotation(rotation);
    }
}

impl MediaSession {
    /// Turns the own camera's pictures otherwise from now on.
    pub(crate) fn set_camera_rotation(&self, rotation: Rotation) {
        if let Some(video) = &self.video {
            video.outgoing.set_rotation(rotation);
        }
    }

    /// Uses other processing of the voice from now on.
    pub(crate) fn set_voice(&mut self, voice: VoiceSettings) {
        self.voice = voice;
        self.clean_voice();
    }

    /// A microphone in a room has its voice cleaned; files, tones and silence are sent as they are.
    fn clean_voice(&self) {
        self.capture.set_voice(if self.in_room {
            self.voice
        } else {
            VoiceSettings::default()
        });
    }

    /// Takes what another session plays out of what this microphone hears.
    pub(crate) fn cancel_echo_of(&self, other: &MediaSession) {
        let (tap, played) = render_tap();
        other.playout.set_render_tap(tap);
        self.capture.set_played(played);
    }

    /// The pipeline sends silence in its place.
    pub(crate) fn microphone_is_lost(&mut self) {
        self.microphone = MicrophoneState::Missing;
        self.in_room = false;
        self.clean_voice();
    }

    /// What the person should know of the own microphone.
    pub(crate) fn noticed(&self, muted: bool) -> Noticed {
        let stats = self.capture.stats();
        Noticed {
            muted,
            muted_speech: if self.in_room {
                stats.muted_speech_noticed
            } else {
                0
            },
            no_signal: self.in_room && stats.microphone_silent,
        }
    }

    pub(crate) fn set_muted(&self, muted: bool) {
        self.capture.set_muted(muted);
    }

    /// Lets both encoders go by the plan from here on.
    pub(crate) fn set_plan(&mut self, plan: Plan) {
        self.bitrate = plan.audio;
        self.capture.set_bitrate(plan.audio);
        if self.sound.is_none_or(|sound| sound.codec == SoundCodec::Opus) {
            self.capture.set_frame_time(plan.frame);
        }
        if let Some(video) = &self.video {
            video.outgoing.send.set_limits(plan.video);
        }
    }

    /// Encodes sound as was negotiated anew; the same as before changes nothing.
    pub(crate) fn set_sound(&mut self, sound: SoundOut) {
        let before = self.sound.replace(sound);
        let same = before.is_some_and(|before| (before.codec, before.opus) == (sound.codec, sound.opus));
        if same {
            return;
        }
        match sound_encoder(Some(sound), self.opus, self.bitrate) {
            Ok(encoder) => {
                tracing::info!(codec = %sound.codec, "sound is sent as was agreed on anew");
                self.capture.set_encoder(encoder);
            }
            Err(error) => tracing::warn!(%error, "no encoder for the agreed codec"),
        }
    }

    pub(crate) fn set_expected_loss(&self, loss: Loss) {
        self.capture.set_expected_loss(loss);
    }

    pub(crate) fn set_round_trip(&self, rtt: Duration) {
        if let Some(video) = &self.video {
            video.receive.set_round_trip(rtt);
        }
    }

    pub(crate) fn request_keyframe(&self) {
        if let Some(video) = &self.video {
            video.outgoing.send.request_keyframe();
        }
    }

    pub(crate) fn has_video(&self) -> bool {
        self.video.is_some()
    }

    /// Takes in what was opened for a call that had no pictures.
    pub(crate) fn add_video(&mut self, pipelines: VideoPipelines) {
        self.video = Some(pipelines);
    }

    /// Gives the pictures up; whoever takes them frees the devices.
    pub(crate) fn take_video(&mut self) -> Option<VideoPipelines> {
        self.video.take()
    }

    pub(crate) fn close_camera(&mut self) {
        if let Some(video) = &mut self.video {
            video.outgoing.send.set_enabled(false);
            video.outgoing.camera = CameraState::Off;
        }
    }

    /// Takes a device that was opened. A camera that is no longer wanted is closed again.
    pub(crate) fn replace(&mut self, replacement: Replacement, camera_wanted: bool) {
        match replacement {
            Replacement::Microphone {
                source,
                state,
                in_room,
            } => {
                self.microphone = state;
                self.in_room = in_room;
                self.clean_voice();
                self.capture.replace_source(source);
            }
            Replacement::Speaker(sink) => self.playout.replace_sink(sink),
            Replacement::Camera { source, state } => {
                let Some(video) = self.video.as_mut().filter(|_| camera_wanted) else {
                    return;
                };
                match video.outgoing.send.replace_source(source) {
                    Ok(()) => video.outgoing.camera = state,
                    Err(error) => tracing::warn!(%error, "no thread for the camera"),
                }
            }
        }
    }

    /// The other side says whether it sends its camera; a gap on purpose is no freeze.
    pub(crate) fn set_remote_video(&mut self, on: bool) {
        if let Some(video) = &mut self.video {
            if !on && !video.remote_is_off {
                video.receive.handle_pause();
            }
            video.remote_is_off = !on;
        }
    }

    pub(crate) fn pictures_arrive(&self) -> bool {
        self.video.as_ref().is_some_and(|video| {
            !video.remote_is_off && video.receive.stats(Instant::now()).frames_per_second > ARRIVING
        })
    }

    /// When the first sound was played, told once.
    pub(crate) fn take_first_played(&mut self) -> Option<Instant> {
        if self.played {
            return None;
        }
        let at = self.playout.stats().first_played_at?;
        self.played = true;
        Some(at)
    }

    /// What is heard from the other side and what the microphone hears, 0..1.
    pub(crate) fn levels(&self) -> (f32, f32) {
        (
            self.playout.stats().audio_level,
            self.capture.stats().captured_level,
        )
    }

    pub(crate) fn microphone_state(&self) -> MicrophoneState {
        self.microphone
    }

    pub(crate) fn camera_state(&self) -> CameraState {
        self.video
            .as_ref()
            .map_or(CameraState::Off, |video| video.outgoing.camera)
    }

    pub(crate) fn stats(&self, now: Instant) -> MediaStats {
        let (sound_playout, picture_playout) = {
            let alignment = self.lip_sync.lock();
            (alignment.sound_playout(now), alignment.picture_playout(now))
        };
        MediaStats {
            sound_playout,
            picture_playout,
            audio_in: self.playout.stats(),
            audio_out: self.capture.stats(),
            video: self
                .video
                .as_ref()
                .map(|video| (video.receive.stats(now), video.outgoing.send.stats(now))),
            microphone_missing: self.microphone == MicrophoneState::Missing,
        }
    }
}

/// The stable code under which a window explains a device error.
pub fn notice_code(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::NotFound { kind, .. } => {
            by_kind(*kind, ["no_microphone", "no_speaker", "no_camera", "no_screen"])
        }
        DeviceError::PermissionDenied(kind) => by_kind(
            *kind,
            [
                "microphone_denied",
                "speaker_denied",
                "camera_denied",
                "screen_denied",
            ],
        ),
        DeviceError::Busy(kind) => by_kind(
            *kind,
            ["microphone_busy", "speaker_busy", "camera_busy", "screen_busy"],
        ),
        DeviceError::Lost(_) => "device_lost",
        DeviceError::Unusable { kind, .. } => by_kind(
            *kind,
            [
                "microphone_unusable",
                "speaker_unusable",
                "camera_unusable",
                "screen_unusable",
            ],
        ),
    }
}

fn by_kind(kind: DeviceKind, codes: [&'static str; 4]) -> &'static str {
    match kind {
        DeviceKind::Microphone => codes[0],
        DeviceKind::Speaker => codes[1],
        DeviceKind::Camera => codes[2],
        DeviceKind::Screen => codes[3],
    }
}

/// An encoder of what was agreed on; of Opus where nothing is sent.
fn sound_encoder(
    sound: Option<SoundOut>,
    wish: OpusWish,
    bitrate: Bitrate,
) -> Result<Box<dyn AudioEncoder>, CodecError> {
    let theirs = sound.map(|sound| sound.opus).unwrap_or_default();
    let codec = sound.map_or(SoundCodec::Opus, |sound| sound.codec);
    codec.encoder(bitrate, OpusSettings::agreed(wish, &theirs))
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
