//! One attempt: TCP, TLS, and the upgrade with its HTTP answers (RFC 6455 §4, IM-Suite §1.1 to §1.6).

use crate::link::{Address, DownCause, Target};
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

/// Largest message taken, bytes (IM-Suite §12).
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// A byte stream, plain or TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens a WebSocket. A server that selects no subprotocol is asked once more without one (IM-Suite §12).
pub(super) async fn open(address: &Address, target: &Target, token: &Secret) -> Result<Socket, DownCause> {
    match upgrade(address, target, token, true).await {
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ))) => upgrade(address, target, token, false).await,
        outcome => outcome,
    }
    .map_err(|error| cause_of(error, token))
}

async fn upgrade(
    address: &Address,
    target: &Target,
    token: &Secret,
    subprotocol: bool,
) -> Result<Socket, Error> {
    let request = request(target, token, subprotocol)?;
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
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let (socket, _response) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

fn request(target: &Target, token: &Secret, subprotocol: bool) -> Result<Request, Error> {
    let mut request = target.url.as_str().into_client_request()?;
    let headers = request.headers_mut();
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    bearer.set_sensitive(true);
    headers.insert("Authorization", bearer);
    if let Some(device_id) = &target.device_id {
        headers.insert("X-Device-Id", HeaderValue::try_from(device_id)?);
    }
    if subprotocol {
        headers.insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_static(target.subprotocol),
        );
    }
    Ok(request)
}

fn tls_error(error: rustls::Error) -> Error {
    // Wrapped as IO and recognised again below: the variant of tungstenite needs its own TLS support.
    Error::Io(std::io::Error::other(error))
}

fn cause_of(error: Error, token: &Secret) -> DownCause {
    match error {
        Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED => {
                let expires = TokenClaims::of(token.expose()).expires;
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
