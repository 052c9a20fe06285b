//! Which sound belongs to which moment of a call, and where it is played.

use crate::actor::Actor;
use crate::ringer::Ringer;
use crate::snapshot::EndedCall;
use ahoy_call::EndCause;
use ahoy_media::sounds::Sound;

impl Actor {
    /// Starts a sound that lasts until the ringer is dropped; `None` where nothing is to be heard.
    pub(crate) fn ringer(&self, sound: Sound) -> Option<Ringer> {
        let speaker = self.settings.devices.ring.clone()?;
        Some(Ringer::start(self.devices.clone(), speaker, sound))
    }

    /// Plays a short sound to its end.
    pub(crate) fn play_out(&self, sound: Sound) {
        if let Some(speaker) = self.settings.devices.ring.clone() {
            Ringer::play_out(self.devices.clone(), speaker, sound);
        }
    }
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
