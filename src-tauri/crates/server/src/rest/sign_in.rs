//! Signing in, and going on with it.

use super::{Body, internal, profile};
use crate::http::{Bearer, Site, SiteState};
use crate::refused::Refused;
use crate::store::Refresh;
use crate::token::{Holder, TokenKind, Tokens};
use ahoy_call::UserId;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What a client is told to wait when too many sign in at once (chosen: the work of a full queue).
const BUSY: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(super) struct Login {
    username: Option<String>,
    phone: Option<String>,
    password: String,
}

/// `POST /api/auth/login`.
pub(super) async fn login(
    State(site): State<SiteState>,
    Body(login): Body<Login>,
) -> Result<Json<Value>, Refused> {
    let Some(name) = login.username.or(login.phone) else {
        return Err(Refused::bad_request(
            Some("username"),
            "the body has neither username nor phone",
        ));
    };
    let found = site
        .store
        .ask(move |database| database.credentials(&name))
        .await
        .map_err(internal)?;
    let found = found.map(|credentials| (credentials.id, credentials.password_hash));
    let checked = site.passwords.check(found, login.password).await;
    let user = checked
        .map_err(|_| Refused::rate_limited(BUSY))?
        .ok_or(Refused::CREDENTIALS)?;
    let directory = site.store.directory();
    let entry = directory.get(user).ok_or(Refused::CREDENTIALS)?;
    if entry.account.banned {
        return Err(Refused::BANNED);
    }
    let now = Timestamp::now().as_second();
    let session = crate::http::random_name();
    let id = session.clone();
    site.store
        .ask(move |database| database.begin_session(&id, user, now, Tokens::refresh_until(now)))
        .await
        .map_err(internal)?;
    let tokens = issue(&site, user, now, &session, 0)?;
    let mut own = profile(entry);
    if let Some(phone) = &entry.account.phone {
        own["phone"] = phone.as_str().into();
    }
    Ok(Json(json!({
        "success": true,
        "data": {
            "token": tokens["access_token"],
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "expires_in": tokens["expires_in"],
            "user": own,
        },
    })))
}

/// `POST /api/auth/refresh`: a refresh token for the next two tokens.
pub(super) async fn refresh(
    State(site): State<SiteState>,
    Bearer(token): Bearer,
) -> Result<Json<Value>, Refused> {
    let identity = site.authenticate(&token, TokenKind::Refresh)?;
    let (session, turn) = identity.session.ok_or(Refused::UNAUTHORIZED)?;
    let (id, user, now) = (session.clone(), identity.user, Timestamp::now().as_second());
    let refreshed = site
        .store
        .ask(move |database| database.refresh_session(&id, user, turn, now, Tokens::refresh_until(now)))
        .await
        .map_err(internal)?;
    match refreshed {
        Refresh::Turn(turn) => Ok(Json(
            json!({ "success": true, "token": issue(&site, user, now, &session, turn)? }),
        )),
        Refresh::Refused => Err(Refused::UNAUTHORIZED),
    }
}

fn issue(site: &Site, user: UserId, now: i64, session: &str, turn: u64) -> Result<Value, Refused> {
    let directory = site.store.directory();
    let entry = directory.get(user).ok_or(Refused::UNAUTHORIZED)?;
    let holder = Holder {
        user,
        name: &entry.account.name,
        version: entry.account.token_version,
    };
    Ok(json!({
        "access_token": site.tokens.access(now, holder),
        "refresh_token": site.tokens.refresh(now, holder, session, turn),
        "expires_in": site.tokens.ttl().as_secs(),
    }))
}
