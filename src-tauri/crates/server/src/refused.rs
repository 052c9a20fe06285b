//! The one form in which HTTP says no: `{"success":false,"error":…,"code":…,"field":…}` (IM-Suite §1.2).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;

/// A refused request: a status, a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    status: StatusCode,
    code: &'static str,
    error: Cow<'static, str>,
    /// Which part of the request is wrong.
    field: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Refused {
    const fn new(status: StatusCode, code: &'static str, error: &'static str) -> Self {
        Self {
            status,
            code,
            error: Cow::Borrowed(error),
            field: None,
            retry_after: None,
        }
    }

    pub(crate) fn bad_request(field: Option<&'static str>, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            error: error.into(),
            field,
            ..Self::new(StatusCode::BAD_REQUEST, "bad_request", "")
        }
    }

    /// Without a usable token; the same whatever is wrong with it.
    pub(crate) const UNAUTHORIZED: Self =
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first");

    pub(crate) const CREDENTIALS: Self = Self::new(
        StatusCode::UNAUTHORIZED,
        "credentials_wrong",
        "name or password is wrong",
    );

    pub(crate) const BANNED: Self = Self::new(StatusCode::FORBIDDEN, "banned", "the account is banned");

    pub(crate) const ORIGIN: Self = Self::new(
        StatusCode::FORBIDDEN,
        "origin_forbidden",
        "pages of this origin may not connect",
    );

    pub(crate) const NO_USER: Self =
        Self::new(StatusCode::NOT_FOUND, "user_not_found", "there is no such user");

    pub(crate) const NO_ROUTE: Self =
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such address");

    pub(crate) const METHOD: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the address does not take this method",
    );

    pub(crate) const BODY: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "the body is too large",
    );

    pub(crate) const SLOW: Self = Self::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        "the request took too long",
    );

    pub(crate) const LIST_FULL: Self = Self::new(StatusCode::CONFLICT, "list_full", "the list is full");

    pub(crate) const CONNECTIONS: Self = Self::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_connections",
        "the user has too many connections",
    );

    pub(crate) const STOPPING: Self = Self::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "stopping",
        "the server is stopping",
    );

    pub(crate) const INTERNAL: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the server has a fault",
    );

    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests")
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut body = json!({ "success": false, "error": self.error, "code": self.code });
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Whole seconds, at least one (RFC 9110 §10.2.3).
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
