//! Reads the bodies of REST answers. Pure; skips what it cannot use.

use super::{CallRecord, IceConfig, IceServerEntry, Profile, RecordStatus};
use crate::secret::Secret;
use ahoy_call::{CallId, EndReason, UserId};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// Names under which servers put a list into an object.
const LISTS: [&str; 7] = [
    "items", "list", "contacts", "friends", "users", "calls", "records",
];
/// A longer `ttl` says nothing: credentials end by themselves. One year, in seconds; chosen.
const LONGEST_TTL: u64 = 365 * 24 * 3600;
/// Longer names are no names; chosen, characters.
const LONGEST_NAME: usize = 100;

pub(super) fn profile(value: &Value) -> Option<Profile> {
    // A contact may stand beside its user, and `me` inside one.
    let user = if value["user"].is_object() {
        &value["user"]
    } else {
        value
    };
    let id = [&user["id"], &user["user_id"], &value["contact_id"]]
        .into_iter()
        .find_map(Value::as_u64)
        .and_then(|id| UserId::new(id).ok())?;
    let names = [
        &value["remark"],
        &user["nickname"],
        &user["username"],
        &user["name"],
    ];
    let name = names
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::trim)
        .find(|name| !name.is_empty());
    let online = [&user["is_online"], &user["online"]]
        .into_iter()
        .find_map(Value::as_bool);
    Some(Profile {
        id,
        name: name.map(|name| name.chars().take(LONGEST_NAME).collect()),
        online,
    })
}

pub(super) fn profiles(value: &Value) -> Option<Vec<Profile>> {
    Some(list(value)?.iter().filter_map(profile).collect())
}

pub(super) fn ice_config(value: &Value) -> Option<IceConfig> {
    let servers = [&value["ice_servers"], &value["iceServers"]]
        .into_iter()
        .find_map(Value::as_array)?;
    let ttl = value["ttl"].as_u64().filter(|ttl| *ttl <= LONGEST_TTL);
    Some(IceConfig {
        servers: servers.iter().filter_map(ice_server).collect(),
        ttl: ttl.map(Duration::from_secs),
        relay_only: value["ice_transport_policy"] == "relay",
    })
}

pub(super) fn calls(value: &Value) -> Option<Vec<CallRecord>> {
    Some(list(value)?.iter().filter_map(call).collect())
}

fn ice_server(value: &Value) -> Option<IceServerEntry> {
    // W3C webrtc §4.2.4 allows one URL or many.
    let urls = match [&value["urls"], &value["url"]]
        .into_iter()
        .find(|urls| !urls.is_null())?
    {
        Value::String(url) => vec![url.clone()],
        Value::Array(urls) => urls.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let known = |url: &String| {
        ["stun:", "turn:", "turns:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
    };
    let urls: Vec<String> = urls.into_iter().filter(known).collect();
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    (!urls.is_empty()).then(|| IceServerEntry {
        urls,
        username: text("username"),
        credential: text("credential").map(Secret::new),
    })
}

fn call(value: &Value) -> Option<CallRecord> {
    let user = |field: &str| UserId::new(value[field].as_u64()?).ok();
    let time = |field: &str| value[field].as_str()?.parse::<Timestamp>().ok();
    let status = match value["status"].as_str()? {
        "pending" => RecordStatus::Pending,
        "answered" => RecordStatus::Answered,
        "rejected" => RecordStatus::Rejected,
        "ended" => RecordStatus::Ended,
        "missed" => RecordStatus::Missed,
        _ => return None,
    };
    Some(CallRecord {
        call: CallId::new(value["call_id"].as_str()?).ok()?,
        from: user("from_user")?,
        to: user("to_user")?,
        video: value["call_type"] == "video",
        status,
        started_at: time("started_at"),
        duration: Duration::from_secs(value["duration"].as_u64().unwrap_or(0)),
        reason: value["reason"].as_str().and_then(reason),
    })
}

fn reason(word: &str) -> Option<EndReason> {
    let all = [
        EndReason::UserHangup,
        EndReason::UserRejected,
        EndReason::UserBusy,
        EndReason::Timeout,
        EndReason::NetworkError,
        EndReason::ServerError,
    ];
    all.into_iter().find(|reason| reason.as_str() == word)
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value
        .as_array()
        .or_else(|| LISTS.iter().find_map(|name| value[*name].as_array()))
}
