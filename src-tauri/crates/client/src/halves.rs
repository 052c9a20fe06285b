//! The actor's dealings with a two-way call with a media server: two calls of the protocol that are one to the user.
//! What they are together is decided in [`crate::two_way`].

use crate::actor::Actor;
use crate::attention::{MICROPHONE_SILENT, TALKING_MUTED};
use crate::calls::random_bytes;
use crate::snapshot::CommandRefused;
use crate::streams::{STREAM_SILENT, STREAM_WITHOUT_SOUND};
use crate::two_way::{Half, Outcome, TwoWay, Waiting};
use ahoy_call::{CallEnd, CallId, Command as CallCommand, Party, StreamCall};
use std::time::Instant;

impl Actor {
    pub(crate) fn place_two_way(
        &mut self,
        to: Party,
        video: bool,
        push: StreamCall,
        play: StreamCall,
    ) -> Result<(), CommandRefused> {
        self.place_call(to.clone(), video, Some(Box::new(push.clone())))?;
        let pushing = self.call_snapshot().ok_or(CommandRefused::NoCall)?.call;
        let playing = CallId::from_random(random_bytes());
        let beside = CallCommand::PlaceBeside {
            call: playing.clone(),
            hide_addresses: !self.people.is_contact(&to),
            to,
            video,
            constraints: self.constraints(video),
            stream: Box::new(play.clone()),
        };
        let endpoint = self.endpoint.as_mut().ok_or(CommandRefused::NotSignedIn)?;
        endpoint.handle_command(Instant::now(), beside)?;
        self.two_way = Some(TwoWay::new(pushing, playing, push, play));
        Ok(())
    }

    /// Tells the call that the own microphone and camera go through.
    pub(crate) fn command_sending(
        &mut self,
        command: impl FnOnce(CallId) -> CallCommand,
    ) -> Result<(), CommandRefused> {
        let endpoint = self.endpoint.as_mut().ok_or(CommandRefused::NoCall)?;
        let sending = endpoint.snapshots().find(|half| half.way.sends());
        let call = sending
            .or_else(|| endpoint.snapshot())
            .ok_or(CommandRefused::NoCall)?;
        Ok(endpoint.handle_command(Instant::now(), command(call.call))?)
    }

    /// Takes the end of a call of the protocol; `None` = the other half of the user's call goes on.
    pub(crate) fn end_half(&mut self, call: &CallId, end: CallEnd) -> Option<CallEnd> {
        let other_lives = self.legs.iter().any(|live| live.call != *call);
        let Some(two_way) = &mut self.two_way else {
            return Some(end);
        };
        let half = two_way.half(call)?;
        let lost = match two_way.handle_end(Instant::now(), half, end, other_lives) {
            Outcome::Over(end) => return Some(end),
            Outcome::GoesOn(lost) => lost,
        };
        let stream = name(two_way.stream(half));
        self.legs.remove(call);
        let said_of_it = match half {
            Half::Push => [TALKING_MUTED, MICROPHONE_SILENT],
            Half::Play => [STREAM_SILENT, STREAM_WITHOUT_SOUND],
        };
        for code in said_of_it {
            self.dismiss(code);
        }
        if let Some(lost) = lost {
            tracing::info!(%call, %lost, "one half of the call is over");
            self.notice(half.ended(), format!("{lost} ({stream})"));
        }
        None
    }

    /// Says which half is not there yet while the other is up, and takes it back.
    pub(crate) fn say_what_is_waited_for(&mut self) {
        let (Some(two_way), Some(endpoint)) = (&mut self.two_way, &self.endpoint) else {
            return;
        };
        let state = |wanted| {
            let mut halves = endpoint.snapshots();
            let half = halves.find(|half| two_way.half(&half.call) == Some(wanted));
            half.map(|half| half.state)
        };
        let (push, play) = (state(Half::Push), state(Half::Play));
        match two_way.handle_states(Instant::now(), push, play) {
            Some(Waiting::Show(half)) => {
                let stream = name(two_way.stream(half));
                self.notice(half.pending(), format!("no answer yet for {stream}"));
            }
            Some(Waiting::Hide(half)) => self.dismiss(half.pending()),
            None => {}
        }
    }
}

fn name(stream: &StreamCall) -> String {
    format!("{}/{}", stream.app, stream.stream)
}
