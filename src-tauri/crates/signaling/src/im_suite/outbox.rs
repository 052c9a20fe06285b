//! Texts on their way out: what waits for the link, and what must be said again after it broke (§9). Pure.
//!
//! A message counts as delivered once the pong of a later ping came: the server reads in order. An offer or answer also
//! counts as delivered when the other side reacts to it.

use ahoy_call::{CallId, Signal};
use std::collections::VecDeque;

/// Messages kept while there is no link; beyond it candidates go first, then reports, oldest first (§16.18).
const WAITING: usize = 64;
/// Offers, answers and ends whose delivery is uncertain; a call has at most one of each, and there is one call at a time.
const UNCONFIRMED: usize = 8;

/// What a text is, as far as its delivery is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first offer of a call: the server does not know the call without it.
    FirstOffer,
    Reoffer,
    Answer,
    End,
    Candidate,
    /// Each report replaces the one before.
    Report,
    Other,
}

impl Kind {
    pub(super) fn of(signal: &Signal) -> Self {
        match signal {
            Signal::Offer(offer) if offer.negotiation == 0 => Kind::FirstOffer,
            Signal::Offer(_) => Kind::Reoffer,
            Signal::Answer { .. } => Kind::Answer,
            Signal::End { .. } => Kind::End,
            Signal::Candidate { .. } => Kind::Candidate,
            Signal::Report { .. } => Kind::Report,
            Signal::Ringing { .. }
            | Signal::AnsweredElsewhere { .. }
            | Signal::Refused { .. }
            | Signal::Renegotiate { .. } => Kind::Other,
        }
    }

    fn is_repeated(self) -> bool {
        match self {
            Kind::FirstOffer | Kind::Reoffer | Kind::Answer | Kind::End => true,
            Kind::Candidate | Kind::Report | Kind::Other => false,
        }
    }
}

#[derive(Debug, Clone)]
struct Kept {
    kind: Kind,
    call: Option<CallId>,
    text: String,
    /// Pings sent on this link before the text.
    pings_before: u64,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    open: bool,
    /// Drained by the owner after every input, so it holds what one input makes.
    out: VecDeque<String>,
    waiting: VecDeque<Kept>,
    unconfirmed: VecDeque<Kept>,
    pings: u64,
    pongs: u64,
    dropped: u64,
}

impl Outbox {
    /// Sends a text, or keeps it until [`Outbox::open`].
    pub(super) fn push(&mut self, kind: Kind, call: Option<CallId>, text: String) {
        let kept = Kept {
            kind,
            call,
            text,
            pings_before: self.pings,
        };
        if kind == Kind::End && !self.forget_before_end(kept.call.as_ref()) {
            return;
        }
        if self.open {
            self.send(kept);
        } else {
            self.wait(kept);
        }
    }

    /// Sends a heartbeat at once; without a link it would say nothing.
    pub(super) fn ping(&mut self, text: String) {
        self.pings += 1;
        self.out.push_back(text);
    }

    /// The link carries messages: says again what may be lost, then what waited. A server in basic mode would ring twice
    /// for a repeated offer (§13), so there only ends are repeated.
    pub(super) fn open(&mut self, basic_mode: bool) {
        if std::mem::replace(&mut self.open, true) {
            return;
        }
        let repeated = std::mem::take(&mut self.unconfirmed);
        let waiting = std::mem::take(&mut self.waiting);
        let again = repeated
            .into_iter()
            .filter(|kept| !basic_mode || kept.kind == Kind::End);
        for mut kept in again.chain(waiting) {
            kept.pings_before = self.pings;
            self.send(kept);
        }
    }

    /// The link is gone.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.out.clear();
        self.pings = 0;
        self.pongs = 0;
        for kept in &mut self.unconfirmed {
            kept.pings_before = 0;
        }
    }

    /// A pong came: everything sent before its ping has arrived.
    pub(super) fn pong(&mut self) {
        self.pongs = self.pings.min(self.pongs + 1);
        let pongs = self.pongs;
        self.unconfirmed.retain(|kept| kept.pings_before >= pongs);
    }

    /// A message about a call came, which proves that an earlier one arrived.
    pub(super) fn heard(&mut self, signal: &Signal) {
        let Some(call) = signal.call() else { return };
        let proven: &[Kind] = match signal {
            Signal::Ringing { .. } => &[Kind::FirstOffer],
            Signal::Answer { .. } => &[Kind::FirstOffer, Kind::Reoffer],
            Signal::Report { .. } => &[Kind::FirstOffer, Kind::Answer],
            Signal::End { .. } | Signal::Refused { .. } | Signal::AnsweredElsewhere { .. } => {
                &[Kind::FirstOffer, Kind::Reoffer, Kind::Answer, Kind::End]
            }
            Signal::Offer(_) | Signal::Candidate { .. } | Signal::Renegotiate { .. } => &[],
        };
        self.unconfirmed
            .retain(|kept| kept.call.as_ref() != Some(call) || !proven.contains(&kept.kind));
    }

    pub(super) fn poll(&mut self) -> Option<String> {
        self.out.pop_front()
    }

    /// Takes the number of messages dropped since the last call of this.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn send(&mut self, kept: Kept) {
        self.out.push_back(kept.text.clone());
        if kept.kind.is_repeated() {
            let same = |other: &Kept| other.kind == kept.kind && other.call == kept.call;
            self.unconfirmed.retain(|other| !same(other));
            if self.unconfirmed.len() == UNCONFIRMED {
                self.unconfirmed.pop_front();
            }
            self.unconfirmed.push_back(kept);
        }
    }

    fn wait(&mut self, kept: Kept) {
        if kept.kind == Kind::Report {
            self.waiting
                .retain(|other| other.kind != Kind::Report || other.call != kept.call);
        }
        if self.waiting.len() == WAITING {
            let oldest = |kind| self.waiting.iter().position(|other: &Kept| other.kind == kind);
            let victim = oldest(Kind::Candidate)
                .or_else(|| oldest(Kind::Report))
                .unwrap_or(0);
            self.waiting.remove(victim);
            self.dropped += 1;
        }
        self.waiting.push_back(kept);
    }

    /// Drops what an end makes pointless; `false` if the server never heard of the call, so that the end is too.
    fn forget_before_end(&mut self, call: Option<&CallId>) -> bool {
        let about = |kept: &Kept| kept.call.as_ref() == call;
        let offered = |kept: &Kept| about(kept) && kept.kind == Kind::FirstOffer;
        let never_sent = self.waiting.iter().any(offered) && !self.unconfirmed.iter().any(offered);
        self.waiting.retain(|kept| !about(kept));
        self.unconfirmed.retain(|kept| !about(kept));
        !never_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Option<CallId> {
        CallId::new(name).ok()
    }

    fn drain(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.poll()).collect()
    }

    fn reopened(outbox: &mut Outbox, basic_mode: bool) -> Vec<String> {
        outbox.close();
        outbox.open(basic_mode);
        drain(outbox)
    }

    #[test]
    fn what_waits_for_the_link_goes_out_in_order() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::FirstOffer, call("a"), "offer".to_owned());
        outbox.push(Kind::Candidate, call("a"), "ice".to_owned());
        assert!(drain(&mut outbox).is_empty());
        outbox.open(false);
        assert_eq!(drain(&mut outbox), ["offer", "ice"]);
    }

    #[test]
    fn candidates_then_reports_make_room_and_an_answer_stays() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Answer, call("a"), "answer".to_owned());
        outbox.push(Kind::Report, call("a"), "old report".to_owned());
        outbox.push(Kind::Report, call("a"), "report".to_owned());
        for n in 0..100 {
            outbox.push(Kind::Candidate, call("a"), format!("ice {n}"));
        }
        for n in 0..62 {
            outbox.push(Kind::Other, call("a"), format!("other {n}"));
        }
        outbox.push(Kind::Other, call("a"), "last".to_owned());
        outbox.open(false);
        let sent = drain(&mut outbox);
        assert_eq!(sent.len(), WAITING);
        assert_eq!((sent[0].as_str(), sent[1].as_str()), ("answer", "other 0"));
        assert_eq!(outbox.take_dropped(), 101);
        assert_eq!(outbox.take_dropped(), 0);
    }

    #[test]
    fn an_answer_is_repeated_until_a_later_ping_was_answered() {
        let mut outbox = Outbox::default();
        outbox.open(false);
        outbox.ping("ping".to_owned());
        outbox.push(Kind::Answer, call("a"), "answer".to_owned());
        outbox.pong();
        drain(&mut outbox);
        assert_eq!(
            reopened(&mut outbox, false),
            ["answer"],
            "the answered ping was older than the answer"
        );
        outbox.ping("ping".to_owned());
        outbox.pong();
        drain(&mut outbox);
        assert!(reopened(&mut outbox, false).is_empty());
    }

    #[test]
    fn a_pong_nobody_asked_for_proves_nothing() {
        let mut outbox = Outbox::default();
        outbox.open(false);
        outbox.pong();
        outbox.push(Kind::Answer, call("a"), "answer".to_owned());
        outbox.pong();
        drain(&mut outbox);
        assert_eq!(reopened(&mut outbox, false), ["answer"]);
    }

    #[test]
    fn reactions_prove_delivery() {
        let mut outbox = Outbox::default();
        outbox.open(false);
        outbox.push(Kind::FirstOffer, call("a"), "offer".to_owned());
        drain(&mut outbox);
        let ringing = |name| Signal::Ringing {
            call: CallId::new(name).expect("id"),
        };
        outbox.heard(&ringing("b"));
        assert_eq!(reopened(&mut outbox, false), ["offer"]);
        outbox.heard(&ringing("a"));
        assert!(reopened(&mut outbox, false).is_empty());
    }

    #[test]
    fn in_basic_mode_only_ends_are_repeated() {
        let mut outbox = Outbox::default();
        outbox.open(true);
        outbox.push(Kind::FirstOffer, call("a"), "offer".to_owned());
        outbox.push(Kind::End, call("b"), "end".to_owned());
        drain(&mut outbox);
        assert_eq!(reopened(&mut outbox, true), ["end"]);
    }

    #[test]
    fn a_call_given_up_before_it_was_offered_is_never_mentioned() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::FirstOffer, call("a"), "offer".to_owned());
        outbox.push(Kind::End, call("a"), "end".to_owned());
        outbox.open(false);
        assert!(drain(&mut outbox).is_empty());
    }

    #[test]
    fn an_end_replaces_what_may_have_been_lost() {
        let mut outbox = Outbox::default();
        outbox.open(false);
        outbox.push(Kind::FirstOffer, call("a"), "offer".to_owned());
        drain(&mut outbox);
        outbox.close();
        outbox.push(Kind::End, call("a"), "end".to_owned());
        outbox.open(false);
        assert_eq!(drain(&mut outbox), ["end"]);
    }
}
