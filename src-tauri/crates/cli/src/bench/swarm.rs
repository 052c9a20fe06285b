//! Many clients in one process: each a task with a socket that does nothing of its own accord but answer pings.

use ahoy_signaling::im_suite::encoding::{Encoding, Frame};
use anyhow::{Context, Result, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Clients that are connecting at one time (chosen: keeps both processors busy and the listener's queue short).
const CONNECTING: usize = 256;
/// For one client to be connected and welcomed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Texts waiting for one client's socket; full: the sender waits.
const OUTGOING: usize = 64;
/// Messages waiting for the one who measures; full: clients wait, which shows as delay.
const HEARD: usize = 64 * 1024;
/// Clients that share one source address, below the usual 28 000 ports of one (Linux `ip_local_port_range`).
const PER_ADDRESS: usize = 8_000;

/// Where and as what the clients connect.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) address: SocketAddr,
    pub(super) tokens: Vec<String>,
    pub(super) subprotocol: Option<String>,
}

/// A message of a call that a client has got.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) member: usize,
    pub(super) at: Instant,
    pub(super) message: Value,
}

/// Connected clients; dropping it breaks all connections off.
#[derive(Debug)]
pub(super) struct Swarm {
    members: Vec<mpsc::Sender<String>>,
    pub(super) heard: mpsc::Receiver<Heard>,
    tasks: JoinSet<()>,
}

impl Swarm {
    /// Connects one client for each token; returns when all are welcomed, with the time that the slowest took.
    pub(super) async fn connect(target: &Arc<Target>) -> Result<(Self, Duration)> {
        let connecting = Arc::new(Semaphore::new(CONNECTING));
        let mut opening = JoinSet::new();
        for member in 0..target.tokens.len() {
            let (target, connecting) = (Arc::clone(target), Arc::clone(&connecting));
            opening.spawn(async move {
                let _permit = connecting.acquire_owned().await.context("never closed")?;
                let begun = Instant::now();
                let client = timeout(PATIENCE, Client::connect(&target, member))
                    .await
                    .map_err(|_| anyhow!("client {member} was not welcomed in time"))??;
                Ok::<_, anyhow::Error>((member, client, begun.elapsed()))
            });
        }
        let (heard_tx, heard) = mpsc::channel(HEARD);
        let mut members = vec![None; target.tokens.len()];
        let (mut tasks, mut slowest) = (JoinSet::new(), Duration::ZERO);
        while let Some(opened) = opening.join_next().await {
            let (member, client, took) = opened??;
            slowest = slowest.max(took);
            let (tx, rx) = mpsc::channel(OUTGOING);
            members[member] = Some(tx);
            tasks.spawn(client.run(member, rx, heard_tx.clone()));
        }
        let members = members.into_iter().flatten().collect();
        Ok((
            Self {
                members,
                heard,
                tasks,
            },
            slowest,
        ))
    }

    /// Whether no client has lost its connection.
    pub(super) fn is_whole(&mut self) -> bool {
        self.tasks.try_join_next().is_none()
    }

    pub(super) async fn send(&self, member: usize, text: String) -> Result<()> {
        self.members[member]
            .send(text)
            .await
            .map_err(|_| anyhow!("client {member} has lost its connection"))
    }

    /// Breaks every connection off, without a farewell.
    pub(super) async fn break_off(mut self) {
        self.tasks.shutdown().await;
    }
}

struct Client {
    socket: WebSocketStream<TcpStream>,
    encoding: Encoding,
}

impl Client {
    async fn connect(target: &Target, member: usize) -> Result<Self> {
        let tcp = TcpSocket::new_v4()?;
        if cfg!(target_os = "linux") {
            // All of 127.0.0.0/8 is this machine there.
            let host = u8::try_from(2 + member / PER_ADDRESS).context("too many clients")?;
            tcp.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))?;
        }
        let tcp = tcp.connect(target.address).await?;
        tcp.set_nodelay(true)?;
        let mut request = target.url.as_str().into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(
            "Authorization",
            format!("Bearer {}", target.tokens[member]).parse()?,
        );
        headers.insert("X-Device-Id", format!("bench-{member}").parse()?);
        if let Some(subprotocol) = &target.subprotocol {
            headers.insert("Sec-WebSocket-Protocol", subprotocol.parse()?);
        }
        let config = WebSocketConfig::default().read_buffer_size(2048);
        let (socket, response) =
            tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await?;
        let encoding = response
            .headers()
            .get("Sec-WebSocket-Protocol")
            .and_then(|name| Encoding::of_subprotocol(name.to_str().ok()?))
            .unwrap_or(Encoding::Json);
        let mut client = Self { socket, encoding };
        loop {
            let message = client.next().await.context("closed before the welcome")?;
            if message.is_some_and(|message| message["type"] == "welcome") {
                return Ok(client);
            }
        }
    }

    async fn run(mut self, member: usize, mut outgoing: mpsc::Receiver<String>, heard: mpsc::Sender<Heard>) {
        loop {
            tokio::select! {
                message = self.next() => {
                    let at = Instant::now();
                    match message {
                        Ok(Some(message)) if is_of_call(&message) => {
                            if heard.send(Heard { member, at, message }).await.is_err() {
                                return;
                            }
                        }
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(member, %error, "a client has lost its connection");
                            return;
                        }
                    }
                }
                text = outgoing.recv() => {
                    let Some(text) = text else { return };
                    if let Err(error) = self.send(text).await {
                        tracing::warn!(member, %error, "a client could not send");
                        return;
                    }
                }
            }
        }
    }

    /// The next message; `None` is a frame without one.
    async fn next(&mut self) -> Result<Option<Value>> {
        let text = match self.socket.next().await.context("the server is gone")?? {
            Message::Text(text) => self.encoding.decode_text(&text)?,
            Message::Binary(bytes) => self.encoding.decode_binary(&bytes)?,
            Message::Close(frame) => bail!("the server closed: {frame:?}"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
        };
        Ok(Some(serde_json::from_str(&text)?))
    }

    async fn send(&mut self, text: String) -> Result<()> {
        let message = match self.encoding.encode(text)? {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        };
        Ok(self.socket.send(message).await?)
    }
}

fn is_of_call(message: &Value) -> bool {
    message["type"]
        .as_str()
        .is_some_and(|name| name.starts_with("call."))
}
