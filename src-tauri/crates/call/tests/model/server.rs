//! A signaling server for two users of one device each: the server table of IM-Suite §10, or in basic mode a relay
//! that knows nothing.

use ahoy_call::*;
use std::time::{Duration, Instant};

const RING: Duration = Duration::from_secs(30);
const CALLER_LOST: Duration = Duration::from_secs(10);

/// A signal to one of the users.
pub struct Delivery {
    pub to: usize,
    pub signal: Signal,
}

pub struct Server {
    basic: bool,
    calls: Vec<ServerCall>,
}

struct ServerCall {
    id: CallId,
    caller: usize,
    offer: Box<Offer>,
    state: ServerState,
}

enum ServerState {
    Ringing {
        until: Instant,
        caller_lost_at: Option<Instant>,
        told_ringing: bool,
    },
    Active {
        /// Whose re-offer is unanswered, and its number.
        pending: Option<(usize, u32)>,
        /// What a side that is away gets when it is back.
        kept: [Vec<Signal>; 2],
    },
    Ended,
}

impl Server {
    pub fn new(basic: bool) -> Self {
        Self {
            basic,
            calls: Vec::new(),
        }
    }

    /// What `welcome.calls` lists.
    pub fn listed(&self) -> Vec<ListedCall> {
        let live = |call: &&ServerCall| !matches!(call.state, ServerState::Ended);
        let listed = |call: &ServerCall| ListedCall {
            call: call.id.clone(),
            bound_here: matches!(call.state, ServerState::Active { .. }),
        };
        self.calls.iter().filter(live).map(listed).collect()
    }

    /// A restart: calls are not kept (IM-Suite §16.19).
    pub fn forget_everything(&mut self) {
        self.calls.clear();
    }

    pub fn handle(&mut self, now: Instant, from: usize, signal: Signal, online: [bool; 2]) -> Vec<Delivery> {
        let to = 1 - from;
        let forward = |signal| vec![Delivery { to, signal }];
        if self.basic {
            return match &signal {
                Signal::Offer(offer) if !online[to] => {
                    refuse(from, &offer.call, RefusalCode::UserOffline, None)
                }
                _ => forward(signal),
            };
        }
        if let Signal::Offer(offer) = signal {
            return self.offer(now, from, offer, online);
        }
        let call = self.calls.iter_mut().find(|call| signal.call() == Some(&call.id));
        let Some(call) = call else {
            return unknown(from, &signal);
        };
        match &mut call.state {
            ServerState::Ringing { told_ringing, .. } => match signal {
                Signal::Ringing { .. } if from != call.caller && !*told_ringing => {
                    *told_ringing = true;
                    forward(signal)
                }
                Signal::Answer { .. } if from != call.caller => {
                    call.state = ServerState::Active {
                        pending: None,
                        kept: [Vec::new(), Vec::new()],
                    };
                    forward(signal)
                }
                Signal::Candidate { .. } if from == call.caller => forward(signal),
                Signal::End {
                    call: id,
                    reason,
                    detail,
                } => {
                    let (reason, detail) = if from == call.caller {
                        (EndReason::UserHangup, Some(EndDetail::Cancelled))
                    } else {
                        match (reason, detail) {
                            (EndReason::UserBusy, detail) => (EndReason::UserBusy, detail),
                            (EndReason::UserRejected, detail @ Some(EndDetail::MediaFailure)) => {
                                (EndReason::UserRejected, detail)
                            }
                            _ => (EndReason::UserRejected, None),
                        }
                    };
                    call.state = ServerState::Ended;
                    forward(Signal::End {
                        call: id,
                        reason,
                        detail,
                    })
                }
                _ => Vec::new(),
            },
            ServerState::Active { pending, kept } => {
                match &signal {
                    Signal::Candidate { .. } => {}
                    Signal::Renegotiate { .. } if from != call.caller => {}
                    Signal::Answer { .. } if pending.is_some_and(|(side, _)| side != from) => *pending = None,
                    Signal::End { .. } => {
                        call.state = ServerState::Ended;
                        return forward(signal);
                    }
                    _ => return Vec::new(),
                }
                if online[to] {
                    return forward(signal);
                }
                kept[to].push(signal);
                Vec::new()
            }
            ServerState::Ended => unknown(from, &signal),
        }
    }

    fn offer(&mut self, now: Instant, from: usize, offer: Box<Offer>, online: [bool; 2]) -> Vec<Delivery> {
        let to = 1 - from;
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == offer.call) {
            return match &mut call.state {
                ServerState::Ringing { .. } => Vec::new(),
                ServerState::Active { .. } if offer.negotiation == 0 => Vec::new(),
                ServerState::Active { pending, kept } => {
                    let mine = *pending == Some((from, offer.negotiation));
                    let crossing = pending.is_some() && !mine;
                    if crossing && (from != call.caller || pending.is_some_and(|(side, _)| side == from)) {
                        return refuse_reoffer(from, &offer.call);
                    }
                    let mut deliveries = if crossing {
                        refuse_reoffer(to, &offer.call)
                    } else {
                        Vec::new()
                    };
                    *pending = Some((from, offer.negotiation));
                    let signal = Signal::Offer(offer);
                    if online[to] {
                        deliveries.push(Delivery { to, signal });
                    } else {
                        kept[to].push(signal);
                    }
                    deliveries
                }
                ServerState::Ended => refuse(from, &offer.call, RefusalCode::DuplicateCallId, None),
            };
        }
        if !online[to] {
            return refuse(from, &offer.call, RefusalCode::UserOffline, None);
        }
        let live = self
            .calls
            .iter()
            .find(|call| !matches!(call.state, ServerState::Ended));
        if let Some(live) = live {
            let ringing = matches!(live.state, ServerState::Ringing { .. });
            if ringing && live.caller == to {
                let winner = Some(live.id.clone());
                return refuse(from, &offer.call, RefusalCode::Glare, winner);
            }
            return refuse(from, &offer.call, RefusalCode::AlreadyInCall, None);
        }
        let signal = Signal::Offer(with_time_left(&offer, RING));
        self.calls.push(ServerCall {
            id: offer.call.clone(),
            caller: from,
            offer,
            state: ServerState::Ringing {
                until: now + RING,
                caller_lost_at: None,
                told_ringing: false,
            },
        });
        vec![Delivery { to, signal }]
    }

    /// A user who returns while he is called gets the offer again (IM-Suite §7).
    pub fn connected(&mut self, now: Instant, user: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for call in &mut self.calls {
            if let ServerState::Active { kept, .. } = &mut call.state {
                let kept = std::mem::take(&mut kept[user]);
                deliveries.extend(kept.into_iter().map(|signal| Delivery { to: user, signal }));
            }
            if let ServerState::Ringing {
                until,
                caller_lost_at,
                ..
            } = &mut call.state
            {
                if call.caller == user {
                    *caller_lost_at = None;
                } else {
                    let signal = Signal::Offer(with_time_left(&call.offer, *until - now));
                    deliveries.push(Delivery { to: user, signal });
                }
            }
        }
        deliveries
    }

    pub fn disconnected(&mut self, now: Instant, user: usize) {
        for call in &mut self.calls {
            if let ServerState::Ringing { caller_lost_at, .. } = &mut call.state
                && call.caller == user
            {
                *caller_lost_at = Some(now);
            }
        }
    }

    pub fn next_timer(&self) -> Option<Instant> {
        self.calls.iter().filter_map(ServerCall::deadline).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for call in &mut self.calls {
            if call.deadline().is_none_or(|at| at > now) {
                continue;
            }
            let caller_lost = matches!(
                call.state,
                ServerState::Ringing { caller_lost_at: Some(at), .. } if at + CALLER_LOST <= now
            );
            let (reason, detail) = if caller_lost {
                (EndReason::NetworkError, EndDetail::SignalingLost)
            } else {
                (EndReason::Timeout, EndDetail::Ring)
            };
            call.state = ServerState::Ended;
            deliveries.extend([0, 1].map(|to| Delivery {
                to,
                signal: Signal::End {
                    call: call.id.clone(),
                    reason,
                    detail: Some(detail.clone()),
                },
            }));
        }
        deliveries
    }
}

impl ServerCall {
    fn deadline(&self) -> Option<Instant> {
        match self.state {
            ServerState::Ringing {
                until,
                caller_lost_at,
                ..
            } => Some(caller_lost_at.map_or(until, |at| until.min(at + CALLER_LOST))),
            ServerState::Active { .. } | ServerState::Ended => None,
        }
    }
}

fn with_time_left(offer: &Offer, left: Duration) -> Box<Offer> {
    Box::new(Offer {
        expires_in: Some(left),
        ..offer.clone()
    })
}

/// Answers are refused, everything else about an unknown call is dropped (IM-Suite §3 rule 5).
fn unknown(from: usize, signal: &Signal) -> Vec<Delivery> {
    match signal {
        Signal::Answer { call, .. } => vec![refusal(from, call, RefusalCode::UnknownCall, false, None)],
        _ => Vec::new(),
    }
}

fn refuse_reoffer(to: usize, call: &CallId) -> Vec<Delivery> {
    vec![refusal(to, call, RefusalCode::RenegotiationPending, false, None)]
}

fn refuse(to: usize, call: &CallId, code: RefusalCode, winner: Option<CallId>) -> Vec<Delivery> {
    vec![refusal(to, call, code, true, winner)]
}

fn refusal(to: usize, call: &CallId, code: RefusalCode, fatal: bool, winner: Option<CallId>) -> Delivery {
    let refusal = Refusal {
        group: RefusalGroup::Signaling,
        code,
        fatal,
        text: String::new(),
        winner,
        retry_after: None,
    };
    Delivery {
        to,
        signal: Signal::Refused {
            call: Some(call.clone()),
            refusal,
        },
    }
}
