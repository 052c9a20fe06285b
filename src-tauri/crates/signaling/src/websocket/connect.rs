//! One attempt: TCP, TLS, and the upgrade with its HTTP answers (RFC 6455 §4, IM-Suite §1.1 to §1.6).

use crate::im_suite::encoding::{Encoding, FRAME_LIMIT};
use crate::link::{Address, Auth, DownCause, Target};
use crate::secret::Secret;
use crate::tls;
use crate::token::TokenClaims;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{
    Error,
    client::IntoClientRequest,
    error::{ProtocolError, SubProtocolError},
    handshake::client::Request,
    http::{HeaderValue, StatusCode},
    protocol::WebSocketConfig,
};

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// A byte stream, plain or TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens a WebSocket; the server selects the encoding. One that selects none although asked is asked once more without,
/// and then speaks JSON (IM-Suite §12); one that refuses the header is asked once more with the token in the query, where
/// [`Auth::Auto`] allows it (§1.2).
pub(super) async fn open(
    address: &Address,
    target: &Target,
    token: Option<&Secret>,
) -> Result<(Socket, Encoding), DownCause> {
    let mut form = Form {
        subprotocol: true,
        query: false,
    };
    loop {
        match upgrade(address, target, token, form).await {
            Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
                SubProtocolError::NoSubProtocol,
            ))) if form.subprotocol => form.subprotocol = false,
            Err(Error::Http(response))
                if response.status() == StatusCode::UNAUTHORIZED
                    && !form.query
                    && token.is_some()
                    && may_use_query(address, target.auth) =>
            {
                form.query = true;
            }
            outcome => return outcome.map_err(|error| cause_of(error, token)),
        }
    }
}

/// How one attempt is made.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Asks for a subprotocol.
    subprotocol: bool,
    /// The token is in the query in place of the header.
    query: bool,
}

fn may_use_query(address: &Address, auth: Auth) -> bool {
    match auth {
        Auth::Header => false,
        Auth::Auto => address.tls || address.is_loopback(),
    }
}

async fn upgrade(
    address: &Address,
    target: &Target,
    token: Option<&Secret>,
    form: Form,
) -> Result<(Socket, Encoding), Error> {
    let request = request(target, token, form)?;
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    // Signaling messages are small and urgent.
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if address.tls {
        let name = ServerName::try_from(address.host.clone()).map_err(std::io::Error::other)?;
        let config = tokio::task::spawn_blocking(tls::client_config)
            .await
            .map_err(std::io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config.map_err(tls_error)?));
        Box::new(connector.connect(name, tcp).await.map_err(
            |error| match error.downcast::<rustls::Error>() {
                Ok(error) => tls_error(error),
                Err(error) => Error::Io(error),
            },
        )?)
    } else {
        Box::new(tcp)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_LIMIT))
        .max_frame_size(Some(FRAME_LIMIT));
    let (socket, response) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    // The library has checked that a selected subprotocol is one of those asked for.
    let encoding = response
        .headers()
        .get("Sec-WebSocket-Protocol")
        .and_then(|name| Encoding::of_subprotocol(name.to_str().ok()?))
        .unwrap_or(Encoding::Json);
    Ok((socket, encoding))
}

fn request(target: &Target, token: Option<&Secret>, form: Form) -> Result<Request, Error> {
    let mut request = match token.filter(|_| form.query) {
        Some(token) => with_token(&target.url, token).into_client_request()?,
        None => target.url.as_str().into_client_request()?,
    };
    let headers = request.headers_mut();
    if let Some(token) = token.filter(|_| !form.query) {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
        bearer.set_sensitive(true);
        headers.insert("Authorization", bearer);
    }
    if let Some(device_id) = &target.device_id {
        headers.insert("X-Device-Id", HeaderValue::try_from(device_id)?);
    }
    if form.subprotocol {
        let names: Vec<_> = target
            .encodings
            .iter()
            .map(|encoding| encoding.subprotocol())
            .collect();
        if !names.is_empty() {
            headers.insert("Sec-WebSocket-Protocol", HeaderValue::try_from(names.join(", "))?);
        }
    }
    Ok(request)
}

/// The address with the token in its query, percent-encoded (RFC 3986 §2.3).
fn with_token(url: &str, token: &Secret) -> String {
    use std::fmt::Write;
    let url = url.split('#').next().unwrap_or_default();
    let mut all = format!("{url}{}token=", if url.contains('?') { '&' } else { '?' });
    for byte in token.expose().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => write!(all, "%{byte:02X}").unwrap_or_default(),
        }
    }
    all
}

fn tls_error(error: rustls::Error) -> Error {
    // Wrapped as IO and recognised again below: the variant of tungstenite needs its own TLS support.
    Error::Io(std::io::Error::other(error))
}

fn cause_of(error: Error, token: Option<&Secret>) -> DownCause {
    match error {
        Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED if token.is_some() => {
                let expires = token.and_then(|token| TokenClaims::of(token.expose()).expires);
                refusal_of_token(expires, Timestamp::now())
            }
            StatusCode::FORBIDDEN => DownCause::Forbidden,
            StatusCode::TOO_MANY_REQUESTS => DownCause::TooMany,
            status => DownCause::NotAServer(format!("HTTP status {}", status.as_u16())),
        },
        Error::Io(error) => match error.downcast::<rustls::Error>() {
            Ok(error) => DownCause::Tls(error.to_string()),
            Err(error) => DownCause::Unreachable(error.to_string()),
        },
        Error::Tls(error) => DownCause::Tls(error.to_string()),
        error => DownCause::NotAServer(error.to_string()),
    }
}

/// The server does not say what is wrong with a token; its `exp` does (RFC 7519 §4.1.4).
fn refusal_of_token(expires: Option<Timestamp>, now: Timestamp) -> DownCause {
    if expires.is_some_and(|expires| expires <= now) {
        DownCause::TokenExpired
    } else {
        DownCause::Unauthorized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_into_a_query_only_where_nobody_else_reads_it() {
        let may = |url: &str, auth| may_use_query(&Address::of(url).expect("url"), auth);
        assert!(may("wss://im.example.org/ws", Auth::Auto) && may("ws://127.0.0.1:1/ws", Auth::Auto));
        assert!(!may("ws://192.0.2.1/ws", Auth::Auto) && !may("wss://im.example.org/ws", Auth::Header));
        let token = Secret::new("a.b-c_d+/=&");
        assert_eq!(
            with_token("wss://h/ws", &token),
            "wss://h/ws?token=a.b-c_d%2B%2F%3D%26"
        );
        assert_eq!(
            with_token("wss://h/ws?x=1", &token),
            "wss://h/ws?x=1&token=a.b-c_d%2B%2F%3D%26"
        );
    }

    #[test]
    fn a_refused_token_that_has_ended_is_expired_and_any_other_is_wrong() {
        let at = |second| Timestamp::from_second(second).expect("time");
        for (expires, cause) in [
            (Some(99), DownCause::TokenExpired),
            (Some(100), DownCause::TokenExpired),
            (Some(101), DownCause::Unauthorized),
            (None, DownCause::Unauthorized),
        ] {
            assert_eq!(refusal_of_token(expires.map(at), at(100)), cause, "{expires:?}");
        }
    }
}
