//! Invitations on their way to a call: shown, accepted or not, and placed once the server is there.

use super::{Session, SignIn, State, problem};
use crate::invitation::Invitation;
use crate::view_model::{InvitationView, ProblemView};
use ahoy_call::Party;
use ahoy_client::{Command, Credentials};
use std::time::{Duration, Instant};

/// A person who waits longer than this for the server no longer expects that a call begins by itself (chosen).
const PATIENCE: Duration = Duration::from_secs(60);

/// What the person is asked.
pub(super) enum Asked {
    Invitation(Invitation),
    /// The system handed over a link that is none.
    Unreadable(ProblemView),
}

/// A call that begins as soon as the server is there.
pub(super) struct Pending {
    invitation: Invitation,
    video: bool,
    until: Instant,
}

impl Asked {
    /// A link that the system handed over: whatever is wrong with it is shown where the question would be.
    pub(super) fn of_link(text: &str) -> Self {
        match read(text) {
            Ok(invitation) => Asked::Invitation(invitation),
            Err(problem) => Asked::Unreadable(problem),
        }
    }

    pub(super) fn view(&self) -> InvitationView {
        match self {
            Asked::Invitation(invitation) => InvitationView {
                server: invitation.server().to_owned(),
                host: invitation.host(),
                room: invitation.room().to_string(),
                encrypted: invitation.is_encrypted(),
                problem: None,
            },
            Asked::Unreadable(problem) => InvitationView {
                server: String::new(),
                host: String::new(),
                room: String::new(),
                encrypted: false,
                problem: Some(problem.clone()),
            },
        }
    }
}

fn read(text: &str) -> Result<Invitation, ProblemView> {
    Invitation::parse(text).map_err(|error| problem(error.code(), &error.to_string()))
}

impl Pending {
    pub(super) fn leads_to(&self, server: &str) -> bool {
        self.invitation.leads_to(server)
    }
}

impl Session {
    /// Asks the person about a link that was pasted; nothing else happens yet.
    pub(super) fn ask(&mut self, text: &str) -> Result<(), ProblemView> {
        self.asked = Some(Asked::Invitation(read(text)?));
        Ok(())
    }

    /// Calls the room of the invitation that the person has seen: at once, or after a sign-in on its server.
    pub(super) async fn accept_invitation(&mut self, video: bool) -> Result<(), ProblemView> {
        if self.state.has_call() {
            return Err(problem("already_in_call", "there is a call already"));
        }
        let Some(Asked::Invitation(invitation)) = self.asked.take() else {
            return Err(problem("invitation_gone", "there is no invitation to accept"));
        };
        let there = match &self.state {
            State::SignedIn(signed_in) => invitation.leads_to(&signed_in.snapshots.borrow().server.url),
            State::SignedOut { .. } => false,
        };
        let server = invitation.server().to_owned();
        self.pending = Some(Pending {
            invitation,
            video,
            until: Instant::now() + PATIENCE,
        });
        if !there {
            self.leave().await;
            // A stranger's link does not become the server of the next start, and learns no name of this person.
            let credentials = Credentials::Room {
                room: None,
                secret: None,
            };
            self.enter(SignIn::with(server, credentials), None);
        }
        self.place_pending().await
    }

    /// Places the call of an accepted invitation once its server is there.
    pub(super) async fn place_pending(&mut self) -> Result<(), ProblemView> {
        let State::SignedIn(signed_in) = &self.state else {
            return Ok(());
        };
        let (url, ready) = {
            let snapshot = signed_in.snapshots.borrow();
            (
                snapshot.server.url.clone(),
                snapshot.server.phase == ahoy_client::Phase::Ready,
            )
        };
        let Some(pending) = self
            .pending
            .take_if(|pending| ready || pending.until <= Instant::now())
        else {
            return Ok(());
        };
        if pending.until <= Instant::now() || !pending.invitation.leads_to(&url) {
            tracing::info!("an invitation is too old, or for another server");
            return Ok(());
        }
        self.tell_client(Command::PlaceCall {
            to: Party::Room(pending.invitation.room().clone()),
            video: pending.video,
            stream: None,
        })
        .await
    }
}
