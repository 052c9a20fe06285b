//! The calls of one room, as far as messages about them need: who made them, what has to be answered, what came last.

use super::CALL;
use super::sdp::IceCredentials;
use crate::zlm::wire::{Message, Stream, Tour};
use ahoy_call::{CallId, EndDetail, EndReason};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Calls remembered. One is live; the others may still get a bye of the server, which forgets nothing. When full, the
/// oldest that is over is forgotten; if none is, no further call is taken.
const CAPACITY: usize = 32;
/// Between two attempts to tell the server of a call that goes on; the other side may still be away.
const RESUME_RETRY: Duration = Duration::from_millis(2500);
/// How long that is tried: until the server has dropped the connection that the other side lost.
const RESUME_LIMIT: Duration = Duration::from_secs(40);

#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<Call>);

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) tour: Tour,
    pub(super) stream: Stream,
    pub(super) kind: String,
    pub(super) outgoing: bool,
    /// The other side is Ahoy.
    pub(super) ours: bool,
    pub(super) answered: bool,
    /// How it ended.
    pub(super) over: Option<(EndReason, Option<EndDetail>)>,
    /// Caller: what the other side has not answered yet.
    pub(super) asked: Option<Asked>,
    /// Callee: the latest request, which accept and reject name.
    pub(super) request: Option<String>,
    /// This side's own, told with each candidate.
    pub(super) credentials: Option<IceCredentials>,
    pub(super) last_offer: String,
    pub(super) last_answer: String,
    /// The number of the last offer.
    pub(super) negotiation: u32,
    pub(super) resume: Option<Resume>,
    /// The end of a call whose way the server does not know: said when it does.
    pub(super) farewell: Option<Message>,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) transaction: String,
    pub(super) until: Instant,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Offer,
    Resume,
}

/// The server has forgotten the way of a call that goes on.
#[derive(Debug)]
pub(super) struct Resume {
    pub(super) next: Instant,
    until: Instant,
}

impl Call {
    pub(super) fn new(id: CallId, tour: Tour, stream: Stream, kind: String, outgoing: bool) -> Self {
        Self {
            id,
            tour,
            stream,
            kind,
            outgoing,
            ours: false,
            answered: false,
            over: None,
            asked: None,
            request: None,
            credentials: None,
            last_offer: String::new(),
            last_answer: String::new(),
            negotiation: 0,
            resume: None,
            farewell: None,
        }
    }

    pub(super) fn end(&mut self, reason: EndReason, detail: Option<EndDetail>) {
        self.over = Some((reason, detail));
        self.asked = None;
        self.resume = None;
        self.farewell = None;
    }

    /// Ends a call of which the server is still to be shown the way: it would drop `farewell` now.
    pub(super) fn end_later(&mut self, reason: EndReason, detail: Option<EndDetail>, farewell: Message) {
        self.over = Some((reason, detail));
        self.farewell = Some(farewell);
    }

    pub(super) fn ask(&mut self, now: Instant, transaction: String, what: What) {
        self.asked = Some(Asked {
            transaction,
            until: now + CALL,
            what,
        });
    }

    /// Takes what a transaction answers; `None` when it answers nothing that is still open.
    pub(super) fn take_asked(&mut self, transaction: &str) -> Option<What> {
        let asked = self.asked.take_if(|asked| asked.transaction == transaction)?;
        Some(asked.what)
    }

    /// The server does not know the way any more: only the caller can show it.
    pub(super) fn lose_way(&mut self, now: Instant) {
        if self.outgoing && self.resume.is_none() {
            self.resume = Some(Resume {
                next: now,
                until: now + RESUME_LIMIT,
            });
        }
    }

    fn goes_on(&self) -> bool {
        self.answered && self.over.is_none()
    }
}

impl Calls {
    pub(super) fn by_id(&mut self, call: &CallId) -> Option<&mut Call> {
        self.0.iter_mut().find(|known| known.id == *call)
    }

    /// The call that a message of somebody else names.
    pub(super) fn by_tour(&mut self, tour: &Tour) -> Option<&mut Call> {
        self.0.iter_mut().find(|known| known.tour == *tour)
    }

    /// The call whose open request a rejection answers.
    pub(super) fn by_transaction(&mut self, transaction: &str) -> Option<&mut Call> {
        let asked = |call: &Call| {
            call.asked
                .as_ref()
                .is_some_and(|asked| asked.transaction == transaction)
        };
        self.0.iter_mut().find(|call| asked(call))
    }

    /// Remembers a call; `None` when there is no room, or when its name is that of another.
    pub(super) fn add(&mut self, call: Call) -> Option<&mut Call> {
        if self.0.iter().any(|known| known.id == call.id) {
            return None;
        }
        if self.0.len() == CAPACITY {
            let oldest = self.0.iter().position(|known| known.over.is_some())?;
            self.0.remove(oldest);
        }
        self.0.push_back(call);
        self.0.back_mut()
    }

    /// Ends the calls that nobody answered and returns them.
    pub(super) fn take_unanswered(&mut self) -> Vec<CallId> {
        let unanswered = self
            .0
            .iter_mut()
            .filter(|call| !call.answered && call.over.is_none());
        unanswered
            .map(|call| {
                call.end(EndReason::NetworkError, Some(EndDetail::SignalingLost));
                call.id.clone()
            })
            .collect()
    }

    /// The calls whose request has been open for too long: the first one of a call, or a later one that is given up.
    pub(super) fn take_timed_out(&mut self, now: Instant) -> Vec<CallId> {
        let mut ended = Vec::new();
        for call in &mut self.0 {
            if call.asked.take_if(|asked| asked.until <= now).is_some() && !call.answered {
                ended.push(call.id.clone());
            }
        }
        ended
    }

    /// Shows the server again all calls that this side made and that go on.
    pub(super) fn resume_all(&mut self, now: Instant) {
        let to_show = |call: &&mut Call| call.ours && (call.goes_on() || call.farewell.is_some());
        for call in self.0.iter_mut().filter(to_show) {
            call.resume = None;
            call.lose_way(now);
        }
    }

    /// The calls to be shown now, each with its next time set.
    pub(super) fn take_resumes(&mut self, now: Instant) -> Vec<CallId> {
        let mut due = Vec::new();
        for call in &mut self.0 {
            if call.resume.take_if(|resume| resume.until <= now).is_some() {
                call.farewell = None;
                tracing::debug!(call = %call.id, "the other side does not come back to the server");
            }
            if let Some(resume) = &mut call.resume
                && resume.next <= now
            {
                resume.next = now + RESUME_RETRY;
                due.push(call.id.clone());
            }
        }
        due
    }

    pub(super) fn next_timeout(&self, is_ready: bool) -> Option<Instant> {
        let asked = self.0.iter().filter_map(|call| Some(call.asked.as_ref()?.until));
        let resumes = self.0.iter().filter_map(|call| Some(call.resume.as_ref()?.next));
        asked.chain(resumes.filter(|_| is_ready)).min()
    }
}
