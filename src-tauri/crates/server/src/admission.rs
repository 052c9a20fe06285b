//! What an HTTP request says about who wants a WebSocket: token, origin, device and encoding (IM-Suite §1.2, §1.5,
//! §1.6, §12).
//!
//! Pure: headers and query in, decision out.

use crate::switchboard::DeviceId;
use ahoy_signaling::im_suite::encoding::Encoding;
use axum::http::{HeaderMap, header};

/// The subprotocol that carries a token, never echoed.
const BEARER_SUBPROTOCOL: &str = "bearer.";
const DEVICE_HEADER: &str = "x-device-id";

/// Query parameters in order, decoded.
pub(crate) type Query = Vec<(String, String)>;

/// The request is ill-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the request carries two different tokens")]
    TwoTokens,
    #[error("the device id has a character outside A-Z a-z 0-9 _ - or is not 1 to 64 long")]
    DeviceId,
}

/// The one token of a request, looked for in header, query and subprotocol.
pub(crate) fn token(headers: &HeaderMap, query: &Query) -> Result<Option<String>, BadRequest> {
    let in_header = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned())
    });
    let in_query = query
        .iter()
        .filter(|(name, _)| name == "token")
        .map(|(_, token)| token.clone());
    let in_subprotocol =
        subprotocols(headers).filter_map(|name| name.strip_prefix(BEARER_SUBPROTOCOL).map(str::to_owned));
    let mut tokens = in_header.chain(in_query).chain(in_subprotocol);
    let first = tokens.next();
    match &first {
        Some(first) if tokens.any(|other| other != *first) => Err(BadRequest::TwoTokens),
        Some(_) | None => Ok(first),
    }
}

/// The first encoding of the client's list that the server knows (IM-Suite §12); `None` when it asks for none of them.
pub(crate) fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    subprotocols(headers).find_map(Encoding::of_subprotocol)
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

/// The device that a request names; `None` when it names none.
pub(crate) fn device(headers: &HeaderMap, query: &Query) -> Result<Option<DeviceId>, BadRequest> {
    let in_query = query
        .iter()
        .find(|(name, _)| name == "device_id")
        .map(|(_, id)| id.as_str());
    let in_header = || {
        headers
            .get(DEVICE_HEADER)
            .map(|value| value.to_str().unwrap_or_default())
    };
    in_query
        .or_else(in_header)
        .map(|id| DeviceId::new(id).ok_or(BadRequest::DeviceId))
        .transpose()
}

/// Whether a page of this origin may connect. Native clients send no `Origin`.
pub(crate) fn is_origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if !allowed.is_empty() {
        return allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), host) {
        (Some(("http" | "https", origin_host)), Some(host)) => origin_host.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let parse =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        list.iter().map(parse).collect()
    }

    fn query(list: &[(&str, &str)]) -> Query {
        list.iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn a_token_is_found_in_each_place() {
        let none = query(&[]);
        let found = |headers: &[(&str, &str)], query: &Query| token(&self::headers(headers), query);
        assert_eq!(found(&[], &none), Ok(None));
        assert_eq!(
            found(&[("authorization", "Bearer a.b.c")], &none),
            Ok(Some("a.b.c".into()))
        );
        assert_eq!(found(&[("authorization", "Basic abc")], &none), Ok(None));
        assert_eq!(
            found(&[], &query(&[("x", "y"), ("token", "t")])),
            Ok(Some("t".into()))
        );
        let offered = ("sec-websocket-protocol", "im-suite.v1.json, bearer.t");
        assert_eq!(found(&[offered], &none), Ok(Some("t".into())));
    }

    #[test]
    fn one_token_in_two_places_is_fine_and_two_tokens_are_not() {
        let headers = headers(&[("authorization", "bearer t")]);
        assert_eq!(token(&headers, &query(&[("token", "t")])), Ok(Some("t".into())));
        assert_eq!(
            token(&headers, &query(&[("token", "u")])),
            Err(BadRequest::TwoTokens)
        );
        let twice = query(&[("token", "t"), ("token", "u")]);
        assert_eq!(token(&HeaderMap::new(), &twice), Err(BadRequest::TwoTokens));
    }

    #[test]
    fn the_order_of_the_client_decides_about_the_encoding() {
        let chosen = |list: &str| encoding(&headers(&[("sec-websocket-protocol", list)]));
        assert_eq!(encoding(&HeaderMap::new()), None);
        assert_eq!(
            chosen("bearer.t, im-suite.v1.cbor,im-suite.v1.json"),
            Some(Encoding::Cbor)
        );
        assert_eq!(
            chosen("im-suite.v9.xml, im-suite.v1.json, im-suite.v1.cbor.z"),
            Some(Encoding::Json)
        );
        assert_eq!(chosen("im-suite.v1.cbor.z"), Some(Encoding::CborZ));
        assert_eq!(chosen("bearer.im-suite.v1.json, chat"), None);
    }

    #[test]
    fn device_ids_keep_to_their_alphabet() {
        let none = HeaderMap::new();
        assert_eq!(device(&none, &query(&[])), Ok(None));
        assert_eq!(
            device(&none, &query(&[("device_id", "d_1-X")])),
            Ok(DeviceId::new("d_1-X"))
        );
        assert_eq!(
            device(&headers(&[("x-device-id", "d1")]), &query(&[])),
            Ok(DeviceId::new("d1"))
        );
        assert_eq!(
            device(&none, &query(&[("device_id", "")])),
            Err(BadRequest::DeviceId)
        );
        assert_eq!(
            device(&none, &query(&[("device_id", "a b")])),
            Err(BadRequest::DeviceId)
        );
        assert_eq!(
            device(&none, &query(&[("device_id", &"a".repeat(65))])),
            Err(BadRequest::DeviceId)
        );
    }

    #[test]
    fn pages_of_other_hosts_are_refused() {
        let host = ("host", "127.0.0.1:9000");
        assert!(is_origin_allowed(&headers(&[host]), &[]));
        assert!(is_origin_allowed(
            &headers(&[host, ("origin", "http://127.0.0.1:9000")]),
            &[]
        ));
        for origin in [
            "http://127.0.0.1",
            "https://evil.example",
            "null",
            "file://127.0.0.1:9000",
            "",
        ] {
            assert!(
                !is_origin_allowed(&headers(&[host, ("origin", origin)]), &[]),
                "{origin}"
            );
        }
        let list = ["https://calls.example".to_owned()];
        assert!(is_origin_allowed(
            &headers(&[host, ("origin", "https://calls.example")]),
            &list
        ));
        assert!(!is_origin_allowed(
            &headers(&[host, ("origin", "http://127.0.0.1:9000")]),
            &list
        ));
    }
}
