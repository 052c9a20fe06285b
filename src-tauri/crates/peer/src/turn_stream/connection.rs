//! One connection to a relay over TCP or TLS, and the messages in it.

use super::url::{Transport, TurnUrl};
use ahoy_turn::framing::{Frame, Kind, NotStun};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one address of a server may take to connect (chosen: two lost SYNs, and time for another address in the five
/// seconds that a call may take).
const CONNECT: Duration = Duration::from_secs(3);
/// How long TLS may take (chosen).
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How long the last messages may take when the socket is gone: the one that ends the allocation is among them (chosen).
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that are read at once: a few datagrams.
const READ: usize = 8 * 1024;
/// Messages that are written at once.
const WRITE_BATCH: usize = 32;

/// A datagram that came out of a connection, with the stand-in it seems to come from.
pub(super) type Incoming = (SocketAddr, Vec<u8>);

/// The socket's side of a connection, as its task has it.
pub(super) struct Ends {
    /// Where the library believes the server to be.
    pub(super) stand_in: SocketAddr,
    /// What the library sends; closed when the socket is gone.
    pub(super) outgoing: mpsc::Receiver<Vec<u8>>,
    pub(super) incoming: mpsc::Sender<Incoming>,
}

/// The certificates that servers are checked against: those of the system, and more in tests.
#[derive(Debug)]
pub(super) struct TlsRoots {
    extra: Vec<Vec<u8>>,
}

impl TlsRoots {
    pub(super) fn new(extra: Vec<Vec<u8>>) -> Self {
        Self { extra }
    }

    /// Reads the system's certificates, which blocks.
    fn config(&self) -> Result<rustls::ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let verifier = if self.extra.is_empty() {
            Verifier::new(provider)?
        } else {
            let extra = self.extra.iter().cloned().map(CertificateDer::from);
            Verifier::new_with_extra_roots(extra, provider)?
        };
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }
}

/// Connects and carries messages until either side is gone. It does not connect again: the allocation has ended with the
/// connection (RFC 8656 §3), and a restart of ICE makes a new one.
pub(super) async fn run(url: TurnUrl, roots: Arc<TlsRoots>, ends: Ends) {
    let carried = match url.transport {
        Transport::Udp => return,
        Transport::Tcp => match connect(&url).await {
            Ok(socket) => carry(socket, ends).await,
            Err(error) => Err(error),
        },
        Transport::Tls => match connect_tls(&url, roots).await {
            Ok(socket) => carry(socket, ends).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = carried {
        tracing::debug!(%error, transport = ?url.transport, "no relay over this connection");
    }
}

async fn connect(url: &TurnUrl) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host(url.address()).await? {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "small messages may be held back");
                }
                return Ok(socket);
            }
            Ok(Err(error)) => last = error,
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}

async fn connect_tls(
    url: &TurnUrl,
    roots: Arc<TlsRoots>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
    let config = tokio::task::spawn_blocking(move || roots.config());
    let (socket, config) = tokio::join!(connect(url), config);
    let config = config.map_err(io::Error::other)?.map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config));
    timeout(HANDSHAKE, connector.connect(name, socket?)).await?
}

async fn carry(socket: impl AsyncRead + AsyncWrite, ends: Ends) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(socket);
    tokio::select! {
        ended = read(reader, ends.stand_in, ends.incoming) => ended,
        ended = write(writer, ends.outgoing) => ended,
    }
}

async fn read(
    reader: impl AsyncRead,
    stand_in: SocketAddr,
    incoming: mpsc::Sender<Incoming>,
) -> io::Result<()> {
    let mut reader = std::pin::pin!(reader);
    let mut unread = Vec::new();
    loop {
        unread.reserve(READ);
        if reader.read_buf(&mut unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = 0;
        let not_stun = |error: NotStun| io::Error::new(io::ErrorKind::InvalidData, error);
        while let Some(frame) = Frame::read(&unread[at..]).map_err(not_stun)? {
            let Some(bytes) = unread.get(at..at + frame.on_stream) else {
                break;
            };
            // The socket is gone: nobody reads, but the last messages are still to be written.
            if incoming
                .send((stand_in, bytes[..frame.length].to_vec()))
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
            at += frame.on_stream;
        }
        unread.drain(..at);
    }
}

async fn write(writer: impl AsyncWrite, mut outgoing: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut writer = std::pin::pin!(writer);
    let mut batch = Vec::new();
    let mut bytes = Vec::new();
    while outgoing.recv_many(&mut batch, WRITE_BATCH).await > 0 {
        bytes.clear();
        for message in batch.drain(..) {
            frame(&message, &mut bytes);
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if outgoing.is_closed() {
            timeout(LAST_WORDS, written).await??;
        } else {
            written.await?;
        }
    }
    timeout(LAST_WORDS, writer.shutdown()).await?
}

/// Appends a datagram as a stream has it; what is no message of TURN is left out.
fn frame(message: &[u8], bytes: &mut Vec<u8>) {
    match Frame::read(message) {
        Ok(Some(frame)) if frame.length <= message.len() => {
            bytes.extend_from_slice(&message[..frame.length]);
            if frame.kind == Kind::ChannelData {
                let padding = frame.on_stream - frame.length;
                bytes.resize(bytes.len() + padding, 0);
            }
        }
        Ok(_) | Err(NotStun) => tracing::trace!("a datagram to a relay is no message"),
    }
}
