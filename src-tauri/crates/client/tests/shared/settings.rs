//! A client of one machine that answers by hand: a tone, no loudspeaker, no pictures.

use ahoy_client::{Credentials, DeviceChoice, Limits, Settings};
use ahoy_media::audio::voice::VoiceSettings;
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::video::Rotation;
use ahoy_signaling::Auth;
use std::time::Duration;

pub fn settings(server: String, credentials: Credentials) -> Settings {
    Settings {
        server,
        credentials,
        device_id: "test".to_owned(),
        insecure_server: false,
        auth: Auth::Header,
        devices: DeviceChoice {
            microphone: DeviceSpec::Tone { hz: 440 },
            speaker: DeviceSpec::Null,
            camera: DeviceSpec::Null,
            screen: DeviceSpec::Null,
            ring: None,
            fall_back: false,
        },
        limits: Limits::default(),
        audio_codecs: SoundCodec::ALL.to_vec(),
        video_codecs: PictureCodec::ALL.to_vec(),
        opus: OpusWish::default(),
        camera_rotation: Rotation::None,
        voice: VoiceSettings::default(),
        ice_servers: Vec::new(),
        relay_only: false,
        loopback: true,
        auto_answer: false,
        stats_interval: Duration::from_secs(1),
    }
}
