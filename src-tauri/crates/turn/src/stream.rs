//! The task of one connection of TCP or TLS: it cuts what comes into messages, and writes what is to go.

use crate::client::StreamId;
use crate::framing::{Frame, NotStun};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a connection may take for its first bytes, and then for TLS (chosen).
const GREETING: Duration = Duration::from_secs(10);
/// The first byte of a TLS handshake (RFC 8446 §5.1). No STUN message and no channel begins like that.
const TLS_HANDSHAKE: u8 = 22;
/// Bytes that are read at once: a few datagrams.
const READ: usize = 8 * 1024;
/// Messages that are written at once.
const WRITE_BATCH: usize = 32;

/// One message that came over a connection.
#[derive(Debug)]
pub(crate) struct StreamFrame {
    pub(crate) stream: StreamId,
    pub(crate) bytes: Vec<u8>,
}

/// Runs until either side closes; `outgoing` closing is ours.
pub(crate) async fn run(
    stream: StreamId,
    socket: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    frames: mpsc::Sender<StreamFrame>,
    outgoing: mpsc::Receiver<Vec<u8>>,
) {
    if let Err(error) = greet(stream, socket, tls, frames, outgoing).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn greet(
    stream: StreamId,
    socket: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    frames: mpsc::Sender<StreamFrame>,
    outgoing: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "small messages may be held back");
    }
    let mut first = [0];
    if timeout(GREETING, socket.peek(&mut first)).await?? == 0 {
        return Ok(());
    }
    match tls {
        Some(config) if first[0] == TLS_HANDSHAKE => {
            let tls = timeout(GREETING, TlsAcceptor::from(config).accept(socket)).await??;
            carry(stream, tls, frames, outgoing).await
        }
        Some(_) | None => carry(stream, socket, frames, outgoing).await,
    }
}

async fn carry(
    stream: StreamId,
    socket: impl AsyncRead + AsyncWrite,
    frames: mpsc::Sender<StreamFrame>,
    outgoing: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(socket);
    tokio::select! {
        ended = read(stream, reader, frames) => ended,
        ended = write(writer, outgoing) => ended,
    }
}

async fn read(stream: StreamId, reader: impl AsyncRead, frames: mpsc::Sender<StreamFrame>) -> io::Result<()> {
    let mut reader = std::pin::pin!(reader);
    let mut unread = Vec::new();
    loop {
        unread.reserve(READ);
        if reader.read_buf(&mut unread).await? == 0 {
            return Ok(());
        }
        let mut at = 0;
        let not_stun = |error: NotStun| io::Error::new(io::ErrorKind::InvalidData, error);
        while let Some(frame) = Frame::read(&unread[at..]).map_err(not_stun)? {
            let Some(bytes) = unread.get(at..at + frame.on_stream) else {
                break;
            };
            let bytes = bytes[..frame.length].to_vec();
            if frames.send(StreamFrame { stream, bytes }).await.is_err() {
                return Ok(());
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
            bytes.extend_from_slice(&message);
        }
        writer.write_all(&bytes).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}
