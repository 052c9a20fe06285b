//! Where a `call.*` message goes: the checks of IM-Suite §3 in their order.

use super::call::Role;
use super::devices::DeviceKey;
use super::message::{self, Kind, Message, Reference};
use super::refusal::{Code, Refusal};
use super::{ConnId, Moment, Switchboard, validate};
use ahoy_call::{CallId, UserId};

impl Switchboard {
    pub(super) fn route(&mut self, now: Moment, sender: &DeviceKey, message: Message) -> Result<(), Refusal> {
        let known = self.known_call(sender, message.call_id());
        if known.is_none() && message.kind == Kind::Offer {
            return self.take_first_offer(now, sender, message);
        }
        let to = self.check(sender, &message)?;
        let Some((id, role)) = known else {
            // Unknown, ended and foreign calls look alike.
            return match message.kind {
                Kind::Answer | Kind::Renegotiate => Err(Code::UnknownCall.into()),
                Kind::Offer | Kind::Ice | Kind::End | Kind::Status | Kind::Error | Kind::Other => Ok(()),
            };
        };
        let peer = self.calls.live(&id).map(|call| call.user(role.other()));
        if to.is_some_and(|to| Some(to) != peer) {
            return Err(Code::ToUserMismatch.into());
        }
        match self.change_call(now, &id, |call, ctx| {
            call.handle_message(ctx, sender, role, message)
        }) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// The checks that do not depend on a call; gives the addressee, if the message names one.
    pub(super) fn check(&self, sender: &DeviceKey, message: &Message) -> Result<Option<UserId>, Refusal> {
        if message.is_too_large() {
            return Err(Code::TooLarge.into());
        }
        validate::message(message)?;
        let own = sender.user.as_u64();
        if message.user("from_user").is_some_and(|from| from != own) {
            return Err(Code::FromUserMismatch.into());
        }
        match message.user("to_user") {
            None => Ok(None),
            Some(to) if to == own => Err(Code::SelfCall.into()),
            Some(to) => match UserId::new(to).ok().filter(|user| self.people.contains(*user)) {
                None => Err(Code::UserNotFound.into()),
                Some(user) => Ok(Some(user)),
            },
        }
    }

    /// A live call that the sender takes part in.
    fn known_call(&self, sender: &DeviceKey, id: Option<CallId>) -> Option<(CallId, Role)> {
        let id = id?;
        let role = self.calls.live(&id)?.role(sender.user)?;
        Some((id, role))
    }

    pub(super) fn refuse(
        &mut self,
        now: Moment,
        conn: ConnId,
        sender: &DeviceKey,
        (kind, about): (Kind, &Reference),
        refusal: &Refusal,
    ) {
        // A message of a later version is for the peer or for nobody (IM-Suite §16.10).
        if kind == Kind::Other {
            return;
        }
        let known = self.known_call(sender, about.call.clone());
        let peer = known.and_then(|(id, role)| Some(self.calls.live(&id)?.user(role.other())));
        let is_first_offer = kind == Kind::Offer && peer.is_none();
        let fatal =
            refusal.code == Code::AnsweredElsewhere || (is_first_offer && refusal.code.refuses_call());
        tracing::debug!(user = %sender.user, code = refusal.code.as_str(), "message refused");
        self.devices.write(
            conn,
            message::error(now, sender.user, peer, Some(about), refusal, fatal),
        );
    }
}
