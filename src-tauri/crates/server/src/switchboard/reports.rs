//! `call.status` in an active call: at most one a second reaches the peer (IM-Suite §4.5, §16.13).

use super::call::{Active, Context, Role};
use super::message::{Kind, with_media_of};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two reports of one side (IM-Suite §4.5).
const INTERVAL: Duration = Duration::from_secs(1);

/// The reports of one side on their way to the other.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reports {
    sent_at: Option<Duration>,
    /// The newest report that came too early.
    waiting: Option<String>,
}

impl Reports {
    fn due(&self) -> Option<Duration> {
        self.waiting.as_ref()?;
        Some(self.sent_at? + INTERVAL)
    }

    /// Takes a report; gives it back if it may go on at once.
    fn push(&mut self, now: Duration, report: String) -> Option<String> {
        let report = match self.waiting.take() {
            Some(older) => with_media_of(&older, report),
            None => report,
        };
        if self.sent_at.is_some_and(|at| now < at + INTERVAL) {
            self.waiting = Some(report);
            return None;
        }
        self.sent_at = Some(now);
        Some(report)
    }

    fn take_due(&mut self, now: Duration) -> Option<String> {
        if self.due()? > now {
            return None;
        }
        self.sent_at = Some(now);
        self.waiting.take()
    }
}

impl Active {
    /// Relays a report of one side, at once or later.
    pub(super) fn report(&mut self, ctx: &mut Context<'_>, role: Role, report: String) {
        if let Some(report) = self.leg_mut(role).reports.push(ctx.now.at, report) {
            ctx.devices
                .send(&self.leg(role.other()).device, Kind::Status, report);
        }
    }

    pub(super) fn next_report(&self) -> Option<Duration> {
        [self.caller.reports.due(), self.callee.reports.due()]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn send_due_reports(&mut self, ctx: &mut Context<'_>) {
        for role in [Role::Caller, Role::Callee] {
            if let Some(report) = self.leg_mut(role).reports.take_due(ctx.now.at) {
                ctx.devices
                    .send(&self.leg(role.other()).device, Kind::Status, report);
            }
        }
    }
}
