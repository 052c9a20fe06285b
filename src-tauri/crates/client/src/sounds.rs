//! Which sound belongs to which moment of a call, and where it is played.

use crate::actor::Actor;
use crate::ringer::{Playing, Ringer};
use crate::settings::DeviceChoice;
use crate::snapshot::EndedCall;
use ahoy_call::EndCause;
use ahoy_media::sounds::Sound;

impl Actor {
    /// Starts a sound that lasts until the ringer is dropped; `None` where nothing is to be heard.
    pub(crate) fn ringer(&self, sound: Sound) -> Option<Ringer> {
        let playing = playing(&self.settings.devices, sound)?;
        Some(Ringer::start(self.devices.clone(), playing, |_| {}))
    }

    /// Plays a short sound to its end.
    pub(crate) fn play_out(&self, sound: Sound) {
        if let Some(playing) = playing(&self.settings.devices, sound) {
            Ringer::play_out(self.devices.clone(), playing);
        }
    }
}

/// An incoming call has a device and a volume of its own; every other sound is heard where the voices are.
fn playing(devices: &DeviceChoice, sound: Sound) -> Option<Playing> {
    let ring = devices.ring.clone()?;
    let (device, volume) = match sound {
        Sound::Ring | Sound::RingTest => (ring.device, ring.volume),
        Sound::SecondCall
        | Sound::Ringback
        | Sound::Answered
        | Sound::Busy
        | Sound::Declined
        | Sound::End
        | Sound::Lost
        | Sound::Reconnecting
        | Sound::Back
        | Sound::SpeakerTest => (devices.speaker.clone(), 1.0),
    };
    Some(Playing {
        sound,
        device,
        volume,
    })
}

/// What the end of a call sounds like; a call that was never taken here ends in silence.
pub(crate) fn sound_of(ended: &EndedCall) -> Option<Sound> {
    match ended.end.cause {
        EndCause::HungUp => Some(Sound::End),
        EndCause::Busy if ended.outgoing => Some(Sound::Busy),
        EndCause::Declined if ended.outgoing => Some(Sound::Declined),
        EndCause::ConnectionLost
        | EndCause::ServerProblem
        | EndCause::MediaFailed
        | EndCause::RateLimited
        | EndCause::CallsUnsupported => Some(Sound::Lost),
        EndCause::NoAnswer
        | EndCause::NotReachable
        | EndCause::NotPermitted
        | EndCause::StreamNotFound
        | EndCause::StreamTaken
        | EndCause::IncompatibleOffer => Some(Sound::End),
        EndCause::Busy
        | EndCause::Declined
        | EndCause::Cancelled
        | EndCause::Missed
        | EndCause::AnsweredElsewhere
        | EndCause::Glare => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RingChoice;
    use ahoy_media::spec::DeviceSpec;

    fn devices(ring: Option<RingChoice>) -> DeviceChoice {
        DeviceChoice {
            microphone: DeviceSpec::Null,
            speaker: DeviceSpec::Speaker("headset".into()),
            camera: DeviceSpec::Null,
            screen: DeviceSpec::Null,
            ring,
            fall_back: true,
        }
    }

    #[test]
    fn only_an_incoming_call_is_heard_on_the_ring_device_at_its_volume() {
        let ring = RingChoice {
            device: DeviceSpec::Speaker("desk".into()),
            volume: 0.25,
        };
        let devices = devices(Some(ring));
        let heard =
            |sound| playing(&devices, sound).map(|playing| (playing.device.to_string(), playing.volume));
        assert_eq!(heard(Sound::Ring), Some(("speaker:desk".into(), 0.25)));
        for sound in [Sound::Ringback, Sound::Answered, Sound::End, Sound::Reconnecting] {
            assert_eq!(heard(sound), Some(("speaker:headset".into(), 1.0)), "{sound:?}");
        }
    }

    #[test]
    fn who_rings_nowhere_hears_no_sign_at_all() {
        assert_eq!(playing(&devices(None), Sound::Ring), None);
        assert_eq!(playing(&devices(None), Sound::End), None);
    }
}
