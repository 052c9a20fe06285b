//! Contacts and blocks.

use super::{Body, entry_of, internal, profile, success};
use crate::http::{SignedIn, Site, SiteState};
use crate::refused::Refused;
use crate::store::List;
use ahoy_call::UserId;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Other {
    user_id: u64,
}

type OtherInPath = Result<Path<u64>, PathRejection>;

/// `GET /api/contacts`.
pub(super) async fn contacts(State(site): State<SiteState>, user: SignedIn) -> Json<Value> {
    let directory = site.store.directory();
    success(directory.contacts(user.0).into_iter().map(profile).collect())
}

/// `POST /api/contacts {user_id}`.
pub(super) async fn add_contact(
    State(site): State<SiteState>,
    user: SignedIn,
    Body(other): Body<Other>,
) -> Result<Json<Value>, Refused> {
    add(&site, List::Contacts, user, other).await
}

/// `DELETE /api/contacts/{id}`.
pub(super) async fn remove_contact(
    State(site): State<SiteState>,
    user: SignedIn,
    other: OtherInPath,
) -> Result<Json<Value>, Refused> {
    remove(&site, List::Contacts, user, other).await
}

/// `GET /api/blocks`.
pub(super) async fn blocks(State(site): State<SiteState>, user: SignedIn) -> Json<Value> {
    let directory = site.store.directory();
    let blocked = directory.get(user.0).map(|entry| &entry.blocks);
    let people = blocked.into_iter().flatten().filter_map(|id| directory.get(*id));
    success(people.map(profile).collect())
}

/// `POST /api/blocks {user_id}`.
pub(super) async fn add_block(
    State(site): State<SiteState>,
    user: SignedIn,
    Body(other): Body<Other>,
) -> Result<Json<Value>, Refused> {
    add(&site, List::Blocks, user, other).await
}

/// `DELETE /api/blocks/{id}`.
pub(super) async fn remove_block(
    State(site): State<SiteState>,
    user: SignedIn,
    other: OtherInPath,
) -> Result<Json<Value>, Refused> {
    remove(&site, List::Blocks, user, other).await
}

async fn add(site: &Site, list: List, user: SignedIn, other: Other) -> Result<Json<Value>, Refused> {
    let other = UserId::new(other.user_id).map_err(|_| not_a_user("user_id"))?;
    if other == user.0 {
        return Err(Refused::bad_request(
            Some("user_id"),
            "nobody is on their own list",
        ));
    }
    let added = entry_of(site, other)?;
    site.store
        .change(user.0, move |database| database.add_to_list(list, user.0, other))
        .await
        .map_err(internal)?;
    Ok(success(added))
}

async fn remove(site: &Site, list: List, user: SignedIn, other: OtherInPath) -> Result<Json<Value>, Refused> {
    let other = other
        .ok()
        .and_then(|Path(id)| UserId::new(id).ok())
        .ok_or_else(|| not_a_user("id"))?;
    site.store
        .change(user.0, move |database| {
            database.remove_from_list(list, user.0, other)
        })
        .await
        .map_err(internal)?;
    Ok(success(Value::Null))
}

fn not_a_user(field: &'static str) -> Refused {
    Refused::bad_request(Some(field), "it is not a user id")
}
