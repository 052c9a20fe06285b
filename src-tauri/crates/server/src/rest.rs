//! The REST addresses of IM-Suite §11, and those by which people keep their contacts and blocks.

mod account;
mod calls;
mod lists;
mod sign_in;

use crate::http::{Site, SiteState};
use crate::refused::Refused;
use crate::store::{Entry, StoreError};
use axum::extract::FromRequest;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router, extract};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Everything below `/api`.
pub(crate) fn router() -> Router<SiteState> {
    Router::new()
        .route("/api/auth/login", post(sign_in::login))
        .route("/api/auth/refresh", post(sign_in::refresh))
        .route("/api/users/me", get(account::me))
        .route("/api/users/search", get(account::search))
        .route("/api/webrtc/config", get(account::webrtc_config))
        .route("/api/contacts", get(lists::contacts).post(lists::add_contact))
        .route("/api/contacts/{id}", delete(lists::remove_contact))
        .route("/api/blocks", get(lists::blocks).post(lists::add_block))
        .route("/api/blocks/{id}", delete(lists::remove_block))
        .route("/api/calls", get(calls::history))
}

/// `{"success":true,"data":…}`.
fn success(data: Value) -> Json<Value> {
    Json(json!({ "success": true, "data": data }))
}

/// One person for somebody else: without phone number.
fn profile(entry: &Entry) -> Value {
    let account = &entry.account;
    let mut profile = json!({ "id": account.id.as_u64(), "username": account.name });
    if let Some(nickname) = &account.nickname {
        profile["nickname"] = nickname.as_str().into();
    }
    profile
}

/// A fault of the store: told in the log, not to the client.
fn internal(error: StoreError) -> Refused {
    match error {
        StoreError::ListFull => Refused::LIST_FULL,
        StoreError::Stopped => Refused::STOPPING,
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            Refused::INTERNAL
        }
    }
}

/// A JSON body, whatever its `Content-Type` says.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<SiteState> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: extract::Request, state: &SiteState) -> Result<Self, Refused> {
        let bytes =
            axum::body::Bytes::from_request(request, state)
                .await
                .map_err(|rejection: BytesRejection| match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Refused::BODY,
                    _ => Refused::bad_request(None, "the body cannot be read"),
                })?;
        match Json::from_bytes(&bytes) {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(_)) => Err(Refused::bad_request(
                None,
                "the body lacks a field or has one of another type",
            )),
            Err(_) => Err(Refused::bad_request(None, "the body is not JSON")),
        }
    }
}

/// The entry of a signed-in user.
fn entry_of(site: &Site, id: ahoy_call::UserId) -> Result<Value, Refused> {
    site.store
        .directory()
        .get(id)
        .map(profile)
        .ok_or(Refused::NO_USER)
}
