//! `call.error`: groups, codes, and what is fatal (§4.6, §8).

use crate::im_suite::wire::{CallError, ErrorDetails, Map};
use ahoy_call::{CallId, Refusal, RefusalCode, RefusalGroup, UserId};
use std::time::Duration;

pub(super) fn read(error: CallError) -> Refusal {
    let details = error.details.unwrap_or_default();
    let code = match &details.code {
        Some(word) => code_of(word),
        None => RefusalCode::Other(error.error_code.clone()),
    };
    let texts = [error.error_message, details.reason].into_iter().flatten();
    Refusal {
        group: group_of(&error.error_code),
        fatal: details.fatal.unwrap_or_else(|| always_fatal(&code)),
        code,
        text: texts.collect::<Vec<_>>().join(": "),
        winner: details.call_id_winner,
        retry_after: details.retry_after_ms.map(Duration::from_millis),
    }
}

pub(super) fn write(
    call_id: Option<CallId>,
    refusal: Refusal,
    from_user: Option<UserId>,
    to_user: Option<UserId>,
) -> CallError {
    CallError {
        call_id,
        from_user,
        to_user,
        error_code: group_word(refusal.group).to_owned(),
        error_message: Some(if refusal.text.is_empty() {
            default_text(refusal.group).to_owned()
        } else {
            refusal.text
        }),
        details: Some(ErrorDetails {
            code: Some(code_word(&refusal.code).to_owned()),
            fatal: Some(refusal.fatal),
            call_id_winner: refusal.winner,
            retry_after_ms: refusal
                .retry_after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            ..ErrorDetails::default()
        }),
        extra: Map::new(),
    }
}

pub(super) fn calls_unsupported() -> Refusal {
    Refusal {
        group: RefusalGroup::Signaling,
        code: RefusalCode::CallsUnsupported,
        fatal: true,
        text: "server echoes call messages instead of delivering them".to_owned(),
        winner: None,
        retry_after: None,
    }
}

fn group_of(word: &str) -> RefusalGroup {
    match word {
        "MEDIA_ERROR" => RefusalGroup::Media,
        "NETWORK_ERROR" => RefusalGroup::Network,
        _ => RefusalGroup::Signaling,
    }
}

fn group_word(group: RefusalGroup) -> &'static str {
    match group {
        RefusalGroup::Signaling => "SIGNALING_ERROR",
        RefusalGroup::Media => "MEDIA_ERROR",
        RefusalGroup::Network => "NETWORK_ERROR",
    }
}

/// The texts of the specification's examples (§4.6).
fn default_text(group: RefusalGroup) -> &'static str {
    match group {
        RefusalGroup::Signaling => "信令处理失败",
        RefusalGroup::Media => "媒体处理失败",
        RefusalGroup::Network => "网络连接失败",
    }
}

fn code_of(word: &str) -> RefusalCode {
    match word {
        "user_offline" => RefusalCode::UserOffline,
        "user_not_found" => RefusalCode::UserNotFound,
        "not_permitted" => RefusalCode::NotPermitted,
        "self_call" => RefusalCode::SelfCall,
        "already_in_call" => RefusalCode::AlreadyInCall,
        "glare" => RefusalCode::Glare,
        "duplicate_call_id" => RefusalCode::DuplicateCallId,
        "unknown_call" => RefusalCode::UnknownCall,
        "answered_elsewhere" => RefusalCode::AnsweredElsewhere,
        "bad_sdp" => RefusalCode::BadSdp,
        "rate_limited" => RefusalCode::RateLimited,
        "renegotiation_pending" => RefusalCode::RenegotiationPending,
        _ => RefusalCode::Other(word.to_owned()),
    }
}

fn code_word(code: &RefusalCode) -> &str {
    match code {
        RefusalCode::UserOffline => "user_offline",
        RefusalCode::UserNotFound => "user_not_found",
        RefusalCode::NotPermitted => "not_permitted",
        RefusalCode::SelfCall => "self_call",
        RefusalCode::AlreadyInCall => "already_in_call",
        RefusalCode::Glare => "glare",
        RefusalCode::DuplicateCallId => "duplicate_call_id",
        RefusalCode::UnknownCall => "unknown_call",
        RefusalCode::AnsweredElsewhere => "answered_elsewhere",
        RefusalCode::BadSdp => "bad_sdp",
        RefusalCode::RateLimited => "rate_limited",
        RefusalCode::RenegotiationPending => "renegotiation_pending",
        RefusalCode::CallsUnsupported
        | RefusalCode::StreamNotFound
        | RefusalCode::StreamTaken
        | RefusalCode::RenegotiationUnsupported => "internal",
        RefusalCode::Other(word) => word,
    }
}

/// Without `fatal` the codes that answer nothing but a first offer, or a lost race to answer, speak for themselves (§8).
fn always_fatal(code: &RefusalCode) -> bool {
    match code {
        RefusalCode::UserOffline
        | RefusalCode::UserNotFound
        | RefusalCode::NotPermitted
        | RefusalCode::SelfCall
        | RefusalCode::AlreadyInCall
        | RefusalCode::Glare
        | RefusalCode::AnsweredElsewhere
        | RefusalCode::CallsUnsupported
        | RefusalCode::StreamNotFound
        | RefusalCode::StreamTaken => true,
        RefusalCode::DuplicateCallId
        | RefusalCode::UnknownCall
        | RefusalCode::BadSdp
        | RefusalCode::RateLimited
        | RefusalCode::RenegotiationPending
        | RefusalCode::RenegotiationUnsupported
        | RefusalCode::Other(_) => false,
    }
}
