//! What wire messages mean: `call.*` to neutral signals and back (§4, §6, §8). Pure.

pub(super) mod constraints;
mod refusal;
pub(super) mod report;

use super::wire::{
    CallAnswer, CallEnd, CallIce, CallOffer, CallRenegotiate, CallType, Candidate, Map, Message, Sdp,
    SdpType, WireError,
};
use ahoy_call::{EndDetail, EndReason, Offer, Party, Refusal, Signal, UserId};
use jiff::Timestamp;
use std::time::Duration;

/// The most candidates taken from one offer or answer (§4.1).
pub const MAX_CANDIDATES: usize = 64;

/// Who speaks to whom, when, and what the server understands.
#[derive(Debug, Clone)]
pub struct Context {
    pub me: UserId,
    /// The other side of the call, as far as known.
    pub peer: Option<UserId>,
    pub wall: Timestamp,
    /// The peer and the server know `negotiation` (§13).
    pub negotiation: bool,
    /// From answer to end, for `call.end`.
    pub talked: Duration,
}

/// The meaning of a `call.*` message for `me`; `None` for other messages and for words this version does not know.
pub fn signal_of(message: Message, me: Option<UserId>) -> Result<Option<Signal>, WireError> {
    let signal = match message {
        Message::Offer(offer) => Signal::Offer(Box::new(offer_of(offer, me)?)),
        Message::Answer(answer) => Signal::Answer {
            call: answer.call_id,
            sdp: with_final_line_end(answer.sdp.sdp),
            candidates: candidates_of(answer.ice_candidates),
            constraints: answer.constraints.as_ref().map(constraints::read),
            negotiation: answer.negotiation,
        },
        Message::Ice(ice) => Signal::Candidate {
            call: ice.call_id,
            // An empty line ends the candidates, as null does (§4.3).
            candidate: ice
                .ice_candidate
                .filter(|c| !c.candidate.is_empty())
                .map(candidate_of),
        },
        Message::End(end) => Signal::End {
            call: end.call_id,
            reason: EndReason::from_word(&end.reason),
            detail: end.detail.as_deref().map(EndDetail::from_word),
        },
        Message::Status(status) => return Ok(report::read(status)),
        Message::Error(error) => Signal::Refused {
            call: error.call_id.clone(),
            refusal: refusal::read(error),
        },
        Message::Renegotiate(wish) => Signal::Renegotiate {
            call: wish.call_id,
            ice_restart: wish.reason == "ice_restart" || wish.reason == "network",
            video: wish.call_type.map(|kind| kind == CallType::Video),
        },
        Message::Welcome(_)
        | Message::Presence(_)
        | Message::Ping
        | Message::Pong
        | Message::Other { .. } => {
            return Ok(None);
        }
    };
    Ok(Some(signal))
}

/// The message that carries a signal; `None` for what only servers say.
pub fn message_of(signal: Signal, context: &Context) -> Option<Message> {
    let from_user = Some(context.me);
    let to_user = context.peer;
    let wall = || Some(rfc3339(context.wall));
    let extra = Map::new();
    let message = match signal {
        Signal::Offer(offer) => Message::Offer(CallOffer {
            call_id: offer.call,
            from_user,
            to_user,
            call_type: call_type(offer.video),
            sdp: Sdp {
                kind: SdpType::Offer,
                sdp: offer.sdp,
                extra: Map::new(),
            },
            ice_candidates: Some(offer.candidates.into_iter().map(wire_candidate).collect()),
            constraints: Some(constraints::write(&offer.constraints)),
            created_at: wall(),
            negotiation: context.negotiation.then_some(offer.negotiation),
            expires_in: None,
            caller: None,
            extra,
        }),
        Signal::Answer {
            call,
            sdp,
            candidates,
            constraints,
            negotiation,
        } => Message::Answer(CallAnswer {
            call_id: call,
            from_user,
            to_user,
            sdp: Sdp {
                kind: SdpType::Answer,
                sdp,
                extra: Map::new(),
            },
            ice_candidates: Some(candidates.into_iter().map(wire_candidate).collect()),
            constraints: constraints.as_ref().map(constraints::write),
            answered_at: wall(),
            negotiation: negotiation.filter(|_| context.negotiation),
            extra,
        }),
        Signal::Candidate { call, candidate } => Message::Ice(CallIce {
            call_id: call,
            from_user,
            to_user,
            ice_candidate: candidate.map(wire_candidate),
            extra,
        }),
        Signal::End { call, reason, detail } => Message::End(CallEnd {
            call_id: call,
            from_user,
            to_user,
            reason: reason.as_str().to_owned(),
            duration: Some(context.talked.as_secs()),
            ended_at: wall(),
            detail: detail.map(|detail| detail.as_str().to_owned()),
            extra,
        }),
        Signal::Ringing { call } => Message::Status(report::ringing(call, from_user, to_user)),
        Signal::Report { call, report } => Message::Status(report::write(call, report, from_user, to_user)),
        Signal::Refused { call, refusal } => {
            Message::Error(refusal::write(call, refusal, from_user, to_user))
        }
        Signal::Renegotiate {
            call,
            ice_restart,
            video,
        } => Message::Renegotiate(CallRenegotiate {
            call_id: call,
            from_user,
            to_user,
            reason: if ice_restart { "ice_restart" } else { "media" }.to_owned(),
            call_type: video.map(call_type),
            extra,
        }),
        Signal::AnsweredElsewhere { .. } => return None,
    };
    Some(message)
}

/// What is said before the end of a call whose connection does not come back: `failed` (§4.5).
pub fn given_up(signal: &Signal, context: &Context) -> Option<Message> {
    match signal {
        Signal::End {
            call,
            reason: EndReason::NetworkError,
            detail: Some(EndDetail::IceFailed),
        } => {
            let status = report::failed(call.clone(), Some(context.me), context.peer);
            Some(Message::Status(status))
        }
        _ => None,
    }
}

/// A server that echoes calls cannot do them (§13).
pub fn calls_unsupported() -> Refusal {
    refusal::calls_unsupported()
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(wall: Timestamp) -> String {
    format!("{wall:.3}")
}

fn offer_of(offer: CallOffer, me: Option<UserId>) -> Result<Offer, WireError> {
    let missing = |field: &str| WireError::Missing(field.to_owned());
    let from = offer.from_user.ok_or_else(|| missing("from_user"))?;
    let to = offer.to_user.or(me).ok_or_else(|| missing("to_user"))?;
    Ok(Offer {
        call: offer.call_id,
        from: Party::User(from),
        to: Party::User(to),
        video: offer.call_type == CallType::Video,
        sdp: with_final_line_end(offer.sdp.sdp),
        candidates: candidates_of(offer.ice_candidates),
        constraints: offer
            .constraints
            .as_ref()
            .map(constraints::read)
            .unwrap_or_default(),
        negotiation: offer.negotiation.unwrap_or(0),
        expires_in: offer.expires_in.map(Duration::from_secs),
        caller_name: offer
            .caller
            .and_then(|caller| caller.nickname.or(caller.username))
            .filter(|name| !name.trim().is_empty()),
        stream: None,
    })
}

/// Ends the last line of an SDP, which some senders forget (§13, RFC 8866 §5).
pub(crate) fn with_final_line_end(mut sdp: String) -> String {
    if !sdp.is_empty() && !sdp.ends_with('\n') {
        sdp.push_str("\r\n");
    }
    sdp
}

fn candidates_of(candidates: Option<Vec<Candidate>>) -> Vec<ahoy_call::Candidate> {
    let all = candidates.unwrap_or_default().into_iter();
    all.filter(|c| !c.candidate.is_empty())
        .take(MAX_CANDIDATES)
        .map(candidate_of)
        .collect()
}

fn candidate_of(candidate: Candidate) -> ahoy_call::Candidate {
    ahoy_call::Candidate {
        candidate: candidate.candidate,
        sdp_mid: candidate.sdp_mid,
        sdp_m_line_index: candidate.sdp_m_line_index,
        username_fragment: candidate.username_fragment,
    }
}

fn wire_candidate(candidate: ahoy_call::Candidate) -> Candidate {
    Candidate {
        candidate: candidate.candidate,
        sdp_m_line_index: candidate.sdp_m_line_index,
        sdp_mid: candidate.sdp_mid,
        username_fragment: candidate.username_fragment,
        extra: Map::new(),
    }
}

fn call_type(video: bool) -> CallType {
    if video { CallType::Video } else { CallType::Audio }
}

#[cfg(test)]
mod tests;
