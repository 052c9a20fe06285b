//! The history of calls.

use super::{internal, success};
use crate::http::{SignedIn, SiteState};
use crate::refused::Refused;
use crate::switchboard::CallRecord;
use ahoy_call::CallId;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

/// Records without a wish (IM-Suite §16.20).
const USUAL: i64 = 50;

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<i64>,
    before: Option<String>,
}

/// `GET /api/calls?limit=&before=`.
pub(super) async fn history(
    State(site): State<SiteState>,
    user: SignedIn,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Refused> {
    let Ok(Query(page)) = page else {
        return Err(Refused::bad_request(Some("limit"), "the limit is not a number"));
    };
    // An id that no call can have is nobody's own.
    let before = match page.before.map(CallId::new) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Ok(success(json!([]))),
    };
    let limit = usize::try_from(page.limit.unwrap_or(USUAL)).unwrap_or(0);
    let records = site
        .store
        .ask(move |database| database.history(user.0, limit, before.as_ref()))
        .await
        .map_err(internal)?;
    Ok(success(records.iter().map(shown).collect()))
}

fn shown(record: &CallRecord) -> Value {
    json!({
        "call_id": record.call_id.as_str(),
        "from_user": record.from_user.as_u64(),
        "to_user": record.to_user.as_u64(),
        "call_type": record.call_type,
        "status": record.status,
        "started_at": record.started_at.to_string(),
        "ended_at": record.ended_at.map(|at| at.to_string()),
        "duration": record.duration,
        "reason": record.reason,
    })
}
