//! The devices and the four pipelines of one call.
//!
//! Dropping the session closes every device and ends every thread.

mod opening;

use crate::attention::Noticed;
use crate::ladder::Plan;
use crate::media_news::Replacement;
use crate::snapshot::{CameraState, MicrophoneState};
use ahoy_media::audio::render_tap::render_tap;
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::audio::{AudioCapture, AudioInStats, AudioOutStats, AudioPlayout};
use ahoy_media::codec::opus::{OpusSettings, OpusWish};
use ahoy_media::codec::{AudioEncoder, CodecError, Loss, SoundCodec};
use ahoy_media::lip_sync::LipSync;
use ahoy_media::units::{Bitrate, NtpTime};
use ahoy_media::video::Rotation;
use ahoy_media::video::receive::VideoReceive;
use ahoy_media::video::receive::stats::VideoReceiveStats;
use ahoy_media::video::send::VideoSend;
use ahoy_media::video::send::stats::VideoSendStats;
use ahoy_peer::SoundOut;
pub(crate) use opening::Opening;
use std::time::{Duration, Instant};

/// Pictures per second below which nothing is said to arrive.
const ARRIVING: f64 = 0.5;

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
