//! Who the user is, whom there is, and how media find their way.

use super::{internal, profile, success};
use crate::http::{SignedIn, SiteState};
use crate::refused::Refused;
use crate::relay::TURN_TTL;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// People in the answer to a search (chosen: more are narrowed by another letter).
const FOUND: usize = 20;
/// Bytes of a keyword (chosen).
const KEYWORD: usize = 100;

/// `GET /api/users/me`.
pub(super) async fn me(State(site): State<SiteState>, user: SignedIn) -> Result<Json<Value>, Refused> {
    let directory = site.store.directory();
    let entry = directory.get(user.0).ok_or(Refused::UNAUTHORIZED)?;
    let mut own = profile(entry);
    own["phone"] = entry.account.phone.as_deref().into();
    own["contacts"] = if entry.account.open_contacts {
        "open"
    } else {
        "closed"
    }
    .into();
    Ok(success(own))
}

#[derive(Deserialize)]
pub(super) struct Search {
    keyword: String,
}

/// `GET /api/users/search?keyword=`.
pub(super) async fn search(
    State(site): State<SiteState>,
    user: SignedIn,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Value>, Refused> {
    let keyword = query
        .map(|Query(search)| search.keyword)
        .ok()
        .filter(|keyword| !keyword.trim().is_empty() && keyword.len() <= KEYWORD)
        .ok_or_else(|| Refused::bad_request(Some("keyword"), "the keyword is missing, empty or too long"))?;
    let found = site
        .store
        .ask(move |database| database.search(keyword.trim(), FOUND))
        .await
        .map_err(internal)?;
    let directory = site.store.directory();
    let people = found
        .into_iter()
        .filter(|id| *id != user.0)
        .filter_map(|id| directory.get(id))
        // Whom somebody has blocked does not find them either.
        .filter(|entry| !entry.blocks.contains(&user.0));
    Ok(success(people.map(profile).collect()))
}

/// `GET /api/webrtc/config`.
pub(super) async fn webrtc_config(State(site): State<SiteState>, user: SignedIn) -> Json<Value> {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let relay = site.relay.as_ref();
    success(json!({
        "ice_servers": relay.map_or_else(Vec::new, |relay| relay.ice_servers(user.0, now)),
        "ttl": TURN_TTL.as_secs(),
        "ice_transport_policy": "all",
    }))
}
